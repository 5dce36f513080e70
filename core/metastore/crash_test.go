package metastore

import (
	"errors"
	"fmt"
	"testing"

	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

var errStop = errors.New("the process stopped")

// crash stops a store at its n-th fault point, before or after a transaction: nothing goes to etcd from then on.
type crash struct {
	at, seen int
	point    string // where it stopped
}

func (c *crash) fault(point string) error {
	if c.point == "" && c.seen == c.at {
		c.point = point
	}
	c.seen++
	if c.point != "" {
		return errStop
	}
	return nil
}

// prepared is a store with two collections, segments, an index and a job; it is the same every time.
func prepared(t *testing.T, dir string) *Store {
	t.Helper()
	s := open(t, dir)
	c := sample(100, "c")
	check(t, s.CreateCollection(ctx, c))
	check(t, s.Commit(ctx, Change{Collection: 100, Add: append(segmentsOf(c, 1000, 3, 5), segmentOf(c, 102, 1100, 5))}))
	target := sample(500, "target")
	target.State = pb.CollectionState_CollectionCreating
	check(t, s.CreateCollection(ctx, target))
	check(t, s.PutCopyTasks(ctx, &pb.CopySegmentTask{TaskId: 1, JobId: 9}))
	check(t, s.PutCopyJob(ctx, &pb.CopySegmentJob{JobId: 9, CollectionId: 500, State: pb.CopySegmentJobState_CopySegmentJobExecuting}))
	check(t, s.StageSegments(ctx, segmentsOf(target, 5000, 20, 5)))
	check(t, s.PutCopyTasks(ctx, &pb.CopySegmentTask{TaskId: 2, JobId: 10}, &pb.CopySegmentTask{TaskId: 3, JobId: 10}))
	check(t, s.PutCopyJob(ctx, &pb.CopySegmentJob{JobId: 10, CollectionId: 400, State: pb.CopySegmentJobState_CopySegmentJobFailed}))
	return s
}

// mutations are those that take more than one transaction, or decide something large.
var mutations = []struct {
	name string
	run  func(*Store) error
}{
	{"small change", func(s *Store) error {
		return s.Commit(ctx, Change{Collection: 100, Add: segmentsOf(sample(100, "c"), 2000, 2, 5), Drop: []milvus.SegmentID{1000}})
	}},
	{"staged change", func(s *Store) error {
		return s.Commit(ctx, Change{Collection: 100, Add: segmentsOf(sample(100, "c"), 2000, 40, 5), Drop: []milvus.SegmentID{1000, 1002}})
	}},
	{"recorded change", func(s *Store) error {
		build := milvus.IndexFiles{Index: 150, Build: 5, Version: 1, Files: []milvus.FileRef{{Key: "files/index_files/5/1/101/1001/x"}}}
		return s.Commit(ctx, Change{
			Collection: 100, Add: segmentsOf(sample(100, "c"), 2000, 130, 0), Drop: []milvus.SegmentID{1000, 1002},
			Checkpoints: []milvus.Position{{Channel: "dml_0_100v0", Timestamp: 77}}, Indexes: map[milvus.SegmentID][]milvus.IndexFiles{1001: {build}},
		})
	}},
	{"create collection", func(s *Store) error { return s.CreateCollection(ctx, sample(300, "new")) }},
	{"create a wide collection", func(s *Store) error {
		c := sample(300, "new")
		for i := range 200 {
			c.Schema.Fields = append(c.Schema.Fields, milvus.Field{ID: milvus.FieldID(200 + i), Name: fmt.Sprint("f", i), Type: milvus.TypeInt64})
		}
		return s.CreateCollection(ctx, c)
	}},
	{"drop collection", func(s *Store) error { return s.DropCollection(ctx, 100) }},
	{"drop partition", func(s *Store) error { return s.DropPartition(ctx, 100, "p") }},
	{"drop index", func(s *Store) error { return s.DropIndex(ctx, 100, 150) }},
	{"rename", func(s *Store) error {
		return s.AlterCollection(ctx, 100, func(c *Collection) error { c.Schema.Name = "renamed"; return nil })
	}},
	{"publish", func(s *Store) error {
		return s.PublishRestore(ctx, s.CopyJobs()[0], 500, segmentsOf(sample(500, "target"), 5000, 20, 5))
	}},
	{"abandon", func(s *Store) error { return s.AbandonCollection(ctx, 500) }},
	{"delete job", func(s *Store) error { return s.DeleteCopyJob(ctx, 10) }},
}

// TestCrash stops each mutation before and after each of its transactions. After a restart there is the old state or the new
// one, and no row that does not belong to it.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			before := reopenedState(t, prepared(t, t.TempDir()))
			s := prepared(t, t.TempDir())
			count := &crash{at: -1}
			s.config.Fault = count.fault
			check(t, m.run(s))
			if count.seen < 2 {
				t.Fatalf("%d fault points", count.seen)
			}
			after := reopenedState(t, s)
			if after == before {
				t.Fatal("the mutation changes nothing")
			}
			olds, news := 0, 0
			for at := range count.seen {
				t.Run(fmt.Sprint(at), func(t *testing.T) { // which frees its directory
					s := prepared(t, t.TempDir())
					stop := &crash{at: at}
					s.config.Fault = stop.fault
					err := m.run(s)
					switch got := reopenedState(t, s); {
					case got == before && err != nil:
						olds++
					case got == after:
						news++
					default:
						t.Errorf("stopped at %s (error %v): neither the old nor the new state\n%s\nold\n%s\nnew\n%s", stop.point, err, got, before, after)
					}
				})
			}
			if olds == 0 || news == 0 {
				t.Errorf("%d times the old state, %d times the new one", olds, news)
			}
		})
	}
}

// reopenedState is what readers see after a restart, and all keys in etcd.
func reopenedState(t *testing.T, s *Store) string {
	t.Helper()
	again := reopened(t, s)
	text := stateOf(again).String()
	for kv, err := range again.scan(ctx, append(etcdmeta.Prefixes(again.keys.Root), again.keys.Own())...) {
		check(t, err)
		text += "\n" + kv.Key
	}
	check(t, again.Close())
	return text
}

// TestGoesOnAfterFailure lets a transaction fail without a restart: readers never see half, and the next mutation finds
// what etcd holds.
func TestGoesOnAfterFailure(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := prepared(t, t.TempDir())
			before := stateOf(s).String()
			for at := 0; ; at++ {
				stop := &crash{at: at}
				s.config.Fault = stop.fault
				err := m.run(s)
				s.config.Fault = nil
				if stop.point == "" {
					check(t, err)
					return
				}
				if err != nil && stateOf(s).String() != before {
					t.Fatalf("stopped at %s: readers see another state before anything was read again", stop.point)
				}
				_, err = s.CreateDatabase(ctx, fmt.Sprint("next", at), nil)
				check(t, err)
				check(t, s.DropDatabase(ctx, fmt.Sprint("next", at)))
				if got := stateOf(s).String(); got != before {
					if want := stateOf(reopened(t, s)).String(); got != want {
						t.Errorf("stopped at %s: the next mutation sees\n%s\na restart\n%s", stop.point, got, want)
					}
					return // it was decided
				}
			}
		})
	}
}

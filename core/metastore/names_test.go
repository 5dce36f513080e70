package metastore

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// TestNames says what clients see when names clash or are missing.
func TestNames(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	d := must[Database](t)(s.CreateDatabase(ctx, "d", nil))
	check(t, s.CreateCollection(ctx, sample(100, "c")))
	check(t, s.CreateCollection(ctx, sample(200, "other")))
	check(t, s.CreateAlias(ctx, "", "a", "c"))
	hidden := sample(300, "hidden")
	hidden.State = pb.CollectionState_CollectionCreating
	check(t, s.CreateCollection(ctx, hidden))
	rename := func(id milvus.CollectionID, db, to string) error {
		return s.AlterCollection(ctx, id, func(c *Collection) error { c.Database, c.Schema.Name = db, to; return nil })
	}
	in := func(db string, c *Collection) *Collection { c.Database = db; return c }
	find := func(db, name string) error { _, err := s.Collection(db, name); return err }
	for _, c := range []struct {
		what string
		err  error
		code status.Code
		text string
	}{
		{"a name that is taken", s.CreateCollection(ctx, sample(400, "c")), status.Unexpected, "create duplicate collection"},
		{"the name of one being made", s.CreateCollection(ctx, sample(400, "hidden")), status.Unexpected, "create duplicate collection"},
		{"an alias's name", s.CreateCollection(ctx, sample(400, "a")), status.Unexpected, "conflicts with an existing alias"},
		{"no such database", s.CreateCollection(ctx, in("nope", sample(400, "x"))), status.DatabaseMissing, "database not found[database=nope]"},
		{"find one being made", find("", "hidden"), status.CollectionMissing, "collection not found[database=default][collection=hidden]"},
		{"find in another database", find("d", "c"), status.CollectionMissing, "[database=d]"},
		{"find in none", find("nope", "c"), status.DatabaseMissing, "nope"},
		{"find an alias", find("default", "a"), status.Success, ""},
		{"rename to a taken name", rename(100, "default", "other"), status.Unexpected, "duplicate"},
		{"move one with an alias", rename(100, "d", "c"), status.Unexpected, "must drop all aliases"},
		{"drop one with an alias", s.DropCollection(ctx, 100), status.Unexpected, "associated aliases [a]"},
		{"drop one that is not there", s.DropCollection(ctx, 999), status.CollectionMissing, "collection not found"},
		{"an alias of nothing", s.CreateAlias(ctx, "", "b", "nope"), status.CollectionMissing, "nope"},
		{"an alias of one being made", s.CreateAlias(ctx, "", "b", "hidden"), status.CollectionMissing, "hidden"},
		{"an alias that is a name", s.CreateAlias(ctx, "", "other", "c"), 1601, "conflict"},
		{"the alias of another one", s.CreateAlias(ctx, "", "a", "other"), 1602, "a is alias to another collection: c"},
		{"the same alias again", s.CreateAlias(ctx, "", "a", "c"), status.Success, ""},
		{"alter no alias", s.AlterAlias(ctx, "", "b", "c"), status.AliasMissing, "alias not found"},
		{"alter an alias", s.AlterAlias(ctx, "", "a", "other"), status.Success, ""},
		{"move", rename(100, "d", "moved"), status.Success, ""},
		{"drop no alias", s.DropAlias(ctx, "d", "a"), status.AliasMissing, "[database=d][alias=a]"},
		{"drop the default database", s.DropDatabase(ctx, ""), status.Unexpected, "default"},
		{"drop a database in use", s.DropDatabase(ctx, "d"), status.DatabaseNotEmpty, "must drop all collections"},
		{"drop no database", s.DropDatabase(ctx, "nope"), status.DatabaseMissing, "nope"},
		{"a database twice", second(s.CreateDatabase(ctx, "d", nil)), status.Unexpected, "already exist"},
		{"drop no partition", s.DropPartition(ctx, 100, "nope"), status.PartitionMissing, "nope"},
		{"drop the default partition", s.DropPartition(ctx, 100, "_default"), status.Unexpected, "default partition"},
		{"drop no index", s.DropIndex(ctx, 100, 1), status.IndexMissing, "index not found"},
	} {
		code, text := status.Of(c.err)
		if code != c.code || !strings.Contains(text, c.text) {
			t.Errorf("%s: %d %q, want %d %q", c.what, code, text, c.code, c.text)
		}
	}
	moved, err := s.Collection("d", "moved")
	if err != nil || moved.DatabaseID != d.ID || moved.Updated == 0 {
		t.Errorf("moved: %+v, %v", moved, err)
	}
	if c, err := s.Collection("", "a"); err != nil || c.ID != 200 {
		t.Errorf("the altered alias: %v, %v", c, err)
	}
	p := must[milvus.Partition](t)(s.CreatePartition(ctx, 100, "p"))
	if p.ID != 102 {
		t.Errorf("a partition that is there: %+v", p)
	}
	compareWithReader(t, s)
	want := stateOf(s)
	want.Creating, want.Checkpoints = nil, nil // its restore has no job, so it does not go on
	got := stateOf(reopened(t, s))
	if got.Checkpoints = nil; got.String() != want.String() {
		t.Errorf("after a restart\n%s\nbefore\n%s", got, want)
	}
}

func second[T any](_ T, err error) error { return err }

// TestOutdatedChanges refuses changes that build on what is gone.
func TestOutdatedChanges(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := sample(100, "c")
	check(t, s.CreateCollection(ctx, c))
	check(t, s.Commit(ctx, Change{Collection: 100, Add: append(segmentsOf(c, 1000, 2, 5), segmentOf(c, 102, 1100, 5))}))
	check(t, s.DropPartition(ctx, 100, "p"))
	foreign := segmentOf(sample(200, "d"), 201, 3000, 5)
	elsewhere := segmentOf(c, 101, 3001, 5)
	elsewhere.Binlogs[0].Binlogs[0].File.Key = "files/insert_log/elsewhere"
	for _, x := range []struct {
		what  string
		c     Change
		class error
	}{
		{"drops a segment of a dropped partition", Change{Drop: []milvus.SegmentID{1100}}, fault.ErrConflict},
		{"drops an unknown segment", Change{Drop: []milvus.SegmentID{9}}, fault.ErrConflict},
		{"drops one twice", Change{Drop: []milvus.SegmentID{1000, 1000}}, fault.ErrConflict},
		{"adds to a dropped partition", Change{Add: []*Segment{segmentOf(c, 102, 2000, 5)}}, fault.ErrConflict},
		{"adds one that exists", Change{Add: []*Segment{segmentOf(c, 101, 1000, 5)}}, fault.ErrConflict},
		{"adds one of another collection", Change{Add: []*Segment{foreign}}, fault.ErrConflict},
		{"adds a file that etcd can't name", Change{Add: []*Segment{elsewhere}}, fault.ErrCorrupt},
		{"an unknown channel", Change{Checkpoints: []milvus.Position{{Channel: "x"}}}, fault.ErrConflict},
		{"an unknown index", Change{Indexes: map[milvus.SegmentID][]milvus.IndexFiles{1000: {{Index: 9, Build: 1}}}}, fault.ErrConflict},
		{"a build twice", Change{Indexes: map[milvus.SegmentID][]milvus.IndexFiles{1000: {{Index: 150, Build: 10000}}}}, fault.ErrConflict},
	} {
		before := stateOf(s).String()
		x.c.Collection = 100
		if err := s.Commit(ctx, x.c); !errors.Is(err, x.class) {
			t.Errorf("%s: %v", x.what, err)
		}
		if stateOf(s).String() != before {
			t.Errorf("%s: something changed", x.what)
		}
	}
	if err := s.Commit(ctx, Change{Collection: 200}); !status.Is(err, status.CollectionMissing) {
		t.Errorf("an unknown collection: %v", err)
	}
	check(t, s.Commit(ctx, Change{Collection: 100}))
}

// TestReadersSeeWholeChanges reads while segments are replaced: there are always ten.
func TestReadersSeeWholeChanges(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := sample(100, "c")
	check(t, s.CreateCollection(ctx, c))
	check(t, s.Commit(ctx, Change{Collection: 100, Add: segmentsOf(c, 1000, 10, 5)}))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				list := s.Segments(100)
				if ids := fmt.Sprint(segmentIDs(list)); len(list) != 10 || list[0].ID/100 != list[9].ID/100 {
					t.Errorf("half of a change: %s", ids)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 10 {
		var old []milvus.SegmentID
		for _, seg := range s.Segments(100) {
			old = append(old, seg.ID)
		}
		check(t, s.Commit(ctx, Change{Collection: 100, Add: segmentsOf(c, milvus.SegmentID(2000+i*100), 10, 5), Drop: old}))
	}
	close(done)
	readers.Wait()
}

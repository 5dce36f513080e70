package metastore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// clock is the tests' time: it moves only when told to.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.UnixMilli(1_700_000_000_123)} }

func (c *clock) Now() time.Time { return c.now }

// open opens the store below dir, which is closed at the test's end at the latest.
func open(t testing.TB, dir string, change ...func(*Config)) *Store {
	t.Helper()
	s, err := tryOpen(dir, change...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func tryOpen(dir string, change ...func(*Config)) (*Store, error) {
	c := Config{Dir: dir, Storage: "files", NoFsync: true, Now: newClock().Now}
	for _, f := range change {
		f(&c)
	}
	return Open(context.Background(), c)
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sample is a collection with a bit of everything.
func sample(id milvus.CollectionID, name string) *Collection {
	return &Collection{
		Collection: milvus.Collection{
			ID: id, Schema: milvus.Schema{
				Name: name, Description: "sample", EnableDynamic: true,
				Fields: []milvus.Field{
					{ID: 0, Name: "RowID", Type: milvus.TypeInt64}, {ID: 1, Name: "Timestamp", Type: milvus.TypeInt64},
					{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
					{ID: 101, Name: "v", Type: milvus.TypeFloatVector, Dim: 8, TypeParams: []milvus.KeyValue{{Key: "dim", Value: "8"}}},
					{ID: 102, Name: "n", Type: milvus.TypeInt32, Nullable: true, Default: int32(7)},
				},
				StructArrays: []milvus.StructArray{{ID: 110, Name: "st", Members: []milvus.Field{
					{ID: 111, Name: "a", Type: milvus.TypeArray, ElementType: milvus.TypeInt64, MaxCapacity: 4, TypeParams: []milvus.KeyValue{{Key: "max_capacity", Value: "4"}}},
				}}},
				Functions: []milvus.Function{{ID: 7, Name: "f", Type: 1, InputFields: []milvus.FieldID{102}, OutputFields: []milvus.FieldID{101}}},
			},
			Partitions: []milvus.Partition{{ID: milvus.PartitionID(id + 1), Name: "_default"}, {ID: milvus.PartitionID(id + 2), Name: "p"}},
			Channels:   []string{fmt.Sprintf("dml_0_%dv0", id), fmt.Sprintf("dml_1_%dv1", id)}, Shards: 2, ConsistencyLevel: 2,
			Properties: []milvus.KeyValue{{Key: "collection.ttl.seconds", Value: "60"}},
		},
		PhysicalChannels: []string{"dml_0", "dml_1"},
		Indexes:          []milvus.Index{{ID: milvus.IndexID(id + 50), Field: 101, Name: "v", Params: []milvus.KeyValue{{Key: "index_type", Value: "FLAT"}}}},
	}
}

// segmentOf makes a segment with logs of so many fields, deletes and an index.
func segmentOf(c *Collection, partition milvus.PartitionID, id milvus.SegmentID, fields int) *Segment {
	s := milvus.Segment{
		ID: id, Collection: c.ID, Partition: partition, Level: milvus.LevelL1, Channel: c.Channels[0], Rows: 5, Sorted: true,
		Start: milvus.Position{Channel: c.Channels[0], Timestamp: 10, MessageID: []byte{1}}, DML: milvus.Position{Channel: c.Channels[0], Timestamp: 20},
	}
	ids := []milvus.FieldID{0, 1, 100, 101, 102}
	for i := range fields {
		f := milvus.FieldID(i + 98)
		if i < len(ids) {
			f = ids[i]
		}
		s.Binlogs = append(s.Binlogs, logs("insert_log", &s, f, int64(f)+1, 5))
	}
	s.Statslogs = []milvus.FieldBinlog{logs("stats_log", &s, 100, 1, 5)}
	s.Deltalogs = []milvus.FieldBinlog{{Binlogs: []milvus.Binlog{{
		File: milvus.FileRef{Key: fmt.Sprintf("files/delta_log/%d/%d/%d/77", s.Collection, s.Partition, s.ID)}, LogID: 77, Entries: 2, From: 11, To: 19, Size: 9,
	}}}}
	for _, x := range c.Indexes {
		build := milvus.BuildID(id*10 + milvus.SegmentID(len(s.Indexes)))
		s.Indexes = append(s.Indexes, milvus.IndexFiles{
			Field: x.Field, Index: x.ID, Build: build, Name: x.Name, Params: x.Params, Version: 1, Rows: 5, SerializedSize: 12,
			Files: []milvus.FileRef{{Key: fmt.Sprintf("files/index_files/%d/1/%d/%d/FLAT", build, s.Partition, s.ID)}},
		})
	}
	return &Segment{Segment: s, State: pb.SegmentState_Flushed}
}

func logs(folder string, s *milvus.Segment, f milvus.FieldID, id int64, rows int64) milvus.FieldBinlog {
	return milvus.FieldBinlog{Field: f, Binlogs: []milvus.Binlog{{
		File: milvus.FileRef{Key: fmt.Sprintf("files/%s/%d/%d/%d/%d/%d", folder, s.Collection, s.Partition, s.ID, f, id)}, LogID: milvus.LogID(id),
		Entries: rows, From: 10, To: 20, Size: 100, MemorySize: 200,
	}}}
}

func segmentsOf(c *Collection, from milvus.SegmentID, n, fields int) (out []*Segment) {
	for i := range n {
		out = append(out, segmentOf(c, c.Partitions[0].ID, from+milvus.SegmentID(i), fields))
	}
	return out
}

// state is everything that readers can see, in a form that compares.
type state struct {
	Databases   []Database
	Collections []*Collection
	Creating    []*Collection
	Segments    map[milvus.CollectionID][]*Segment
	Dropped     []milvus.SegmentID
	All         int
	Builds      []milvus.BuildID
	Checkpoints map[string]milvus.Position
	Snapshots   []string
	Jobs, Tasks []string
}

func stateOf(s *Store) *state {
	out := &state{Databases: s.Databases(), Segments: map[milvus.CollectionID][]*Segment{}, Checkpoints: map[string]milvus.Position{}}
	out.Collections, _ = s.Collections("*")
	s.see(func(v *view) {
		for _, sh := range v.shelves {
			if sh.value.State != pb.CollectionState_CollectionCreated {
				out.Creating = append(out.Creating, sh.value)
			}
			out.Segments[sh.value.ID] = sh.segments
		}
		for k, p := range v.checkpoints {
			out.Checkpoints[k] = p
		}
	})
	for _, seg := range s.DroppedSegments() {
		out.Dropped = append(out.Dropped, seg.ID)
	}
	for _, b := range s.DroppedBuilds() {
		out.Builds = append(out.Builds, b.Files.Build)
	}
	out.All = len(s.AllSegments())
	for _, x := range s.AllSnapshots() {
		out.Snapshots = append(out.Snapshots, x.Name+x.State.String())
	}
	for _, j := range s.CopyJobs() {
		out.Jobs = append(out.Jobs, fmt.Sprint(j.JobId, j.State))
		for _, t := range s.CopyTasks(j.JobId) {
			out.Tasks = append(out.Tasks, fmt.Sprint(t.JobId, t.TaskId))
		}
	}
	return out
}

// String is the same for nil and for empty lists.
func (s *state) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v|%v|%v|%d|%v|%v|%v|%v", s.Databases, s.Dropped, s.Builds, s.All, s.Checkpoints, s.Snapshots, s.Jobs, s.Tasks)
	for _, c := range slices.Concat(s.Collections, s.Creating) {
		fmt.Fprintf(&b, "\n%+v", *c)
		for _, seg := range s.Segments[c.ID] {
			fmt.Fprintf(&b, "\n  %+v", *seg)
		}
	}
	return b.String()
}

// reopened closes the store and opens the same directory.
func reopened(t testing.TB, s *Store) *Store {
	t.Helper()
	check(t, s.Close())
	return open(t, s.config.Dir)
}

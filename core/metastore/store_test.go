package metastore

import (
	"context"
	"testing"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

var ctx = context.Background()

// TestKeepsEverything makes a bit of everything, and finds it after a restart.
func TestKeepsEverything(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	db := must[Database](t)(s.CreateDatabase(ctx, "d", []milvus.KeyValue{{Key: "k", Value: "v"}}))
	check(t, s.CreateCollection(ctx, sample(100, "c")))
	other := sample(200, "c")
	other.Database = db.Name
	check(t, s.CreateCollection(ctx, other))
	c, _ := s.CollectionByID(100)
	check(t, s.CreateAlias(ctx, "", "a", "c"))
	check(t, s.CreateAlias(ctx, "default", "b", "a"))
	must[milvus.Partition](t)(s.CreatePartition(ctx, 100, "q"))
	check(t, s.AlterCollection(ctx, 100, func(c *Collection) error {
		c.Properties = append(c.Properties, milvus.KeyValue{Key: "x", Value: "y"})
		c.Schema.Fields = append(c.Schema.Fields, milvus.Field{ID: 103, Name: "late", Type: milvus.TypeInt64, Nullable: true})
		c.Schema.Description = ""
		return nil
	}))
	segs := segmentsOf(c, 1000, 3, 5)
	v3 := segmentOf(c, 102, 1003, 2)
	v3.StorageVersion, v3.ManifestPath, v3.Statslogs = milvus.StorageV3, `{"ver":1,"base_path":"files/insert_log/100/102/1003"}`, nil
	check(t, s.Commit(ctx, Change{Collection: 100, Add: append(segs, v3), Checkpoints: []milvus.Position{{Channel: c.Channels[1], Timestamp: 99}}}))
	out := segmentOf(c, 101, 1010, 5)
	out.CompactionFrom = []milvus.SegmentID{1000, 1001}
	check(t, s.Commit(ctx, Change{Collection: 100, Add: []*Segment{out}, Drop: out.CompactionFrom}))
	check(t, s.SetIndex(ctx, 100, milvus.Index{ID: 99, Field: 102, Name: "n"}))
	build := milvus.IndexFiles{Index: 99, Build: 5, Version: 1, Rows: 5, Files: []milvus.FileRef{{Key: "files/index_files/5/1/101/1010/x"}}}
	check(t, s.Commit(ctx, Change{Collection: 100, Indexes: map[milvus.SegmentID][]milvus.IndexFiles{1010: {build}}}))
	check(t, s.DropIndex(ctx, 100, 150))
	check(t, s.PutSnapshot(ctx, &pb.SnapshotInfo{Id: 7, Name: "s", CollectionId: 100, State: pb.SnapshotState_SnapshotStateCommitted, PinIds: []int64{1}}))
	check(t, s.PutCopyJob(ctx, &pb.CopySegmentJob{JobId: 8, CollectionId: 300}))
	check(t, s.PutCopyTasks(ctx, &pb.CopySegmentTask{TaskId: 9, JobId: 8}))
	got := stateOf(s)
	if n := len(got.Segments[100]); n != 3 || len(got.Dropped) != 2 || len(got.Builds) != 3 {
		t.Fatalf("%d visible, %v dropped, builds %v", n, got.Dropped, got.Builds)
	}
	if x := got.Segments[100][2].Indexes; len(x) != 1 || x[0].Name != "n" || x[0].Field != 102 {
		t.Errorf("indexes of the output: %+v", x)
	}
	again := reopened(t, s)
	if after := stateOf(again); after.String() != got.String() {
		t.Errorf("after a restart\n%s\nbefore\n%s", after, got)
	}
	compareWithReader(t, again)
	check(t, again.ForgetBuilds(ctx, 10020, 10100))
	check(t, again.ForgetSegments(ctx, 1000, 1001, 4711))
	check(t, again.DropAlias(ctx, "", "a"))
	check(t, again.DropAlias(ctx, "", "b"))
	check(t, again.DropCollection(ctx, 100))
	if _, err := again.Collection("", "c"); !status.Is(err, status.CollectionMissing) {
		t.Errorf("a dropped collection: %v", err)
	}
	if n := len(again.DroppedSegments()); n != 3 {
		t.Errorf("%d dropped segments", n)
	}
	want := stateOf(again)
	if after := stateOf(reopened(t, again)); after.String() != want.String() {
		t.Errorf("after a restart\n%s\nbefore\n%s", after, want)
	}
}

package gc

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
)

// TestDroppedSegments removes a compaction's inputs after the grace time, and their rows with them.
func TestDroppedSegments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(1001)
	w.addV3(1002)
	w.add(1003, 1001)
	w.addV3(1004, 1002)
	w.sweep(Report{Owned: true, Waiting: 2})
	w.now = w.now.Add(grace - time.Millisecond)
	w.sweep(Report{Owned: true, Waiting: 2})
	w.now = w.now.Add(time.Millisecond)
	r := w.sweep(Report{Owned: true, Segments: 2, Files: 6 + 5})
	if r.Bytes == 0 {
		t.Error("no bytes")
	}
	if a, b := w.count("/1001/"), w.count("/1002/"); a+b != 0 || w.count("/1003/") != 6 || w.count("/1004/") != 5 || w.count("lobs") != 1 {
		t.Errorf("left: %v", w.keys())
	}
	if n := len(w.store.AllSegments()); n != 2 {
		t.Errorf("%d segments have rows", n)
	}
	w.sweep(Report{Owned: true})
}

// TestSnapshotKeeps is trap T22: an index is dropped, segments are compacted and collected; what a snapshot needs stays, for
// as long as it does.
func TestSnapshotKeeps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(1001)
	w.add(1002)
	w.addV3(1005)
	w.snapshots.segments = map[milvus.SegmentID]bool{1001: true, 1002: true, 1005: true}
	w.snapshots.builds = map[milvus.BuildID]bool{10001: true, 10002: true}
	before := w.keys()
	w.check(w.store.DropIndex(ctx, 100, 50))
	w.add(1003, 1001)
	w.later()
	w.sweep(Report{Owned: true, Kept: 2, Orphans: 1, Files: 1}) // the build of 1002, segment 1001; add wrote an index file of 1003, which has no index
	w.check(w.store.DropCollection(ctx, 100))
	w.later()
	w.sweep(Report{Owned: true, Kept: 3, Segments: 1, Files: 5})
	if got := w.keys(); len(got) != len(before) {
		t.Errorf("%d files, the snapshot has %d", len(got), len(before))
	}
	w.snapshots.segments, w.snapshots.builds = nil, nil
	w.sweep(Report{Owned: true, Segments: 3, Files: len(before), Orphans: 1}) // an orphan: long texts, which no segment needs any more
	if left := w.keys(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestDroppedIndex removes the builds of segments that go on.
func TestDroppedIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(1001)
	w.add(1002)
	w.snapshots.builds = map[milvus.BuildID]bool{10002: true}
	w.check(w.store.DropIndex(ctx, 100, 50))
	w.sweep(Report{Owned: true, Waiting: 2})
	w.later()
	w.sweep(Report{Owned: true, Builds: 1, Files: 1, Kept: 1})
	if n := w.count("index_files"); n != 1 || len(w.store.DroppedBuilds()) != 1 {
		t.Errorf("%d index files, %d builds", n, len(w.store.DroppedBuilds()))
	}
	w.snapshots.builds = nil
	w.sweep(Report{Owned: true, Builds: 1, Files: 1})
}

// TestCrashLeftovers removes what flushes, index builds and copies left that never got into the metadata, and nothing else.
func TestCrashLeftovers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(1001)
	w.addV3(1002)
	foreign := []string{
		"files/insert_log/100/201/1001/README", "files/insert_log/notes.txt", "files/insert_log/100/201/x/100/1", "files/insert_log/100/201/776/100/1/2",
		"files/insert_log/100/201/777/_other/1", "files/insert_log/100/201/lobs/x/_data/1", "files/insert_log/0100/201/776/100/1", "files/delta_log/100/201/776/100/1",
		"files/index_files/6/1/201", "files/index_files/a/1/201/777/f", "files/stats_log/100/201/776/1", "files/insert_log/100/201/775/100/-5",
		"files/text_log/1/1/100/201/777/99", "files/json_stats/x/3/1/100/201/777/101/t", "files/json_stats/2/3/1/100/201/777/99",
	}
	outside := []string{
		"files/snapshots/100/metadata/1.json", "files/snapshots/100/tables/1/metadata/v1.metadata.json", "files/snapshots/100/tables/1/binlogs/a.parquet",
		"files/text_logs/1/1/100/201/777/100/t", "files/wal/x", "other/insert_log/100/201/777/100/1", "files/insert_logs/100/201/777/100/1",
	}
	leftovers := []string{
		"files/insert_log/100/201/777/100/1", "files/insert_log/999/201/777/0/1", "files/insert_log/100/202/778/_data/0_x.parquet", "files/insert_log/100/202/778/_metadata/manifest-1.avro",
		"files/delta_log/100/-1/779/1", "files/stats_log/100/201/777/100/1", "files/bm25_stats/100/201/777/100/1",
		"files/index_files/7/1/201/777/FLAT", "files/index_files/7/1/201/1001/FLAT", "files/index_files/100/201/777/7/1/FLAT", "files/insert_log/100/203/lobs/110/_data/a.vx",
		"files/text_log/1/1/100/201/777/100/t", "files/json_key_index_log/2/1/100/201/777/101/t", "files/json_stats/2/3/1/100/201/777/101/shredding_data/0",
	}
	for _, k := range append(append(foreign, outside...), leftovers...) {
		w.write(k)
	}
	w.sweep(Report{Owned: true, Waiting: len(leftovers), Ignored: len(foreign)})
	w.snapshots.unknown = map[milvus.CollectionID]bool{55: true}
	w.later()
	w.sweep(Report{Owned: true, Ignored: len(foreign), Blocked: []milvus.CollectionID{0, 100, 999}})
	w.snapshots.unknown = nil
	w.sweep(Report{Owned: true, Ignored: len(foreign), Files: len(leftovers), Orphans: len(leftovers)})
	for _, k := range append(foreign, outside...) {
		if _, err := os.Stat(filepath.Join(w.dir, "bucket", k)); err != nil {
			t.Errorf("not ours, and gone: %v", err)
		}
	}
}

// TestStaging removes what an export that was killed left a day ago, and nothing of tables.
func TestStaging(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	table := "files/snapshots/100/tables/7/"
	for _, k := range []string{"staging/a.parquet", "staging/b/c.parquet", "binlogs/a.parquet", "metadata/v1.metadata.json", "staging.txt"} {
		w.write(table + k)
	}
	w.now = w.now.Add(stagingGrace - time.Second)
	young := w.write(table + "staging/young.parquet")
	w.sweep(Report{Owned: true, Waiting: 3})
	w.now = w.now.Add(time.Second)
	w.sweep(Report{Owned: true, Waiting: 1, Files: 2, Orphans: 2})
	if w.count(young) != 1 || w.count("tables/7/") != 4 {
		t.Errorf("left: %v", w.keys())
	}
}

// TestStagedSegments leaves the files of a restore that goes on.
func TestStagedSegments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := collection(300)
	target.State = pb.CollectionState_CollectionCreating
	w.check(w.store.CreateCollection(ctx, target))
	staged := &metastore.Segment{Segment: milvus.Segment{ID: 3001, Collection: 300, Partition: 201, Channel: "dml_0_300v0", Indexes: []milvus.IndexFiles{{Index: 50, Build: 8}}}}
	w.check(w.store.StageSegments(ctx, []*metastore.Segment{staged}))
	for _, k := range []string{"files/insert_log/300/201/3001/100/1", "files/insert_log/300/201/lobs/110/_data/a.vx", "files/index_files/8/1/201/3001/FLAT"} {
		w.write(k)
	}
	w.later()
	w.sweep(Report{Owned: true})
	w.check(w.store.AbandonCollection(ctx, 300))
	w.sweep(Report{Owned: true, Waiting: 1})
	w.later()
	w.sweep(Report{Owned: true, Segments: 1, Files: 3, Orphans: 3})
}

// TestFailsClosed removes nothing of a collection whose snapshots' needs are not known.
func TestFailsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(1001)
	w.check(w.store.DropCollection(ctx, 100))
	w.later()
	w.snapshots.unknown = map[milvus.CollectionID]bool{100: true}
	w.sweep(Report{Owned: true, Blocked: []milvus.CollectionID{100}})
	w.snapshots.unknown = nil
	w.sweep(Report{Owned: true, Segments: 1, Files: 6})
}

// TestAbandonedSnapshots gives snapshots that are being made their time.
func TestAbandonedSnapshots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.snapshots.abandoned = []*pb.SnapshotInfo{
		{Id: 1, State: pb.SnapshotState_SnapshotStatePending, PendingStartTime: w.now.UnixMilli()},
		{Id: 2, State: pb.SnapshotState_SnapshotStatePending, PendingStartTime: w.now.Add(-time.Hour).UnixMilli()},
		{Id: 3, State: pb.SnapshotState_SnapshotStateDeleting, PendingStartTime: w.now.UnixMilli()},
	}
	w.sweep(Report{Owned: true, Snapshots: 2, Waiting: 1})
	if r := w.snapshots.removed; len(r) != 2 || r[0] != 2 || r[1] != 3 {
		t.Errorf("removed %v", r)
	}
}

// TestForeignRoot touches no unknown file where the root is, or may be, somebody else's.
func TestForeignRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("files/insert_log/1/2/3/100/4")
	w.check(w.files.Put(ctx, w.ownerKey(), []byte("another")))
	w.add(1001)
	w.add(1002, 1001)
	w.later()
	w.sweep(Report{Segments: 1, Files: 6})
	w.check(w.files.Delete(ctx, w.ownerKey()))
	w.sweep(Report{})
	if w.count("insert_log/1/2/3") != 1 {
		t.Error("a Milvus's file is gone")
	}
	w.check(w.files.Delete(ctx, "files/insert_log/1/2/3/100/4"))
	w.sweep(Report{Owned: true})
	if _, _, err := w.files.ReadAll(ctx, w.ownerKey(), 100); err != nil {
		t.Error(err)
	}
}

// TestBasePath leaves a segment alone whose base is not where its ids say.
func TestBasePath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kept := w.write("files/insert_log/100/202/1/_data/x.parquet")
	s := milvus.Segment{ID: 1002, Collection: 100, Partition: 202, Channel: "dml_0_100v0", StorageVersion: milvus.StorageV3, ManifestPath: `{"ver":1,"base_path":"files/insert_log/100/202/1"}`}
	w.check(w.store.Commit(ctx, metastore.Change{Collection: 100, Add: []*metastore.Segment{{Segment: s}}}))
	w.add(1001)
	w.check(w.store.DropCollection(ctx, 100))
	w.snapshots.segments = map[milvus.SegmentID]bool{1: true}
	w.later()
	r, err := w.Sweep(ctx, false)
	if !errors.Is(err, fault.ErrUnsafePath) || r.Segments != 1 || r.Files != 6 {
		t.Errorf("report %+v, error %v", r, err)
	}
	if w.count(kept) != 1 || len(w.store.DroppedSegments()) != 1 {
		t.Errorf("left: %v", w.keys())
	}
}

// TestDeleteFails keeps the rows of segments whose files could not be removed.
func TestDeleteFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(1001)
	w.add(1002)
	w.add(1003, 1001, 1002)
	w.later()
	bad := faultstore.New(w.files, faultstore.Rule{
		When: faultstore.All(faultstore.On(faultstore.Delete), faultstore.Contains("/1001/")), Do: faultstore.Fail(objstore.ErrFailed),
	})
	g := New(w.store, bad, w.snapshots, w.config)
	r, err := g.Sweep(ctx, false)
	if err == nil || r.Segments != 1 {
		t.Errorf("report %+v, error %v", r, err)
	}
	if d := w.store.DroppedSegments(); len(d) != 1 || d[0].ID != 1001 {
		t.Errorf("%d segments have rows", len(d))
	}
	w.sweep(Report{Owned: true, Segments: 1, Files: 6})
}

// TestSeveralAtOnce removes the files of several segments at the same time, of a bounded number.
func TestSeveralAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all []milvus.SegmentID
	for id := milvus.SegmentID(1001); id < 1031; id++ {
		w.add(id)
		all = append(all, id)
	}
	w.add(2000, all...)
	w.later()
	var now, most atomic.Int64
	slow := faultstore.New(w.files, faultstore.Rule{When: faultstore.On(faultstore.Delete), Do: faultstore.Effect{
		Before: func(context.Context, faultstore.Call) error {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(5 * time.Millisecond)
			return nil
		},
		After: func(faultstore.Call) error { now.Add(-1); return nil },
	}})
	r, err := New(w.store, slow, w.snapshots, w.config).Sweep(ctx, false)
	if err != nil || r.Segments != 30 || r.Files != 30*6 || len(r.Keys) != r.Files || len(w.store.DroppedSegments()) != 0 {
		t.Errorf("%d segments, %d files, %d keys, %d segments left: %v", r.Segments, r.Files, len(r.Keys), len(w.store.DroppedSegments()), err)
	}
	if m := most.Load(); m < 2 || m > atOnce {
		t.Errorf("%d at once", m)
	}
}

// TestDryRun: Run with DryRun says what would go and removes nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(1001)
	w.add(1002, 1001)
	w.later()
	before := w.keys()
	var log bytes.Buffer
	w.config.DryRun, w.config.Interval, w.config.Log = true, time.Hour, slog.New(slog.NewTextHandler(&log, nil))
	run, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	w.check(w.Collector.Run(run))
	if after := w.keys(); !slices.Equal(after, before) || len(w.store.DroppedSegments()) != 1 {
		t.Errorf("%d files of %d are left", len(after), len(before))
	}
	for _, want := range []string{"would be removed\" key=files/insert_log/100/201/1001/100/7", "garbage that would be collected\" files=6"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in\n%s", want, &log)
		}
	}
}

// TestRun sweeps until its context ends.
func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(1001)
	w.add(1002, 1001)
	w.later()
	w.config.Interval = time.Millisecond
	run, stop := context.WithCancel(ctx)
	done := make(chan error)
	go func() { done <- w.Collector.Run(run) }()
	for len(w.store.DroppedSegments()) > 0 {
		time.Sleep(time.Millisecond)
	}
	stop()
	w.check(<-done)
}

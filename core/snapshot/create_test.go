package snapshot

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// A snapshot of every storage version reads as one that was laid out by hand, and writes nothing but its manifests and its
// metadata.
func TestCreate(t *testing.T) {
	t.Parallel()
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			f, c := w.documents(fixture.Shape{Segments: 3, Rows: 40, Deletes: 2, Version: version})
			want := w.rows(f.Snapshot(t, "by hand", 7, nil))
			before := w.below("")
			info, err := w.Create(t.Context(), c, Request{Name: " s1 ", Description: "all of it", Protection: 60 * time.Second})
			check(t, err)
			key := fmt.Sprintf("files/snapshots/%d/metadata/%d.json", c.ID, info.Id)
			wrote := slices.DeleteFunc(w.below(""), func(k string) bool { return slices.Contains(before, k) })
			files := []string{key}
			for _, seg := range f.Segments {
				files = append(files, fmt.Sprintf("files/snapshots/%d/manifests/%d/%d.avro", c.ID, info.Id, seg.ID))
			}
			slices.Sort(files)
			if d := cmp.Diff(files, wrote); d != "" {
				t.Error(d)
			}
			if info.Name != "s1" || info.State != pb.SnapshotState_SnapshotStateCommitted || info.S3Location != key || info.Description != "all of it" ||
				info.CreateTs != int64(w.store.Checkpoint(fixture.DocumentsChannel).Timestamp) || info.PendingStartTime != 1_700_000_600_000 ||
				info.CompactionExpireTime != 1_700_000_660 || len(info.PartitionIds) != 1 || len(info.ChannelSeekPositions) != 1 {
				t.Errorf("%+v", info)
			}
			if got := w.rows(key); len(want) != 3*38 || !slices.Equal(got, want) {
				t.Errorf("%d rows, want %d", len(got), len(want))
			}
			w.checkLoaded(info, c, f)
		})
	}
}

// checkLoaded compares what is read back with what the collection is.
func (w *world) checkLoaded(info *pb.SnapshotInfo, c *metastore.Collection, f *fixture.Collection) {
	w.t.Helper()
	m, segments, err := w.Load(w.t.Context(), info)
	check(w.t, err)
	got, want := m.Collection, c.Collection
	got.Schema.Properties, want.Schema.Properties = nil, nil
	if d := cmp.Diff(want, got); d != "" {
		w.t.Error(d)
	}
	if d := cmp.Diff(c.Indexes, m.Indexes); d != "" {
		w.t.Error(d)
	}
	if m.FormatVersion != 5 || m.Info.State != pb.SnapshotState_SnapshotStatePending || m.Info.Location != "" || !slices.Equal(m.BuildIDs, []milvus.BuildID{401, 402, 403}) {
		w.t.Errorf("%+v, builds %v", m.Info, m.BuildIDs)
	}
	for i := range segments {
		now, _ := w.store.Segment(f.Segments[i].ID)
		if d := cmp.Diff(now.Segment, segments[i]); d != "" {
			w.t.Error(d)
		}
	}
}

// Segments without rows and deletes are left out; those with deletes alone are not.
func TestCreateCapturesData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.documents(fixture.Shape{Segments: 1, Rows: 4})
	seg := func(id milvus.SegmentID, change func(*metastore.Segment)) *metastore.Segment {
		s := &metastore.Segment{Segment: milvus.Segment{ID: id, Collection: c.ID, Partition: fixture.DocumentsPartition, Level: milvus.LevelL1, Channel: fixture.DocumentsChannel}}
		change(s)
		return s
	}
	deletes := func(s *metastore.Segment) {
		key := fmt.Sprintf("files/delta_log/%d/%d/%d/9", s.Collection, s.Partition, s.ID)
		s.Deltalogs = []milvus.FieldBinlog{{Binlogs: []milvus.Binlog{{LogID: 9, Entries: 3, Size: 77, File: milvus.FileRef{Key: key}}}}}
	}
	manifest := func(version int, rows int64) func(*metastore.Segment) {
		return func(s *metastore.Segment) {
			s.StorageVersion, s.Rows = milvus.StorageV3, rows
			s.ManifestPath = fmt.Sprintf(`{"ver":%d,"base_path":"files/insert_log/%d/%d/%d"}`, version, s.Collection, s.Partition, s.ID)
		}
	}
	check(t, w.store.Commit(t.Context(), metastore.Change{Collection: c.ID, Add: []*metastore.Segment{
		seg(1, func(*metastore.Segment) {}), seg(2, manifest(0, 0)), seg(3, manifest(4, 12)),
		seg(4, func(s *metastore.Segment) { s.Level = milvus.LevelL0; deletes(s) }),
		seg(5, func(s *metastore.Segment) { s.Level = milvus.LevelL0; s.Partition = milvus.AllPartitions; deletes(s) }),
	}}))
	w.create("s")
	info, err := w.Find(c.ID, "s")
	check(t, err)
	m, segments, err := w.Load(t.Context(), info)
	check(t, err)
	if len(segments) != 4 || segments[0].ID != 3 || segments[1].ID != 4 || segments[2].ID != 5 || len(m.Manifests) != 1 {
		t.Errorf("captured %v", m.SegmentIDs)
	}
	w.open()
	check(t, w.Recover(t.Context()))
	refs, builds, loaded := w.References(c.ID)
	if !loaded || len(refs) != 4 || refs[1] || refs[2] || !builds[401] {
		t.Errorf("%v %v %v", refs, builds, loaded)
	}
	_, err = w.Create(t.Context(), w.collection(), Request{Name: "bare", SkipIndex: true})
	check(t, err)
	info, _ = w.Find(c.ID, "bare")
	m, segments, err = w.Load(t.Context(), info)
	check(t, err)
	if !info.SkipIndex || len(m.Indexes)+len(m.BuildIDs) > 0 || len(segments[3].Indexes) > 0 {
		t.Errorf("without indexes: %+v", m)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.documents(fixture.Shape{Segments: 1, Rows: 4})
	w.create("s1")
	external := *c
	external.Schema.ExternalSource = "s3://elsewhere"
	gone := *c
	gone.ID = 5
	for _, tc := range []struct {
		c      *metastore.Collection
		r      Request
		code   status.Code
		reason string
	}{
		{c, Request{Name: " \t"}, 1100, "snapshot name should be not empty: invalid parameter[expected=not empty][actual=]"},
		{c, Request{Name: strings.Repeat("x", 300)}, 1100, "the length of snapshot name must be not greater than limit: invalid parameter[300 out of range 0 <= value <= 255]"},
		{c, Request{Name: "1a"}, 1100, "the first character of snapshot name must be an underscore or letter: invalid parameter[expected=95][actual=49]"},
		{c, Request{Name: "abc/x"}, 1100, "snapshot name can only contain numbers, letters, underscores, and allowed characters ($.-), found / at 3: invalid parameter"},
		{c, Request{Name: "naïve"}, 1100, "found ï at 2"},
		{c, Request{Name: "s1"}, 1100, fmt.Sprintf("snapshot name s1 already exists in collection %d: invalid parameter", c.ID)},
		{c, Request{Name: "s2", Protection: -time.Second}, 1100, "compaction_protection_seconds must be non-negative: invalid parameter"},
		{c, Request{Name: "s2", Protection: MaxProtection + time.Second}, 1100, "compaction_protection_seconds must not exceed 604800: invalid parameter"},
		{&external, Request{Name: "s2"}, 1100, "external source"},
		{&gone, Request{Name: "s2"}, 100, "collection not found"},
	} {
		_, err := w.Create(t.Context(), tc.c, tc.r)
		code, reason := status.Of(err)
		if code != tc.code || !strings.Contains(reason, tc.reason) {
			t.Errorf("%+v: %d %s", tc.r, code, reason)
		}
	}
	for _, name := range []string{"v2.1_production-release$", "_", strings.Repeat("y", 255)} {
		w.create(name)
	}
	if n := len(w.List(c.ID)); n != 4 {
		t.Errorf("%d snapshots", n)
	}
}

// Of many creators of one name one wins; many droppers all succeed; nothing is left in the end.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.documents(fixture.Shape{Segments: 2, Rows: 4})
	before := len(w.below(""))
	each := func(n int, f func(i int) error) (out []error) {
		out = make([]error, n)
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() { out[i] = f(i) })
		}
		group.Wait()
		return out
	}
	won := 0
	for _, err := range each(50, func(int) error { _, err := w.Create(t.Context(), c, Request{Name: "one"}); return err }) {
		if err == nil {
			won++
		} else if !strings.Contains(err.Error(), "already exists") {
			t.Error(err)
		}
	}
	if n := len(w.below("")); won != 1 || n != before+3 {
		t.Errorf("%d won, %d files", won, n-before)
	}
	for _, err := range each(50, func(i int) error {
		_, err := w.Create(t.Context(), c, Request{Name: fmt.Sprintf("n%d", i)})
		return err
	}) {
		check(t, err)
	}
	if n := len(w.List(c.ID)); n != 51 {
		t.Errorf("%d snapshots", n)
	}
	for _, err := range each(200, func(i int) error { return w.Drop(t.Context(), c.ID, fmt.Sprintf("n%d", i%50)) }) {
		check(t, err)
	}
	check(t, w.Drop(t.Context(), c.ID, "one"))
	if n := len(w.below("")); n != before || len(w.store.AllSnapshots()) != 0 {
		t.Errorf("%d files are left, %d rows", n-before, len(w.store.AllSnapshots()))
	}
}

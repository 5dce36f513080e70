package restore

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

const richID milvus.CollectionID = 460_000_000_000_000_100

// rich makes a collection with a bit of everything, of one storage version: two shards, two partitions, deletes of segments, of
// a partition and of all partitions, indexes, text indexes, JSON statistics.
func (w *world) rich(version int64) *metastore.Collection {
	w.t.Helper()
	channels := []string{fmt.Sprintf("by-dev-rootcoord-dml_3_%dv0", richID), fmt.Sprintf("by-dev-rootcoord-dml_7_%dv1", richID)}
	parts := []milvus.Partition{{ID: richID2(1), Name: "_default"}, {ID: richID2(2), Name: "p"}}
	f := fixture.New(w.bucket(), milvus.Collection{ID: richID, Database: "default", Partitions: parts, Schema: richSchema()})
	f.Files.Version = version
	rows := func(first int64, n int) flush.Chunk {
		ids, times, titles, floats := make([]int64, n), make([]int64, n), make([]string, n), make([]float32, 4*n)
		for i := range n {
			ids[i], times[i], titles[i] = first+int64(i), int64(milvus.NewTimestamp(1_700_000_000_000, 0)), fmt.Sprintf("title %d", first+int64(i))
			floats[4*i] = float32(first) + float32(i)
		}
		return flush.Chunk{milvus.TimestampField: fixture.Int64s(times...), 100: fixture.Int64s(ids...), 101: fixture.Strings(titles...), 102: fixture.FloatVectors(4, floats...)}
	}
	deletes := func(keys ...int64) []*deltalog.Deletes {
		return []*deltalog.Deletes{fixture.Int64Deletes(milvus.NewTimestamp(1_700_000_001_000, 0), keys...)}
	}
	for i, s := range []fixture.Segment{
		{Partition: parts[0].ID, Channel: channels[0], Chunks: []flush.Chunk{rows(0, 20), rows(20, 20)}, Deletes: deletes(0, 21)},
		{Partition: parts[1].ID, Channel: channels[1], Chunks: []flush.Chunk{rows(100, 30)}, Deletes: deletes(100)},
		{Partition: parts[1].ID, Channel: channels[1], Level: milvus.LevelL0, Deletes: deletes(101, 102)},
		{Partition: milvus.AllPartitions, Channel: channels[0], Level: milvus.LevelL0, Deletes: deletes(1, 2, 3)},
	} {
		s.ID = milvus.SegmentID(richID2(100 + i))
		if s.Level == 0 {
			s.Level = milvus.LevelL1
		}
		f.Add(w.t, s)
	}
	c := &metastore.Collection{Collection: f.Collection, PhysicalChannels: []string{"by-dev-rootcoord-dml_3", "by-dev-rootcoord-dml_7"}}
	c.Channels, c.Shards, c.ConsistencyLevel = channels, 2, 3
	c.Properties = []milvus.KeyValue{{Key: "collection.ttl.seconds", Value: "0"}, {Key: "mmap.enabled", Value: "true"}}
	for i, field := range []milvus.FieldID{102, 101} {
		c.Indexes = append(c.Indexes, milvus.Index{
			ID: milvus.IndexID(richID2(50 + i)), Field: field, Name: fmt.Sprintf("index%d", field), TypeParams: []milvus.KeyValue{{Key: "dim", Value: "4"}},
			Params: []milvus.KeyValue{{Key: "index_type", Value: "FLAT"}}, UserParams: []milvus.KeyValue{{Key: "M", Value: "8"}}, Automatic: i == 1,
		})
	}
	check(w.t, w.store.CreateCollection(w.t.Context(), c))
	change := metastore.Change{Collection: c.ID}
	for i, seg := range f.Segments {
		change.Add = append(change.Add, w.dress(seg, c, i))
	}
	check(w.t, w.store.Commit(w.t.Context(), change))
	check(w.t, w.store.CreateAlias(w.t.Context(), "", "alias_of_rich", c.Schema.Name))
	now, _ := w.store.CollectionByID(c.ID)
	return now
}

func richID2[T ~int](n T) milvus.PartitionID {
	return milvus.PartitionID(richID) + milvus.PartitionID(n)
}

func richSchema() milvus.Schema {
	capacity := []milvus.KeyValue{{Key: "max_capacity", Value: "4"}}
	return milvus.Schema{
		Name: "rich", Database: "default", Description: "a bit of everything", EnableDynamic: true,
		Fields: append(flush.SystemFields(), []milvus.Field{
			{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
			{ID: 101, Name: "title", Description: "of it", Type: milvus.TypeVarChar, MaxLength: 64, TypeParams: []milvus.KeyValue{{Key: "max_length", Value: "64"}, {Key: "enable_match", Value: "true"}}},
			{ID: 102, Name: "embedding", Type: milvus.TypeFloatVector, Dim: 4, TypeParams: []milvus.KeyValue{{Key: "dim", Value: "4"}}},
			{ID: 103, Name: "$meta", Type: milvus.TypeJSON, Dynamic: true, Nullable: true},
			{ID: 104, Name: "n", Type: milvus.TypeInt32, Nullable: true, Default: int32(7)},
		}...),
		StructArrays: []milvus.StructArray{{ID: 110, Name: "st", Nullable: true, Members: []milvus.Field{
			{ID: 111, Name: "a", Type: milvus.TypeArray, ElementType: milvus.TypeInt64, MaxCapacity: 4, Nullable: true, TypeParams: capacity},
		}}},
		Functions: []milvus.Function{{ID: 7, Name: "f", Type: 2, InputFields: []milvus.FieldID{101}, OutputFields: []milvus.FieldID{102}, Params: []milvus.KeyValue{{Key: "provider", Value: "x"}}}},
	}
}

// dress adds positions and the files of indexes and statistics.
func (w *world) dress(seg milvus.Segment, c *metastore.Collection, i int) *metastore.Segment {
	s := &metastore.Segment{Segment: seg}
	// Manifests do not hold the kind of log that a position is of.
	s.Start = milvus.Position{Channel: seg.Channel, MessageID: []byte{1}, Group: "g", Timestamp: 5}
	s.DML = milvus.Position{Channel: seg.Channel, MessageID: []byte{2}, Timestamp: 9}
	s.Sorted, s.CommitTimestamp, s.DeleteApplyStart = i == 0, milvus.Timestamp(i), 3
	if seg.IsL0() {
		return s
	}
	file := func(format string, args ...any) []milvus.FileRef {
		key := fmt.Sprintf(format, args...)
		check(w.t, w.files.Put(w.t.Context(), key, []byte(key)))
		return []milvus.FileRef{{Key: key}}
	}
	for k, x := range c.Indexes {
		build := milvus.BuildID(900 + 10*i + k)
		s.Indexes = append(s.Indexes, milvus.IndexFiles{
			Field: x.Field, Index: x.ID, Build: build, Name: x.Name, Params: x.Params, Version: 3, Rows: seg.Rows, SerializedSize: 5, MemorySize: 6, CurrentVersion: 7, StorePathVersion: int32(k),
		})
		if k == 0 {
			s.Indexes[k].Files = file("files/index_files/%d/3/%d/%d/flat", build, seg.Partition, seg.ID)
		} else {
			s.Indexes[k].Files = file("files/index_files/%d/%d/%d/%d/3/flat", seg.Collection, seg.Partition, seg.ID, build)
		}
	}
	if seg.StorageVersion != milvus.StorageV3 {
		s.TextIndexes = []milvus.FieldStats{{Field: 101, Version: 2, Build: 950, LogSize: 7, Files: file("files/text_log/950/2/%d/%d/%d/101/meta.json", seg.Collection, seg.Partition, seg.ID)}}
		s.JSONStats = []milvus.FieldStats{{Field: 103, Version: 1, Build: 960, JSONFormat: 2, Files: file("files/json_stats/2/960/1/%d/%d/%d/103/shredding_data/0", seg.Collection, seg.Partition, seg.ID)}}
	}
	return s
}

// What is restored equals the source field by field, but for names of its own, ids and aliases; its files are its own.
func TestRestoreEquals(t *testing.T) {
	t.Parallel()
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			source := w.rich(version)
			want := w.rows(source)
			if len(want) != 40-2-3+30-1-2 {
				t.Fatalf("%d rows", len(want))
			}
			w.snapshot(source, "s")
			sources := slices.Clone(w.store.Segments(source.ID))
			before := w.below("files/")
			id, err := w.Start(t.Context(), Request{Source: source, Snapshot: " s ", Target: "copy"})
			check(t, err)
			if _, err := w.store.Collection("", "copy"); err == nil {
				t.Error("the target can be seen")
			}
			if err := w.store.CreateCollection(t.Context(), &metastore.Collection{Collection: milvus.Collection{ID: 5, Schema: milvus.Schema{Name: "copy"}, Partitions: source.Partitions}}); err == nil {
				t.Error("the target's name is free")
			}
			j := w.run(id)
			if j.State != completed || j.Progress != 100 || j.Start.IsZero() || j.Cost < time.Millisecond || j.Collection != "copy" || j.Database != "default" || j.Snapshot != "s" || j.Reason != "" {
				t.Fatalf("%+v", j)
			}
			check(t, w.snapshots.Drop(t.Context(), source.ID, "s")) // not pinned any more
			target, err := w.store.Collection("", "copy")
			check(t, err)
			sameCollection(t, source, target)
			targets := w.store.Segments(target.ID)
			if len(targets) != len(sources) {
				t.Fatalf("%d segments", len(targets))
			}
			for i := range sources {
				w.sameSegment(sources[i], targets[i], source, target)
			}
			for _, channel := range target.Channels {
				if p := w.store.Checkpoint(channel); p.Timestamp != target.Created {
					t.Errorf("checkpoint %+v", p)
				}
			}
			for _, key := range before {
				check(t, os.RemoveAll(filepath.Join(w.bucket(), key)))
			}
			if got := w.rows(target); !slices.Equal(got, want) {
				t.Errorf("%d rows, want %d", len(got), len(want))
			}
			w.open()
			if got := w.rows(target); !slices.Equal(got, want) {
				t.Errorf("%d rows after a restart", len(got))
			}
		})
	}
}

func sameCollection(t *testing.T, source, target *metastore.Collection) {
	t.Helper()
	if target.ID == source.ID || target.Created <= source.Created || !slices.Equal(target.PhysicalChannels, source.PhysicalChannels) {
		t.Errorf("%+v", target)
	}
	for i := range source.Channels {
		if want := strings.Replace(source.Channels[i], fmt.Sprint(source.ID), fmt.Sprint(target.ID), 1); target.Channels[i] != want {
			t.Errorf("channel %s, want %s", target.Channels[i], want)
		}
	}
	for i := range source.Partitions {
		if target.Partitions[i].ID == source.Partitions[i].ID {
			t.Error("a partition has its source's id")
		}
	}
	a, b := *source, *target
	for _, c := range []*metastore.Collection{&a, &b} {
		c.ID, c.Channels, c.Schema.Name, c.Aliases, c.Created, c.Updated = 0, nil, "", nil, 0, 0
		c.Partitions, c.Indexes = slices.Clone(c.Partitions), slices.Clone(c.Indexes)
		for i := range c.Partitions {
			c.Partitions[i].ID = 0
		}
		for i := range c.Indexes {
			c.Indexes[i].ID = 0
		}
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
}

// sameSegment compares all but ids and what has ids in it, and the bytes of indexes and statistics.
func (w *world) sameSegment(source, target *metastore.Segment, from, to *metastore.Collection) {
	w.t.Helper()
	a, b := *source, *target
	if a.ID == b.ID || a.Partition != milvus.AllPartitions && from.PartitionName(a.Partition) != to.PartitionName(b.Partition) || (a.Partition == milvus.AllPartitions) != (b.Partition == milvus.AllPartitions) {
		w.t.Errorf("segment %d of partition %d became %d of %d", a.ID, a.Partition, b.ID, b.Partition)
	}
	channels := channelMap(from.Channels, to.Channels)
	if b.Channel != channels[a.Channel] || b.Start.Channel != channels[a.Start.Channel] || b.DML.Channel != channels[a.DML.Channel] {
		w.t.Errorf("channels %s %s %s", b.Channel, b.Start.Channel, b.DML.Channel)
	}
	read := func(key string) string {
		body, err := os.ReadFile(filepath.Join(w.bucket(), key))
		check(w.t, err)
		return string(body)
	}
	plain := func(s *metastore.Segment) {
		logs := func(lists []milvus.FieldBinlog) (out []milvus.FieldBinlog) {
			for _, f := range lists {
				f.Binlogs = slices.Clone(f.Binlogs)
				for i := range f.Binlogs {
					if key := f.Binlogs[i].File.Key; key != "" {
						f.Binlogs[i].File.Key = path.Base(key) + read(key)
					}
				}
				out = append(out, f)
			}
			return out
		}
		files := func(list []milvus.FileRef) (out []milvus.FileRef) {
			for _, f := range list {
				out = append(out, milvus.FileRef{Key: path.Base(f.Key) + read(f.Key)})
			}
			return out
		}
		s.Binlogs, s.Deltalogs, s.Statslogs = logs(s.Binlogs), logs(s.Deltalogs), logs(s.Statslogs)
		s.Indexes, s.TextIndexes, s.JSONStats = slices.Clone(s.Indexes), slices.Clone(s.TextIndexes), slices.Clone(s.JSONStats)
		for i := range s.Indexes {
			x := &s.Indexes[i]
			x.Files, x.Build, x.Index = files(x.Files), 0, 0
		}
		for _, list := range [][]milvus.FieldStats{s.TextIndexes, s.JSONStats} {
			for i := range list {
				list[i].Files, list[i].Build = files(list[i].Files), 0
			}
		}
		s.ManifestPath = strings.Replace(s.ManifestPath, fmt.Sprintf("%d/%d/%d", s.Collection, s.Partition, s.ID), "", 1)
		s.ID, s.Collection, s.Partition, s.Channel, s.Start.Channel, s.DML.Channel = 0, 0, 0, "", "", ""
	}
	plain(&a)
	plain(&b)
	if d := cmp.Diff(a, b); d != "" {
		w.t.Error(d)
	}
	for i := range source.Indexes {
		if source.Indexes[i].Build == target.Indexes[i].Build || source.Indexes[i].Index == target.Indexes[i].Index {
			w.t.Error("an index has its source's ids")
		}
	}
}

// Options change what they say and nothing else.
func TestRestoreOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.rich(milvus.StorageV2)
	w.snapshot(source, "s")
	db, err := w.store.CreateDatabase(t.Context(), "db2", nil)
	check(t, err)
	text := "another"
	target := w.restore(Request{Source: source, Snapshot: "s", TargetDB: "db2", Target: "copy", SkipIndex: true, Description: &text,
		Properties: []milvus.KeyValue{{Key: "collection.ttl.seconds", Value: "60"}, {Key: "new", Value: "1"}}})
	if target.DatabaseID != db.ID || target.Database != "db2" || target.Schema.Description != text || len(target.Indexes) != 0 {
		t.Errorf("%+v", target)
	}
	want := []milvus.KeyValue{{Key: "mmap.enabled", Value: "true"}, {Key: "collection.ttl.seconds", Value: "60"}, {Key: "new", Value: "1"}}
	if d := cmp.Diff(want, target.Properties); d != "" {
		t.Error(d)
	}
	if s := w.store.Segments(target.ID)[0]; len(s.Indexes) != 0 || len(s.TextIndexes) != 1 || s.Rows != 40 {
		t.Errorf("%+v", s)
	}
	jobs, err := w.Jobs("db2", "copy")
	if err != nil || len(jobs) != 1 || jobs[0].Database != "db2" {
		t.Errorf("%+v %v", jobs, err)
	}
	if jobs, _ := w.Jobs("", ""); len(jobs) != 0 {
		t.Errorf("%+v", jobs)
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.rich(milvus.StorageV1)
	w.snapshot(source, "s")
	before := w.below("files/")
	for _, tc := range []struct {
		r      Request
		code   status.Code
		reason string
	}{
		{Request{Target: ""}, 1100, "target_collection_name is required for restore snapshot: invalid parameter"},
		{Request{Target: "rich"}, 65535, "create duplicate collection with different parameters, collection: rich"},
		{Request{Target: "alias_of_rich"}, 65535, "collection name [alias_of_rich] conflicts with an existing alias, please choose a unique name"},
		{Request{Target: "x", TargetDB: "db1"}, 800, "database not found[database=db1]"},
		{Request{Target: "x", Snapshot: "none"}, 2600, fmt.Sprintf("collection %d: snapshot not found[snapshot=none]", richID)},
		{Request{Target: "x", Snapshot: "-"}, 1100, "the first character of snapshot name"},
	} {
		tc.r.Source = source
		if tc.r.Snapshot == "" {
			tc.r.Snapshot = "s"
		}
		_, err := w.Start(t.Context(), tc.r)
		if code, reason := status.Of(err); code != tc.code || !strings.Contains(reason, tc.reason) {
			t.Errorf("%+v: %d %s", tc.r, code, reason)
		}
	}
	if _, err := w.Job(123); !status.Is(err, status.ImportFailed) || err.Error() != "restore job not found: jobID=123: importing data failed" {
		t.Error(err)
	}
	if _, err := w.Jobs("db1", ""); !status.Is(err, status.DatabaseMissing) {
		t.Error(err)
	}
	w.gone("x", before)
	if len(w.store.CopyJobs()) != 0 {
		t.Error("jobs are left")
	}
}

// Many restores of one snapshot to different names all succeed; of two to one name one wins. While they run, the snapshot can't be
// dropped.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.rich(milvus.StorageV3)
	want := w.rows(source)
	w.snapshot(source, "s")
	var group sync.WaitGroup
	jobs := make([]int64, 12)
	failures := make([]error, 12)
	for i := range jobs {
		group.Go(func() {
			jobs[i], failures[i] = w.Start(t.Context(), Request{Source: source, Snapshot: "s", Target: fmt.Sprintf("copy%d", i/2)})
		})
	}
	group.Wait()
	if err := w.snapshots.Drop(t.Context(), source.ID, "s"); !status.Is(err, status.SnapshotPinned) {
		t.Errorf("dropped: %v", err)
	}
	won := 0
	for i, id := range jobs {
		if failures[i] != nil {
			if code, reason := status.Of(failures[i]); code != 65535 || !strings.Contains(reason, "duplicate collection") {
				t.Error(failures[i])
			}
			continue
		}
		won++
		if j := w.run(id); j.State != completed {
			t.Errorf("%+v", j)
		}
		c, err := w.store.Collection("", fmt.Sprintf("copy%d", i/2))
		check(t, err)
		if got := w.rows(c); !slices.Equal(got, want) {
			t.Errorf("%d rows", len(got))
		}
	}
	if won != 6 {
		t.Errorf("%d won", won)
	}
	check(t, w.snapshots.Drop(t.Context(), source.ID, "s"))
	w.pass(retention + time.Second)
	for _, id := range jobs {
		if _, err := w.Job(id); !status.Is(err, status.ImportFailed) {
			t.Errorf("job %d: %v", id, err)
		}
	}
	w.sweep(t.Context())
	if n := len(w.store.CopyJobs()); n != 0 {
		t.Errorf("%d rows of jobs are left", n)
	}
}

// A snapshot of an empty collection gives an empty collection.
func TestRestoreEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := &metastore.Collection{Collection: milvus.Collection{ID: richID, Partitions: []milvus.Partition{{ID: 1, Name: "_default"}}, Schema: richSchema(), Channels: []string{"odd"}, Shards: 1}, PhysicalChannels: []string{"odd"}}
	check(t, w.store.CreateCollection(t.Context(), c))
	check(t, w.files.Put(t.Context(), "files/x", nil))
	c, _ = w.store.CollectionByID(c.ID)
	w.snapshot(c, "s")
	id, err := w.Start(t.Context(), Request{Source: c, Snapshot: "s", Target: "copy"})
	check(t, err)
	if j := w.run(id); j.State != completed || j.Reason != "no segments to copy" || j.Progress != 100 {
		t.Errorf("%+v", j)
	}
	if c, err := w.store.Collection("", "copy"); err != nil || c.Channels[0] != fmt.Sprintf("odd_%dv0", c.ID) {
		t.Errorf("%+v %v", c, err)
	}
}

package gc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

var ctx = context.Background()

// snapshots are what the collector is told of snapshots.
type snapshots struct {
	segments  map[milvus.SegmentID]bool
	builds    map[milvus.BuildID]bool
	unknown   map[milvus.CollectionID]bool // not loaded
	abandoned []*pb.SnapshotInfo
	removed   []int64
}

func (s *snapshots) References(c milvus.CollectionID) (map[milvus.SegmentID]bool, map[milvus.BuildID]bool, bool) {
	return s.segments, s.builds, !s.unknown[c]
}
func (s *snapshots) Loaded() bool                  { return len(s.unknown) == 0 }
func (s *snapshots) Abandoned() []*pb.SnapshotInfo { return s.abandoned }
func (s *snapshots) RemoveAbandoned(_ context.Context, info *pb.SnapshotInfo) error {
	s.removed = append(s.removed, info.Id)
	return nil
}

// world is a store of metadata, a directory of files and a clock.
type world struct {
	*testing.T
	now       time.Time
	dir       string
	store     *metastore.Store
	snapshots *snapshots
	fault     func(point string) error // of the store
	*Collector
}

const grace = time.Hour

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: time.UnixMilli(1_700_000_000_000).UTC(), dir: t.TempDir(), snapshots: &snapshots{}}
	var err error
	w.store, err = metastore.Open(ctx, metastore.Config{Dir: filepath.Join(w.dir, "meta"), Storage: "files", NoFsync: true, Now: w.clock, Fault: func(point string) error {
		if w.fault == nil {
			return nil
		}
		return w.fault(point)
	}})
	w.check(err)
	t.Cleanup(func() { _ = w.store.Close() })
	w.Collector = New(w.store, objstore.Local(filepath.Join(w.dir, "bucket")), w.snapshots, Config{Root: "files", Grace: grace, Now: w.clock})
	w.sweep(Report{Owned: true}) // as a server does when it starts
	w.check(w.store.CreateCollection(ctx, collection(100)))
	return w
}

func (w *world) clock() time.Time { return w.now }

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func collection(id milvus.CollectionID) *metastore.Collection {
	return &metastore.Collection{Collection: milvus.Collection{
		ID: id, Schema: milvus.Schema{Name: fmt.Sprint("c", id), Fields: []milvus.Field{{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}}},
		Partitions: []milvus.Partition{{ID: 201, Name: "_default"}, {ID: 202, Name: "p"}}, Channels: []string{fmt.Sprintf("dml_0_%dv0", id)}, Shards: 1,
	}, Indexes: []milvus.Index{{ID: 50, Field: 100, Name: "i"}}}
}

// write stores a file as old as the clock says.
func (w *world) write(key string) string {
	w.Helper()
	w.check(w.files.Put(ctx, key, []byte(key)))
	w.check(os.Chtimes(filepath.Join(w.dir, "bucket", key), w.now, w.now))
	return key
}

// add commits a segment of V1 with its files and an index of one file.
func (w *world) add(id milvus.SegmentID, drop ...milvus.SegmentID) {
	w.Helper()
	s := milvus.Segment{ID: id, Collection: 100, Partition: 201, Level: milvus.LevelL1, Channel: "dml_0_100v0", Rows: 1}
	log := func(list *[]milvus.FieldBinlog, folder, field string, logID int64) {
		key := w.write(fmt.Sprintf("files/%s/100/201/%d/%s%d", folder, id, field, logID))
		*list = append(*list, milvus.FieldBinlog{Field: 100, Binlogs: []milvus.Binlog{{File: milvus.FileRef{Key: key}, LogID: milvus.LogID(logID), Size: int64(len(key))}}})
	}
	log(&s.Binlogs, "insert_log", "100/", 7)
	log(&s.Statslogs, "stats_log", "100/", 1)
	log(&s.Deltalogs, "delta_log", "", 9)
	log(&s.BM25logs, "bm25_stats", "100/", 3)
	text := w.write(fmt.Sprintf("files/text_log/%d/1/100/201/%d/100/t", id+5000, id))
	s.TextIndexes = []milvus.FieldStats{{Field: 100, Build: milvus.BuildID(id + 5000), Version: 1, Files: []milvus.FileRef{{Key: text}}}}
	index := w.write(fmt.Sprintf("files/index_files/%d/1/201/%d/FLAT", id+9000, id))
	c, _ := w.store.CollectionByID(100)
	for _, x := range c.Indexes {
		s.Indexes = []milvus.IndexFiles{{Index: x.ID, Build: milvus.BuildID(id + 9000), Version: 1, Files: []milvus.FileRef{{Key: index}}}}
	}
	w.check(w.store.Commit(ctx, metastore.Change{Collection: 100, Add: []*metastore.Segment{{Segment: s}}, Drop: drop}))
}

// addV3 commits a segment of V3, in partition 202, beside whose base lie long texts.
func (w *world) addV3(id milvus.SegmentID, drop ...milvus.SegmentID) {
	w.Helper()
	base := fmt.Sprintf("files/insert_log/100/202/%d", id)
	for _, name := range []string{"_metadata/manifest-1.avro", "_metadata/manifest-2.avro", "_data/0_x.parquet", "_delta/5", "_stats/bloom_filter.100/6"} {
		w.write(base + "/" + name)
	}
	w.write("files/insert_log/100/202/lobs/110/_data/x.vx")
	s := milvus.Segment{
		ID: id, Collection: 100, Partition: 202, Level: milvus.LevelL1, Channel: "dml_0_100v0", Rows: 1, StorageVersion: milvus.StorageV3,
		ManifestPath: fmt.Sprintf(`{"ver":1,"base_path":%q}`, base),
	}
	w.check(w.store.Commit(ctx, metastore.Change{Collection: 100, Add: []*metastore.Segment{{Segment: s}}, Drop: drop}))
}

// sweep sweeps, first dry, and compares: the counts that the expected report has, and that a dry run reports the same files.
func (w *world) sweep(want Report) Report {
	w.Helper()
	before := w.keys()
	dry, err := w.Sweep(ctx, true)
	w.check(err)
	if !slices.Equal(w.keys(), before) {
		w.Fatal("a dry run changed files")
	}
	got, err := w.Sweep(ctx, false)
	w.check(err)
	var gone []string
	for _, k := range before {
		if !slices.Contains(w.keys(), k) {
			gone = append(gone, k)
		}
	}
	listed := slices.Sorted(slices.Values(got.Keys))
	if !slices.Equal(gone, listed) || got.Files != len(gone) {
		w.Errorf("removed\n%s\nreported\n%s", strings.Join(gone, "\n"), strings.Join(listed, "\n"))
	}
	if dry.Files < got.Files || !slices.Equal(slices.Sorted(slices.Values(dry.Keys)), listed) {
		w.Errorf("a dry run says\n%s\nremoved\n%s", strings.Join(dry.Keys, "\n"), strings.Join(got.Keys, "\n"))
	}
	counts := func(r Report) string {
		return fmt.Sprint("segments ", r.Segments, " builds ", r.Builds, " snapshots ", r.Snapshots, " orphans ", r.Orphans, " files ", r.Files,
			" kept ", r.Kept, " waiting ", r.Waiting, " ignored ", r.Ignored, " owned ", r.Owned, " blocked ", r.Blocked)
	}
	if counts(got) != counts(want) {
		w.Errorf("report:  %s\nwant:    %s", counts(got), counts(want))
	}
	return got
}

func (w *world) keys() (out []string) {
	w.Helper()
	for o, err := range w.files.List(ctx, "files/") {
		if fault.ClassName(err) == "ErrMissing" {
			return nil
		}
		w.check(err)
		if o.Key != w.ownerKey() {
			out = append(out, o.Key)
		}
	}
	return out
}

func (w *world) count(part string) (n int) {
	for _, k := range w.keys() {
		if strings.Contains(k, part) {
			n++
		}
	}
	return n
}

// later lets the grace time pass.
func (w *world) later() { w.now = w.now.Add(grace) }

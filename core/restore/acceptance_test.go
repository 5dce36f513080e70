package restore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// Collections of every kind, written by Milvus and by hand, have the same rows after they were restored and their own files
// are gone. Some of their V3 manifests name files in full.
func TestRestoreAcceptance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	versions := map[int64]int{}
	have := map[string]bool{}
	for _, c := range testkit.Cases(t, "") {
		if c.Refuse != "" || !strings.HasPrefix(c.Snapshot, "files/snapshots/") || !telling(c.Name) {
			continue
		}
		m, segments, err := loadSnapshot(filepath.Join(testkit.Acceptance(t), c.BucketDir), c.Snapshot)
		check(t, err)
		id := fmt.Sprint(c.BucketDir, m.Collection.ID)
		if have[id] && !strings.Contains(c.Name, "-v3") { // the same rows in another format of manifests
			continue
		}
		have[id] = true
		source := w.adopt(filepath.Join(testkit.Acceptance(t), c.BucketDir), m, segments)
		if source == nil {
			continue
		}
		want := w.rows(source)
		if strings.HasPrefix(c.Name, "snapshots/") && int64(len(want)) != c.Rows { // others are cut before their last rows
			t.Errorf("%s: %d rows in the source, want %d", c.Name, len(want), c.Rows)
		}
		w.snapshot(source, "s")
		target := w.restore(Request{Source: source, Snapshot: "s", Target: "restored"})
		check(t, w.snapshots.Drop(t.Context(), source.ID, "s"))
		for _, kind := range []string{"insert_log", "delta_log", "stats_log"} {
			check(t, os.RemoveAll(filepath.Join(w.bucket(), "files", kind, fmt.Sprint(source.ID))))
		}
		if got := w.rows(target); !slices.Equal(got, want) {
			t.Errorf("%s: %d rows, want %d", c.Name, len(got), len(want))
		}
		for _, seg := range segments {
			versions[seg.StorageVersion]++
		}
		w.dismiss(source, target)
	}
	if versions[0] < 40 || versions[2] < 3 || versions[3] < 3 {
		t.Errorf("segments by storage version: %v", versions)
	}
}

// telling picks the cases that differ in their files: a restore does not look at rows.
func telling(name string) bool {
	return strings.HasPrefix(name, "snapshots/") || slices.ContainsFunc([]string{"-v2", "-v3", "l0", "r-history", "f-partitions", "f-log-order", "-apply-start", "big-ids"},
		func(part string) bool { return strings.Contains(name, part) })
}

func loadSnapshot(bucket, key string) (*snapfile.Metadata, []milvus.Segment, error) {
	b, err := os.ReadFile(filepath.Join(bucket, key))
	if err != nil {
		return nil, nil, err
	}
	m, err := snapfile.DecodeMetadata(b)
	if err != nil {
		return nil, nil, err
	}
	var segments []milvus.Segment
	for _, p := range m.ManifestList {
		i := strings.Index(p, "files/snapshots/")
		if i < 0 {
			i = 0
		}
		b, err := os.ReadFile(filepath.Join(bucket, p[i:]))
		if err != nil {
			return nil, nil, err
		}
		s, err := snapfile.DecodeSegment(b, m.FormatVersion)
		if err != nil {
			return nil, nil, err
		}
		segments = append(segments, *s)
	}
	return m, segments, snapfile.Assemble(m, segments)
}

// adopt makes a snapshot's collection one of the store, with its files; nil if its metadata is not of the kind that a store
// holds (paths with a bucket, and the like).
func (w *world) adopt(bucket string, m *snapfile.Metadata, segments []milvus.Segment) *metastore.Collection {
	w.t.Helper()
	check(w.t, os.RemoveAll(filepath.Join(w.bucket(), "files")))
	check(w.t, os.CopyFS(filepath.Join(w.bucket(), "files"), os.DirFS(filepath.Join(bucket, "files"))))
	check(w.t, os.RemoveAll(filepath.Join(w.bucket(), "files/snapshots")))
	c := &metastore.Collection{Collection: m.Collection, Indexes: m.Indexes}
	c.Database, c.Schema.Database = "default", "default"
	if len(c.Partitions) == 0 {
		c.Partitions = []milvus.Partition{{ID: 1, Name: "_default"}}
	}
	if _, ok := c.Schema.Field(milvus.TimestampField); !ok {
		c.Schema.Fields = append(flush.SystemFields(), c.Schema.Fields...)
	}
	for i := range c.Channels {
		c.PhysicalChannels = append(c.PhysicalChannels, physicalChannel(c.Channels[i], c.ID))
	}
	check(w.t, w.store.CreateCollection(w.t.Context(), c))
	change := metastore.Change{Collection: c.ID}
	for _, s := range segments {
		if !slices.Contains(c.Channels, s.Channel) {
			s.Channel = ""
		}
		s.Indexes = nil // the cases have no index files
		change.Add = append(change.Add, &metastore.Segment{Segment: s})
	}
	if err := w.store.Commit(w.t.Context(), change); err != nil {
		w.t.Logf("collection %d: %v", c.ID, err)
		w.dismiss(c)
		return nil
	}
	now, _ := w.store.CollectionByID(c.ID)
	return now
}

// dismiss removes collections with their segments.
func (w *world) dismiss(all ...*metastore.Collection) {
	w.t.Helper()
	for _, c := range all {
		check(w.t, w.store.DropCollection(w.t.Context(), c.ID))
	}
	var ids []milvus.SegmentID
	for _, seg := range w.store.DroppedSegments() {
		ids = append(ids, seg.ID)
	}
	check(w.t, w.store.ForgetSegments(w.t.Context(), ids...))
}

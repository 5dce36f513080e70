package describe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

const (
	madeCollection = 100
	madeSnapshot   = 7001
	madePartition  = 200
)

// made is a snapshot that tests make up: segments of V1 with one insert log for each field.
type made struct {
	root     string                   // as recorded
	segments int                      // ids from 1000
	fields   int                      // user fields, from 100; field 100 is the key
	path     func(path string) string // how paths are written; nil: as bare keys
	layout   snapfile.Layout
	location string
}

// write puts the snapshot's files below dir, which is the root, and returns the metadata's path.
func (m made) write(t testing.TB, dir string) string {
	t.Helper()
	if m.path == nil {
		m.path = func(path string) string { return path }
	}
	meta := &snapfile.Metadata{
		Info: snapfile.Info{
			Name: "made", ID: madeSnapshot, Collection: madeCollection, CreateTS: milvus.NewTimestamp(1_700_000_000_000, 0), Location: m.location,
		},
		Collection: milvus.Collection{
			ID: madeCollection, Schema: milvus.Schema{Name: "made"}, Partitions: []milvus.Partition{{ID: madePartition, Name: "_default"}},
		},
		Layout: m.layout,
	}
	for f := range m.fields {
		meta.Collection.Schema.Fields = append(meta.Collection.Schema.Fields,
			milvus.Field{ID: milvus.FieldID(100 + f), Name: fmt.Sprint("f", f), Type: milvus.TypeInt64, PrimaryKey: f == 0})
	}
	for i := range m.segments {
		seg := m.segment(milvus.SegmentID(1000 + i))
		b, err := snapfile.EncodeSegment(&seg, snapfile.NewestVersion)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, snapfile.ManifestKey("", madeCollection, madeSnapshot, int64(seg.ID))), b)
		meta.ManifestList = append(meta.ManifestList, m.path(snapfile.ManifestKey(m.root, madeCollection, madeSnapshot, int64(seg.ID))))
		meta.SegmentIDs = append(meta.SegmentIDs, seg.ID)
	}
	b, err := snapfile.EncodeMetadata(meta)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, snapfile.MetadataKey("", madeCollection, madeSnapshot))
	writeFile(t, file, b)
	return file
}

func (m made) segment(id milvus.SegmentID) milvus.Segment {
	seg := milvus.Segment{ID: id, Partition: madePartition, Level: milvus.LevelL1, Channel: "dml_0_100v0", Rows: 1000, Sorted: true}
	log := func(kind string, field milvus.FieldID, size int64) milvus.FieldBinlog {
		key := fmt.Sprintf("%s/%s/%d/%d/%d/%d/%d", m.root, kind, madeCollection, madePartition, id, field, 460000000000000000+int64(id)*100+int64(field))
		if m.root == "" {
			key = key[1:]
		}
		return milvus.FieldBinlog{Field: field, Binlogs: []milvus.Binlog{{
			File: milvus.FileRef{Key: m.path(key)}, Entries: 1000, From: 1, To: 2, Size: size, MemorySize: 2 * size,
		}}}
	}
	for f := range m.fields {
		seg.Binlogs = append(seg.Binlogs, log("insert_log", milvus.FieldID(100+f), 8000))
	}
	seg.Deltalogs = []milvus.FieldBinlog{log("delta_log", 0, 500)}
	seg.Statslogs = []milvus.FieldBinlog{log("stats_log", 100, 700)}
	return seg
}

func writeFile(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRequests: resolving asks for the metadata and each manifest once and for nothing else; describing asks for nothing.
func TestRequests(t *testing.T) {
	var metrics objstore.Metrics
	opts := Options{Opener: objstore.NewOpener(objstore.Config{Metrics: &metrics})}
	dir := t.TempDir()
	file := made{root: "files", segments: 50, fields: 8}.write(t, filepath.Join(dir, "files"))
	snap, err := Resolve(context.Background(), file, opts)
	if err != nil {
		t.Fatal(err)
	}
	r := Describe(snap, true)
	counts := metrics.Counts()
	if counts.Calls["read_all"] != 51 || counts.Total() != 51 {
		t.Errorf("requests %v; want 51 of read_all", counts.Calls)
	}
	want := Totals{Segments: 50, Rows: 50_000, DeleteEntries: 50_000, Files: 500, Bytes: 50 * (8*8000 + 500 + 700)}
	if r.Totals != want {
		t.Errorf("totals %+v, want %+v", r.Totals, want)
	}
	if got, want := snap.Estimate([]milvus.FieldID{103}), (Estimate{Rows: 50_000, DeleteEntries: 50_000, Files: 150, Bytes: 50 * (2*8000 + 500)}); got != want {
		t.Errorf("estimate of one field %+v, want %+v", got, want)
	}
}

// BenchmarkDescribe resolves and describes 10,000 segments with 100,000 files.
func BenchmarkDescribe(b *testing.B) {
	dir := b.TempDir()
	file := made{root: "files", segments: 10_000, fields: 8}.write(b, filepath.Join(dir, "files"))
	for b.Loop() {
		var metrics objstore.Metrics
		opts := Options{Opener: objstore.NewOpener(objstore.Config{Metrics: &metrics})}
		runtime.GC()
		done, peak := make(chan struct{}), make(chan uint64)
		go watchHeap(done, peak)
		snap, err := Resolve(context.Background(), file, opts)
		if err != nil {
			b.Fatal(err)
		}
		report := Describe(snap, false)
		close(done)
		b.ReportMetric(float64(<-peak)/(1<<20), "peak-MiB")
		if report.Totals.Files != 100_000 || metrics.Counts().Total() != 10_001 {
			b.Fatalf("%d files, requests %v", report.Totals.Files, metrics.Counts().Calls)
		}
		b.ReportMetric(float64(metrics.Counts().Total()), "requests")
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "files/s")
}

// watchHeap sends the largest heap that it saw, fresh garbage included.
func watchHeap(done <-chan struct{}, peak chan<- uint64) {
	var most uint64
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
		select {
		case <-done:
			peak <- most
			return
		case <-tick.C:
		}
	}
}

package restore

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/snapshot"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// In a bucket the server copies: no byte of a data file goes through the program.
func TestRestoreInBucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.rich(milvus.StorageV3)
	v := testkit.StartVersitygw(t)
	v.MakeBucket(t, "milvus")
	v.Fill(t, "milvus", w.bucket())
	var m objstore.Metrics
	opener := objstore.NewOpener(objstore.Config{Metrics: &m, Settings: objstore.Settings{Endpoint: v.Endpoint, AccessKey: v.AccessKey, SecretKey: objstore.Secret(v.SecretKey)}})
	files, err := opener.Open(t.Context(), "s3://milvus")
	check(t, err)
	w.snapshots = snapshot.New(w.store, files, snapshot.Config{Root: "files", Now: w.clock, Random: w.chance})
	w.Service = New(w.store, files, w.snapshots, Config{Root: "files", Now: w.clock})
	w.snapshot(source, "s")
	before := m.Counts()
	target := w.restore(Request{Source: source, Snapshot: "s", Target: "copy"})
	after := m.Counts()
	if copies := after.Calls["copy"] - before.Calls["copy"]; copies < 15 || after.Calls["upload"] != 0 {
		t.Errorf("%d copies, %d uploads", copies, after.Calls["upload"])
	}
	for i, seg := range w.store.Segments(target.ID) {
		of := w.store.Segments(source.ID)[i]
		prefix := func(s *metastore.Segment) string {
			return fmt.Sprintf("files/insert_log/%d/%d/%d/_data/", s.Collection, s.Partition, s.ID)
		}
		want, got := v.Keys(t, "milvus", prefix(of)), v.Keys(t, "milvus", prefix(seg))
		if len(got) != len(want) || !seg.IsL0() && len(got) == 0 {
			t.Errorf("segment %d: %v, want %v", seg.ID, got, want)
		}
		for k := range got {
			a, b := testkit.ReadFile(t, v.Root, "milvus", want[k]), testkit.ReadFile(t, v.Root, "milvus", got[k])
			if string(a) != string(b) {
				t.Errorf("%s differs", got[k])
			}
		}
	}
}

// BenchmarkRestore restores 64 segments of 1 MiB each, beside a plain copy of the same files. Both write to the disk and wait for it.
func BenchmarkRestore(b *testing.B) {
	w := newWorld(b)
	f := fixture.Documents(b, w.bucket(), fixture.Shape{Segments: 64, Rows: 2048, Dim: 128, Version: milvus.StorageV2, Linked: true})
	c := &metastore.Collection{Collection: f.Collection, PhysicalChannels: []string{"by-dev-rootcoord-dml_0"}}
	c.Schema.Fields = append(richSchema().Fields[:2:2], c.Schema.Fields...)
	c.Channels, c.Shards = []string{fixture.DocumentsChannel}, 1
	check(b, w.store.CreateCollection(b.Context(), c))
	change := metastore.Change{Collection: c.ID}
	var size int64
	var keys []string
	for _, seg := range f.Segments {
		change.Add = append(change.Add, &metastore.Segment{Segment: seg})
		for _, list := range [][]milvus.FieldBinlog{seg.Binlogs, seg.Statslogs} {
			for _, fb := range list {
				for _, log := range fb.Binlogs {
					size += log.Size
					keys = append(keys, log.File.Key)
				}
			}
		}
	}
	check(b, w.store.Commit(b.Context(), change))
	c, _ = w.store.CollectionByID(c.ID)
	files := objstore.Local(w.bucket())
	w.snapshots = snapshot.New(w.store, files, snapshot.Config{Root: "files", Now: w.clock, Random: w.chance})
	w.Service = New(w.store, files, w.snapshots, Config{Root: "files", Now: w.clock})
	w.snapshot(c, "s")
	n := 0
	b.Run("restore", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			n++
			w.restore(Request{Source: c, Snapshot: "s", Target: fmt.Sprintf("copy%d", n)})
		}
	})
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			n++
			for _, key := range keys {
				plainCopy(b, filepath.Join(w.bucket(), key), filepath.Join(w.dir, fmt.Sprint("plain", n), key))
			}
		}
	})
}

func plainCopy(b *testing.B, from, to string) {
	in, err := os.Open(from)
	check(b, err)
	defer in.Close()
	check(b, os.MkdirAll(filepath.Dir(to), 0o755))
	out, err := os.Create(to)
	check(b, err)
	_, err = io.Copy(out, in)
	check(b, err)
	check(b, out.Sync())
	check(b, out.Close())
}

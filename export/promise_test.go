package export_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
	"github.com/snapexport/snapexport/reader"
)

// A reader looks at the table before and after every write of an export: it finds the old table or the whole new one, and
// all of the files that the table names.
func TestG2AReaderSeesTheOldTableOrTheNew(t *testing.T) {
	t.Parallel()
	src := newSource(t)
	target := t.TempDir()
	clean := objstore.NewOpener(objstore.Config{})
	if _, err := run(t.Context(), clean, resolve(t, clean, src.first), reader.Options{}, export.Options{Target: target, RunID: "old"}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	look := func(when string) {
		mu.Lock()
		defer mu.Unlock()
		tbl := load(t, clean, target)
		tag := tbl.Current.Summary["milvus.snapshot"]
		var rows int64
		data, _, err := tbl.Files(t.Context(), tbl.Current.ID)
		if err != nil {
			t.Errorf("%s: %v", when, err)
		}
		for _, f := range data {
			rows += f.Count()
			info, err := os.Stat(strings.TrimPrefix(f.FilePath(), "file://"))
			if err != nil || info.Size() != f.FileSizeBytes() {
				t.Errorf("%s: %v, the table says %d bytes of %s", when, err, f.FileSizeBytes(), f.FilePath())
			}
		}
		if want := map[string]int64{"first": segmentRows - deletedRows, "both": 2 * (segmentRows - deletedRows)}[tag]; rows != want {
			t.Errorf("%s: %q has %d rows, want %d", when, tag, rows, want)
		}
		seen[tag]++
	}
	writes := faultstore.Any(faultstore.On(faultstore.Put), faultstore.On(faultstore.Create), faultstore.On(faultstore.Upload),
		faultstore.On(faultstore.Write), faultstore.On(faultstore.Commit), faultstore.On(faultstore.Delete))
	opener := objstore.NewOpener(objstore.Config{Decorator: watching(writes, look)})
	if _, err := run(t.Context(), opener, resolve(t, opener, src.both), reader.Options{}, export.Options{Target: target, RunID: "new"}); err != nil {
		t.Fatal(err)
	}
	if seen["first"] < 5 || seen["both"] < 2 || len(seen) != 2 {
		t.Errorf("seen %v", seen)
	}
}

// Whatever happens to one file that an export reads, it fails and writes nothing.
func TestG3EveryFileIsReadToItsDeclaredRows(t *testing.T) {
	t.Parallel()
	src := newSource(t)
	damages := []struct {
		name  string
		spoil func(body []byte) []byte // nil: the file is deleted
	}{
		{"deleted", nil},
		{"empty", func([]byte) []byte { return nil }},
		{"half", func(b []byte) []byte { return b[:len(b)/2] }},
		{"one byte short", func(b []byte) []byte { return b[:len(b)-1] }},
		{"one byte more", func(b []byte) []byte { return append(b, 0) }},
	}
	keys := src.columnFiles(src.Segments)
	if len(keys) != 2*(2*4+1) {
		t.Fatalf("%d files: %v", len(keys), keys)
	}
	for _, key := range keys {
		path := filepath.Join(src.Dir, key)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range damages {
			want := fault.ErrCorrupt
			if d.spoil == nil {
				want, err = fault.ErrMissing, os.Remove(path)
			} else {
				err = os.WriteFile(path, d.spoil(append([]byte{}, whole...)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			mustFail(t, src, objstore.Config{}, fmt.Sprint(key, " ", d.name), want)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opener := objstore.NewOpener(objstore.Config{})
	if _, err := run(t.Context(), opener, resolve(t, opener, src.both), reader.Options{}, export.Options{Target: t.TempDir(), RunID: "r"}); err != nil {
		t.Fatal(err)
	}
}

// mustFail exports the snapshot of all segments.
func mustFail(t *testing.T, src source, config objstore.Config, what string, want error) {
	t.Helper()
	opener := objstore.NewOpener(config)
	target := filepath.Join(t.TempDir(), "table")
	_, err := run(t.Context(), opener, resolve(t, objstore.NewOpener(objstore.Config{}), src.both), reader.Options{}, export.Options{Target: target, RunID: "r"})
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	if left := files(target); len(left) > 0 {
		t.Errorf("%s: left behind %v", what, left)
	}
}

// Files with fewer rows than metadata says, each of them whole and valid in itself.
func TestG3AgreesWithMetadata(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := fixture.Documents(t, dir, fixture.Shape{Segments: 1, Rows: 40})
	path := filepath.Join(dir, long.Snapshot(t, "s", 7001, nil))
	short := fixture.Documents(t, t.TempDir(), fixture.Shape{Segments: 1, Rows: 38})
	src := source{Collection: long, both: path}
	for i, key := range src.columnFiles(long.Segments) {
		whole, err := os.ReadFile(filepath.Join(dir, key))
		if err != nil {
			t.Fatal(err)
		}
		other, err := os.ReadFile(filepath.Join(short.Dir, (source{Collection: short}).columnFiles(short.Segments)[i]))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, key), other, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		mustFail(t, src, objstore.Config{}, key, fault.ErrCorrupt)
		if err := os.WriteFile(filepath.Join(dir, key), whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The content hash and the rows do not depend on how the work is done.
func TestG4TheSameRowsAndHashHoweverItIsDone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := fixture.Documents(t, dir, fixture.Shape{Segments: 5, Rows: 90, Deletes: 3})
	// deletes of half of the second segment that come from beside
	c.Add(t, fixture.Segment{ID: 1, Partition: milvus.AllPartitions, Level: milvus.LevelL0, Channel: fixture.DocumentsChannel,
		Deletes: []*deltalog.Deletes{fixture.Int64Deletes(fixture.DocumentsTime+1, 1_000_010, 1_000_011, 4_000_080), fixture.Int64Deletes(fixture.DocumentsTime+2, 2_000_000, 1_000_010)}})
	path := filepath.Join(dir, c.Snapshot(t, "s", 7001, nil))
	opener := objstore.NewOpener(objstore.Config{})
	random := rand.New(rand.NewPCG(3, 4))
	const rows = 5*(90-3) - 3
	hash, exportID := "", ""
	for workers := 1; workers <= 4; workers++ {
		for _, batch := range []int{1, 7, 65536} {
			snap := resolve(t, opener, path)
			random.Shuffle(len(snap.Segments), func(i, j int) { snap.Segments[i], snap.Segments[j] = snap.Segments[j], snap.Segments[i] })
			for i := range snap.Segments {
				shuffleFiles(random, snap.Segments[i].Binlogs)
				shuffleFiles(random, snap.Segments[i].Deltalogs)
			}
			got, err := run(t.Context(), opener, snap, reader.Options{MaxBatchRows: batch}, export.Options{Target: t.TempDir(), RunID: "r", Workers: workers, TargetFileSize: int64(1000 * workers)})
			if err != nil {
				t.Fatal(err)
			}
			if hash == "" {
				hash, exportID = got.ContentHash, got.ExportID
			}
			if got.RowsWritten != rows || got.ContentHash != hash {
				t.Errorf("%d workers, batches of %d: %d rows, %s; want %d, %s", workers, batch, got.RowsWritten, got.ContentHash, rows, hash)
			}
			if got.ExportID != exportID {
				t.Errorf("%d workers, batches of %d: export %s, want %s", workers, batch, got.ExportID, exportID)
			}
		}
	}
}

func shuffleFiles(random *rand.Rand, lists []milvus.FieldBinlog) {
	random.Shuffle(len(lists), func(i, j int) { lists[i], lists[j] = lists[j], lists[i] })
	for _, fb := range lists {
		random.Shuffle(len(fb.Binlogs), func(i, j int) { fb.Binlogs[i], fb.Binlogs[j] = fb.Binlogs[j], fb.Binlogs[i] })
	}
}

// A store that hands out less than it says must not pass for one that has less.
func TestT13ShortBodies(t *testing.T) {
	t.Parallel()
	src := newSource(t)
	for _, body := range []faultstore.Effect{shorter(1), shorter(200), faultstore.Truncate(0), faultstore.FlipBit(-1)} {
		for _, key := range src.columnFiles(src.Segments[:1]) {
			spoiled := func(s objstore.Store) objstore.Store {
				return faultstore.New(s, faultstore.Rule{When: faultstore.Suffix(filepath.Base(key)), Do: body})
			}
			mustFail(t, src, objstore.Config{Decorator: spoiled}, key, fault.ErrCorrupt)
		}
	}
	for _, class := range []error{objstore.ErrTransient, fault.ErrAuth, fault.ErrMissing, io.ErrUnexpectedEOF} {
		for _, key := range src.columnFiles(src.Segments[:1]) {
			broken := func(s objstore.Store) objstore.Store {
				return faultstore.New(s, faultstore.Rule{When: faultstore.Suffix(filepath.Base(key)), Do: faultstore.Fail(class)})
			}
			mustFail(t, src, objstore.Config{Decorator: broken}, key, class)
		}
	}
}

// shorter leaves out the last n bytes.
func shorter(n int) faultstore.Effect {
	return faultstore.Effect{Body: func(_ faultstore.Call, b []byte) ([]byte, error) { return b[:max(len(b)-n, 0)], nil }}
}

// watching calls look before and after each call that the predicate selects.
func watching(when faultstore.Predicate, look func(string)) func(objstore.Store) objstore.Store {
	return func(s objstore.Store) objstore.Store {
		return faultstore.New(s, faultstore.Rule{When: when, Do: faultstore.Effect{
			Before: func(_ context.Context, c faultstore.Call) error { look(fmt.Sprint("before ", c)); return nil },
			After:  func(c faultstore.Call) error { look(fmt.Sprint("after ", c)); return nil },
		}})
	}
}

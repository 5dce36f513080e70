package export_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
	"github.com/snapexport/snapexport/reader"
)

func openScan(t *testing.T, opener *objstore.Opener, path string) *reader.Scan {
	t.Helper()
	scan, err := reader.Open(resolve(t, opener, path), reader.Options{Opener: opener})
	if err != nil {
		t.Fatal(err)
	}
	return scan
}

// A preflight asks once for each file, and for little of it.
func TestPreflightAsksOnceForEachFile(t *testing.T) {
	for version, want := range map[int64]int{
		milvus.StorageV1: 3 * (4*2 + 1), // timestamps and three fields, two chunks; deletes
		milvus.StorageV2: 3 * (3*2 + 1), // three groups
		milvus.StorageV3: 3 * (3*2 + 1),
	} {
		dir := t.TempDir()
		c := fixture.Documents(t, dir, fixture.Shape{Segments: 3, Rows: 400, Deletes: 20, Version: version})
		metrics := &objstore.Metrics{}
		opener := objstore.NewOpener(objstore.Config{Metrics: metrics})
		scan := openScan(t, opener, filepath.Join(dir, c.Snapshot(t, "s", 7001, nil)))
		before := metrics.Counts()
		var progress export.Progress
		checked, err := export.Preflight(t.Context(), scan, &progress)
		if err != nil {
			t.Fatal(err)
		}
		after := metrics.Counts()
		if calls := after.Total() - before.Total(); checked.Files != want || calls != int64(want) || progress.FilesChecked.Load() != calls || progress.FilesTotal.Load() != calls {
			t.Errorf("V%d: %d files in %d calls, want %d; progress %d of %d", version, checked.Files, calls, want, progress.FilesChecked.Load(), progress.FilesTotal.Load())
		}
		if n := after.BytesIn - before.BytesIn; n != checked.Bytes || n > int64(want)*512 {
			t.Errorf("V%d: %d bytes were read, %d are said", version, n, checked.Bytes)
		}
	}
}

// A file that can't be read, in the last segment, is found before the store is asked to write anything.
func TestPreflightComesBeforeTheFirstWrite(t *testing.T) {
	for name, c := range map[string]struct {
		version int64
		spoil   func(whole []byte) []byte
		class   error
		words   string
	}{
		"encrypted V2":   {milvus.StorageV2, func(b []byte) []byte { return append([]byte("PARE"), b[4:]...) }, fault.ErrUnsupported, "PARE"},
		"encrypted V3":   {milvus.StorageV3, func(b []byte) []byte { return append([]byte("PARE"), b[4:]...) }, fault.ErrUnsupported, "PARE"},
		"Vortex":         {milvus.StorageV3, func(b []byte) []byte { return append([]byte("VTXF"), b[4:]...) }, fault.ErrUnsupported, "Vortex"},
		"empty":          {milvus.StorageV2, func([]byte) []byte { return nil }, fault.ErrCorrupt, ""},
		"foreign":        {milvus.StorageV1, func(b []byte) []byte { return b[8:] }, fault.ErrCorrupt, "begins with"},
		"cut descriptor": {milvus.StorageV1, func(b []byte) []byte { return b[:90] }, fault.ErrCorrupt, "extras"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			col := fixture.Documents(t, dir, fixture.Shape{Segments: 3, Rows: 40, Version: c.version})
			snapshot := filepath.Join(dir, col.Snapshot(t, "s", 7001, nil))
			last := &col.Segments[2]
			key := last.Binlogs[len(last.Binlogs)-1].Binlogs[0].File.Key
			body, err := os.ReadFile(filepath.Join(dir, key))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, key), c.spoil(body), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, format := range []export.Format{export.FormatIceberg, export.FormatParquet} {
				target := filepath.Join(t.TempDir(), "table")
				written := faultstore.Effect{Before: func(_ context.Context, call faultstore.Call) error {
					switch call.Op {
					case faultstore.Put, faultstore.Create, faultstore.Upload, faultstore.Delete, faultstore.Copy:
						t.Errorf("%s %s", call.Op, call.Key)
					}
					return nil
				}}
				opener := onTarget(target, faultstore.Rule{When: func(faultstore.Call) bool { return true }, Do: written})
				_, err = run(t.Context(), opener, resolve(t, opener, snapshot), reader.Options{}, export.Options{Target: target, RunID: "r", Format: format})
				if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "segment ") || !strings.Contains(err.Error(), key) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

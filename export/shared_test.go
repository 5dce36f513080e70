package export_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	icebergtable "github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/catalog/config"
	"github.com/snapexport/snapexport/catalog/driver"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/verify"
)

// A table in a catalog that pyiceberg writes to as well: what is kept, snapshots aside, expiry, and someone else's delete.
func TestIncrementalInACatalog(t *testing.T) {
	t.Parallel()
	w := newTwins(t, milvus.StorageV1)
	dir := t.TempDir()
	props := map[string]string{"uri": "sqlite:///" + filepath.Join(dir, "catalog.db"), "warehouse": filepath.Join(dir, "warehouse")}
	all, err := config.Read(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := all.Get("lake", props)
	if err != nil {
		t.Fatal(err)
	}
	cat, err := driver.Open(t.Context(), settings, w.a.opener.Open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cat.Close() })
	ident := icebergtable.Identifier{"docs", "twins"}
	runs := 0
	put := func(snap *describe.Snapshot, opts export.Options) (*export.Result, error) {
		t.Helper()
		runs++
		at, _, err := cat.Where(t.Context(), ident, "")
		if err != nil {
			t.Fatal(err)
		}
		opts.In, opts.RunID = &export.Destination{Catalog: cat, Ident: ident, Location: at}, strings.Repeat("r", runs)
		return run(t.Context(), w.a.opener, snap, reader.Options{}, opts)
	}
	check := func(snap *describe.Snapshot) {
		t.Helper()
		scan, err := reader.Open(snap, reader.Options{Opener: w.a.opener, Budget: reader.NewBudget(reader.DefaultMemory)})
		if err != nil {
			t.Fatal(err)
		}
		report, err := verify.Table(t.Context(), scan, cat, ident, verify.Options{})
		if err != nil || !report.OK() {
			t.Errorf("%s: %v, %+v", snap.Name, err, report)
		}
	}
	first := w.snapshot("first", 1, 2000)
	w.l0(601, left, 2050, 7)
	second := w.snapshot("second", 2, 2100)
	w.segment(503, left, 5000, 10, 2150)
	third := w.snapshot("third", 3, 2200)
	for _, snap := range []*describe.Snapshot{first, third, second} {
		got, err := put(snap, export.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if snap != first && (got.Reuse == nil || got.Reuse.FilesKept != 1 || got.Reuse.Aside != (snap == second)) {
			t.Errorf("%s: %+v", snap.Name, got.Reuse)
		}
	}
	for _, snap := range []*describe.Snapshot{first, second, third} {
		check(snap)
	}
	w.segment(504, right, 6000, 10, 2250)
	fourth := w.snapshot("fourth", 4, 2300)
	got, err := put(fourth, export.Options{Expire: 2})
	if err != nil || got.Expired == nil || strings.Join(got.Expired.Tags, " ") != "first second" || got.Reuse.Base != "third" {
		t.Fatalf("%v, %+v", err, got)
	}
	check(third)
	check(fourth)

	args := []string{testkit.CatalogPackages(t), "docs.twins", "id == 5"}
	for key, value := range props {
		args = append(args, key+"="+value)
	}
	testkit.RunPython(t, filepath.Join("testdata", "delete.py"), args...)
	w.segment(505, right, 7000, 10, 2350)
	fifth := w.snapshot("fifth", 5, 2400)
	if _, err := put(fifth, export.Options{}); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("%v; want ErrConflict", err)
	}
	if _, err := put(fifth, export.Options{Replace: true}); err != nil {
		t.Fatal(err)
	}
	check(fifth)
}

package export_test

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

// source is a small collection with two snapshots: the first segment, and both.
type source struct {
	*fixture.Collection
	first, both string // paths of the metadata files
}

const (
	segmentRows = 100
	deletedRows = 7 // of each segment
)

func newSource(t testing.TB) source {
	t.Helper()
	dir := t.TempDir()
	c := fixture.Documents(t, dir, fixture.Shape{Segments: 2, Rows: segmentRows, Deletes: deletedRows})
	return source{c, filepath.Join(dir, c.Snapshot(t, "first", 7001, c.Segments[:1])), filepath.Join(dir, c.Snapshot(t, "both", 7002, nil))}
}

// quick repeats at once and not often.
func quick() objstore.RetryPolicy {
	return objstore.RetryPolicy{Attempts: 3, Base: time.Microsecond, Sleep: objstore.Sleep}
}

func resolve(t testing.TB, opener *objstore.Opener, path string) *describe.Snapshot {
	t.Helper()
	snap, err := describe.Resolve(t.Context(), path, describe.Options{Opener: opener})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// run exports a snapshot as a process of its own would.
func run(ctx context.Context, opener *objstore.Opener, snap *describe.Snapshot, ropts reader.Options, opts export.Options) (*export.Result, error) {
	ropts.Opener, ropts.Budget, ropts.Reuse = opener, reader.NewBudget(reader.DefaultMemory), true
	scan, err := reader.Open(snap, ropts)
	if err != nil {
		return nil, err
	}
	plan, err := export.NewPlan(scan, ropts, opts)
	if err != nil {
		return nil, err
	}
	return export.Run(ctx, scan, plan, opts, opener, ropts.Budget, &export.Progress{})
}

func load(t testing.TB, opener *objstore.Opener, target string) *catalog.Table {
	t.Helper()
	tbl, err := catalog.Load(t.Context(), catalog.NewPath(opener.Open, catalog.PathOptions{}), catalog.Ident(target))
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

// referenced returns the base names of the data files of all snapshots of the table.
func referenced(t testing.TB, tbl *catalog.Table) []string {
	t.Helper()
	var names []string
	for _, s := range tbl.Snapshots {
		data, _, err := tbl.Files(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range data {
			names = append(names, f.FilePath()[strings.LastIndexByte(f.FilePath(), '/')+1:])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// stored returns the base names of the data files that lie below the target.
func stored(t testing.TB, opener *objstore.Opener, target string) []string {
	t.Helper()
	store, key, err := opener.OpenObject(t.Context(), target+"/data")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for o, err := range store.List(t.Context(), key+"/") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, o.Key[strings.LastIndexByte(o.Key, '/')+1:])
	}
	slices.Sort(names)
	return names
}

// files returns the paths of all files below a directory; there need not be one.
func files(dir string) []string {
	var out []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return nil
	})
	return out
}

// columnFiles returns the paths of the files that an export of the segments reads: insert logs of time, key and columns, and deltalogs.
func (s source) columnFiles(segments []milvus.Segment) []string {
	var out []string
	for _, seg := range segments {
		for _, fb := range append(slices.Clone(seg.Binlogs), seg.Deltalogs...) {
			for _, b := range fb.Binlogs {
				if fb.Field != milvus.RowIDField || strings.Contains(b.File.Key, "delta_log") {
					out = append(out, b.File.Key)
				}
			}
		}
	}
	return out
}

package export_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
)

// A snapshot that is older than what the table shows gets its tag, and readers of the table see what they saw before.
func TestOlderSnapshotGoesAside(t *testing.T) {
	t.Parallel()
	w := newTwins(t, milvus.StorageV1)
	first := w.snapshot("first", 1, 2000)
	w.segment(503, left, 5000, 10, 2100)
	w.l0(601, left, 2200, 7)
	second := w.snapshot("second", 2, 3000)
	w.Collection.Collection.Schema.Fields = append(w.Collection.Collection.Schema.Fields,
		milvus.Field{ID: 102, Name: "note", Type: milvus.TypeInt64, Nullable: true})
	w.segment(504, left, 6000, 10, 3100)
	third := w.snapshot("third", 3, 4000)

	a := w.a
	a.must(second, reader.Options{}, export.Options{})
	newest := a.must(third, reader.Options{}, export.Options{})
	alone := a.must(first, reader.Options{}, export.Options{}) // before everything in the table
	if alone.Reuse != nil || alone.FilesWritten != 2 {
		t.Errorf("%+v", alone)
	}
	between := w.snapshot("between", 4, 3500)
	between.Collection.Schema.Fields = between.Collection.Schema.Fields[:2]
	onSecond := a.must(between, reader.Options{}, export.Options{})
	if onSecond.Reuse == nil || !onSecond.Reuse.Aside || onSecond.Reuse.Base != "second" || onSecond.Reuse.FilesKept != 2 {
		t.Errorf("%+v", onSecond.Reuse)
	}
	tbl := load(t, a.opener, a.target)
	if tbl.Current.ID != newest.IcebergSnapshotID || tbl.Properties["milvus.snapshot"] != "third" || tbl.Schema.NumFields() != 3 {
		t.Errorf("the table shows %+v, %s", tbl.Current, tbl.Schema)
	}
	for tag, fields := range map[string]int{"first": 2, "second": 2, "between": 2, "third": 3} {
		s, ok := tbl.Tagged(tag)
		if !ok || tbl.SchemaOf(s.ID).NumFields() != fields {
			t.Errorf("%s: %+v, %s", tag, s, tbl.SchemaOf(s.ID))
		}
	}
	if s, _ := tbl.Tagged("first"); s.Parent != catalog.NoSnapshot {
		t.Errorf("parent of the oldest: %d", s.Parent)
	}
	if s, _ := tbl.Tagged("between"); s.Parent != onSecond.Reuse.BaseID {
		t.Errorf("parent of the one between: %d", s.Parent)
	}
	for _, snap := range []string{"first", "second", "third"} {
		w.verify(map[string]*describe.Snapshot{"first": first, "second": second, "third": third}[snap], reader.Options{})
	}
	w.verify(between, reader.Options{})
	if again := a.must(first, reader.Options{}, export.Options{}); !again.AlreadyExported || again.IcebergSnapshotID != alone.IcebergSnapshotID {
		t.Errorf("%+v", again)
	}
	w.segment(505, left, 7000, 10, 4100)
	if last := a.must(w.snapshot("last", 5, 5000), reader.Options{}, export.Options{}); last.Reuse == nil || last.Reuse.Base != "third" || last.FilesWritten != 1 {
		t.Errorf("%+v, %+v", last, last.Reuse)
	}
}

// A name that was dropped and made again moves its tag, and the export says so; "main" is Iceberg's.
func TestNamesMadeAgain(t *testing.T) {
	t.Parallel()
	w := newTwins(t, milvus.StorageV2)
	one := w.a.must(w.snapshot("nightly", 1, 2000), reader.Options{}, export.Options{})
	w.segment(503, left, 5000, 10, 2100)
	two := w.a.must(w.snapshot("nightly", 2, 3000), reader.Options{}, export.Options{})
	if len(one.Warnings) != 0 || len(two.Warnings) != 1 || two.Warnings[0].Kind != "tag" || !strings.Contains(two.Warnings[0].Message, "Milvus snapshot 1") {
		t.Errorf("%v, %v", one.Warnings, two.Warnings)
	}
	w.a.must(w.snapshot("main", 3, 3500), reader.Options{}, export.Options{})
	tbl := load(t, w.a.opener, w.a.target)
	if s, ok := tbl.Tagged("nightly"); !ok || s.ID != two.IcebergSnapshotID || two.Reuse.FilesKept != 2 {
		t.Errorf("%+v, %+v", s, two.Reuse)
	}
	if s, ok := tbl.Tagged("milvus-main"); !ok || s.ID != tbl.Current.ID {
		t.Errorf("%+v", s)
	}
}

// Without its mapping a table is written anew; a mapping that someone changed is not believed.
func TestLostMapping(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(path string) error{
		"removed": os.Remove,
		"changed": func(path string) error { return os.WriteFile(path, []byte(`{"version":1,"units":[]}`), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwins(t, milvus.StorageV1)
			w.a.must(w.snapshot("first", 1, 2000), reader.Options{}, export.Options{})
			found, err := filepath.Glob(filepath.Join(w.a.target, "metadata", "*.mapping.json"))
			if err != nil || len(found) != 1 {
				t.Fatalf("%v, %v", found, err)
			}
			if err := harm(found[0]); err != nil {
				t.Fatal(err)
			}
			snap := w.snapshot("second", 2, 3000)
			got := w.a.must(snap, reader.Options{}, export.Options{})
			if got.Reuse != nil || got.FilesWritten != 2 || len(got.Warnings) != 1 || got.Warnings[0].Kind != "mapping" {
				t.Errorf("%+v", got)
			}
			w.verify(snap, reader.Options{})
		})
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	w := newTwins(t, milvus.StorageV1)
	for i := range 5 {
		w.segment(milvus.SegmentID(510+i), left, 5000+100*i, 10, 2100+int64(i)*100)
		w.l0(milvus.SegmentID(610+i), right, 2150+int64(i)*100, 1000+int64(i)) // the right file is written anew each time
		w.a.must(w.snapshot([]string{"a", "b", "c", "d", "e"}[i], milvus.SnapshotID(i+1), 2199+int64(i)*100), reader.Options{}, export.Options{})
	}
	before := load(t, w.a.opener, w.a.target)
	named := referenced(t, before)
	cat := catalog.NewPath(w.a.opener.Open, catalog.PathOptions{})
	plan, err := export.PlanExpiry(t.Context(), before, 2)
	if err != nil || !slices.Equal(plan.Tags, []string{"a", "b", "c"}) || len(plan.Snapshots) != 3 {
		t.Fatalf("%+v, %v", plan, err)
	}
	if got := stored(t, w.a.opener, w.a.target); !slices.Equal(got, named) {
		t.Fatalf("the plan removed something: %v, before %v", got, named)
	}
	done, err := export.Expire(t.Context(), cat, catalog.Ident(w.a.target), 2)
	if err != nil || !slices.Equal(done.Files, plan.Files) {
		t.Fatalf("%+v, %v; planned %+v", done, err, plan)
	}
	after := load(t, w.a.opener, w.a.target)
	if got := stored(t, w.a.opener, w.a.target); !slices.Equal(got, referenced(t, after)) || len(got) != len(named)-3 {
		t.Errorf("%d files of %d are left: %v", len(got), len(named), got)
	}
	if len(after.Snapshots) != 2 || after.Current.ID != before.Current.ID {
		t.Errorf("%+v", after.Snapshots)
	}
	if left, _ := filepath.Glob(filepath.Join(w.a.target, "metadata", "*.mapping.json")); len(left) != 2 {
		t.Errorf("mappings: %v", left)
	}
	if lists, _ := filepath.Glob(filepath.Join(w.a.target, "metadata", "snap-*.avro")); len(lists) != 2 {
		t.Errorf("manifest lists: %v", lists)
	}
	w.verify(w.snapshot("e", 5, 2599), reader.Options{})
	if again, err := export.Expire(t.Context(), cat, catalog.Ident(w.a.target), 2); err != nil || len(again.Tags)+len(again.Snapshots)+len(again.Files) != 0 {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := export.Expire(t.Context(), cat, catalog.Ident(w.a.target), 0); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	w.segment(520, left, 7000, 10, 2700)
	if next := w.a.must(w.snapshot("f", 6, 2800), reader.Options{}, export.Options{}); next.Reuse == nil || next.FilesWritten != 1 {
		t.Errorf("%+v", next)
	}
}

// With Dedupe a row of one segment decides about those of others, so that no file can be judged alone.
func TestDedupeKeepsNothing(t *testing.T) {
	t.Parallel()
	w := newTwins(t, milvus.StorageV1)
	newest := reader.Options{Dedupe: reader.DedupeNewest}
	w.a.must(w.snapshot("first", 1, 2000), newest, export.Options{})
	for i, ropts := range []reader.Options{newest, {}} {
		snap := w.snapshot([]string{"second", "third"}[i], milvus.SnapshotID(2+i), 3000+int64(i))
		if got := w.a.must(snap, ropts, export.Options{}); got.Reuse != nil || got.FilesWritten != 2 || len(got.Warnings) != 0 {
			t.Errorf("%+v", got)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(w.a.target, "metadata", "*.mapping.json")); len(found) != 1 {
		t.Errorf("mappings of exports, the last of which alone has one: %v", found)
	}
}

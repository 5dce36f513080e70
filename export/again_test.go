package export_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/iceberg-go"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
	"github.com/snapexport/snapexport/reader"
)

// again is a table that is exported to several times.
type again struct {
	t      *testing.T
	opener *objstore.Opener
	target string
	runs   int
}

func newAgain(t *testing.T) *again {
	return &again{t: t, opener: objstore.NewOpener(objstore.Config{}), target: filepath.Join(t.TempDir(), "table")}
}

func (a *again) try(snap *describe.Snapshot, ropts reader.Options, opts export.Options) (*export.Result, error) {
	a.runs++
	opts.Target, opts.RunID = a.target, strings.Repeat("r", a.runs)
	return run(a.t.Context(), a.opener, snap, ropts, opts)
}

func (a *again) must(snap *describe.Snapshot, ropts reader.Options, opts export.Options) *export.Result {
	a.t.Helper()
	result, err := a.try(snap, ropts, opts)
	if err != nil {
		a.t.Fatal(err)
	}
	return result
}

func where(t *testing.T, snap *describe.Snapshot, text string) *filter.Filter {
	t.Helper()
	f, err := filter.Parse(text, &snap.Collection.Schema)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// An export is in the table as long as the table, or the snapshot's tag, shows it. That it once was is not enough.
func TestAnExportThatTheTableNoLongerShowsIsMadeAgain(t *testing.T) {
	src, a := newSource(t), newAgain(t)
	snap := resolve(t, a.opener, src.first)
	few := reader.Options{Where: where(t, snap, "id < 50")}
	first := a.must(snap, few, export.Options{})
	all := a.must(snap, reader.Options{}, export.Options{})
	back := a.must(snap, few, export.Options{})
	if all.AlreadyExported || back.AlreadyExported || back.RowsWritten != first.RowsWritten {
		t.Fatalf("all rows: %+v, back: %+v", all, back)
	}
	tbl := load(t, a.opener, a.target)
	if tagged, _ := tbl.Tagged("first"); tagged == nil || tagged.ID != back.IcebergSnapshotID || tbl.Current.ID != back.IcebergSnapshotID {
		t.Errorf("the table shows %d, its tag %v; the export made %d", tbl.Current.ID, tagged, back.IcebergSnapshotID)
	}
	if once := a.must(snap, few, export.Options{}); !once.AlreadyExported || once.IcebergSnapshotID != back.IcebergSnapshotID {
		t.Errorf("once more: %+v", once)
	}
}

// Snapshots of one collection live beside each other under their tags; an earlier one needs no second export.
func TestEarlierSnapshotStays(t *testing.T) {
	src, a := newSource(t), newAgain(t)
	first := a.must(resolve(t, a.opener, src.first), reader.Options{}, export.Options{})
	a.must(resolve(t, a.opener, src.both), reader.Options{}, export.Options{})
	if again := a.must(resolve(t, a.opener, src.first), reader.Options{}, export.Options{}); !again.AlreadyExported || again.IcebergSnapshotID != first.IcebergSnapshotID {
		t.Errorf("%+v", again)
	}
}

func TestReplacedExportIsFoundAgain(t *testing.T) {
	src, a := newSource(t), newAgain(t)
	snap := resolve(t, a.opener, src.first)
	a.must(snap, reader.Options{}, export.Options{})
	replaced := a.must(snap, reader.Options{}, export.Options{Replace: true})
	if again := a.must(snap, reader.Options{}, export.Options{}); !again.AlreadyExported || again.IcebergSnapshotID != replaced.IcebergSnapshotID {
		t.Errorf("%+v, replaced by %+v", again, replaced)
	}
}

// edit commits a snapshot of somebody else's.
func (a *again) edit() {
	a.t.Helper()
	cat := catalog.NewPath(a.opener.Open, catalog.PathOptions{})
	tbl, err := cat.LoadTable(a.t.Context(), catalog.Ident(a.target))
	if err != nil {
		a.t.Fatal(err)
	}
	tx := tbl.NewTransaction()
	if err := tx.AddFiles(a.t.Context(), nil, iceberg.Properties{}, false); err != nil {
		a.t.Fatal(err)
	}
	if _, err := tx.Commit(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
}

func TestEditedTable(t *testing.T) {
	src, a := newSource(t), newAgain(t)
	snap := resolve(t, a.opener, src.first)
	a.must(snap, reader.Options{}, export.Options{})
	a.edit()
	for _, path := range []string{src.first, src.both} {
		if _, err := a.try(resolve(t, a.opener, path), reader.Options{}, export.Options{}); !errors.Is(err, fault.ErrConflict) {
			t.Errorf("%s: %v; want ErrConflict", path, err)
		}
	}
	a.must(snap, reader.Options{}, export.Options{Replace: true})
}

// Someone may edit the table, or make one of another collection, while an export works: that is not overwritten either.
func TestEditedWhileWorking(t *testing.T) {
	src, a := newSource(t), newAgain(t)
	for name, meanwhile := range map[string]func(){
		"edited": func() { a.edit() },
		"another collection": func() {
			snap := resolve(t, a.opener, src.first)
			snap.Collection.ID++
			a.must(snap, reader.Options{}, export.Options{Replace: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			a.must(resolve(t, a.opener, src.first), reader.Options{}, export.Options{Replace: true})
			var once sync.Once
			opener := objstore.NewOpener(objstore.Config{Decorator: watching(faultstore.Contains("/insert_log/"), func(string) { once.Do(meanwhile) })})
			before := len(stored(t, a.opener, a.target))
			_, err := run(t.Context(), opener, resolve(t, opener, src.both), reader.Options{}, export.Options{Target: a.target, RunID: "late", Workers: 1})
			if !errors.Is(err, fault.ErrConflict) {
				t.Errorf("%v; want ErrConflict", err)
			}
			for _, f := range stored(t, a.opener, a.target)[before:] {
				if strings.Contains(f, "-late-") {
					t.Errorf("%s was left", f)
				}
			}
		})
	}
}

// One set of rows and columns has one export id, however it was asked for; another set has another.
func TestExportID(t *testing.T) {
	src, a := newSource(t), newAgain(t)
	id := func(change func(*describe.Snapshot, *reader.Options)) string {
		snap := resolve(t, a.opener, src.both)
		snap.Collection.Partitions = append(snap.Collection.Partitions, milvus.Partition{ID: 1, Name: "other"})
		ropts := reader.Options{Opener: a.opener}
		change(snap, &ropts)
		scan, err := reader.Open(snap, ropts)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := export.NewPlan(scan, ropts, export.Options{Target: a.target})
		if err != nil {
			t.Fatal(err)
		}
		return plan.ExportID
	}
	type change = func(*describe.Snapshot, *reader.Options)
	base := id(func(*describe.Snapshot, *reader.Options) {})
	for name, c := range map[string]change{
		"fail is the default":       func(_ *describe.Snapshot, o *reader.Options) { o.OnBad = reader.BadFail },
		"create-ts is the default":  func(s *describe.Snapshot, o *reader.Options) { o.AsOf = &s.CreateTS },
		"nothing to expire, off":    func(_ *describe.Snapshot, o *reader.Options) { o.TTL = reader.TTLOff },
		"nothing to expire, now":    func(_ *describe.Snapshot, o *reader.Options) { o.TTL, o.Now = reader.TTLNow, time.Unix(2e9, 0) },
		"batches":                   func(_ *describe.Snapshot, o *reader.Options) { o.MaxBatchRows = 7 },
		"all columns, in any order": func(_ *describe.Snapshot, o *reader.Options) { o.Columns = []string{"embedding", "title", "id"} },
	} {
		if got := id(c); got != base {
			t.Errorf("%s: another export id", name)
		}
	}
	seen := map[string]string{base: "the default"}
	for name, c := range map[string]change{
		"columns":         func(_ *describe.Snapshot, o *reader.Options) { o.Columns = []string{"id"} },
		"with":            func(_ *describe.Snapshot, o *reader.Options) { o.With = []reader.System{reader.SystemTS} },
		"with another":    func(_ *describe.Snapshot, o *reader.Options) { o.With = []reader.System{reader.SystemTime} },
		"partitions":      func(_ *describe.Snapshot, o *reader.Options) { o.Partitions = []string{"_default"} },
		"both partitions": func(_ *describe.Snapshot, o *reader.Options) { o.Partitions = []string{"_default", "other"} },
		"where":           func(s *describe.Snapshot, o *reader.Options) { o.Where = where(t, s, "id < 5") },
		"another where":   func(s *describe.Snapshot, o *reader.Options) { o.Where = where(t, s, "id <= 5") },
		"as of":           func(_ *describe.Snapshot, o *reader.Options) { o.AsOf = new(milvus.Timestamp) },
		"bad null":        func(_ *describe.Snapshot, o *reader.Options) { o.OnBad = reader.BadNull },
		"bad skip":        func(_ *describe.Snapshot, o *reader.Options) { o.OnBad = reader.BadSkip },
		"ttl": func(s *describe.Snapshot, _ *reader.Options) {
			s.Collection.Properties = []milvus.KeyValue{{Key: "collection.ttl.seconds", Value: "60"}}
		},
		"no default": func(s *describe.Snapshot, _ *reader.Options) {
			s.Collection.Schema.Fields[len(s.Collection.Schema.Fields)-2].Default = "x"
		},
		"fewer segments": func(s *describe.Snapshot, _ *reader.Options) { s.Segments = s.Segments[:1] },
		"commit":         func(s *describe.Snapshot, _ *reader.Options) { s.Segments[0].CommitTimestamp = s.CreateTS },
		"apply start":    func(s *describe.Snapshot, _ *reader.Options) { s.Segments[0].DeleteApplyStart = s.CreateTS },
		"level": func(s *describe.Snapshot, _ *reader.Options) {
			s.Segments[0].Level = milvus.LevelL0
			s.Segments[0].Binlogs = nil
		},
		"channel":       func(s *describe.Snapshot, _ *reader.Options) { s.Segments[0].Channel += "x" },
		"fewer deletes": func(s *describe.Snapshot, _ *reader.Options) { s.Segments[0].Deltalogs = nil },
		"snapshot":      func(s *describe.Snapshot, _ *reader.Options) { s.ID++ },
		"collection":    func(s *describe.Snapshot, _ *reader.Options) { s.Collection.ID++ },
	} {
		got := id(c)
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s have one export id", name, other)
		}
		seen[got] = name
	}
	in := func(names ...string) string {
		return id(func(_ *describe.Snapshot, o *reader.Options) { o.Partitions = names })
	}
	if in("_default", "other") != in("other", "_default", "other") {
		t.Error("the order of partitions makes another export id")
	}
}

// A directory of Parquet files belongs to one export.
func TestParquetDirectory(t *testing.T) {
	src := newSource(t)
	opts := export.Options{Format: export.FormatParquet}
	t.Run("of someone else", func(t *testing.T) {
		a := newAgain(t)
		if err := os.MkdirAll(a.target, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(a.target, "theirs"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := a.try(resolve(t, a.opener, src.first), reader.Options{}, opts); !errors.Is(err, fault.ErrConflict) {
			t.Errorf("%v; want ErrConflict", err)
		}
	})
	t.Run("two at a time", func(t *testing.T) {
		a := newAgain(t)
		var once sync.Once
		opener := objstore.NewOpener(objstore.Config{Decorator: watching(faultstore.Contains("/insert_log/"), func(string) { once.Do(func() { a.must(resolve(t, a.opener, src.first), reader.Options{}, opts) }) })})
		late := opts
		late.Target, late.RunID, late.Workers = a.target, "late", 1
		if _, err := run(t.Context(), opener, resolve(t, opener, src.both), reader.Options{}, late); !errors.Is(err, fault.ErrConflict) {
			t.Errorf("%v; want ErrConflict", err)
		}
		for _, f := range files(a.target) {
			if strings.Contains(f, "-late-") {
				t.Errorf("%s was left", f)
			}
		}
	})
	t.Run("manifest names files elsewhere", func(t *testing.T) {
		a := newAgain(t)
		victim := filepath.Join(filepath.Dir(a.target), "victim.parquet")
		if err := os.WriteFile(victim, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		a.must(resolve(t, a.opener, src.first), reader.Options{}, opts)
		path := filepath.Join(a.target, "_snapexport.json")
		var manifest map[string]any
		body, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(body, &manifest)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"../victim.parquet", "sub/x.parquet", "_snapexport.json", ""} {
			manifest["files"] = []any{map[string]any{"key": key}}
			body, _ = json.Marshal(manifest)
			if err := os.WriteFile(path, body, 0o644); err != nil {
				t.Fatal(err)
			}
			replace := opts
			replace.Replace = true
			if _, err := a.try(resolve(t, a.opener, src.first), reader.Options{}, replace); !errors.Is(err, fault.ErrUnsafePath) {
				t.Errorf("%q: %v; want ErrUnsafePath", key, err)
			}
		}
		if _, err := os.Stat(victim); err != nil {
			t.Error(err)
		}
	})
}

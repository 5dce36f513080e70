package export_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
	"github.com/snapexport/snapexport/reader"
)

// checkOwn fails the test unless binlogs/ holds what the table names and nothing lies in the other folders of data.
func checkOwn(t *testing.T, target, when string) {
	t.Helper()
	tbl := load(t, objstore.NewOpener(objstore.Config{}), target)
	var got []string
	for _, f := range files(target) {
		switch rest := strings.TrimPrefix(f, target+"/"); {
		case strings.HasPrefix(rest, "binlogs/"):
			got = append(got, filepath.Base(f))
		case !strings.HasPrefix(rest, "metadata/"):
			t.Errorf("%s: there is %s", when, rest)
		}
	}
	if want := referenced(t, tbl); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("%s: binlogs/ holds %v, the table names %v", when, got, want)
	}
	if got := tbl.Properties["write.data.path"]; got != target+"/binlogs" {
		t.Errorf("%s: write.data.path is %q", when, got)
	}
	if len(tbl.Snapshots) != 1 {
		t.Errorf("%s: %d snapshots", when, len(tbl.Snapshots))
	}
}

// A snapshot's own table is written once: no other export gets in, and what a run left that was killed goes.
func TestOwnTable(t *testing.T) {
	t.Parallel()
	src, a := newSource(t), newAgain(t)
	snap := resolve(t, a.opener, src.both)
	stray := filepath.Join(a.target, "binlogs", "killed.parquet")
	if err := os.MkdirAll(filepath.Dir(stray), 0o755); err != nil {
		t.Fatal(err)
	}
	own := export.Options{OwnTable: true}
	for _, when := range []string{"first", "again"} {
		if err := os.WriteFile(stray, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if r := a.must(snap, reader.Options{}, own); r.AlreadyExported != (when == "again") || r.RowsWritten != 2*(segmentRows-deletedRows) {
			t.Errorf("%s: %+v", when, r)
		}
		checkOwn(t, a.target, when)
	}
	few := reader.Options{Where: where(t, snap, "id < 50")}
	for name, opts := range map[string]export.Options{"other rows": own, "by --to": {}, "replaced": {Replace: true}} {
		if _, err := a.try(snap, few, opts); !errors.Is(err, fault.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, opts := range []export.Options{{OwnTable: true, Replace: true}, {OwnTable: true, Format: export.FormatParquet}} {
		if _, err := a.try(snap, few, opts); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	if r := a.must(snap, reader.Options{}, export.Options{}); !r.AlreadyExported {
		t.Errorf("by --to: %+v", r)
	}
	checkOwn(t, a.target, "at last")

	taken := newAgain(t)
	taken.must(snap, reader.Options{}, export.Options{})
	if _, err := taken.try(snap, reader.Options{}, own); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("over another table: %v", err)
	}
}

// A fault at every call in turn: the export fails and leaves nothing, or the table is complete; the next run always ends well.
func TestOwnTableFaults(t *testing.T) {
	t.Parallel()
	src := newSource(t)
	clean := objstore.NewOpener(objstore.Config{})
	snap := resolve(t, clean, src.first)
	for name, effect := range map[string]faultstore.Effect{"refused": faultstore.Fail(fault.ErrAuth), "not known": faultstore.LoseAnswer(objstore.ErrUnknownOutcome)} {
		for n := 1; ; n++ {
			target, seen := filepath.Join(t.TempDir(), "table"), 0
			faulty := onTarget(target, faultstore.Rule{When: nth(n, &seen), Do: effect})
			_, err := run(t.Context(), faulty, snap, reader.Options{}, export.Options{Target: target, RunID: "r", OwnTable: true})
			if seen < n {
				break
			}
			when := fmt.Sprint(name, " call ", n)
			left := files(target)
			committed := slices.ContainsFunc(left, func(f string) bool { return strings.HasSuffix(f, "v1.metadata.json") })
			if err != nil && !committed && len(left) > 0 && !errors.Is(err, objstore.ErrUnknownOutcome) {
				t.Errorf("%s: %v: left behind %v", when, err, left)
			}
			if err == nil {
				checkOwn(t, target, when)
			}
			if _, err := run(t.Context(), clean, snap, reader.Options{}, export.Options{Target: target, RunID: "again", OwnTable: true}); err != nil {
				t.Errorf("%s: the next run: %v", when, err)
				continue
			}
			checkOwn(t, target, when+", next run")
		}
	}
}

// Several processes make the same table: one does, the others find it, and no file is there twice.
func TestOwnTableRace(t *testing.T) {
	t.Parallel()
	src := newSource(t)
	opener := objstore.NewOpener(objstore.Config{})
	snap := resolve(t, opener, src.both)
	target := filepath.Join(t.TempDir(), "table")
	var all sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for i := range 6 {
		all.Go(func() {
			r, err := run(t.Context(), opener, snap, reader.Options{}, export.Options{Target: target, RunID: fmt.Sprint("r", i), OwnTable: true})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if !r.AlreadyExported {
				made++
			}
		})
	}
	all.Wait()
	if made != 1 {
		t.Errorf("%d made it", made)
	}
	checkOwn(t, target, "after all")
}

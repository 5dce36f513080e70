package export_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
	"github.com/snapexport/snapexport/reader"
)

// A fault at the first call, then at the second, and so on, until an export meets none: it succeeds, or it fails and leaves
// nothing but, at most, the files of a commit whose outcome it calls unknown. The next run always succeeds.
func TestFaultAtEveryCall(t *testing.T) {
	t.Parallel()
	src := newSource(t)
	snap := resolve(t, objstore.NewOpener(objstore.Config{}), src.first)
	for _, format := range []export.Format{export.FormatIceberg, export.FormatParquet} {
		for name, effect := range map[string]faultstore.Effect{
			"refused":       faultstore.Fail(fault.ErrAuth),
			"failed":        faultstore.Fail(objstore.ErrTransient),
			"answer lost":   faultstore.LoseAnswer(objstore.ErrTransient),
			"not known":     faultstore.LoseAnswer(objstore.ErrUnknownOutcome),
			"not known, no": faultstore.Fail(objstore.ErrUnknownOutcome),
		} {
			t.Run(fmt.Sprint(format, " ", name), func(t *testing.T) {
				t.Parallel()
				faultAtEveryCall(t, snap, format, effect)
			})
		}
		t.Run(fmt.Sprint(format, " interrupted"), func(t *testing.T) {
			t.Parallel()
			interruptAtEveryCall(t, snap, format)
		})
	}
}

// nth is a predicate that holds for one call alone, not counting deletions: what can't be deleted is left behind.
func nth(n int, seen *int) faultstore.Predicate {
	return func(c faultstore.Call) bool {
		if c.Op == faultstore.Delete {
			return false
		}
		*seen++
		return *seen == n
	}
}

func faultAtEveryCall(t *testing.T, snap *describe.Snapshot, format export.Format, effect faultstore.Effect) {
	failed, succeeded := 0, 0
	for n := 1; ; n++ {
		target, seen := filepath.Join(t.TempDir(), "table"), 0
		faulty := onTarget(target, faultstore.Rule{When: nth(n, &seen), Do: effect})
		_, err := run(t.Context(), faulty, snap, reader.Options{}, export.Options{Target: target, RunID: "r", Format: format})
		if seen < n {
			break
		}
		if err != nil {
			failed++
		} else {
			succeeded++
		}
		checkEnd(t, snap, format, target, fmt.Sprint("call ", n), err)
	}
	t.Logf("%d calls failed the export, %d did not", failed, succeeded)
}

func interruptAtEveryCall(t *testing.T, snap *describe.Snapshot, format export.Format) {
	stopped := 0
	for n := 1; ; n++ {
		target, seen := filepath.Join(t.TempDir(), "table"), 0
		ctx, cancel := context.WithCancel(t.Context())
		interrupt := faultstore.Effect{Before: func(context.Context, faultstore.Call) error { cancel(); return nil }}
		_, err := run(ctx, onTarget(target, faultstore.Rule{When: nth(n, &seen), Do: interrupt}), snap, reader.Options{}, export.Options{Target: target, RunID: "r", Format: format})
		cancel()
		if seen < n {
			break
		}
		if err != nil {
			stopped++
			if !errors.Is(err, context.Canceled) {
				t.Errorf("call %d: %v", n, err)
			}
		}
		checkEnd(t, snap, format, target, fmt.Sprint("call ", n), err)
	}
	if stopped == 0 {
		t.Error("no interrupt stopped an export")
	}
}

// onTarget opens stores in which the rule is asked about the target's objects only.
func onTarget(target string, rule faultstore.Rule) *objstore.Opener {
	return objstore.NewOpener(objstore.Config{Decorator: func(s objstore.Store) objstore.Store {
		rule.When = faultstore.All(faultstore.Contains(filepath.Base(target)), rule.When)
		return faultstore.New(s, rule)
	}})
}

// checkEnd looks at what an export left, and runs it again.
func checkEnd(t *testing.T, snap *describe.Snapshot, format export.Format, target, when string, err error) {
	t.Helper()
	left := files(target)
	if err != nil && len(left) > 0 && !errors.Is(err, objstore.ErrUnknownOutcome) {
		t.Errorf("%s: %v: left behind %v", when, err, left)
	}
	if err == nil {
		checkComplete(t, format, target, when)
	}
	clean := objstore.NewOpener(objstore.Config{})
	again, err := run(t.Context(), clean, snap, reader.Options{}, export.Options{Target: target, RunID: "again", Format: format})
	if format == export.FormatParquet && errors.Is(err, fault.ErrConflict) && len(left) > 0 {
		return // it says what lies there
	}
	if err != nil || again.RowsWritten != segmentRows-deletedRows {
		t.Errorf("%s: the next run: %+v %v", when, again, err)
		return
	}
	if format == export.FormatIceberg && len(load(t, clean, target).Snapshots) != 1 {
		t.Errorf("%s: the export is in the table twice", when)
	}
}

// checkComplete fails the test unless all of the export's files are there, and no others.
func checkComplete(t *testing.T, format export.Format, target, when string) {
	t.Helper()
	if format == export.FormatParquet {
		if got := files(target); len(got) != 2 {
			t.Errorf("%s: %v", when, got)
		}
		return
	}
	clean := objstore.NewOpener(objstore.Config{})
	if got, want := stored(t, clean, target), referenced(t, load(t, clean, target)); !slices.Equal(got, want) || len(want) != 1 {
		t.Errorf("%s: the table names %v, there are %v", when, want, got)
	}
}

// The metadata is written, and nothing answers any more until the export has given up on the write: it finds its own commit
// in the table and must not take it for another's.
func TestOwnCommitFoundLate(t *testing.T) {
	t.Parallel()
	src := newSource(t)
	target := filepath.Join(t.TempDir(), "table")
	var written atomic.Int32
	metadata := faultstore.Suffix("v1.metadata.json")
	dark := func(c faultstore.Call) bool {
		return metadata(c) && c.Op == faultstore.ReadAll && written.Load() > 0 && written.Load() <= 5
	}
	opener := objstore.NewOpener(objstore.Config{Decorator: func(s objstore.Store) objstore.Store {
		return faultstore.New(s,
			faultstore.Rule{When: faultstore.All(metadata, faultstore.On(faultstore.Create)), Do: faultstore.Effect{After: func(faultstore.Call) error {
				written.Add(1)
				return fault.New(objstore.ErrUnknownOutcome, "create", "injected")
			}}},
			faultstore.Rule{When: dark, Do: faultstore.Effect{Before: func(context.Context, faultstore.Call) error {
				written.Add(1)
				return fault.New(objstore.ErrTransient, "read", "injected")
			}}},
		)
	}})
	got, err := run(t.Context(), opener, resolve(t, objstore.NewOpener(objstore.Config{}), src.both), reader.Options{}, export.Options{Target: target, RunID: "r"})
	if err != nil || got.AlreadyExported || got.FilesWritten != 1 {
		t.Errorf("%+v %v", got, err)
	}
	checkComplete(t, export.FormatIceberg, target, "after the outage")
}

// A commit that does not come to its end within the grace is cut off.
func TestInterruptDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	src := newSource(t)
	target := filepath.Join(t.TempDir(), "table")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	never := make(chan struct{})
	hang := faultstore.Block(never)
	block := faultstore.Effect{Before: func(ctx context.Context, c faultstore.Call) error { cancel(); return hang.Before(ctx, c) }}
	start := time.Now()
	_, err := run(ctx, onTarget(target, faultstore.Rule{When: faultstore.On(faultstore.Create), Do: block}), resolve(t, objstore.NewOpener(objstore.Config{}), src.first),
		reader.Options{}, export.Options{Target: target, RunID: "r"})
	if !errors.Is(err, context.Canceled) || time.Since(start) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

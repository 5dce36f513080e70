package export_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

const rounds = 50

// Two exports to one table at the same time: of two snapshots, and of one and the same.
func TestRaces(t *testing.T) {
	t.Parallel()
	src := newSource(t)
	gateway := testkit.StartVersitygw(t)
	gateway.MakeBucket(t, "lake")
	config := objstore.Config{Settings: objstore.Settings{Endpoint: gateway.Endpoint, AccessKey: gateway.AccessKey, SecretKey: objstore.Secret(gateway.SecretKey)}, Retry: quick()}
	for name, place := range map[string]string{"local": t.TempDir(), "versitygw": "s3://lake"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opener := objstore.NewOpener(config)
			first, both := resolve(t, opener, src.first), resolve(t, opener, src.both)
			for round := range rounds {
				raceOfTwo(t, opener, fmt.Sprintf("%s/two/%d", place, round), first, both, round)
				raceOfOne(t, opener, fmt.Sprintf("%s/one/%d", place, round), both, round)
			}
		})
	}
}

// race exports the snapshots at once, each with stores of its own.
func race(t *testing.T, opener *objstore.Opener, target string, round int, snaps ...*describe.Snapshot) []*export.Result {
	t.Helper()
	results, failures := make([]*export.Result, len(snaps)), make([]error, len(snaps))
	var start, done sync.WaitGroup
	start.Add(1)
	for i, snap := range snaps {
		// whether the store is fit for commits is found out in the first round
		opts := export.Options{Target: target, RunID: fmt.Sprint("run", i), UnsafeCommits: round > 0}
		done.Go(func() {
			start.Wait()
			results[i], failures[i] = run(t.Context(), opener, snap, reader.Options{}, opts)
		})
	}
	start.Done()
	done.Wait()
	for _, err := range failures {
		if err != nil {
			t.Fatal(err)
		}
	}
	return results
}

func raceOfTwo(t *testing.T, opener *objstore.Opener, target string, first, both *describe.Snapshot, round int) {
	t.Helper()
	got := race(t, opener, target, round, first, both)
	tbl := load(t, opener, target)
	if len(tbl.Snapshots) != 2 || got[0].AlreadyExported || got[1].AlreadyExported {
		t.Fatalf("round %d: %d snapshots, results %+v", round, len(tbl.Snapshots), got)
	}
	for i, tag := range []string{"first", "both"} {
		s, ok := tbl.Tagged(tag)
		if !ok || s.ID != got[i].IcebergSnapshotID {
			t.Fatalf("round %d: tag %s is %+v, the export's snapshot is %d", round, tag, s, got[i].IcebergSnapshotID)
		}
		data, deletes, err := tbl.Files(t.Context(), s.ID)
		if err != nil || len(data) != 1 || len(deletes) != 0 || data[0].Count() != int64((i+1)*(segmentRows-deletedRows)) {
			t.Fatalf("round %d: %s has %v %v: %v", round, tag, data, deletes, err)
		}
	}
	compareFiles(t, opener, target, round)
}

func raceOfOne(t *testing.T, opener *objstore.Opener, target string, snap *describe.Snapshot, round int) {
	t.Helper()
	got := race(t, opener, target, round, snap, snap)
	tbl := load(t, opener, target)
	if len(tbl.Snapshots) != 1 || got[0].AlreadyExported == got[1].AlreadyExported {
		t.Fatalf("round %d: %d snapshots, results %+v %+v", round, len(tbl.Snapshots), got[0], got[1])
	}
	for _, r := range got {
		if r.IcebergSnapshotID != tbl.Current.ID || r.ContentHash != got[0].ContentHash || r.RowsWritten != 2*(segmentRows-deletedRows) {
			t.Fatalf("round %d: %+v, the table's snapshot is %d", round, r, tbl.Current.ID)
		}
	}
	compareFiles(t, opener, target, round)
}

// compareFiles fails the test unless the data folder holds exactly the files of the table's snapshots.
func compareFiles(t *testing.T, opener *objstore.Opener, target string, round int) {
	t.Helper()
	want := referenced(t, load(t, opener, target))
	if got := stored(t, opener, target); !slices.Equal(got, want) {
		t.Fatalf("round %d: %s holds %v, its snapshots %v", round, filepath.Base(target), got, want)
	}
}

package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
)

// checkRun is a table to compare with a case's truth, by the program that came with the cases.
type checkRun struct {
	Case  string `json:"case"`
	Table string `json:"table"`
}

// Every acceptance case, as a user would run it.
func TestAcceptance(t *testing.T) {
	t.Parallel()
	dir := testkit.Acceptance(t)
	tables := t.TempDir()
	var mu sync.Mutex
	var runs []checkRun
	var exported, refused int
	t.Run("export", func(t *testing.T) {
		for _, c := range testkit.Cases(t, "") {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				table := filepath.Join(tables, strings.ReplaceAll(c.Name, "/", "_"))
				o := exportCase(t, dir, c, table)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case c.Refuse != "":
					checkRefusal(t, o, c, table)
					refused++
				default:
					checkExport(t, o, c)
					runs = append(runs, checkRun{c.Name, table})
					exported++
				}
			})
		}
	})
	t.Logf("%d cases exported, %d refused as they must be", exported, refused)
	compareWithTruth(t, dir, runs)
}

// source returns the arguments that name the case's snapshot.
func sourceArgs(dir string, c testkit.Case) []string {
	bucket := filepath.Join(dir, c.BucketDir)
	return []string{filepath.Join(bucket, c.Snapshot), "--map", "s3://" + c.Bucket + "=" + bucket}
}

func exportCase(t *testing.T, dir string, c testkit.Case, table string) outcome {
	t.Helper()
	args := append([]string{"export"}, sourceArgs(dir, c)...)
	return invoke(t, nil, append(args, "--to", table, "--with", "partition", "--json", "--progress", "none")...)
}

func checkRefusal(t *testing.T, o outcome, c testkit.Case, table string) {
	t.Helper()
	if o.code == 0 {
		t.Fatalf("was exported; %s (%s) is expected", c.Refuse, c.Because)
	}
	f := failureIn(t, o)
	if !c.Accepts(f.Class) {
		t.Errorf("%q: %s; %s is expected (%s)", f.Class, f.Message, c.Refuse, c.Because)
	}
	if c.MemoryMiB > 0 && o.peakKiB > c.MemoryMiB<<10 {
		t.Errorf("peak memory %d MiB, at most %d are allowed", o.peakKiB>>10, c.MemoryMiB)
	}
	if c.Seconds > 0 && o.cpu.Seconds() > c.Seconds {
		t.Errorf("took %s of CPU, at most %v s are allowed", o.cpu, c.Seconds)
	}
	nothingWritten(t, table)
}

// nothingWritten fails the test if there is a file below the table's place.
func nothingWritten(t *testing.T, table string) {
	t.Helper()
	_ = filepath.WalkDir(table, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s was written", path)
		}
		return nil
	})
}

func checkExport(t *testing.T, o outcome, c testkit.Case) {
	t.Helper()
	if o.code != 0 {
		t.Fatalf("exit %d\n%s", o.code, o.errs)
	}
	var result struct {
		Rows     int64 `json:"rows_written"`
		Warnings []struct{ Kind string }
	}
	if err := json.Unmarshal([]byte(o.out), &result); err != nil {
		t.Fatal(err)
	}
	if result.Rows != c.Rows {
		t.Errorf("%d rows written, %d live", result.Rows, c.Rows)
	}
	for _, kind := range c.Warnings {
		if !slices.ContainsFunc(result.Warnings, func(w struct{ Kind string }) bool { return w.Kind == kind }) {
			t.Errorf("no warning of %q; there are %v", kind, result.Warnings)
		}
	}
}

// compareWithTruth runs the cases' own checker over all tables.
func compareWithTruth(t *testing.T, dir string, runs []checkRun) {
	t.Helper()
	list, err := json.Marshal(runs)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "runs.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		t.Fatal(err)
	}
	out := testkit.RunPython(t, filepath.Join("testdata", "check_all.py"), dir, file)
	var results []struct {
		Case   string
		Status int
		Output string
	}
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(results) != len(runs) {
		t.Errorf("%d tables compared, %d exported", len(results), len(runs))
	}
	for _, r := range results {
		if r.Status != 0 {
			t.Errorf("%s: %s", r.Case, r.Output)
		}
	}
}

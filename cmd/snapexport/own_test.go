//go:build !slim

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snapexport/snapexport/client"
	"github.com/snapexport/snapexport/internal/testkit"
)

// tables returns the files below the tables of snapshots.
func tables(t *testing.T, bucket string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(bucket, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(p, "/tables/") {
			out = append(out, p)
		}
		return nil // a drop may be removing them
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestExportOnSnapshot: every snapshot gets its table without being asked for, also those of before the server was told to; it
// is that of `export` without --to, and goes with its snapshot.
func TestExportOnSnapshot(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := startServer(t, data)
	if out := testkit.RunPython(t, "testdata/serve.py", "fill", "http://"+s.Address); strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%s", out)
	}
	if o := invoke(t, nil, "export", "milvus://"+s.Address+"/docs/s1", "--replace"); o.code != exitUsage {
		t.Errorf("%s", o)
	}
	if got := tables(t, data); len(got) != 0 {
		t.Errorf("there are %v", got)
	}
	s.stop(t)

	s = startServer(t, data, "--export-on-snapshot")
	defer s.stop(t)
	env := []string{"SNAPEXPORT_URI=" + s.Address}
	var second client.Snapshot
	succeed(t, env, &second, "snapshot", "create", "s2", "docs", "--flush")
	waitFor(t, func() bool {
		return strings.Contains(get(t, s.Metrics+"/metrics"), `snapexport_exports_total{result="made"} 2`)
	})
	if got := get(t, s.Metrics+"/metrics"); !strings.Contains(got, "snapexport_exports_waiting 0") {
		t.Errorf("%s", got)
	}
	for name, rows := range map[string]int64{"s1": 10, "s2": 14} {
		var found client.Snapshot
		succeed(t, env, &found, "snapshot", "describe", name)
		var result struct {
			Table   string
			Rows    int64 `json:"rows_written"`
			Already bool  `json:"already_exported"`
		}
		succeed(t, nil, &result, "export", "milvus://"+s.Address+"/docs/"+name)
		if result.Table != found.S3Location || result.Rows != rows || !result.Already {
			t.Errorf("%s at %s: %+v", name, found.S3Location, result)
		}
		succeed(t, nil, nil, "verify", "milvus://"+s.Address+"/docs/"+name, found.S3Location)
	}
	for _, name := range []string{"s1", "s2"} {
		succeed(t, env, nil, "snapshot", "drop", name)
	}
	if got := tables(t, data); len(got) != 0 {
		t.Errorf("left are %v", got)
	}

	// one that is dropped at once takes its export with it
	for range 3 {
		succeed(t, env, nil, "snapshot", "create", "brief", "docs")
		succeed(t, env, nil, "snapshot", "drop", "brief")
	}
	waitFor(t, func() bool { return strings.Contains(get(t, s.Metrics+"/metrics"), "snapexport_exports_waiting 0") })
	if got := tables(t, data); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for range 600 {
		if done() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("it does not come")
}

// TestExportWithoutPlace: a server that tells the metadata file, as Milvus does, names no place for a table.
func TestExportWithoutPlace(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := startServer(t, data, "--s3-location", "metadata")
	defer s.stop(t)
	if out := testkit.RunPython(t, "testdata/serve.py", "fill", "http://"+s.Address); strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%s", out)
	}
	source := "milvus://" + s.Address + "/docs/s1?storage=" + filepath.Join(data, "bucket")
	if o := invoke(t, nil, "export", source); o.code != exitUsage || !strings.Contains(o.errs, "--to is missing") || !strings.Contains(o.errs, ".json") {
		t.Errorf("%s", o)
	}
	succeed(t, nil, nil, "export", source, "--to", filepath.Join(t.TempDir(), "table"))
}

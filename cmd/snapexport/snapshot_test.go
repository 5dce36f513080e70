//go:build !slim

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/client"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/internal/testkit"
)

func TestLocalPathsOfServers(t *testing.T) {
	const location = "/srv/bucket/files/snapshots/100/metadata/7001.json"
	for host, fine := range map[string]bool{"localhost:19530": true, "127.0.0.1": true, "[::1]:1": true, "milvus.example:19530": false, "10.0.0.1": false} {
		if _, err := metadataSource(location, describe.Source{Endpoints: []string{host}}); (err == nil) != fine {
			t.Errorf("%s: %v", host, err)
		}
		if got, err := metadataSource(location, describe.Source{Endpoints: []string{host}, Storage: "/mnt"}); err != nil || got != "/mnt/files/snapshots/100/metadata/7001.json" {
			t.Errorf("%s: %s, %v", host, got, err)
		}
	}
}

// TestSnapshotVerbs: the calls of the user guide from the command line, and an export that asks the server only where to read.
func TestSnapshotVerbs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServer(t, filepath.Join(dir, "data"))
	defer s.stop(t)
	if out := testkit.RunPython(t, "testdata/serve.py", "fill", "http://"+s.Address); strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%s", out)
	}
	env := []string{"SNAPEXPORT_URI=" + s.Address}
	snapshot := func(v any, args ...string) { t.Helper(); succeed(t, env, v, append([]string{"snapshot"}, args...)...) }
	refused := func(code int, text string, args ...string) {
		t.Helper()
		if o := invoke(t, env, args...); o.code != code || !strings.Contains(o.errs, text) {
			t.Errorf("%q: want exit %d and %q\n%s", args, code, text, o)
		}
	}

	var made client.Snapshot
	snapshot(&made, "create", "v2.1_production-release", "docs", "--description", "with dots", "--flush")
	if made.Collection != "docs" || made.Description != "with dots" || !strings.HasSuffix(made.S3Location, "/tables/"+filepath.Base(made.S3Location)) {
		t.Errorf("%+v", made)
	}
	refused(exitConflict, "already exists", "snapshot", "create", "s1", "docs")
	refused(exitUsage, "should be not empty", "snapshot", "create", " ", "docs")
	refused(exitBadSource, "collection not found", "snapshot", "create", "x", "nope")
	refused(exitBadSource, "nope", "snapshot", "describe", "nope")

	var listed struct{ Snapshots []client.Listed }
	if snapshot(&listed, "list"); len(listed.Snapshots) != 2 || listed.Snapshots[0] != (client.Listed{Collection: "docs", Name: "s1"}) {
		t.Errorf("%+v", listed)
	}
	var job client.Job
	if snapshot(&job, "restore", "s1", "again", "--wait"); job.State != "Completed" || job.Progress != 100 || job.Collection != "again" || job.Cost <= 0 {
		t.Errorf("%+v", job)
	}
	refused(exitConflict, "duplicate collection", "snapshot", "restore", "s1", "again", "--collection", "docs")
	var jobs struct{ Jobs []client.Job }
	if snapshot(&jobs, "jobs", "again"); len(jobs.Jobs) != 1 || jobs.Jobs[0].ID != job.ID {
		t.Errorf("%+v", jobs)
	}

	var pin struct {
		ID string `json:"pin_id"`
	}
	snapshot(&pin, "pin", "s1", "--ttl", "1h")
	refused(exitConflict, "active pins exist", "snapshot", "drop", "s1")
	snapshot(nil, "unpin", pin.ID)

	// the second snapshot has the rows that came after the first, and not the one that was deleted
	source, table := "milvus://"+s.Address+"/docs/latest", filepath.Join(dir, "table")
	var result struct {
		Rows int64 `json:"rows_written"`
	}
	if succeed(t, nil, &result, "export", source, "--to", table); result.Rows != 14 {
		t.Errorf("%+v", result)
	}
	succeed(t, nil, nil, "verify", source, table)
	if o := invoke(t, nil, "cat", "milvus://"+s.Address+"/default/docs/s1", "--limit", "3"); o.code != 0 || strings.Count(o.out, "\n") != 3 {
		t.Errorf("%s", o)
	}
	refused(exitBadSource, "snapshot not found", "describe", "milvus://"+s.Address+"/docs/nope")
	for _, name := range []string{"s1", "v2.1_production-release"} { // no pin is left
		snapshot(nil, "drop", name, "--collection", "docs")
	}
	if snapshot(&listed, "list", "docs"); len(listed.Snapshots) != 0 {
		t.Errorf("%+v", listed)
	}
	refused(exitError, "is a Milvus listening", "snapshot", "list", "--uri", "127.0.0.1:1")
}

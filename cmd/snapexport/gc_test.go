//go:build !slim

//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/rogpeppe/go-internal/testscript"
)

// leaveGarbage stops a server that had a collection of two segments, and puts a file of nothing among its own.
func leaveGarbage(t *testing.T) *crashed {
	t.Helper()
	c := newCrashed(t, "2")
	c.open()
	c.declare()
	r, err := c.client.DropCollection(t.Context(), &milvuspb.DropCollectionRequest{CollectionName: "docs"})
	c.success(r, err)
	orphan := filepath.Join(c.bucket, "files", "insert_log", "5", "6", "7", "100", "8")
	if err := os.MkdirAll(filepath.Dir(orphan), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(orphan, []byte("left by a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// The transcripts of gc, over $DATA and $BUCKET of a stopped server; with $KILL in SNAPEXPORT_TEST_KILL it is four hours later.
func TestGCScripts(t *testing.T) {
	t.Parallel()
	c := leaveGarbage(t)
	c.stop(t)
	if err := os.WriteFile(c.file+".ahead", []byte("4h"), 0o600); err != nil {
		t.Fatal(err)
	}
	params := scripts(t, filepath.Join("testdata", "gc"))
	setup := params.Setup
	params.Setup = func(env *testscript.Env) error {
		err := setup(env)
		env.Setenv("DATA", c.data)
		env.Setenv("BUCKET", c.bucket)
		env.Setenv("KILL", c.file)
		return err
	}
	testscript.Run(t, params)
}

// A running server has its metadata for itself; with --gc-dry-run it logs what it would remove, and removes nothing.
func TestServeLogsGarbage(t *testing.T) {
	t.Parallel()
	c := leaveGarbage(t)
	if o := invoke(t, nil, "gc", "--data", c.data); o.code != exitConflict || !strings.Contains(o.errs, "another process is using the directory") {
		t.Errorf("beside a server: %s", o)
	}
	c.stop(t)
	before := len(c.files())
	c.args = append(c.args[:2:2], "--log-level", "info")
	c.open("--gc-dry-run", "--gc-interval", "50ms", "--gc-grace", "1ms")
	time.Sleep(time.Second)
	c.stop(t)
	log := c.errs.String()
	for _, want := range []string{"would be removed", "files/insert_log/5/6/7/100/8", "garbage that would be collected"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not have %q:\n%s", want, log)
		}
	}
	if after := len(c.files()); after != before || before == 0 {
		t.Errorf("%d files of %d are left", after, before)
	}
}

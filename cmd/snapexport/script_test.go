package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/snapexport/snapexport/internal/testkit"
)

// The transcripts in testdata/script: every verb as a user would call it. $SRC with '#collection' behind it is a collection
// of a genuine Milvus; $BUCKET is a bucket with snapshots. Beside testscript's own commands there are
//
//	code N program args...        runs the program, which must exit with N
//	[!] json FILE PATH [VALUE]    compares a value of a JSON document: stdout rows_written 131; len is a length
//	lines FILE N                  counts lines
//	files DIR N                   counts the files below a directory
//	case NAME                     sets $CASE and $CASEMAP to the snapshot of an acceptance case and what --map needs
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, scripts(t, filepath.Join("testdata", "script")))
}

// The same with an S3 server at $S3, whose bucket lake is empty and whose bucket src is that of $BUCKET.
func TestScriptsOverS3(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "src"), os.DirFS(filepath.Join(testkit.Acceptance(t), "snapshots", "milvus-2.3.5", "bucket"))); err != nil {
		t.Fatal(err)
	}
	server := testkit.StartVersitygwOver(t, root)
	server.MakeBucket(t, "lake")
	params := scripts(t, filepath.Join("testdata", "s3"))
	setup := params.Setup
	params.Setup = func(env *testscript.Env) error {
		env.Setenv("S3", server.Endpoint)
		env.Setenv("LAKE_ACCESS_KEY_ID", server.AccessKey)
		env.Setenv("LAKE_SECRET_ACCESS_KEY", server.SecretKey)
		env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
		return setup(env)
	}
	testscript.Run(t, params)
}

func scripts(t *testing.T, dir string) testscript.Params {
	milvus := testkit.Data(t, "milvus-2.3.5")
	cases := testkit.Acceptance(t)
	bin := program(t)
	return testscript.Params{
		Dir: dir, RequireExplicitExec: true, RequireUniqueNames: true,
		UpdateScripts: os.Getenv("SNAPEXPORT_UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("SRC", "etcd+file:"+filepath.Join(milvus, "etcd.json")+"?storage="+milvus)
			env.Setenv("MILVUS", milvus)
			env.Setenv("BUCKET", filepath.Join(cases, "snapshots", "milvus-2.3.5", "bucket"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": exitsWith, "json": compareJSON, "lines": countLines, "files": countFiles,
			"case": func(ts *testscript.TestScript, _ bool, args []string) {
				all := testkit.Cases(t, "")
				i := slices.IndexFunc(all, func(c testkit.Case) bool { return c.Name == args[0] })
				if i < 0 {
					ts.Fatalf("no case %s", args[0])
				}
				source := sourceArgs(cases, all[i])
				ts.Setenv("CASE", source[0])
				ts.Setenv("CASEMAP", source[2])
			},
		},
	}
}

// program returns a folder with a program snapexport: this test binary, which runAsCommand turns into it.
func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", runAsCommand, self)
	if err := os.WriteFile(filepath.Join(dir, "snapexport"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func exitsWith(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d", got)
	}
}

func compareJSON(ts *testscript.TestScript, neg bool, args []string) {
	text := strings.TrimSpace(ts.ReadFile(args[0]))
	if args[0] == "stderr" { // the last line is what counts
		text = text[strings.LastIndexByte(text, '\n')+1:]
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var doc any
	ts.Check(dec.Decode(&doc))
	got, ok := pick(doc, strings.Split(args[1], "."))
	switch {
	case neg && ok:
		ts.Fatalf("%s is %s", args[1], got)
	case neg:
	case !ok:
		ts.Fatalf("there is no %s in %s", args[1], text)
	case len(args) > 2 && got != args[2]:
		ts.Fatalf("%s is %s, not %s", args[1], got, args[2])
	}
}

// pick returns the value at the path: strings as they are, everything else as JSON.
func pick(doc any, path []string) (string, bool) {
	for _, key := range path {
		switch at := doc.(type) {
		case map[string]any:
			v, ok := at[key]
			if !ok {
				return "", false
			}
			doc = v
		case []any:
			if key == "len" {
				return strconv.Itoa(len(at)), true
			}
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return "", false
			}
			doc = at[i]
		default:
			return "", false
		}
	}
	if s, ok := doc.(string); ok {
		return s, true
	}
	text, err := json.Marshal(doc)
	return string(text), err == nil
}

func countLines(ts *testscript.TestScript, _ bool, args []string) {
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); strconv.Itoa(got) != args[1] {
		ts.Fatalf("%s has %d lines", args[0], got)
	}
}

func countFiles(ts *testscript.TestScript, _ bool, args []string) {
	got := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got++
		}
		return err
	}))
	if strconv.Itoa(got) != args[1] {
		ts.Fatalf("%d files are below %s", got, args[0])
	}
}

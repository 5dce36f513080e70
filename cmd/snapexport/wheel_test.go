//go:build !slim

package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
)

// wheel runs testdata/wheel.py with the package of python/ and returns what it prints.
func wheel(t *testing.T, pythonPath, phase, address string, args ...string) string {
	t.Helper()
	cmd := exec.Command(testkit.Python(t), append([]string{"testdata/wheel.py", phase, "http://" + address}, args...)...)
	cmd.Env = append(cmd.Environ(), "PYTHONPATH="+pythonPath, "PYTHONDONTWRITEBYTECODE=1")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", phase, err, out, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// freeAddress is one on which nothing listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestGuideOverS3 is the snapshot guide with everything on an S3 server, its lines as they are written: a snapshot, Spark on
// s3a://{s3_location}/binlogs/, a restore, a drop.
func TestGuideOverS3(t *testing.T) {
	t.Parallel()
	source := filepath.Join(testkit.Root(t), "python", "src")
	s3 := testkit.StartVersitygw(t)
	s3.MakeBucket(t, "lake")
	env := []string{"AWS_ENDPOINT_URL=" + s3.Endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + s3.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s3.SecretKey}
	etcd := freeAddress(t)
	s := startServerIn(t, env, t.TempDir(), "--bucket", "s3://lake", "--etcd-listen", etcd)
	defer s.stop(t)
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	location := wheel(t, source, "make", s.Address, truth)
	if !strings.HasPrefix(location, "lake/files/snapshots/") {
		t.Fatalf("s3_location is %q", location)
	}

	snapshot := "milvus://" + s.Address + "/my_collection/backup_20240101"
	var own, cluster exported
	succeed(t, env, &own, "export", snapshot)
	succeed(t, env, nil, "verify", snapshot, "s3a://"+location)
	succeed(t, env, &cluster, "export", "etcd://"+etcd+"/by-dev?storage=s3://lake#my_collection", "--to", "table")
	if own != cluster || own.Rows != 398 {
		t.Errorf("the snapshot has %+v, the cluster's metadata %+v", own, cluster)
	}
	engines := testkit.Engines(t)
	for engine, tables := range map[string][]testkit.Table{
		testkit.Spark:     {{URI: "s3a://" + location + "/binlogs/", Data: true}, {URI: "s3a://" + location}},
		testkit.PyIceberg: {{URI: "s3a://" + location}},
		testkit.DuckDB:    {{URI: "s3://" + location}},
	} {
		for _, table := range tables {
			table.S3 = s3.Settings()
			engines.Compare(t, engine, table, truth)
		}
	}

	for _, phase := range []string{"restore", "errors", "drop"} {
		if got := wheel(t, source, phase, s.Address); got != "ok" {
			t.Errorf("%s: %s", phase, got)
		}
	}
	if left := s3.Keys(t, "lake", strings.TrimPrefix(location, "lake/")); len(left) != 0 {
		t.Errorf("after the drop there are %v", left)
	}
}

// TestWheel builds the wheel, without a network and the same twice, with a program in it and without, and imports it from where
// pip puts it.
func TestWheel(t *testing.T) {
	t.Parallel()
	pip := func(args ...string) {
		t.Helper()
		args = append([]string{"-m", "pip", "--quiet", "--disable-pip-version-check"}, args...)
		if out, err := exec.Command(testkit.Python(t), args...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	source := t.TempDir()
	if err := os.CopyFS(source, os.DirFS(filepath.Join(testkit.Root(t), "python"))); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(source, "src", "snapexport", "bin", "snapexport")
	if err := os.RemoveAll(filepath.Dir(program)); err != nil { // what make wheel left
		t.Fatal(err)
	}
	build := func(tag string) (wheel string) {
		t.Helper()
		dir := t.TempDir()
		pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", dir, source)
		found, err := filepath.Glob(filepath.Join(dir, "snapexport-*-py3-none-"+tag+".whl"))
		if err != nil || len(found) != 1 {
			t.Fatalf("built are %v, %v", found, err)
		}
		return found[0]
	}
	first, second := testkit.ReadFile(t, build("any")), testkit.ReadFile(t, build("any"))
	if string(first) != string(second) {
		t.Error("two builds are not the same")
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho '{\"a\": 1}'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	site := t.TempDir()
	pip("install", "--no-index", "--no-deps", "--target", site, build("manylinux2014_x86_64"))
	cmd := exec.Command(testkit.Python(t), "-c", "import snapexport, importlib.metadata as m; print(snapexport.__file__, snapexport.describe('x'), snapexport.__version__ == m.version('snapexport'), m.requires('snapexport'))")
	cmd.Env = append(cmd.Environ(), "PYTHONPATH="+site)
	out, err := cmd.CombinedOutput()
	if text := string(out); err != nil || !strings.HasPrefix(text, site) || !strings.Contains(text, "{'a': 1} True ['pyarrow") || !strings.Contains(text, `extra == 'milvus'`) {
		t.Errorf("%v: %s", err, text)
	}
}

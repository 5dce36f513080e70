//go:build !slim

package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/snapexport/snapexport/client"
	"github.com/snapexport/snapexport/internal/testkit"
)

// night is a server with the collection docs: 10 rows in the snapshot s1, 4 more rows that are not flushed.
type night struct {
	*served
	env []string
}

func newNight(t *testing.T) night {
	t.Helper()
	s := startServer(t, filepath.Join(t.TempDir(), "data"))
	t.Cleanup(func() { s.stop(t) })
	if out := testkit.RunPython(t, "testdata/serve.py", "fill", "http://"+s.Address); strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%s", out)
	}
	return night{s, []string{"SNAPEXPORT_URI=" + s.Address}}
}

func (n night) args(more ...string) []string {
	return append([]string{"export", "milvus://" + n.Address + "/docs", "--snapshot-ttl", "2h", "--progress", "none"}, more...)
}

// snapshots are the names of those that the server has.
func (n night) snapshots(t *testing.T) (names []string) {
	t.Helper()
	var listed struct{ Snapshots []client.Listed }
	succeed(t, n.env, &listed, "snapshot", "list")
	for _, l := range listed.Snapshots {
		names = append(names, l.Name)
	}
	return names
}

// only s1 is there, which nobody but the test made.
func (n night) clean(t *testing.T) {
	t.Helper()
	if got := n.snapshots(t); !slices.Equal(got, []string{"s1"}) {
		t.Errorf("the server has snapshots %v", got)
	}
}

type exportedNight struct {
	exported
	Tag      string
	Metadata string `json:"metadata_location"`
}

var nightlyName = regexp.MustCompile(`^nightly_\d{8}_\d{6}$`)

// Two nights and a third with a name of its own: each time the table has what the server answers, and the snapshot is gone.
func TestNightly(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	table := filepath.Join(t.TempDir(), "table")
	tags := map[string]bool{}
	for i, rows := range []int64{14, 16, 18} {
		args := n.args("--to", table)
		if args[1] = strings.Replace(args[1], "/docs", "/default/docs", 1); i == 2 {
			args = append(args, "--snapshot-name", "v2.1_release")
		}
		var made exportedNight
		succeed(t, nil, &made, args...)
		if made.Rows != rows || i < 2 && !nightlyName.MatchString(made.Tag) || i == 2 && made.Tag != "v2.1_release" {
			t.Errorf("night %d: %+v", i, made)
		}
		tags[made.Tag] = true
		n.clean(t)
		if out := testkit.RunPython(t, "testdata/nightly.py", "http://"+n.Address, made.Metadata); strings.TrimSpace(string(out)) != "ok" {
			t.Errorf("night %d: %s", i, out)
		}
	}
	var shown struct {
		Snapshots []struct{ Refs []string }
	}
	succeed(t, nil, &shown, "catalog", "show", table)
	for _, s := range shown.Snapshots {
		for _, tag := range s.Refs {
			delete(tags, tag)
		}
	}
	if len(shown.Snapshots) != 3 || len(tags) > 0 {
		t.Errorf("the table lacks tags %v: %+v", tags, shown)
	}
}

// An export that fails leaves no snapshot behind, but for --keep-snapshot; one that another made is never dropped.
func TestNightlyThatFails(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	table := filepath.Join(t.TempDir(), "table")
	succeed(t, nil, nil, "export", etcdFileSource(t, "compacted"), "--to", table)
	if o := invoke(t, nil, n.args("--to", table)...); o.code != exitConflict || !strings.Contains(o.errs, "this is collection") || strings.Contains(o.errs, "warning") {
		t.Errorf("%s", o)
	}
	n.clean(t)
	if o := invoke(t, nil, n.args("--to", "fresh", "--snapshot-name", "s1")...); o.code != exitConflict || !strings.Contains(o.errs, "already exists") {
		t.Errorf("%s", o)
	}
	n.clean(t)
	if o := invoke(t, nil, n.args("--to", "fresh", "--where", "id ==")...); o.code != exitUsage {
		t.Errorf("%s", o)
	}
	n.clean(t)
	o := invoke(t, nil, n.args("--to", table, "--keep-snapshot")...)
	if kept := n.snapshots(t); o.code != exitConflict || len(kept) != 2 {
		t.Errorf("%v after %s", kept, o)
	}
	n.dropAsTold(t, o.errs, "is kept")
	n.clean(t)
}

// dropAsTold runs the command that a warning names.
func (n night) dropAsTold(t *testing.T, warning, what string) {
	t.Helper()
	told := regexp.MustCompile(`warning: snapshot: nightly_\d+_\d+ of docs (.*); drop it with: snapexport (.*)`).FindStringSubmatch(warning)
	if told == nil || !strings.Contains(told[1], what) {
		t.Fatalf("no such warning: %s", warning)
	}
	if o := invoke(t, nil, strings.Fields(told[2])...); o.code != 0 {
		t.Errorf("%s", o)
	}
}

// held exports to a bucket and stops where the data file is about to be written.
func (n night) held(t *testing.T, more ...string) (*child, *testkit.Gate) {
	t.Helper()
	lake := testkit.StartVersitygw(t)
	lake.MakeBucket(t, lakeBucket)
	proxy, gate := testkit.StartFaultProxy(t, lake.Endpoint, nil), testkit.NewGate()
	proxy.Choose(hold(request("PUT", ".parquet", ""), gate.HoldBefore()))
	env := []string{"LAKE_ACCESS_KEY_ID=" + lake.AccessKey, "LAKE_SECRET_ACCESS_KEY=" + lake.SecretKey}
	c := start(t, env, n.args(append(more, "--to", stageTable, "--unsafe-commits", "--store", "s3://"+lakeBucket+"=endpoint="+proxy.Endpoint+",region=us-east-1,credentials=env:LAKE")...)...)
	gate.Await(t)
	return c, gate
}

// An interrupt in the middle: the snapshot goes.
func TestNightlyInterrupted(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		c, _ := n.held(t)
		if got := n.snapshots(t); len(got) != 2 || !nightlyName.MatchString(got[0]) {
			t.Errorf("meanwhile the server has %v", got)
		}
		c.signal(t, s)
		if o := c.wait(t); o.code != exitInterrupted || strings.Contains(o.errs, "warning") {
			t.Errorf("%v: %s", s, o)
		}
		n.clean(t)
	}
}

// A snapshot that can't be dropped, as someone else has pinned it: the table is right, and a warning says what to do.
func TestNightlyThatStays(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	c, gate := n.held(t)
	var pin struct {
		ID string `json:"pin_id"`
	}
	succeed(t, n.env, &pin, "snapshot", "pin", n.snapshots(t)[0], "--ttl", "1h")
	gate.Open()
	o := c.wait(t)
	if o.code != 0 || !strings.Contains(o.out, "rows written") {
		t.Errorf("%s", o)
	}
	succeed(t, n.env, nil, "snapshot", "unpin", pin.ID)
	n.dropAsTold(t, o.errs, "could not be dropped")
	n.clean(t)
}

func TestNightlyUsage(t *testing.T) {
	t.Parallel()
	const source = "milvus://127.0.0.1:1/docs"
	for want, args := range map[string][]string{
		"go with --snapshot-ttl":      {source + "/s", "--to", "x", "--keep-snapshot"},
		"--snapshot-ttl is 1s":        {source, "--to", "x", "--snapshot-ttl", "1s"},
		"--snapshot-ttl is 0s":        {source, "--to", "x", "--snapshot-ttl", "0"},
		"--snapshot-ttl is 721h0m0s":  {source, "--to", "x", "--snapshot-ttl", "721h"},
		"is a collection of a runnin": {"s3://bucket#docs/latest", "--to", "x", "--snapshot-ttl", "1h"},
		"COLLECTION[?storage=URI]":    {source + "/a/b", "--to", "x", "--snapshot-ttl", "1h"},
		"--dry-run changes nothing":   {source, "--to", "x", "--snapshot-ttl", "1h", "--dry-run"},
		"would be dropped with it":    {source, "--snapshot-ttl", "1h"},
		"written once":                {source, "--snapshot-ttl", "1h", "--keep-snapshot", "--replace"},
	} {
		if o := invoke(t, nil, append([]string{"export"}, args...)...); o.code != exitUsage || !strings.Contains(o.errs, want) {
			t.Errorf("%q: %s", args, o)
		}
	}
	if o := invoke(t, nil, "export", source, "--snapshot-ttl", "1h", "--to", "x", "--json"); o.code != exitError || !json.Valid([]byte(o.errs)) || !strings.Contains(o.errs, "is a Milvus listening") {
		t.Errorf("%s", o)
	}
}

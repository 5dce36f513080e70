package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/objstore"
)

// stage is two S3 servers: a Milvus's, of which we may only read a bucket, and a lake. Each is reached through a proxy.
type stage struct {
	*fixture.Collection
	milvus, lake     testkit.Versitygw
	toMilvus, toLake *testkit.FaultProxy
	env, flags       []string
	first, both      string // SOURCEs: snapshots of the first half of the segments and of all
}

const (
	milvusBucket = "milvus-bucket"
	lakeBucket   = "lake"
	stageTable   = "s3://lake/tables/documents"
)

func newStage(t *testing.T, shape fixture.Shape) *stage {
	t.Helper()
	s := &stage{milvus: testkit.StartVersitygw(t), lake: testkit.StartVersitygw(t)}
	s.milvus.MakeBucket(t, milvusBucket)
	s.lake.MakeBucket(t, lakeBucket)
	dir := t.TempDir()
	s.Collection = fixture.Documents(t, dir, shape)
	s.first = "s3://" + milvusBucket + "/" + s.Snapshot(t, "first", 7001, s.Segments[:(len(s.Segments)+1)/2])
	s.both = "s3://" + milvusBucket + "/" + s.Snapshot(t, "both", 7002, nil)
	s.milvus.Fill(t, milvusBucket, dir)
	user := s.milvus.ReadOnlyUser(t, milvusBucket, "reader-key")
	s.toMilvus = testkit.StartFaultProxy(t, s.milvus.Endpoint, nil)
	s.toLake = testkit.StartFaultProxy(t, s.lake.Endpoint, nil)
	s.env = []string{
		"SOURCE_ACCESS_KEY_ID=" + user.AccessKey, "SOURCE_SECRET_ACCESS_KEY=" + user.SecretKey,
		"LAKE_ACCESS_KEY_ID=" + s.lake.AccessKey, "LAKE_SECRET_ACCESS_KEY=" + s.lake.SecretKey,
	}
	s.flags = []string{
		"--store", "s3://" + milvusBucket + "=endpoint=" + s.toMilvus.Endpoint + ",region=us-east-1,credentials=env:SOURCE",
		"--store", "s3://" + lakeBucket + "=endpoint=" + s.toLake.Endpoint + ",region=us-east-1,credentials=env:LAKE,part-size=5MiB",
		"--progress", "none",
	}
	return s
}

// args completes a command line.
func (s *stage) args(args ...string) []string { return append(args, s.flags...) }

func (s *stage) export(source string, more ...string) []string {
	return s.args(append([]string{"export", source, "--to", stageTable, "--unsafe-commits", "--json"}, more...)...)
}

// opener opens the lake past the proxy.
func (s *stage) opener() *objstore.Opener {
	return objstore.NewOpener(objstore.Config{Settings: objstore.Settings{
		Endpoint: s.lake.Endpoint, AccessKey: s.lake.AccessKey, SecretKey: objstore.Secret(s.lake.SecretKey)}})
}

// history loads the table past the proxy and returns the Milvus snapshots that it holds, oldest first. All files that they
// name must be there. A table that is absent has none.
func (s *stage) history(t *testing.T) []string {
	t.Helper()
	opener := s.opener()
	cat := catalog.NewPath(opener.Open, catalog.PathOptions{})
	if there, err := cat.CheckTableExists(t.Context(), catalog.Ident(stageTable)); err != nil || !there {
		return nil
	}
	tbl, err := catalog.Load(t.Context(), cat, catalog.Ident(stageTable))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	keys := s.lake.Keys(t, lakeBucket, "")
	for _, snap := range tbl.Snapshots {
		data, _, err := tbl.Files(t.Context(), snap.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range data {
			if !slices.Contains(keys, f.FilePath()[len("s3://"+lakeBucket+"/"):]) {
				t.Errorf("%s is in the table and not in the lake", f.FilePath())
			}
		}
		names = append(names, snap.Summary["milvus.snapshot"])
	}
	return names
}

// leftovers returns what lies below the table's place, and the uploads that are open.
func (s *stage) leftovers(t *testing.T) []string {
	t.Helper()
	return append(s.lake.Keys(t, lakeBucket, ""), s.lake.OpenUploads(t, lakeBucket)...)
}

// child is a command that is running.
type child struct {
	cmd       *exec.Cmd
	out, errs bytes.Buffer
	done      chan struct{}
}

func start(t *testing.T, env []string, args ...string) *child {
	t.Helper()
	c := &child{cmd: command(t, env, args...), done: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.errs
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.cmd.Wait(); close(c.done) }() // how it ended is in ProcessState
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); <-c.done })
	return c
}

func (c *child) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// wait returns what the child did. Its code is -1 if a signal ended it.
func (c *child) wait(t *testing.T) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	select {
	case <-c.done:
	case <-ctx.Done():
		t.Fatalf("snapexport does not end\n%s", c.errs.String())
	}
	return outcome{code: c.cmd.ProcessState.ExitCode(), out: c.out.String(), errs: c.errs.String()}
}

func (o outcome) String() string { return fmt.Sprintf("exit %d\n%s%s", o.code, o.out, o.errs) }

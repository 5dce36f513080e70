//go:build !slim

//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

var (
	crashCount = flag.Int("crash.count", 6, "how many steps TestServeKilled kills the server at, for each storage version; 0 for all, two with -short")
	crashSeed  = flag.Uint64("crash.seed", 1, "which steps TestServeKilled takes")
	crashFsync = flag.Bool("crash.fsync", false, "TestServeKilled's server waits for the disk")
	crashS3    = flag.Bool("crash.s3", false, "TestServeKilled's server keeps its files in S3")
)

// crashed is a server that is killed again and again, and what must be in it.
type crashed struct {
	t      *testing.T
	data   string
	bucket string // the directory of the files, also of those in S3
	file   string // of killAt
	args   []string
	env    []string

	*served
	client milvuspb.MilvusServiceClient
	conn   *grpc.ClientConn

	rows  map[int64]bool // keys that were acknowledged
	next  int64
	names int
	mark  int     // how many steps came before the operation
	doubt []int64 // keys of a delete that was not acknowledged
}

// TestServeKilled kills the process at steps of insert, flush, compaction, create, restore, drop and garbage collection, and starts it
// again: rows that were acknowledged are there once; a snapshot is whole or not listed; a restore that was acknowledged comes to its end;
// a target is whole or not there. In the end, when all is dropped and collected, no file is left.
func TestServeKilled(t *testing.T) {
	t.Parallel()
	for version, storage := range map[string]int64{"1": milvus.StorageV1, "2": milvus.StorageV2, "3": milvus.StorageV3} {
		t.Run("V"+version, func(t *testing.T) {
			t.Parallel()
			c := newCrashed(t, version)
			c.open()
			if c.StorageVersion != storage {
				t.Fatalf("%+v", c.greeting)
			}
			c.declare()
			c.everyStep()
			c.clear()
		})
	}
}

func newCrashed(t *testing.T, version string) *crashed {
	dir := t.TempDir()
	c := &crashed{t: t, data: filepath.Join(dir, "data"), file: filepath.Join(dir, "kill"), rows: map[int64]bool{},
		args: []string{"--storage-version", version, "--log-level", "warn", "--gc-interval", "1h"}}
	if !*crashFsync {
		c.args = append(c.args, "--no-fsync")
	}
	c.env, c.bucket = []string{killFile + "=" + c.file}, filepath.Join(c.data, "bucket")
	if *crashS3 {
		v := testkit.StartVersitygw(t)
		v.MakeBucket(t, "lake")
		c.bucket, c.args = filepath.Join(v.Root, "lake"), append(c.args, "--bucket", "s3://lake")
		c.env = append(c.env, "AWS_ENDPOINT_URL="+v.Endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+v.AccessKey, "AWS_SECRET_ACCESS_KEY="+v.SecretKey)
	}
	return c
}

// ops are what the server is killed in.
var ops = []struct {
	name string
	run  func(*crashed) func() // prepares, then does it; returns what is checked after the restart
}{
	{"insert", (*crashed).insert}, {"flush", (*crashed).flush}, {"compact", (*crashed).compact}, {"create", (*crashed).create},
	{"restore", (*crashed).restore}, {"failing restore", (*crashed).failingRestore}, {"drop", (*crashed).drop}, {"drop collection", (*crashed).dropCollection}, {"collect", (*crashed).collect},
}

// everyStep learns the steps of each operation, and kills at a choice of them.
func (c *crashed) everyStep() {
	type kill struct{ op, step int }
	var all []kill
	steps := make([][]string, len(ops))
	for i, op := range ops {
		before := len(c.steps())
		c.mark = before
		check := op.run(c)
		steps[i] = slices.Compact(slices.Sorted(slices.Values(c.steps()[c.mark:])))
		check()
		for j := range steps[i] {
			all = append(all, kill{i, j})
		}
	}
	if len(all) < 50 {
		c.t.Errorf("only %d steps: %v", len(all), steps)
	}
	count := *crashCount
	if testing.Short() {
		count = 2
	}
	r := rand.New(rand.NewPCG(*crashSeed, uint64(c.StorageVersion)))
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if count > 0 {
		all = all[:min(count, len(all))]
	}
	missed := 0
	for _, k := range all {
		if c.t.Failed() {
			c.t.FailNow()
		}
		point := steps[k.op][k.step]
		c.arm(point)
		check := ops[k.op].run(c)
		if !c.ended() {
			missed++ // it came only once, like making an owner
			c.t.Logf("%s: %s did not come again", ops[k.op].name, point)
			c.arm("")
			check()
			continue
		}
		c.t.Logf("killed in %s at %s", ops[k.op].name, point)
		c.arm("")
		c.open()
		c.settle()
		c.decide()
		check()
		c.same("docs", c.rows)
	}
	if missed*3 > len(all) {
		c.t.Errorf("%d of %d steps did not come", missed, len(all))
	}
}

func (c *crashed) steps() []string {
	text, _ := os.ReadFile(c.file + ".steps")
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func (c *crashed) arm(point string) {
	if err := os.WriteFile(c.file, []byte(point), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// quietly does what comes before an operation: the server is not killed in it.
func (c *crashed) quietly(prepare func() bool) {
	c.t.Helper()
	armed, _ := os.ReadFile(c.file)
	c.arm("")
	if !prepare() {
		c.t.Fatalf("the server is gone\n%s", c.errs)
	}
	c.mark = len(c.steps())
	c.arm(string(armed))
}

// open starts the server.
func (c *crashed) open(more ...string) {
	c.t.Helper()
	c.served = startServerIn(c.t, c.env, c.data, append(slices.Clone(c.args), more...)...)
	var err error
	if c.conn, err = grpc.NewClient(c.Address, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { c.conn.Close() })
	c.client = milvuspb.NewMilvusServiceClient(c.conn)
}

// ended waits a moment for the process to end, where it was armed.
func (c *crashed) ended() bool {
	want, _ := os.ReadFile(c.file)
	if len(want) == 0 {
		return false
	}
	done := make(chan struct{})
	go func() { _ = c.cmd.Wait(); close(done) }()
	select {
	case <-done:
		_ = c.conn.Close()
		return true
	case <-time.After(3 * time.Second):
	}
	if err := c.cmd.Process.Kill(); err != nil { // it is waited for; what it has acknowledged holds all the same
		c.t.Fatal(err)
	}
	<-done
	c.arm("")
	c.open()
	return false
}

// settle waits for restores that go on.
func (c *crashed) settle() {
	c.t.Helper()
	for range 3000 {
		r, err := c.client.ListRestoreSnapshotJobs(c.t.Context(), &milvuspb.ListRestoreSnapshotJobsRequest{})
		c.success(r, err)
		if !slices.ContainsFunc(r.GetJobs(), func(j *milvuspb.RestoreSnapshotInfo) bool { return !over(j) }) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatal("restores do not end")
}

func over(j *milvuspb.RestoreSnapshotInfo) bool {
	return j.GetState() == milvuspb.RestoreSnapshotState_RestoreSnapshotCompleted || j.GetState() == milvuspb.RestoreSnapshotState_RestoreSnapshotFailed
}

// clear drops everything and collects garbage: no file may be left.
func (c *crashed) clear() {
	c.same("docs", c.rows)
	shown, err := c.client.ShowCollections(c.t.Context(), &milvuspb.ShowCollectionsRequest{})
	c.success(shown, err)
	for _, name := range shown.GetCollectionNames() {
		r, err := c.client.DropCollection(c.t.Context(), &milvuspb.DropCollectionRequest{CollectionName: name})
		c.success(r, err)
	}
	c.stop(c.t)
	if err := os.WriteFile(c.file+".ahead", []byte("25h"), 0o600); err != nil { // pins whose restores did not begin expire
		c.t.Fatal(err)
	}
	c.open("--gc-interval", "50ms", "--gc-grace", "1ms")
	left := []string{"?"}
	for end := time.Now().Add(2 * time.Minute); len(left) > 0 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		left = c.files()
	}
	c.stop(c.t)
	if len(left) > 0 {
		c.t.Errorf("%d files are left: %q\n%s", len(left), left[:min(20, len(left))], c.errs)
	}
}

// files are those below the root, but for the owner's mark.
func (c *crashed) files() (out []string) {
	root := c.bucket
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(path, "/snapexport/owner") && !strings.Contains(path, "/.sgwtmp/") {
			out = append(out, strings.TrimPrefix(path, root+"/"))
		}
		return nil
	})
	return out
}

// same compares the keys of a collection.
func (c *crashed) same(collection string, want map[int64]bool) {
	c.t.Helper()
	got := c.keys(collection)
	if keys := slices.Sorted(maps.Keys(want)); !slices.Equal(got, keys) {
		c.t.Fatalf("%s has %d keys, want %d: %v, want %v", collection, len(got), len(keys), got, keys)
	}
}

// keys are all that a collection has, with repetitions.
func (c *crashed) keys(collection string) []int64 {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	loaded, err := c.client.LoadCollection(ctx, &milvuspb.LoadCollectionRequest{CollectionName: collection})
	c.success(loaded, err)
	r, err := c.client.Query(ctx, &milvuspb.QueryRequest{CollectionName: collection, Expr: "id >= 0", OutputFields: []string{"id"}})
	c.success(r, err)
	var out []int64
	for _, f := range r.GetFieldsData() {
		if f.GetFieldName() == "id" {
			out = append(out, f.GetScalars().GetLongData().GetData()...)
		}
	}
	slices.Sort(out)
	return out
}

func (c *crashed) name(prefix string) string {
	c.names++
	return fmt.Sprint(prefix, c.names)
}

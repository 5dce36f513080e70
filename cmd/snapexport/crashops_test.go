//go:build !slim

//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/protobuf/proto"
)

// worked tells an acknowledgement from the end of the process. Any other answer is an error of the test.
func (c *crashed) worked(reply any, err error) bool {
	c.t.Helper()
	if err != nil {
		return false
	}
	c.success(reply, nil)
	return true
}

func (c *crashed) success(reply any, err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%v\n%s", err, c.errs)
	}
	if st := statusOf(reply); st.GetCode() != 0 {
		c.t.Fatal(st)
	}
}

func statusOf(reply any) *commonpb.Status {
	if st, is := reply.(*commonpb.Status); is {
		return st
	}
	return reply.(interface{ GetStatus() *commonpb.Status }).GetStatus()
}

// declare makes the collection, with an index and a partition.
func (c *crashed) declare() {
	ctx := c.t.Context()
	schema, err := proto.Marshal(&schemapb.CollectionSchema{Name: "docs", Fields: []*schemapb.FieldSchema{
		{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
		{Name: "vec", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "2"}}},
	}})
	if err != nil {
		c.t.Fatal(err)
	}
	made, err := c.client.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{CollectionName: "docs", Schema: schema, ShardsNum: 2})
	c.success(made, err)
	index, err := c.client.CreateIndex(ctx, &milvuspb.CreateIndexRequest{CollectionName: "docs", FieldName: "vec", ExtraParams: []*commonpb.KeyValuePair{
		{Key: "index_type", Value: "FLAT"}, {Key: "metric_type", Value: "L2"}}})
	c.success(index, err)
	c.write(50)
	c.flushed()
}

// write inserts n rows and deletes a few old ones. It returns the keys that were not acknowledged.
func (c *crashed) write(n int64) (unsure []int64, acknowledged bool) {
	var keys []int64
	var floats []float32
	for k := c.next; k < c.next+n; k++ {
		keys, floats = append(keys, k), append(floats, float32(k), 1)
	}
	c.next += n
	r, err := c.client.Insert(c.t.Context(), &milvuspb.InsertRequest{CollectionName: "docs", NumRows: uint32(n), FieldsData: []*schemapb.FieldData{
		{FieldName: "id", Type: schemapb.DataType_Int64, Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
			Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: keys}}}}},
		{FieldName: "vec", Type: schemapb.DataType_FloatVector, Field: &schemapb.FieldData_Vectors{Vectors: &schemapb.VectorField{
			Dim: 2, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: floats}}}}},
	}})
	if !c.worked(r, err) {
		return keys, false
	}
	for _, k := range keys {
		c.rows[k] = true
	}
	return nil, true
}

// remove deletes the two smallest keys. Where the server ended, they are in doubt until it is there again.
func (c *crashed) remove() bool {
	keys := slices.Sorted(maps.Keys(c.rows))[:2]
	r, err := c.client.Delete(c.t.Context(), &milvuspb.DeleteRequest{CollectionName: "docs", Expr: fmt.Sprintf("id in [%d, %d]", keys[0], keys[1])})
	if !c.worked(r, err) {
		c.doubt = keys
		return false
	}
	for _, k := range keys {
		delete(c.rows, k)
	}
	return true
}

// decide looks whether a delete that was not acknowledged happened: of all of its keys, or of none.
func (c *crashed) decide() {
	keys := c.doubt
	if c.doubt = nil; keys == nil || slices.Contains(c.keys("docs"), keys[0]) {
		return
	}
	for _, k := range keys {
		delete(c.rows, k)
	}
}

func (c *crashed) flushed() bool {
	r, err := c.client.Flush(c.t.Context(), &milvuspb.FlushRequest{CollectionNames: []string{"docs"}})
	return c.worked(r, err)
}

func (c *crashed) insert() func() {
	return c.whole(c.write(20))
}

func (c *crashed) flush() func() {
	unsure, done := c.write(30) // which may be where it was to end
	_ = done && c.remove() && c.flushed()
	return c.whole(unsure, done)
}

// whole settles what became of rows that were not acknowledged.
func (c *crashed) whole(unsure []int64, done bool) func() {
	return func() {
		if !done && slices.Contains(c.keys("docs"), unsure[0]) {
			for _, k := range unsure {
				c.rows[k] = true
			}
		}
		c.same("docs", c.rows)
	}
}

func (c *crashed) compact() func() {
	_ = c.remove() && c.flushed()
	if r, err := c.client.ManualCompaction(c.t.Context(), &milvuspb.ManualCompactionRequest{CollectionName: "docs"}); err == nil {
		c.success(r, nil)
	}
	return func() { c.same("docs", c.rows) }
}

func (c *crashed) make(name string) bool {
	r, err := c.client.CreateSnapshot(c.t.Context(), &milvuspb.CreateSnapshotRequest{CollectionName: "docs", Name: name})
	return c.worked(r, err)
}

func (c *crashed) listed(name string) bool {
	r, err := c.client.ListSnapshots(c.t.Context(), &milvuspb.ListSnapshotsRequest{CollectionName: "docs"})
	c.success(r, err)
	return slices.Contains(r.GetSnapshots(), name)
}

func (c *crashed) begin(name, target string) (int64, bool) {
	r, err := c.client.RestoreSnapshot(c.t.Context(), &milvuspb.RestoreSnapshotRequest{CollectionName: "docs", Name: name, TargetCollectionName: target})
	return r.GetJobId(), c.worked(r, err)
}

// restorable restores a snapshot and compares.
func (c *crashed) restorable(name string, want map[int64]bool) {
	c.t.Helper()
	target := c.name("check")
	if _, ok := c.begin(name, target); !ok {
		c.t.Fatal("no answer")
	}
	c.settle()
	c.same(target, want)
	r, err := c.client.DropCollection(c.t.Context(), &milvuspb.DropCollectionRequest{CollectionName: target})
	c.success(r, err)
}

// snapshot flushes and makes one. It returns its rows.
func (c *crashed) snapshot(name string) (want map[int64]bool) {
	c.quietly(func() bool { want = maps.Clone(c.rows); return c.flushed() && c.make(name) })
	return want
}

func (c *crashed) create() func() {
	name := c.name("s")
	c.quietly(c.flushed)
	want := maps.Clone(c.rows)
	done := c.make(name)
	return func() {
		there := c.listed(name)
		if done && !there {
			c.t.Errorf("snapshot %s was acknowledged", name)
		}
		if !there && !c.make(name) {
			c.t.Error("the name is not free")
		}
		c.restorable(name, want)
		c.dropped(name)
	}
}

func (c *crashed) dropped(name string) bool {
	r, err := c.client.DropSnapshot(c.t.Context(), &milvuspb.DropSnapshotRequest{CollectionName: "docs", Name: name})
	return c.worked(r, err)
}

func (c *crashed) restore() func() {
	name, target := c.name("s"), c.name("t")
	want := c.snapshot(name)
	job, done := c.begin(name, target)
	if done {
		c.wait(job)
	}
	return func() {
		c.settle()
		there := c.exists(target)
		if done && !there {
			c.t.Errorf("the restore to %s was acknowledged", target)
		}
		if !there {
			if _, ok := c.begin(name, target); !ok {
				c.t.Error("the target's name is not free")
			}
			c.settle()
		}
		c.same(target, want)
	}
}

// wait polls until the job is over or the process is.
func (c *crashed) wait(job int64) {
	for range 3000 {
		r, err := c.client.GetRestoreSnapshotState(c.t.Context(), &milvuspb.GetRestoreSnapshotStateRequest{JobId: job})
		if err != nil || over(r.GetInfo()) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *crashed) exists(name string) bool {
	r, err := c.client.HasCollection(c.t.Context(), &milvuspb.HasCollectionRequest{CollectionName: name})
	c.success(r, err)
	return r.GetValue()
}

// failingRestore is one of a snapshot that lacks a file.
func (c *crashed) failingRestore() func() {
	name, target := c.name("s"), c.name("t")
	var before []string
	c.quietly(func() bool {
		if !c.flushed() {
			return false
		}
		before = c.files()
		_, ok := c.write(10)
		return ok && c.flushed() && c.make(name)
	})
	i := slices.IndexFunc(c.files(), func(f string) bool { return strings.Contains(f, "/insert_log/") && !slices.Contains(before, f) })
	path := filepath.Join(c.bucket, c.files()[i])
	if err := os.Rename(path, c.file+".away"); err != nil {
		c.t.Fatal(err)
	}
	job, begun := c.begin(name, target)
	if begun {
		c.wait(job)
	}
	return func() {
		c.settle()
		if c.exists(target) {
			c.t.Errorf("%s was restored without a file", target)
		}
		if begun {
			r, err := c.client.GetRestoreSnapshotState(c.t.Context(), &milvuspb.GetRestoreSnapshotStateRequest{JobId: job})
			c.success(r, err)
			if r.GetInfo().GetState() != milvuspb.RestoreSnapshotState_RestoreSnapshotFailed || !strings.Contains(r.GetInfo().GetReason(), filepath.Base(path)) {
				c.t.Errorf("%v", r.GetInfo())
			}
		}
		if err := os.Rename(c.file+".away", path); err != nil {
			c.t.Fatal(err)
		}
		c.restorable(name, maps.Clone(c.rows))
		r, err := c.client.DropSnapshot(c.t.Context(), &milvuspb.DropSnapshotRequest{CollectionName: "docs", Name: name})
		if err != nil || r.GetCode() != 0 && (begun || r.GetCode() != 2601) { // where the restore had not begun, its pin may last until it expires
			c.t.Errorf("%v %v", r, err)
		}
	}
}

func (c *crashed) drop() func() {
	name := c.name("s")
	want := c.snapshot(name)
	done := c.dropped(name)
	return func() {
		there := c.listed(name)
		if done && there {
			c.t.Errorf("the drop of %s was acknowledged", name)
		}
		if there {
			c.restorable(name, want)
			c.dropped(name)
		}
		if !c.make(name) || !c.dropped(name) {
			c.t.Error("the name is not free")
		}
	}
}

// doomed restores a collection that is to be dropped, with a snapshot of its own.
func (c *crashed) doomed(target string) bool {
	name := c.name("s")
	if !c.flushed() || !c.make(name) {
		return false
	}
	job, ok := c.begin(name, target)
	if !ok {
		return false
	}
	c.wait(job)
	r, err := c.client.CreateSnapshot(c.t.Context(), &milvuspb.CreateSnapshotRequest{CollectionName: target, Name: "s"})
	return c.worked(r, err) && c.dropped(name)
}

func (c *crashed) dropCollection() func() {
	target := c.name("t")
	c.quietly(func() bool { return c.doomed(target) })
	want := maps.Clone(c.rows)
	r, err := c.client.DropCollection(c.t.Context(), &milvuspb.DropCollectionRequest{CollectionName: target})
	done := c.worked(r, err)
	return func() {
		if done && c.exists(target) {
			c.t.Errorf("the drop of %s was acknowledged", target)
		}
		if c.exists(target) {
			c.same(target, want)
		}
	}
}

// collect starts the server again, with a garbage collection that waits for nothing, and gives it something to remove.
func (c *crashed) collect() func() {
	name, target := c.name("s"), c.name("t")
	orphan := filepath.Join(c.bucket, "files", "insert_log", "5", "6", c.name("7"), "100", "8")
	var want map[int64]bool
	c.quietly(func() bool {
		want = maps.Clone(c.rows)
		if !c.flushed() || !c.make(name) || !c.doomed(target) {
			return false
		}
		if !c.remove() || !c.flushed() {
			return false
		}
		r, err := c.client.ManualCompaction(c.t.Context(), &milvuspb.ManualCompactionRequest{CollectionName: "docs"})
		if !c.worked(r, err) {
			return false
		}
		c.stop(c.t)
		c.open("--gc-interval", "50ms", "--gc-grace", "1ms")
		return c.exists("docs")
	})
	if err := os.MkdirAll(filepath.Dir(orphan), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(orphan, []byte("left by a crash"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	r, err := c.client.DropCollection(c.t.Context(), &milvuspb.DropCollectionRequest{CollectionName: target})
	alive := c.worked(r, err)
	patience := time.Now().Add(30 * time.Second) // and two seconds after the orphan went
	for late := false; alive && time.Now().Before(patience); time.Sleep(20 * time.Millisecond) {
		_, err := c.client.HasCollection(c.t.Context(), &milvuspb.HasCollectionRequest{CollectionName: "docs"})
		alive = err == nil
		if _, err := os.Stat(orphan); err != nil && !late {
			late, patience = true, time.Now().Add(2*time.Second)
		}
	}
	if _, err := os.Stat(orphan); alive && err == nil {
		c.t.Errorf("an orphan stays\n%s", c.errs)
	}
	if alive {
		c.arm("")
		c.stop(c.t)
		c.open()
	}
	return func() {
		c.restorable(name, want)
		c.dropped(name)
	}
}

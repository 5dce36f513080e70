//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/milvus"
)

// TestLife is what a snapshot is and is not bound to: one stage, a collection for each line.
func TestLife(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t, milvus.StorageV2, nil), t.Context()
	for name, line := range map[string]func(*testing.T){
		"unflushed rows are not in it": func(t *testing.T) {
			s.fill(t, "unflushed", 100)
			s.insert(t, "unflushed", "", 100, 150)
			s.delete(t, "unflushed", "id < 10")
			s.create(t, "unflushed", "s")
			s.insert(t, "unflushed", "", 150, 200) // nor are those that come later, flushed or not
			s.flush(t, "unflushed")
			s.delete(t, "unflushed", "id < 60")
			s.flush(t, "unflushed")
			s.completed(t, "unflushed", "s", "unflushed_again")
			if n := s.count(t, "unflushed_again"); n != 100 {
				t.Errorf("%d rows", n)
			}
		},
		"names are unique in a collection": func(t *testing.T) {
			s.fill(t, "unique1", 1)
			s.fill(t, "unique2", 2)
			s.create(t, "unique1", "same")
			s.create(t, "unique2", "same")
			s.completed(t, "unique2", "same", "unique3")
			if n := s.count(t, "unique3"); n != 2 {
				t.Errorf("%d rows: of the other one", n)
			}
			if st := s.drop(t, "unique1", "same"); st.GetCode() != 0 || len(s.list(t, "unique2")) != 1 {
				t.Errorf("%v", st)
			}
			s.create(t, "unique1", "same") // a name is free after a drop
		},
		"renaming keeps snapshots": func(t *testing.T) {
			s.fill(t, "old_name", 3)
			s.create(t, "old_name", "s")
			r, err := s.client.RenameCollection(ctx, &milvuspb.RenameCollectionRequest{OldName: "old_name", NewName: "new_name"})
			success(t, r, err)
			if d := s.describe(t, "new_name", "s"); d.GetCollectionName() != "new_name" {
				t.Errorf("%v", d)
			}
			s.completed(t, "new_name", "s", "old_name")
			if n := s.count(t, "old_name"); n != 3 {
				t.Errorf("%d rows", n)
			}
		},
		"a collection of the same name has none": func(t *testing.T) {
			s.fill(t, "again", 3)
			s.create(t, "again", "s")
			s.dropCollection(t, "again")
			refused(t, "list", replied(t)(s.client.ListSnapshots(ctx, &milvuspb.ListSnapshotsRequest{CollectionName: "again"})),
				100, commonpb.ErrorCode_CollectionNotExists, "collection not found[database=default][collection=again]")
			s.fill(t, "again", 5)
			if l := s.list(t, "again"); len(l) != 0 {
				t.Errorf("%v", l)
			}
			s.create(t, "again", "s")
		},
		"aliases stand for their collections": func(t *testing.T) {
			s.fill(t, "real", 4)
			r, err := s.client.CreateAlias(ctx, &milvuspb.CreateAliasRequest{CollectionName: "real", Alias: "aka"})
			success(t, r, err)
			s.flush(t, "aka")
			s.create(t, "aka", "s")
			s.create(t, "real", "s2")
			if l := s.list(t, "aka"); !slices.Equal(l, []string{"s", "s2"}) {
				t.Errorf("%v", l)
			}
			if d := s.describe(t, "aka", "s"); d.GetCollectionName() != "real" {
				t.Errorf("%v", d)
			}
			pin := s.pin(t, "aka", "s", 60)
			refused(t, "drop", s.drop(t, "real", "s"), 2601, commonpb.ErrorCode_UnexpectedError, "active pins exist, unpin before dropping: snapshot is pinned[snapshot=s]")
			s.unpin(t, pin)
			s.completed(t, "aka", "s", "real_again")
			if a := s.describeCollection(t, "real_again").GetAliases(); len(a) != 0 {
				t.Errorf("aliases are no part of a snapshot: %v", a)
			}
			if st := s.drop(t, "aka", "s"); st.GetCode() != 0 || len(s.list(t, "real")) != 1 {
				t.Errorf("%v", st)
			}
		},
		"a dropped partition keeps its name": func(t *testing.T) {
			s.fill(t, "parts", 4)
			s.createPartition(t, "parts", "p1")
			s.createPartition(t, "parts", "empty")
			s.insert(t, "parts", "p1", 100, 106)
			s.flush(t, "parts")
			s.create(t, "parts", "s")
			gone, err := s.client.DropPartition(ctx, &milvuspb.DropPartitionRequest{CollectionName: "parts", PartitionName: "p1"})
			success(t, gone, err)
			s.createPartition(t, "parts", "later")
			if got := s.describe(t, "parts", "s").GetPartitionNames(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"_default", "empty", "p1"}) {
				t.Errorf("%q", got)
			}
			s.sweep(t)
			s.completed(t, "parts", "s", "parts_again")
			shown, err := s.client.ShowPartitions(ctx, &milvuspb.ShowPartitionsRequest{CollectionName: "parts_again"})
			success(t, shown, err)
			if got := shown.GetPartitionNames(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"_default", "empty", "p1"}) {
				t.Errorf("%q", got)
			}
			if n := s.count(t, "parts_again"); n != 10 {
				t.Errorf("%d rows", n)
			}
		},
		"a dropped collection takes its snapshots along, but for pinned ones": func(t *testing.T) {
			s.fill(t, "cascade", 4)
			s.create(t, "cascade", "free")
			s.create(t, "cascade", "pinned")
			pin := s.pin(t, "cascade", "pinned", 0)
			id := s.meta(t, "cascade").ID
			below, rows := fmt.Sprintf("files/snapshots/%d/", id), fmt.Sprintf("files/insert_log/%d/", id)
			before := len(s.keyFiles(t, below))
			s.dropCollection(t, "cascade")
			if n := len(s.keyFiles(t, below)); 2*n != before || n == 0 {
				t.Errorf("%d files of two snapshots, then %d", before, n)
			}
			s.sweep(t)
			if len(s.keyFiles(t, below)) == 0 || len(s.keyFiles(t, rows)) == 0 {
				t.Error("files of a pinned snapshot are gone")
			}
			s.unpin(t, pin)
			s.sweep(t)
			s.sweep(t) // what the snapshot protected goes after it
			if left := append(s.keyFiles(t, below), s.keyFiles(t, rows)...); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		},
		"describe says all of it": func(t *testing.T) {
			s.fill(t, "shown", 4)
			before := time.Now().UnixMilli()
			s.flush(t, "shown")
			r, err := s.client.CreateSnapshot(ctx, &milvuspb.CreateSnapshotRequest{CollectionName: "shown", Name: "s", Description: "größer, länger\n" + strings.Repeat("x", 5000)})
			success(t, r, err)
			d := s.describe(t, "shown", "s")
			if ms := d.GetCreateTs() >> 18; ms < before-60_000 || ms > time.Now().UnixMilli()+1000 || !strings.HasPrefix(d.GetDescription(), "größer, länger\nxxx") || len(d.GetDescription()) != 5018 {
				t.Errorf("create_ts %d, description of %d", d.GetCreateTs(), len(d.GetDescription()))
			}
			if d.GetName() != "s" || !slices.Equal(d.GetPartitionNames(), []string{"_default"}) || d.GetS3Location() == "" {
				t.Errorf("%v", d)
			}
		},
		"many snapshots of a collection": func(t *testing.T) {
			s.fill(t, "many", 2)
			var want []string
			for i := range 70 {
				want = append(want, fmt.Sprintf("s%d", i))
				s.create(t, "many", want[i])
			}
			if got := s.list(t, "many"); !slices.Equal(got, want) {
				t.Errorf("%v", got)
			}
		},
	} {
		t.Run(name, line)
	}
}

// TestPinsOverTCP: limits are in TestSnapshotErrors. The clock is moved.
func TestPinsOverTCP(t *testing.T) {
	t.Parallel()
	s := newStage(t, milvus.StorageV2, nil)
	s.fill(t, "docs", 2)
	pinned := func(name string) bool {
		t.Helper()
		st := s.drop(t, "docs", name)
		if st.GetCode() != 0 && st.GetCode() != 2601 {
			t.Errorf("%v", st)
		}
		return st.GetCode() == 2601
	}
	for _, name := range []string{"short", "forever", "two", "longest"} {
		s.create(t, "docs", name)
	}
	s.pin(t, "docs", "short", 60)
	forever := s.pin(t, "docs", "forever", 0)
	one, two := s.pin(t, "docs", "two", 3600), s.pin(t, "docs", "two", 0)
	s.pin(t, "docs", "longest", 30*24*3600)
	s.pass(59 * time.Second)
	if !pinned("short") {
		t.Error("the pin of a minute ended early")
	}
	s.pass(2 * time.Second)
	if pinned("short") {
		t.Error("the pin of a minute did not end")
	}
	s.unpin(t, one)
	s.unpin(t, one)
	if one == two || !pinned("two") {
		t.Errorf("a pin ended with another one: %d %d", one, two)
	}
	s.pass(30*24*time.Hour - 2*time.Minute)
	if !pinned("longest") {
		t.Error("the pin of 30 days ended early")
	}
	s.pass(2 * time.Minute)
	if pinned("longest") {
		t.Error("the pin of 30 days did not end")
	}
	s.pass(10 * 365 * 24 * time.Hour)
	if !pinned("forever") || !pinned("two") {
		t.Error("a pin without an end ended")
	}
	for _, id := range []int64{forever, two, 0, -1, 1 << 62} {
		s.unpin(t, id)
	}
	if pinned("forever") || pinned("two") {
		t.Error("unpinned, but pinned")
	}
}

// TestConcurrentCalls: of 50 creators of a name one wins, all droppers succeed, and restores of one snapshot go on side by side.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t, milvus.StorageV2, nil), t.Context()
	s.fill(t, "docs", 20)
	together := func(n int, call func(i int) (any, error)) []*commonpb.Status {
		out := make([]*commonpb.Status, n)
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() { out[i] = replied(t)(call(i)) })
		}
		group.Wait()
		return out
	}
	won := 0
	for _, st := range together(50, func(int) (any, error) {
		return s.client.CreateSnapshot(ctx, &milvuspb.CreateSnapshotRequest{CollectionName: "docs", Name: "one"})
	}) {
		if st.GetCode() == 0 {
			won++
		} else {
			refused(t, "loser", st, 1100, commonpb.ErrorCode_IllegalArgument, fmt.Sprintf("snapshot name one already exists in collection %d: invalid parameter", s.meta(t, "docs").ID))
		}
	}
	if l := s.list(t, "docs"); won != 1 || len(l) != 1 {
		t.Errorf("%d won: %v", won, l)
	}
	jobs := make([]int64, 8)
	for _, st := range together(len(jobs), func(i int) (any, error) {
		r, err := s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{CollectionName: "docs", Name: "one", TargetCollectionName: fmt.Sprint("copy", i)})
		jobs[i] = r.GetJobId()
		return r, err
	}) {
		success(t, st, nil)
	}
	winners := 0 // and of those to one target one wins
	for _, st := range together(8, func(int) (any, error) {
		return s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{CollectionName: "docs", Name: "one", TargetCollectionName: "contested"})
	}) {
		if st.GetCode() == 0 {
			winners++
		} else {
			refused(t, "loser", st, 65535, commonpb.ErrorCode_UnexpectedError, "create duplicate collection with different parameters, collection: contested")
		}
	}
	if winners != 1 {
		t.Errorf("%d restores to one target", winners)
	}
	for i, job := range jobs {
		if info := s.restored(t, job); info.GetState() != milvuspb.RestoreSnapshotState_RestoreSnapshotCompleted || s.count(t, fmt.Sprint("copy", i)) != 20 {
			t.Errorf("%v", info)
		}
	}
	listed, err := s.client.ListRestoreSnapshotJobs(ctx, &milvuspb.ListRestoreSnapshotJobsRequest{CollectionName: "contested"})
	success(t, listed, err)
	s.restored(t, listed.GetJobs()[0].GetJobId())
	for _, st := range together(20, func(int) (any, error) {
		return s.client.DropSnapshot(ctx, &milvuspb.DropSnapshotRequest{CollectionName: "docs", Name: "one"})
	}) {
		success(t, st, nil)
	}
}

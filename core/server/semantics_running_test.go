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

// TestWhileRestoring: what others see during a restore: no target, a name that is taken, a source that can't be dropped, progress
// that only grows; and that jobs are forgotten three hours after their end.
func TestWhileRestoring(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t, milvus.StorageV2, nil), t.Context()
	s.fill(t, "src", 4)
	for i := range int64(6) {
		s.insert(t, "src", "", 100*i, 100*i+10)
		s.flush(t, "src")
	}
	s.create(t, "src", "s")
	var mu sync.Mutex
	looked, progress := 0, []int32{}
	var job int64
	s.at(func(point string) error {
		if !strings.HasPrefix(point, "restore job:") {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		r, err := s.client.ListRestoreSnapshotJobs(ctx, &milvuspb.ListRestoreSnapshotJobsRequest{CollectionName: "dst"})
		if err != nil || len(r.GetJobs()) != 1 {
			t.Errorf("%v %v", r, err)
			return nil
		}
		j := r.GetJobs()[0]
		progress = append(progress, j.GetProgress())
		if point == "restore job: published" || point == "restore job: released" || point == "restore job: over" {
			return nil
		}
		looked++
		if j.GetState() != milvuspb.RestoreSnapshotState_RestoreSnapshotExecuting || j.GetTimeCost() != 0 || j.GetStartTime() == 0 || j.GetProgress() > 99 {
			t.Errorf("%v", j)
		}
		if looked > 1 {
			return nil
		}
		job = j.GetJobId()
		s.unseen(t, "dst")
		refused(t, "drop", s.drop(t, "src", "s"), 2601, commonpb.ErrorCode_UnexpectedError, "active pins exist, unpin before dropping: snapshot is pinned[snapshot=s]")
		taken := "create duplicate collection with different parameters, collection: dst"
		refused(t, "restore", replied(t)(s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{CollectionName: "src", Name: "s", TargetCollectionName: "dst"})),
			65535, commonpb.ErrorCode_UnexpectedError, taken)
		refused(t, "rename", replied(t)(s.client.RenameCollection(ctx, &milvuspb.RenameCollectionRequest{OldName: "src", NewName: "dst"})), 65535, commonpb.ErrorCode_UnexpectedError, taken)
		if st := replied(t)(s.client.CreateAlias(ctx, &milvuspb.CreateAliasRequest{CollectionName: "src", Alias: "dst"})); st.GetCode() == 0 {
			t.Error("an alias took the target's name")
		}
		return nil
	})
	s.completed(t, "src", "s", "dst")
	s.at(nil)
	mu.Lock()
	defer mu.Unlock()
	if looked < 3 || !slices.IsSorted(progress) || progress[len(progress)-1] != 100 || !slices.ContainsFunc(progress, func(p int32) bool { return p > 0 && p < 100 }) {
		t.Errorf("looked %d times: %v", looked, progress)
	}
	if n := s.count(t, "dst"); n != s.count(t, "src") {
		t.Errorf("%d rows", n)
	}
	s.pass(3*time.Hour - time.Minute)
	s.restored(t, job)
	s.pass(2 * time.Minute)
	refused(t, "an old job", replied(t)(s.client.GetRestoreSnapshotState(ctx, &milvuspb.GetRestoreSnapshotStateRequest{JobId: job})),
		2100, commonpb.ErrorCode_UnexpectedError, fmt.Sprintf("restore job not found: jobID=%d: importing data failed", job))
	l, err := s.client.ListRestoreSnapshotJobs(ctx, &milvuspb.ListRestoreSnapshotJobsRequest{})
	success(t, l, err)
	if len(l.GetJobs()) != 0 {
		t.Errorf("%v", l)
	}
}

// unseen tells whether nobody finds a collection.
func (s *stage) unseen(t *testing.T, name string) {
	t.Helper()
	ctx := t.Context()
	shown, err := s.client.ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{})
	success(t, shown, err)
	has, err := s.client.HasCollection(ctx, &milvuspb.HasCollectionRequest{CollectionName: name})
	success(t, has, err)
	if slices.Contains(shown.GetCollectionNames(), name) || has.GetValue() || s.exists(t, name) {
		t.Errorf("%s is seen", name)
	}
	for call, st := range map[string]*commonpb.Status{
		"load":     replied(t)(s.client.LoadCollection(ctx, &milvuspb.LoadCollectionRequest{CollectionName: name})),
		"insert":   replied(t)(s.client.Insert(ctx, &milvuspb.InsertRequest{CollectionName: name, NumRows: 1, FieldsData: columns(0, 1, 0)})),
		"snapshot": replied(t)(s.client.CreateSnapshot(ctx, &milvuspb.CreateSnapshotRequest{CollectionName: name, Name: "s"})),
		"flush":    replied(t)(s.client.Flush(ctx, &milvuspb.FlushRequest{CollectionNames: []string{name}})),
	} {
		refused(t, call, st, 100, commonpb.ErrorCode_CollectionNotExists, "collection not found[database=default][collection="+name+"]")
	}
}

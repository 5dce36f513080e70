package server

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/core/restore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
)

// RestoreSnapshot begins to restore a snapshot as a new collection. Clients of the earlier protocol name the target alone, in
// the place of the source.
func (s *Server) RestoreSnapshot(ctx context.Context, r *milvuspb.RestoreSnapshotRequest) (*milvuspb.RestoreSnapshotResponse, error) {
	q := restore.Request{Snapshot: r.GetName(), TargetDB: r.GetTargetDbName(), Target: r.GetTargetCollectionName()}
	db := database(ctx, r)
	if q.TargetDB == "" {
		q.TargetDB = db
	}
	var err error
	switch {
	case q.Target != "" && r.GetCollectionName() == "":
		err = status.Invalid("collection_name is required for restore snapshot")
	case q.Target != "":
		q.Source, err = s.collection(ctx, r)
	case r.GetCollectionName() == "":
		err = status.Invalid("target_collection_name is required for restore snapshot")
	default:
		q.Target = r.GetCollectionName()
		q.Source, _, err = s.config.Snapshots.FindByName(db, r.GetName())
	}
	if err != nil {
		return nil, err
	}
	if err := checkName("collection", q.Target); err != nil {
		return nil, err
	}
	job, err := s.config.Restores.Start(ctx, q)
	return &milvuspb.RestoreSnapshotResponse{JobId: job}, err
}

// GetRestoreSnapshotState says how far a restore is.
func (s *Server) GetRestoreSnapshotState(_ context.Context, r *milvuspb.GetRestoreSnapshotStateRequest) (*milvuspb.GetRestoreSnapshotStateResponse, error) {
	job, err := s.config.Restores.Job(r.GetJobId())
	if err != nil {
		return nil, err
	}
	return &milvuspb.GetRestoreSnapshotStateResponse{Info: jobInfo(job)}, nil
}

// ListRestoreSnapshotJobs lists the restores of a database, or those to one target.
func (s *Server) ListRestoreSnapshotJobs(ctx context.Context, r *milvuspb.ListRestoreSnapshotJobsRequest) (*milvuspb.ListRestoreSnapshotJobsResponse, error) {
	jobs, err := s.config.Restores.Jobs(database(ctx, r), r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	out := &milvuspb.ListRestoreSnapshotJobsResponse{}
	for _, j := range jobs {
		out.Jobs = append(out.Jobs, jobInfo(j))
	}
	return out, nil
}

var jobStates = map[pb.CopySegmentJobState]milvuspb.RestoreSnapshotState{
	pb.CopySegmentJobState_CopySegmentJobNone:      milvuspb.RestoreSnapshotState_RestoreSnapshotNone,
	pb.CopySegmentJobState_CopySegmentJobPending:   milvuspb.RestoreSnapshotState_RestoreSnapshotPending,
	pb.CopySegmentJobState_CopySegmentJobCompleted: milvuspb.RestoreSnapshotState_RestoreSnapshotCompleted,
	pb.CopySegmentJobState_CopySegmentJobFailed:    milvuspb.RestoreSnapshotState_RestoreSnapshotFailed,
}

func jobInfo(j restore.Job) *milvuspb.RestoreSnapshotInfo {
	state, known := jobStates[j.State]
	if !known { // copying, or publishing what was copied
		state = milvuspb.RestoreSnapshotState_RestoreSnapshotExecuting
	}
	return &milvuspb.RestoreSnapshotInfo{
		JobId: j.ID, SnapshotName: j.Snapshot, DbName: j.Database, CollectionName: j.Collection, State: state, Progress: int32(j.Progress),
		Reason: j.Reason, StartTime: uint64(j.Start.UnixMilli()), TimeCost: uint64(j.Cost.Milliseconds()),
	}
}

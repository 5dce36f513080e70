package client

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/fault"
)

// Job is a restore as the server tells of it.
type Job struct {
	ID         int64         `json:"job_id,string"`
	Snapshot   string        `json:"snapshot"`
	Database   string        `json:"database,omitempty"`
	Collection string        `json:"collection"` // the target
	State      string        `json:"state"`      // "Pending", "Executing", "Completed", "Failed", or "None"
	Progress   int           `json:"progress"`   // percent
	Reason     string        `json:"reason,omitempty"`
	Start      time.Time     `json:"start_time"`
	Cost       time.Duration `json:"time_cost_ns"` // 0 before the end
}

// Ended reports whether nothing more will change.
func (j Job) Ended() bool { return j.State == "Completed" || j.State == "Failed" }

// RestoreSnapshot begins a restore and returns its job.
func (c *Client) RestoreSnapshot(ctx context.Context, o *RestoreSnapshotOption) (int64, error) {
	const op = "restore snapshot"
	of, err := c.locate(ctx, op, o.subject)
	if err != nil {
		return 0, err
	}
	r, err := c.api.RestoreSnapshot(c.with(ctx), &milvuspb.RestoreSnapshotRequest{
		Name: of.name, DbName: of.database, CollectionName: of.collection, TargetDbName: o.targetDatabase, TargetCollectionName: o.target,
	})
	if err := failed(op, r, err); err != nil {
		return 0, err
	}
	return r.GetJobId(), nil
}

// RestoreState says how far a restore is. Servers forget a job some hours after its end.
func (c *Client) RestoreState(ctx context.Context, job int64) (Job, error) {
	r, err := c.api.GetRestoreSnapshotState(c.with(ctx), &milvuspb.GetRestoreSnapshotStateRequest{JobId: job})
	if err := failed("describe restore", r, err); err != nil {
		return Job{}, err
	}
	return toJob(r.GetInfo()), nil
}

// RestoreJobs lists the restores that the server knows; collection "" means all targets.
func (c *Client) RestoreJobs(ctx context.Context, database, collection string) ([]Job, error) {
	r, err := c.api.ListRestoreSnapshotJobs(c.with(ctx), &milvuspb.ListRestoreSnapshotJobsRequest{DbName: c.databaseOr(database), CollectionName: collection})
	if err := failed("list restores", r, err); err != nil {
		return nil, err
	}
	out := make([]Job, 0, len(r.GetJobs()))
	for _, j := range r.GetJobs() {
		out = append(out, toJob(j))
	}
	return out, nil
}

const (
	firstPoll = 20 * time.Millisecond
	lastPoll  = time.Second
)

// WaitRestore asks until a restore has ended, with pauses that grow to a second. A restore that failed is an error with the
// server's reason. progress, if not nil, is told of every answer.
func (c *Client) WaitRestore(ctx context.Context, job int64, progress func(Job)) (Job, error) {
	for pause := firstPoll; ; pause = min(2*pause, lastPoll) {
		j, err := c.RestoreState(ctx, job)
		if err != nil {
			return j, err
		}
		if progress != nil {
			progress(j)
		}
		switch {
		case j.State == "Failed":
			return j, fault.New(ErrFailed, "restore snapshot", "job %d failed: %s", job, j.Reason).On(j.Collection)
		case j.Ended():
			return j, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return j, fmt.Errorf("wait for job %d, which goes on: %w", job, err)
		}
	}
}

func toJob(i *milvuspb.RestoreSnapshotInfo) Job {
	return Job{
		ID: i.GetJobId(), Snapshot: i.GetSnapshotName(), Database: i.GetDbName(), Collection: i.GetCollectionName(),
		State: strings.TrimPrefix(i.GetState().String(), "RestoreSnapshot"), Progress: int(i.GetProgress()), Reason: i.GetReason(),
		Start: time.UnixMilli(int64(i.GetStartTime())).UTC(), Cost: time.Duration(i.GetTimeCost()) * time.Millisecond,
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

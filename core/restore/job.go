package restore

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
)

// Job is what is known of a restore.
type Job struct {
	ID         int64
	Snapshot   string
	Database   string                 // of the target
	Collection string                 // the target's name
	State      pb.CopySegmentJobState // Pending, Executing, Completed, Failed
	Progress   int                    // percent, never less than before
	Reason     string                 // of a failure
	Start      time.Time
	Cost       time.Duration // 0 until the end; then at least a millisecond
}

// Short names of states.
const (
	preparing = pb.CopySegmentJobState_CopySegmentJobNone
	pending   = pb.CopySegmentJobState_CopySegmentJobPending
	executing = pb.CopySegmentJobState_CopySegmentJobExecuting
	completed = pb.CopySegmentJobState_CopySegmentJobCompleted
	failed    = pb.CopySegmentJobState_CopySegmentJobFailed
)

// Keys of a job's options.
const (
	optCopyIndex  = "copy_index"     // "true", "false"
	optSource     = "source_type"    // "snapshot"
	optFirstBuild = "first_build_id" // new ids of builds: one for each build of the source, in their order
	optBuilds     = "builds"         // how many
)

// Job returns a job: status.JobNotFound for one that never was or ended more than three hours ago.
func (s *Service) Job(id int64) (Job, error) {
	row := s.row(id)
	if row == nil || row.State == preparing || s.outdated(row) {
		return Job{}, status.JobNotFound(id)
	}
	return s.view(row), nil
}

// Jobs returns the jobs with a target of that name in a database, by id. An empty target is all; an empty database the default one.
func (s *Service) Jobs(db, target string) ([]Job, error) {
	d, err := s.store.Database(db)
	if err != nil {
		return nil, err
	}
	var out []Job
	for _, row := range s.store.CopyJobs() {
		if row.DbId == int64(d.ID) && (target == "" || target == row.CollectionName) && row.State != preparing && !s.outdated(row) {
			out = append(out, s.view(row))
		}
	}
	return out, nil
}

func (s *Service) view(row *pb.CopySegmentJob) Job {
	j := Job{
		ID: row.JobId, Snapshot: row.SnapshotName, Collection: row.CollectionName, State: row.State,
		Start: time.Unix(0, int64(row.StartTs)).UTC(),
	}
	for _, d := range s.store.Databases() {
		if int64(d.ID) == row.DbId {
			j.Database = d.Name
		}
	}
	if row.TotalSegments > 0 {
		j.Progress = int(min(99, row.CopiedSegments*100/row.TotalSegments))
	}
	if !ended(row) {
		return j
	}
	if row.PinId != 0 { // it is not over before the snapshot is free
		j.State = executing
		return j
	}
	j.Reason = row.Reason
	if row.State == completed {
		j.Progress = 100
	}
	j.Cost = max(time.Duration(row.CompleteTs-row.StartTs), time.Millisecond)
	return j
}

func ended(row *pb.CopySegmentJob) bool { return row.State == completed || row.State == failed }

func (s *Service) outdated(row *pb.CopySegmentJob) bool {
	return ended(row) && row.PinId == 0 && s.config.Now().UnixNano() > int64(row.CompleteTs)+int64(retention)
}

// row returns a job's row, nil if there is none.
func (s *Service) row(id int64) *pb.CopySegmentJob {
	for _, row := range s.store.CopyJobs() {
		if row.JobId == id {
			return row
		}
	}
	return nil
}

// update changes a job's row and returns it.
func (s *Service) update(ctx context.Context, id int64, change func(*pb.CopySegmentJob)) (*pb.CopySegmentJob, error) {
	s.rows.Lock()
	defer s.rows.Unlock()
	row := s.row(id)
	if row == nil {
		return nil, status.JobNotFound(id)
	}
	next := proto.CloneOf(row)
	change(next)
	return next, s.store.PutCopyJob(ctx, next)
}

var errCancelled = errors.New("cancelled")

// Cancel makes a job fail for the reason "cancelled". One that has ended is left alone.
func (s *Service) Cancel(ctx context.Context, id int64) error {
	row := s.row(id)
	if row == nil || row.State == preparing {
		return status.JobNotFound(id)
	}
	s.mu.Lock()
	cancel := s.running[id]
	s.mu.Unlock()
	if cancel != nil {
		cancel(errCancelled)
		return nil
	}
	_, err := s.update(ctx, id, func(row *pb.CopySegmentJob) {
		if !ended(row) && row.Reason == "" {
			row.State, row.Reason = executing, errCancelled.Error()
		}
	})
	s.signal()
	return err
}

// signal tells Run that there may be work.
func (s *Service) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

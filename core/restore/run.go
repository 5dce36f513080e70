package restore

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// Run works jobs off until ctx ends, beginning with what a former process left: jobs that were being prepared are undone, the
// others go on. Jobs that are interrupted by the end of ctx go on in the next Run. It returns nil. There must be one Run at a time.
func (s *Service) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	for ctx.Err() == nil {
		s.sweep(ctx)
		for _, row := range s.store.CopyJobs() {
			if s.due(row) && s.begin(ctx, row.JobId, &group) {
				s.config.Log.Info("restore job", "job", row.JobId, "collection", row.CollectionName, "segments", row.TotalSegments)
			}
		}
		s.wait(ctx)
	}
	return nil
}

// wait returns when there may be something to do.
func (s *Service) wait(ctx context.Context) {
	t := time.NewTimer(sweepEvery)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-t.C:
	}
}

// due tells jobs that are to be worked on.
func (s *Service) due(row *pb.CopySegmentJob) bool {
	return row.State == pending || row.State == executing || ended(row) && row.PinId != 0
}

// begin works on a job unless that is done already, or too many are.
func (s *Service) begin(ctx context.Context, id int64, group *sync.WaitGroup) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[id] != nil || len(s.running) >= s.config.Jobs {
		return false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s.running[id] = cancel
	group.Go(func() {
		defer s.signal() // another one may begin
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.running, id)
			cancel(nil)
		}()
		if err := s.work(ctx, id); err != nil {
			s.config.Log.Warn("restore job", "job", id, "error", err)
			_ = objstore.Sleep(ctx, time.Second) // it is tried again; that must not spin
		}
	})
	return true
}

// sweep undoes jobs that a crash left half prepared, and forgets those that are long over.
func (s *Service) sweep(ctx context.Context) {
	for _, row := range s.store.CopyJobs() {
		var err error
		switch {
		case s.outdated(row):
			err = s.store.DeleteCopyJob(ctx, row.JobId)
		case row.State == preparing && !s.isStarting(row.JobId):
			if err = s.undo(ctx, row); err == nil {
				err = s.snapshots.Unpin(ctx, row.PinId)
			}
		}
		if err != nil {
			s.config.Log.Warn("a restore job could not be removed yet", "job", row.JobId, "error", err)
		}
	}
}

func (s *Service) isStarting(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starting[id]
}

// work brings a job to its end. An error is one after which it is tried again.
func (s *Service) work(ctx context.Context, id int64) error {
	row := s.row(id)
	switch {
	case row == nil:
		return nil
	case ended(row):
		return s.release(ctx, row)
	case row.Reason != "":
		return s.fail(ctx, row)
	}
	left := time.Duration(int64(row.TimeoutTs) - s.config.Now().UnixNano())
	bounded, cancel := context.WithTimeoutCause(ctx, max(left, 0), errTimeout)
	defer cancel()
	err := s.job(bounded, row)
	cause := context.Cause(bounded)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &crash{}):
		return err
	case errors.Is(cause, errTimeout), errors.Is(cause, errCancelled):
		err = cause
	case ctx.Err() != nil: // the next Run goes on
		return nil
	}
	tidy, done := afterwards(ctx)
	defer done()
	row, failed := s.update(tidy, id, func(row *pb.CopySegmentJob) { row.State, row.Reason = executing, err.Error() })
	if failed != nil {
		return failed
	}
	return s.fail(tidy, row)
}

var errTimeout = errors.New("timeout")

// job copies, publishes and releases.
func (s *Service) job(ctx context.Context, row *pb.CopySegmentJob) error {
	row, err := s.update(ctx, row.JobId, func(row *pb.CopySegmentJob) { row.State = executing })
	if err != nil {
		return err
	}
	if err := s.fault("restore job: executing"); err != nil {
		return err
	}
	p, targets, err := s.plan(ctx, row)
	if err != nil {
		return err
	}
	if err := s.store.StageSegments(ctx, targets); err != nil {
		return err
	}
	if err := s.fault("restore job: staged"); err != nil {
		return err
	}
	if err := s.copyAll(ctx, row, p); err != nil {
		return err
	}
	next, err := s.publish(ctx, row.JobId, targets)
	if err != nil {
		return err
	}
	tidy, done := afterwards(ctx)
	defer done()
	return s.release(tidy, next)
}

// plan reads the snapshot again and plans as Start did.
func (s *Service) plan(ctx context.Context, row *pb.CopySegmentJob) (*plan, []*metastore.Segment, error) {
	info, err := s.snapshots.Find(milvus.CollectionID(row.SourceCollectionId), row.SnapshotName)
	if err != nil {
		return nil, nil, err
	}
	if info.S3Location != row.SnapshotS3Location {
		return nil, nil, fault.Conflict(op, "the snapshot is another one than at the start").On(info.S3Location)
	}
	m, segments, err := s.snapshots.Load(ctx, info)
	if err != nil {
		return nil, nil, err
	}
	c, ok := s.store.CollectionByID(milvus.CollectionID(row.CollectionId))
	if !ok {
		return nil, nil, fault.Missing(op, "the target, collection %d, is gone", row.CollectionId)
	}
	p, err := newPlan(s.config.Root, m, c, row, s.store.CopyTasks(row.JobId), segments)
	if err != nil {
		return nil, nil, err
	}
	targets := make([]*metastore.Segment, len(segments))
	for i := range segments {
		targets[i] = &metastore.Segment{Segment: p.segments[segments[i].ID].to, State: pb.SegmentState_Importing}
	}
	return p, targets, nil
}

// copyAll works the tasks off and keeps the pin alive.
func (s *Service) copyAll(ctx context.Context, row *pb.CopySegmentJob, p *plan) error {
	ctx, stop := context.WithCancelCause(ctx)
	var renewal sync.WaitGroup
	defer func() { stop(nil); renewal.Wait() }()
	if err := s.snapshots.Renew(ctx, row.PinId, pinTTL); err != nil {
		return err
	}
	renewal.Go(func() {
		for objstore.Sleep(ctx, renewEvery) == nil {
			if err := s.snapshots.Renew(ctx, row.PinId, pinTTL); err != nil {
				stop(err) // without the pin, files may go while they are copied
			}
		}
	})
	transfer, err := objstore.NewTransfer(s.files, s.config.Means, !s.config.NoFsync)
	if err != nil {
		return err
	}
	defer transfer.Close()
	c := &copier{Service: s, transfer: transfer}
	count := &progress{service: s, job: row.JobId, total: row.TotalSegments}
	for _, t := range s.store.CopyTasks(row.JobId) {
		if err := c.task(ctx, t, p, count); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
	}
	return nil
}

// task copies the segments of one task.
func (c *copier) task(ctx context.Context, t *pb.CopySegmentTask, p *plan, count *progress) error {
	if t.State == pb.CopySegmentTaskState_CopySegmentTaskCompleted {
		return count.add(ctx, int64(len(t.IdMappings)))
	}
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(c.config.Workers)
	for _, pair := range t.IdMappings {
		m := p.segments[milvus.SegmentID(pair.SourceSegmentId)]
		if m == nil {
			return fault.Corrupt(op, "task %d has segment %d, which the snapshot does not have", t.TaskId, pair.SourceSegmentId)
		}
		if each.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := c.move(each, m); err != nil {
				return err
			}
			return count.add(each, 1)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := c.transfer.Flush(ctx); err != nil {
		return err
	}
	return c.completed(ctx, t)
}

package restore

import (
	"context"
	"path"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// progressSteps is how often progress is written down over a job: each time costs a transaction.
const progressSteps = 20

// progress counts segments and writes each step down before anyone sees it.
type progress struct {
	service *Service
	job     int64
	total   int64

	mu     sync.Mutex
	copied int64
}

func (p *progress) add(ctx context.Context, n int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.copied
	p.copied += n
	if p.total == 0 || p.copied*progressSteps/p.total == before*progressSteps/p.total {
		return nil
	}
	copied := p.copied
	if row := p.service.row(p.job); row != nil && row.CopiedSegments >= copied { // of a former process
		return nil
	}
	_, err := p.service.update(ctx, p.job, func(row *pb.CopySegmentJob) { row.CopiedSegments = max(row.CopiedSegments, copied) })
	return err
}

func (s *Service) completed(ctx context.Context, t *pb.CopySegmentTask) error {
	next := proto.CloneOf(t)
	next.State, next.CompleteTs = pb.CopySegmentTaskState_CopySegmentTaskCompleted, uint64(s.config.Now().UnixNano())
	if err := s.store.PutCopyTasks(ctx, next); err != nil {
		return err
	}
	return s.fault("restore job: task")
}

// publish makes the target visible and the job Completed, in one step.
func (s *Service) publish(ctx context.Context, id int64, targets []*metastore.Segment) (*pb.CopySegmentJob, error) {
	s.rows.Lock()
	defer s.rows.Unlock()
	row := s.row(id)
	if row == nil {
		return nil, fault.Missing(op, "job %d is gone", id)
	}
	row = proto.CloneOf(row)
	s.end(row, completed)
	row.CopiedSegments = row.TotalSegments
	if row.TotalSegments == 0 {
		row.Reason = "no segments to copy"
	}
	if err := s.fault("restore job: copied"); err != nil {
		return nil, err
	}
	if err := s.store.PublishRestore(ctx, row, milvus.CollectionID(row.CollectionId), targets); err != nil {
		return nil, err
	}
	return row, s.fault("restore job: published")
}

// end gives a job's row its last state.
func (s *Service) end(row *pb.CopySegmentJob, state pb.CopySegmentJobState) {
	now := s.config.Now()
	row.State, row.CompleteTs = state, uint64(now.UnixNano())
	row.CleanupTs = uint64(milvus.NewTimestamp(now.Add(retention).UnixMilli(), 0))
}

// release frees the snapshot and then lets the job be seen as over.
func (s *Service) release(ctx context.Context, row *pb.CopySegmentJob) error {
	if err := s.snapshots.Unpin(ctx, row.PinId); err != nil {
		return err
	}
	if err := s.fault("restore job: released"); err != nil {
		return err
	}
	_, err := s.update(ctx, row.JobId, func(row *pb.CopySegmentJob) { row.PinId = 0 })
	if err != nil {
		return err
	}
	return s.fault("restore job: over")
}

// fail removes the target with its files and makes the job Failed, for the reason in its row. If the target turns out to be
// published, as where etcd did not answer, the job has succeeded.
func (s *Service) fail(ctx context.Context, row *pb.CopySegmentJob) error {
	if err := s.fault("restore fail: begin"); err != nil {
		return err
	}
	id := milvus.CollectionID(row.CollectionId)
	if err := s.abandon(ctx, row); err != nil {
		c, there := s.store.CollectionByID(id)
		if !there || c.State != pb.CollectionState_CollectionCreated {
			return err
		}
		return s.finish(ctx, row, completed, "")
	}
	if err := s.fault("restore fail: abandoned"); err != nil {
		return err
	}
	if err := s.removeFiles(ctx, row); err != nil {
		return err
	}
	if err := s.fault("restore fail: files"); err != nil {
		return err
	}
	if err := s.forget(ctx, id); err != nil {
		return err
	}
	return s.finish(ctx, row, failed, row.Reason)
}

// finish frees the snapshot and writes the last state.
func (s *Service) finish(ctx context.Context, row *pb.CopySegmentJob, state pb.CopySegmentJobState, reason string) error {
	if err := s.snapshots.Unpin(ctx, row.PinId); err != nil {
		return err
	}
	if err := s.fault("restore fail: released"); err != nil {
		return err
	}
	_, err := s.update(ctx, row.JobId, func(row *pb.CopySegmentJob) {
		s.end(row, state)
		row.Reason, row.PinId = reason, 0
	})
	if err != nil {
		return err
	}
	return s.fault("restore fail: over")
}

// forget removes the rows of the target's segments, whose files are gone.
func (s *Service) forget(ctx context.Context, c milvus.CollectionID) error {
	var ids []milvus.SegmentID
	for _, seg := range s.store.DroppedSegments() {
		if seg.Collection == c {
			ids = append(ids, seg.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return s.store.ForgetSegments(ctx, ids...)
}

// removeFiles removes what was copied: all below the target's id and the new builds, which nothing else has.
func (s *Service) removeFiles(ctx context.Context, row *pb.CopySegmentJob) error {
	first, _ := strconv.ParseInt(option(row, optFirstBuild), 10, 64)
	builds, _ := strconv.ParseInt(option(row, optBuilds), 10, 64)
	if row.CollectionId <= 0 || builds > 0 && first <= 0 {
		return fault.Corrupt(op, "job %d is of collection %d, with builds from %d", row.JobId, row.CollectionId, first)
	}
	var prefixes []string
	for _, folder := range []string{"insert_log", "delta_log", "stats_log", "bm25_stats", "index_files"} {
		prefixes = append(prefixes, path.Join(s.config.Root, folder, strconv.FormatInt(row.CollectionId, 10))+"/")
	}
	folders := []string{path.Join(s.config.Root, "index_files"), path.Join(s.config.Root, "text_log"), path.Join(s.config.Root, "json_key_index_log")}
	if builds > 0 {
		for dir, err := range s.files.Dirs(ctx, path.Join(s.config.Root, "json_stats")+"/") { // one for each format
			if err != nil {
				return err
			}
			folders = append(folders, path.Clean(dir))
		}
	}
	for b := first; b < first+builds; b++ {
		for _, folder := range folders {
			prefixes = append(prefixes, folder+"/"+strconv.FormatInt(b, 10)+"/")
		}
	}
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(s.config.Workers)
	for _, prefix := range prefixes {
		g.Go(func() error {
			_, err := objstore.DeletePrefix(each, s.files, prefix)
			return err
		})
	}
	return g.Wait()
}

package restore

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// Request says what to restore as what.
type Request struct {
	Source      *metastore.Collection
	Snapshot    string
	TargetDB    string // "": the default
	Target      string
	SkipIndex   bool              // no indexes: neither declarations nor files
	Description *string           // nil: the source's
	Properties  []milvus.KeyValue // put over the source's
}

// Start begins a restore and returns its job. Errors: status.InvalidParameter, DatabaseMissing, SnapshotMissing, a target name that is
// taken; those of reading the snapshot's files. After an error there is neither a job nor a target.
func (s *Service) Start(ctx context.Context, r Request) (int64, error) {
	if r.Target == "" {
		return 0, status.Invalid("target_collection_name is required for restore snapshot")
	}
	db, err := s.store.Database(r.TargetDB)
	if err != nil {
		return 0, err
	}
	if have, err := s.store.Collection(db.Name, r.Target); err == nil {
		if have.Schema.Name != r.Target {
			return 0, status.AliasConflict(r.Target)
		}
		return 0, status.DuplicateCollection(r.Target)
	}
	pin, err := s.snapshots.Pin(ctx, r.Source.ID, r.Snapshot, startTTL)
	if err != nil {
		return 0, err
	}
	if err := s.fault("restore start: pinned"); err != nil {
		return 0, err
	}
	job, err := s.prepare(ctx, r, db, pin)
	if err == nil {
		// the job may wait behind others; when its turn comes it renews the pin itself
		if err := s.snapshots.Renew(ctx, pin, pinTTL); err != nil {
			s.config.Log.Warn("the pin of a restore could not be renewed yet", "job", job, "error", err)
		}
		s.signal()
		return job, nil
	}
	if !errors.As(err, &crash{}) {
		tidy, cancel := afterwards(ctx)
		defer cancel()
		if failed := s.snapshots.Unpin(tidy, pin); failed != nil {
			s.config.Log.Warn("the pin of a restore that did not begin stays until it expires", "pin", pin, "error", failed)
		}
	}
	return 0, err
}

// prepare writes the job, as preparing, then the target and the tasks, and makes the job Pending: only then it exists.
func (s *Service) prepare(ctx context.Context, r Request, db metastore.Database, pin int64) (int64, error) {
	info, err := s.snapshots.Find(r.Source.ID, r.Snapshot)
	if err != nil {
		return 0, err
	}
	m, segments, err := s.snapshots.Load(ctx, info)
	if err != nil {
		return 0, err
	}
	builds := buildsOf(segments, r.SkipIndex)
	tasks := (len(segments) + taskSegments - 1) / taskSegments
	first, err := s.store.IDs(2 + len(m.Collection.Partitions) + len(m.Indexes) + tasks + len(segments) + len(builds))
	if err != nil {
		return 0, err
	}
	next := &ids{next: first}
	now := s.config.Now()
	row := &pb.CopySegmentJob{
		JobId: next.take(), DbId: int64(db.ID), CollectionId: next.take(), CollectionName: r.Target, State: preparing,
		StartTs: uint64(now.UnixNano()), TimeoutTs: uint64(now.Add(s.config.Timeout).UnixNano()), PinId: pin,
		SnapshotName: info.Name, SourceCollectionId: info.CollectionId, SnapshotS3Location: info.S3Location,
		TotalSegments: int64(len(segments)), TotalRows: countRows(segments),
	}
	c := target(m, r, db.Name, milvus.CollectionID(row.CollectionId), next)
	rows := taskRows(row, segments, partitionMap(m.Collection.Partitions, c.Partitions), next)
	row.Options = []*pb.KeyValuePair{
		{Key: optCopyIndex, Value: strconv.FormatBool(!r.SkipIndex)}, {Key: optSource, Value: "snapshot"},
		{Key: optFirstBuild, Value: strconv.FormatInt(next.next, 10)}, {Key: optBuilds, Value: strconv.Itoa(len(builds))},
	}
	if _, err := newPlan(s.config.Root, m, c, row, rows, segments); err != nil { // what can't be restored is said now
		return 0, err
	}
	return row.JobId, s.record(ctx, row, c, rows)
}

func (s *Service) record(ctx context.Context, row *pb.CopySegmentJob, c *metastore.Collection, tasks []*pb.CopySegmentTask) error {
	defer s.start(row.JobId)()
	err := s.steps(ctx, row, c, tasks)
	if err == nil || errors.As(err, &crash{}) {
		return err
	}
	tidy, cancel := afterwards(ctx)
	defer cancel()
	if failed := s.undo(tidy, row); failed != nil {
		s.config.Log.Warn("a restore that did not begin is left for the next start", "job", row.JobId, "error", failed)
	}
	return err
}

func (s *Service) steps(ctx context.Context, row *pb.CopySegmentJob, c *metastore.Collection, tasks []*pb.CopySegmentTask) error {
	if err := s.store.PutCopyJob(ctx, row); err != nil {
		return err
	}
	if err := s.fault("restore start: preparing"); err != nil {
		return err
	}
	if err := s.store.CreateCollection(ctx, c); err != nil {
		return err
	}
	if err := s.fault("restore start: collection"); err != nil {
		return err
	}
	if err := s.store.PutCopyTasks(ctx, tasks...); err != nil {
		return err
	}
	if err := s.fault("restore start: tasks"); err != nil {
		return err
	}
	if _, err := s.update(ctx, row.JobId, func(next *pb.CopySegmentJob) { next.State = pending }); err != nil {
		return err
	}
	return s.fault("restore start: pending")
}

// start marks a job that is being prepared, so that it does not look like one that a crash left.
func (s *Service) start(id int64) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting[id] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.starting, id)
	}
}

// undo removes a job that is not Pending yet, and its target.
func (s *Service) undo(ctx context.Context, row *pb.CopySegmentJob) error {
	if err := s.abandon(ctx, row); err != nil {
		return err
	}
	return s.store.DeleteCopyJob(ctx, row.JobId)
}

// abandon removes the target, if it is there and was not published.
func (s *Service) abandon(ctx context.Context, row *pb.CopySegmentJob) error {
	id := milvus.CollectionID(row.CollectionId)
	err := s.store.AbandonCollection(ctx, id)
	if _, there := s.store.CollectionByID(id); !there && status.Is(err, status.CollectionMissing) {
		return nil
	}
	return err
}

func countRows(segments []milvus.Segment) (n int64) {
	for i := range segments {
		n += segments[i].Rows
	}
	return n
}

// buildsOf returns the ids of all builds that are copied, ascending.
func buildsOf(segments []milvus.Segment, skipIndex bool) []milvus.BuildID {
	var out []milvus.BuildID
	for i := range segments {
		if !skipIndex {
			for _, x := range segments[i].Indexes {
				out = append(out, x.Build)
			}
		}
		for _, x := range slices.Concat(segments[i].TextIndexes, segments[i].JSONStats) {
			out = append(out, x.Build)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// taskRows gives every segment an id and divides them into tasks.
func taskRows(job *pb.CopySegmentJob, segments []milvus.Segment, partitions map[milvus.PartitionID]milvus.PartitionID, next *ids) (out []*pb.CopySegmentTask) {
	for group := range slices.Chunk(segments, taskSegments) {
		t := &pb.CopySegmentTask{
			TaskId: next.take(), JobId: job.JobId, CollectionId: job.CollectionId, CreatedTs: job.StartTs,
			State: pb.CopySegmentTaskState_CopySegmentTaskPending,
		}
		for i := range group {
			t.IdMappings = append(t.IdMappings, &pb.CopySegmentIDMapping{
				SourceSegmentId: int64(group[i].ID), TargetSegmentId: next.take(), PartitionId: int64(partitions[group[i].Partition]),
			})
		}
		out = append(out, t)
	}
	return out
}

package metastore

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// StageSegments writes segments of collections that are being made, in state Importing: nobody sees them, and garbage
// collection knows that their files are wanted. Staging a segment again replaces it.
func (s *Store) StageSegments(ctx context.Context, segs []*Segment) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		var b batch
		var values []*Segment
		for _, seg := range segs {
			sh, err := s.creating(seg.Collection)
			if err != nil {
				return err
			}
			value, err := s.replace(&b, seg, pb.SegmentState_Importing, sh)
			if err != nil {
				return err
			}
			values = append(values, value)
		}
		if err := s.spread(ctx, "restore:stage", &b); err != nil {
			return err
		}
		s.show(func(v *view) { v.setSegments(values...) })
		return nil
	})
}

// creating returns a collection that is being made.
func (s *Store) creating(id milvus.CollectionID) (*shelf, error) {
	sh, err := s.shelf(id)
	if err == nil && sh.value.State != pb.CollectionState_CollectionCreating {
		err = fault.Conflict(op, "collection %d is in use: segments are staged while it is being made", id)
	}
	return sh, err
}

// replace adds a segment's rows to the batch; rows of the staged segment of its id that are not among them go.
func (s *Store) replace(b *batch, seg *Segment, state pb.SegmentState, sh *shelf) (*Segment, error) {
	value, err := s.fitting(seg, state, sh)
	if err != nil {
		return nil, err
	}
	rows, err := s.allRows(value)
	if err != nil {
		return nil, err
	}
	old, staged := s.Segment(seg.ID)
	if staged && (old.Collection != seg.Collection || old.Partition != seg.Partition || old.State != pb.SegmentState_Importing) {
		return nil, fault.Conflict(op, "segment %d exists already", seg.ID)
	}
	var was []etcdmeta.KV
	if staged {
		if was, err = s.allRows(old); err != nil {
			return nil, err
		}
	}
	changes := differ(nil, rows) // all of them: what is stored may be of an attempt that was not finished
	for _, kv := range was {
		if !slices.ContainsFunc(rows, func(r etcdmeta.KV) bool { return r.Key == kv.Key }) {
			changes.remove(kv.Key)
		}
	}
	b.ops, b.sizes, b.bytes, b.err = append(b.ops, changes.ops...), append(b.sizes, changes.sizes...), b.bytes+changes.bytes, cmp.Or(b.err, changes.err)
	return value, nil
}

// PublishRestore makes a restore's target visible with all of its segments, and its job completed, at once. segs must be
// those that are staged, with all of their files and indexes.
func (s *Store) PublishRestore(ctx context.Context, job *pb.CopySegmentJob, target milvus.CollectionID, segs []*Segment) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		sh, err := s.creating(target)
		if err != nil {
			return err
		}
		values, err := s.publish(ctx, sh, segs)
		if err != nil {
			return err
		}
		b, err := s.mark(sh, pb.CollectionState_CollectionCreated)
		if err != nil {
			return err
		}
		job = proto.CloneOf(job)
		job.State = pb.CopySegmentJobState_CopySegmentJobCompleted
		if job.CompleteTs == 0 {
			job.CompleteTs = uint64(s.config.Now().UnixNano())
		}
		b.put(etcdmeta.CopyJobRow(s.keys, job))
		next, err := sh.with(func(n *shelf, _ *[]string) {
			n.info = proto.CloneOf(n.info)
			n.info.State = pb.CollectionState_CollectionCreated
		})
		if err != nil {
			return err
		}
		if err := s.commit(ctx, "restore:commit", b); err != nil {
			return err
		}
		s.show(func(v *view) {
			v.setShelf(next)
			v.setSegments(values...)
			v.jobs[job.JobId] = job
		})
		return nil
	})
}

// publish writes the rows of all segments as visible ones, which they are not while their collection is being made.
func (s *Store) publish(ctx context.Context, sh *shelf, segs []*Segment) ([]*Segment, error) {
	given := map[milvus.SegmentID]bool{}
	var b batch
	var values []*Segment
	for _, seg := range segs {
		if given[seg.ID] {
			return nil, fault.Conflict(op, "segment %d came twice", seg.ID)
		}
		given[seg.ID] = true
		value, err := s.replace(&b, seg, pb.SegmentState_Flushed, sh)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	var left milvus.SegmentID
	s.see(func(v *view) {
		for id, seg := range v.segments {
			if seg.Collection == sh.value.ID && !given[id] {
				left = id
			}
		}
	})
	if left != 0 {
		return nil, fault.Conflict(op, "segment %d of collection %d is staged but not published", left, sh.value.ID)
	}
	return values, s.spread(ctx, "restore:publish", &b)
}

// CopyJobs returns the jobs of restores, by id.
func (s *Store) CopyJobs() (out []*pb.CopySegmentJob) {
	s.see(func(v *view) {
		for _, j := range v.jobs {
			out = append(out, j)
		}
	})
	slices.SortFunc(out, func(a, b *pb.CopySegmentJob) int { return cmp.Compare(a.JobId, b.JobId) })
	return out
}

// CopyTasks returns a job's tasks, by id.
func (s *Store) CopyTasks(job int64) (out []*pb.CopySegmentTask) {
	s.see(func(v *view) { out = slices.Clone(v.tasks[job]) })
	return out
}

// PutCopyJob writes a job's row, which should be small: mappings of segments belong in its tasks.
func (s *Store) PutCopyJob(ctx context.Context, job *pb.CopySegmentJob) error {
	job = proto.CloneOf(job)
	return s.mutate(ctx, func(ctx context.Context) error {
		var b batch
		b.put(etcdmeta.CopyJobRow(s.keys, job))
		if err := s.commit(ctx, "put-job:commit", &b); err != nil {
			return err
		}
		s.show(func(v *view) { v.jobs[job.JobId] = job })
		return nil
	})
}

// PutCopyTasks writes tasks, in several transactions if they are many. Tasks may be there before their job; without one they
// are gone when the store is opened next.
func (s *Store) PutCopyTasks(ctx context.Context, tasks ...*pb.CopySegmentTask) error {
	tasks = slices.Clone(tasks)
	for i, t := range tasks {
		tasks[i] = proto.CloneOf(t)
	}
	return s.mutate(ctx, func(ctx context.Context) error {
		var b batch
		for _, t := range tasks {
			b.put(etcdmeta.CopyTaskRow(s.keys, t))
		}
		if err := s.spread(ctx, "put-tasks:put", &b); err != nil {
			return err
		}
		s.show(func(v *view) { v.setTasks(tasks...) })
		return nil
	})
}

// DeleteCopyJob removes a job and its tasks.
func (s *Store) DeleteCopyJob(ctx context.Context, id int64) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		var job, tasks batch
		job.remove(s.keys.CopyJob(id))
		for _, t := range s.CopyTasks(id) {
			tasks.remove(s.keys.CopyTask(t.TaskId))
		}
		if err := s.commit(ctx, "delete-job:commit", &job); err != nil {
			return err
		}
		s.show(func(v *view) {
			delete(v.jobs, id)
			delete(v.tasks, id)
		})
		s.later(s.spread(context.WithoutCancel(ctx), "delete-job:finish", &tasks))
		return nil
	})
}

package metastore

import (
	"slices"

	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// repairs are the operations that finish what was decided, and remove what was not. They may be interrupted and found again.
// What one round does not see because another repair hides it, the next one does.
func (s *Store) repairs(st *stored) (*batch, error) {
	b := &batch{}
	for key, r := range st.records {
		if err := s.finishRecord(b, key, &r, st.collections[r.Collection]); err != nil {
			return nil, err
		}
	}
	if len(b.ops) > 0 {
		return b, nil
	}
	for id, c := range st.collections {
		if err := s.repairCollection(b, st, id, c); err != nil {
			return nil, err
		}
	}
	for _, t := range st.tasks {
		if st.first && !slices.ContainsFunc(st.jobs, func(j *pb.CopySegmentJob) bool { return j.JobId == t.JobId }) {
			b.remove(s.keys.CopyTask(t.TaskId))
		}
	}
	return b, nil
}

// finishRecord does what a change decided.
func (s *Store) finishRecord(b *batch, key string, r *record, c *etcdmeta.Stored) error {
	if c != nil {
		segments, err := s.storedSegments(c)
		if err != nil {
			return err
		}
		publish, drop, builds := set(r.Publish), set(r.Drop), set(r.Builds)
		for _, seg := range segments {
			switch {
			case publish[seg.ID] && seg.State == pb.SegmentState_Importing:
				b.put(s.ownRow(seg.in(pb.SegmentState_Flushed)))
			case drop[seg.ID] && seg.State == pb.SegmentState_Flushed:
				b.put(s.ownRow(seg.dropped(r.DroppedAt)))
			}
		}
		for _, x := range c.SegmentIndexes {
			if builds[builtIndex{milvus.SegmentID(x.SegmentID), milvus.BuildID(x.BuildID)}] && x.State == pb.IndexState_InProgress {
				x.State = pb.IndexState_Finished
				b.put(etcdmeta.SegmentIndexRow(s.keys, s.config.Storage, x))
			}
		}
		for _, p := range r.Checkpoints {
			b.put(etcdmeta.CheckpointRow(s.keys, p))
		}
	}
	b.remove(key)
	return nil
}

func set[T comparable](list []T) map[T]bool {
	out := make(map[T]bool, len(list))
	for _, x := range list {
		out[x] = true
	}
	return out
}

func (s *Store) repairCollection(b *batch, st *stored, id milvus.CollectionID, c *etcdmeta.Stored) error {
	segments, err := s.storedSegments(c)
	if err != nil {
		return err
	}
	if c.Info == nil || s.doomed(st, id, c.Info) {
		s.dropAll(b, segments, func(*Segment) bool { return true })
		switch {
		case c.Info != nil:
			remains := s.remains(c.Info)
			b.ops, b.sizes, b.bytes = append(b.ops, remains.ops...), append(b.sizes, remains.sizes...), b.bytes+remains.bytes
		case len(c.Partitions)+len(c.Indexes) > 0 || st.catalog.Declared(id): // of a collection that was not made in the end
			b.remove(s.keys.Declarations(id)...)
		}
		return nil
	}
	before := len(b.ops)
	for _, p := range c.Partitions {
		if p.State != pb.PartitionState_PartitionCreated {
			s.dropAll(b, segments, func(seg *Segment) bool { return int64(seg.Partition) == p.PartitionID })
			b.remove(s.keys.Partition(id, milvus.PartitionID(p.PartitionID)))
		}
	}
	if len(b.ops) > before {
		return nil // the same segments may come up again
	}
	if c.Info.State == pb.CollectionState_CollectionCreated {
		s.removeStaged(b, segments, c)
	}
	s.removeIndexes(b, c)
	return nil
}

// doomed tells collections that are being dropped, and those that were being made for a restore that has no job: when the
// store is opened. Later on the restore may only not have come to its job yet.
func (s *Store) doomed(st *stored, id milvus.CollectionID, info *pb.CollectionInfo) bool {
	switch info.State {
	case pb.CollectionState_CollectionCreated:
		return false
	case pb.CollectionState_CollectionCreating:
		return st.first && !slices.ContainsFunc(st.jobs, func(j *pb.CopySegmentJob) bool {
			ended := j.State == pb.CopySegmentJobState_CopySegmentJobCompleted || j.State == pb.CopySegmentJobState_CopySegmentJobFailed
			return j.CollectionId == int64(id) && !ended
		})
	}
	return true
}

func (s *Store) dropAll(b *batch, segments []*Segment, which func(*Segment) bool) {
	for _, seg := range segments {
		if seg.State != pb.SegmentState_Dropped && which(seg) {
			b.put(s.ownRow(seg.dropped(s.instant())))
		}
	}
}

// removeStaged removes what a change staged that was not decided. Its files are found by walking the storage.
func (s *Store) removeStaged(b *batch, segments []*Segment, c *etcdmeta.Stored) {
	gone := map[int64]bool{}
	for _, seg := range segments {
		if seg.State == pb.SegmentState_Importing {
			b.remove(s.segmentKeys(seg)...)
			gone[int64(seg.ID)] = true
		}
	}
	for _, x := range c.SegmentIndexes {
		if x.State != pb.IndexState_Finished && !gone[x.SegmentID] {
			b.remove(s.keys.SegmentIndex(milvus.CollectionID(x.CollectionID), milvus.PartitionID(x.PartitionID), milvus.SegmentID(x.SegmentID), milvus.BuildID(x.BuildID)))
		}
	}
}

// removeIndexes removes declarations of dropped indexes of which there is no build any more.
func (s *Store) removeIndexes(b *batch, c *etcdmeta.Stored) {
	for _, x := range c.Indexes {
		used := slices.ContainsFunc(c.SegmentIndexes, func(y *pb.SegmentIndex) bool { return y.IndexID == x.IndexInfo.GetIndexID() })
		if x.Deleted && !used {
			b.remove(s.keys.Index(milvus.CollectionID(x.IndexInfo.GetCollectionID()), milvus.IndexID(x.IndexInfo.GetIndexID())))
		}
	}
}

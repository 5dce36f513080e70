package metastore

import (
	"cmp"
	"slices"
	"time"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// Segment is a segment with the state that its row gives it. Values that the store handed out are never changed.
//
// It is as its rows hold it: logs that a manifest lists (all of V3, deletes wherever there is a manifest) have no keys, all
// deltalogs are in one list, and indexes are by build id with the names and parameters of their declarations.
type Segment struct {
	milvus.Segment
	State          pb.SegmentState // Flushed, Dropped, Importing (seen by nobody)
	CompactionFrom []milvus.SegmentID
	DroppedAt      time.Time // zero unless Dropped
}

// DroppedBuild is an index of one segment whose index was dropped while the segment goes on.
type DroppedBuild struct {
	Collection milvus.CollectionID
	Partition  milvus.PartitionID
	Segment    milvus.SegmentID
	Files      milvus.IndexFiles
	DroppedAt  time.Time // or when the store was opened
}

// message returns the segment's message, logs and paths included.
func (s *Segment) message() *pb.SegmentInfo {
	info := pb.FromSegment(&s.Segment)
	info.State, info.IsImporting = s.State, s.State == pb.SegmentState_Importing
	info.CompactionFrom, info.CreatedByCompaction = pb.FromIDs(s.CompactionFrom), len(s.CompactionFrom) > 0
	if !s.DroppedAt.IsZero() {
		info.DroppedAt = uint64(s.DroppedAt.UnixNano())
	}
	return info
}

// toSegment converts a stored message; its indexes are other rows.
func toSegment(storage string, info *pb.SegmentInfo) (*Segment, error) {
	seg, err := etcdmeta.ToSegment(storage, info)
	if err != nil {
		return nil, err
	}
	out := &Segment{Segment: *seg, State: info.State, CompactionFrom: pb.ToIDs[milvus.SegmentID](info.CompactionFrom)}
	if info.IsImporting {
		out.State = pb.SegmentState_Importing
	}
	if info.DroppedAt != 0 {
		out.DroppedAt = time.Unix(0, int64(info.DroppedAt)).UTC()
	}
	return out, nil
}

// in returns the segment in another state.
func (s *Segment) in(state pb.SegmentState) *Segment {
	out := *s
	out.State, out.DroppedAt = state, time.Time{}
	return &out
}

// dropped returns the segment as dropped.
func (s *Segment) dropped(at time.Time) *Segment {
	out := s.in(pb.SegmentState_Dropped)
	out.DroppedAt = at
	return out
}

// instant is the clock's time as a row keeps it.
func (s *Store) instant() time.Time { return time.Unix(0, s.config.Now().UnixNano()).UTC() }

// normal returns the segment as it will be read back, in a state, with indexes that the collection declares.
func (s *Store) normal(seg *Segment, state pb.SegmentState, sh *shelf) (*Segment, error) {
	info, err := etcdmeta.NormalSegment(s.config.Storage, seg.in(state).message())
	if err != nil {
		return nil, err
	}
	out, err := toSegment(s.config.Storage, info)
	if err != nil {
		return nil, err
	}
	out.Indexes, err = s.normalIndexes(&out.Segment, seg.Indexes, sh)
	return out, err
}

func (s *Store) normalIndexes(seg *milvus.Segment, list []milvus.IndexFiles, sh *shelf) ([]milvus.IndexFiles, error) {
	var out []milvus.IndexFiles
	for i := range list {
		info := sh.index(list[i].Index)
		if info == nil || list[i].Build <= 0 {
			return nil, fault.Conflict(op, "build %d of segment %d is of index %d, which the collection does not have", list[i].Build, seg.ID, list[i].Index)
		}
		out = append(out, etcdmeta.ToIndexFiles(s.config.Storage, pb.FromIndexFiles(&list[i], seg), info))
	}
	sortBuilds(out)
	return out, nil
}

func sortBuilds(list []milvus.IndexFiles) {
	slices.SortFunc(list, func(a, b milvus.IndexFiles) int { return cmp.Compare(a.Build, b.Build) })
}

// ownRow is the segment's row without its logs.
func (s *Store) ownRow(seg *Segment) (etcdmeta.KV, error) {
	bare := *seg
	bare.Binlogs, bare.Deltalogs, bare.Statslogs, bare.BM25logs = nil, nil, nil, nil
	rows, err := etcdmeta.SegmentRows(s.keys, s.config.Storage, bare.message())
	if err != nil {
		return etcdmeta.KV{}, err
	}
	return rows[len(rows)-1], nil
}

// allRows are the segment's rows, those of its indexes included; its own row is the first, so that a crash in between leaves
// nothing that no segment names.
func (s *Store) allRows(seg *Segment) ([]etcdmeta.KV, error) {
	rows, err := etcdmeta.SegmentRows(s.keys, s.config.Storage, seg.message())
	if err != nil {
		return nil, err
	}
	last := len(rows) - 1
	rows = append([]etcdmeta.KV{rows[last]}, rows[:last]...)
	for i := range seg.Indexes {
		kv, err := s.indexRow(seg, &seg.Indexes[i], pb.IndexState_Finished)
		if err != nil {
			return nil, err
		}
		rows = append(rows, kv)
	}
	return rows, nil
}

func (s *Store) indexRow(seg *Segment, x *milvus.IndexFiles, state pb.IndexState) (etcdmeta.KV, error) {
	m := pb.FromIndexFiles(x, &seg.Segment)
	m.State = state
	return etcdmeta.SegmentIndexRow(s.keys, s.config.Storage, m)
}

// segmentKeys are the keys and prefixes of everything that is of the segment, its own row last.
func (s *Store) segmentKeys(seg *Segment) []string {
	return append(s.keys.SegmentLogs(seg.Collection, seg.Partition, seg.ID),
		s.keys.SegmentIndexes(seg.Collection, seg.Partition, seg.ID), s.keys.Segment(seg.Collection, seg.Partition, seg.ID))
}

// Segments returns the collection's visible segments, by id. It is never half of a Change.
func (s *Store) Segments(c milvus.CollectionID) (out []*Segment) {
	s.see(func(v *view) {
		if sh := v.shelves[c]; sh != nil {
			out = sh.segments
		}
	})
	return out[:len(out):len(out)]
}

// Segment returns a segment in any state, also of a collection that is gone.
func (s *Store) Segment(id milvus.SegmentID) (seg *Segment, ok bool) {
	s.see(func(v *view) { seg, ok = v.segments[id] })
	return seg, ok
}

// AllSegments returns the segments of all collections in any state, by id.
func (s *Store) AllSegments() []*Segment {
	return s.selectSegments(func(*Segment) bool { return true })
}

// DroppedSegments returns those whose files may go, by id, also of collections that are gone.
func (s *Store) DroppedSegments() []*Segment {
	return s.selectSegments(func(seg *Segment) bool { return seg.State == pb.SegmentState_Dropped })
}

func (s *Store) selectSegments(want func(*Segment) bool) (out []*Segment) {
	s.see(func(v *view) {
		for _, seg := range v.segments {
			if want(seg) {
				out = append(out, seg)
			}
		}
	})
	sortSegments(out)
	return out
}

func sortSegments(list []*Segment) {
	slices.SortFunc(list, func(a, b *Segment) int { return cmp.Compare(a.ID, b.ID) })
}

// DroppedBuilds returns indexes of segments that go on without them, by build id.
func (s *Store) DroppedBuilds() (out []DroppedBuild) {
	s.see(func(v *view) {
		for _, list := range v.builds {
			out = append(out, list...)
		}
	})
	slices.SortFunc(out, func(a, b DroppedBuild) int { return cmp.Compare(a.Files.Build, b.Files.Build) })
	return out
}

// Checkpoint returns the position up to which everything of the channel is in files; the zero Position if there is none.
func (s *Store) Checkpoint(channel string) (p milvus.Position) {
	s.see(func(v *view) { p = v.checkpoints[channel] })
	return p
}

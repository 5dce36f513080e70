package metastore

import (
	"cmp"
	"slices"
	"time"

	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// view is what readers see. It changes under the store's lock only; what it points to never does.
type view struct {
	databases   map[string]Database
	shelves     map[milvus.CollectionID]*shelf
	names       map[name]milvus.CollectionID // of collections
	aliases     map[name]milvus.CollectionID
	segments    map[milvus.SegmentID]*Segment
	builds      map[milvus.SegmentID][]DroppedBuild
	checkpoints map[string]milvus.Position
	snapshots   map[milvus.CollectionID][]*pb.SnapshotInfo // by id
	jobs        map[int64]*pb.CopySegmentJob
	tasks       map[int64][]*pb.CopySegmentTask // of a job, by id
}

// name is a collection's or an alias's.
type name struct {
	db   milvus.DatabaseID
	name string
}

func newView() *view {
	return &view{
		databases: map[string]Database{}, shelves: map[milvus.CollectionID]*shelf{}, names: map[name]milvus.CollectionID{},
		aliases: map[name]milvus.CollectionID{}, segments: map[milvus.SegmentID]*Segment{}, builds: map[milvus.SegmentID][]DroppedBuild{},
		checkpoints: map[string]milvus.Position{}, snapshots: map[milvus.CollectionID][]*pb.SnapshotInfo{},
		jobs: map[int64]*pb.CopySegmentJob{}, tasks: map[int64][]*pb.CopySegmentTask{},
	}
}

// setShelf adds a collection or replaces it, with its names.
func (v *view) setShelf(sh *shelf) {
	v.removeShelf(sh.value.ID)
	v.shelves[sh.value.ID] = sh
	v.names[name{sh.value.DatabaseID, sh.value.Schema.Name}] = sh.value.ID
	for _, a := range sh.value.Aliases {
		v.aliases[name{sh.value.DatabaseID, a}] = sh.value.ID
	}
}

func (v *view) removeShelf(id milvus.CollectionID) {
	old := v.shelves[id]
	if old == nil {
		return
	}
	delete(v.shelves, id)
	delete(v.names, name{old.value.DatabaseID, old.value.Schema.Name})
	for _, a := range old.value.Aliases {
		delete(v.aliases, name{old.value.DatabaseID, a})
	}
}

// setSegments adds segments or replaces them. The lists of visible ones are made anew: readers may hold the old ones.
func (v *view) setSegments(list ...*Segment) {
	touched := map[milvus.CollectionID]map[milvus.SegmentID]bool{}
	for _, seg := range list {
		if seg.State == pb.SegmentState_Dropped {
			seg = v.reunite(seg)
		}
		v.segments[seg.ID] = seg
		if touched[seg.Collection] == nil {
			touched[seg.Collection] = map[milvus.SegmentID]bool{}
		}
		touched[seg.Collection][seg.ID] = true
	}
	for c, ids := range touched {
		sh := v.shelves[c]
		if sh == nil {
			continue
		}
		next := make([]*Segment, 0, len(sh.segments)+len(ids))
		for _, seg := range sh.segments {
			if !ids[seg.ID] {
				next = append(next, seg)
			}
		}
		for id := range ids {
			if seg := v.segments[id]; seg.State == pb.SegmentState_Flushed {
				next = append(next, seg)
			}
		}
		sortSegments(next)
		sh.segments = next
	}
}

// reunite gives a dropped segment the indexes that were dropped before it, so that their files go with its own.
func (v *view) reunite(seg *Segment) *Segment {
	list := v.builds[seg.ID]
	if len(list) == 0 {
		return seg
	}
	delete(v.builds, seg.ID)
	out := *seg
	out.Indexes = slices.Clone(seg.Indexes)
	for _, b := range list {
		out.Indexes = append(out.Indexes, b.Files)
	}
	sortBuilds(out.Indexes)
	return &out
}

// of returns all segments of a collection, in any state.
func (v *view) of(c milvus.CollectionID) (out []*Segment) {
	for _, seg := range v.segments {
		if seg.Collection == c {
			out = append(out, seg)
		}
	}
	sortSegments(out)
	return out
}

func (v *view) setSnapshot(snap *pb.SnapshotInfo) {
	c := milvus.CollectionID(snap.CollectionId)
	list := slices.Clone(v.snapshots[c])
	at, found := slices.BinarySearchFunc(list, snap.Id, func(a *pb.SnapshotInfo, id int64) int { return cmp.Compare(a.Id, id) })
	if found {
		list[at] = snap
	} else {
		list = slices.Insert(list, at, snap)
	}
	v.snapshots[c] = list
}

func (v *view) setTasks(tasks ...*pb.CopySegmentTask) {
	for _, t := range tasks {
		list := slices.Clone(v.tasks[t.JobId])
		at, found := slices.BinarySearchFunc(list, t.TaskId, func(a *pb.CopySegmentTask, id int64) int { return cmp.Compare(a.TaskId, id) })
		if found {
			list[at] = t
		} else {
			list = slices.Insert(list, at, t)
		}
		v.tasks[t.JobId] = list
	}
}

// part takes an index from a segment; ok is false if the segment does not have it.
func (v *view) part(seg *Segment, id milvus.IndexID, at time.Time) (*Segment, bool) {
	left := *seg
	left.Indexes = nil
	for _, x := range seg.Indexes {
		if x.Index != id {
			left.Indexes = append(left.Indexes, x)
			continue
		}
		v.builds[seg.ID] = append(v.builds[seg.ID], DroppedBuild{seg.Collection, seg.Partition, seg.ID, x, at})
	}
	return &left, len(left.Indexes) < len(seg.Indexes)
}

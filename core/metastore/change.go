package metastore

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// Change becomes visible all at once, in memory and after a crash.
type Change struct {
	Collection  milvus.CollectionID
	Add         []*Segment                               // new segments with all of their files and indexes; they become Flushed
	Drop        []milvus.SegmentID                       // visible segments that become Dropped: a compaction's inputs
	Checkpoints []milvus.Position                        // of channels of the collection
	Indexes     map[milvus.SegmentID][]milvus.IndexFiles // index files added to visible segments
}

// record is the row that decides a change which one transaction does not hold. Everything that it names is staged.
type record struct {
	Collection  milvus.CollectionID `json:"collection"`
	Publish     []milvus.SegmentID  `json:"publish,omitempty"`
	Builds      []builtIndex        `json:"builds,omitempty"`
	Drop        []milvus.SegmentID  `json:"drop,omitempty"`
	DroppedAt   time.Time           `json:"dropped_at"`
	Checkpoints []milvus.Position   `json:"checkpoints,omitempty"`
}

// builtIndex is an index that is added to a segment.
type builtIndex struct {
	Segment milvus.SegmentID `json:"segment"`
	Build   milvus.BuildID   `json:"build"`
}

// plan is a change that was checked: the values to show.
type plan struct {
	add         []*Segment
	dropped     []*Segment
	indexed     []*Segment // visible segments with their new indexes
	builds      []builtIndex
	checkpoints []milvus.Position
	at          time.Time
}

// Commit makes a change. It is fault.ErrConflict if what the change builds on is not there any more: a segment that it drops
// or adds to is not visible, a partition, a channel or an index of it is gone; or if a segment that it adds exists.
func (s *Store) Commit(ctx context.Context, c Change) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		p, err := s.plan(&c)
		if err != nil {
			return err
		}
		var direct batch
		for _, seg := range p.add {
			direct.putAll(s.allRows(seg))
		}
		s.putBuilds(&direct, p, pb.IndexState_Finished)
		flips := s.flips(p)
		if direct.fits(flips) {
			if err := s.commit(ctx, "change:commit", &direct, flips); err != nil {
				return err
			}
			s.showPlan(p)
			return nil
		}
		return s.commitLarge(ctx, c.Collection, p)
	})
}

// commitLarge stages what is new, lets one transaction decide, and clears up.
func (s *Store) commitLarge(ctx context.Context, c milvus.CollectionID, p *plan) error {
	var staged batch
	for _, seg := range p.add {
		staged.putAll(s.allRows(seg.in(pb.SegmentState_Importing)))
	}
	s.putBuilds(&staged, p, pb.IndexState_InProgress)
	if err := s.spread(ctx, "change:stage", &staged); err != nil {
		return err
	}
	flips := s.flips(p)
	for _, seg := range p.add {
		flips.put(s.ownRow(seg))
	}
	s.putBuilds(flips, p, pb.IndexState_Finished)
	if flips.fits() {
		if err := s.commit(ctx, "change:commit", flips); err != nil {
			return err
		}
		s.showPlan(p)
		return nil
	}
	key, decision, err := s.decision(c, p)
	if err != nil {
		return err
	}
	if err := s.commit(ctx, "change:commit", decision); err != nil {
		return err
	}
	s.showPlan(p)
	flips.remove(key)
	s.later(s.spread(context.WithoutCancel(ctx), "change:finish", flips))
	return nil
}

// flips are the rows that a change replaces: dropped segments and checkpoints.
func (s *Store) flips(p *plan) *batch {
	b := &batch{}
	for _, seg := range p.dropped {
		b.put(s.ownRow(seg))
	}
	for _, cp := range p.checkpoints {
		b.put(etcdmeta.CheckpointRow(s.keys, cp))
	}
	return b
}

// putBuilds adds the rows of indexes that are added to segments which are there.
func (s *Store) putBuilds(b *batch, p *plan, state pb.IndexState) {
	added := make(map[builtIndex]bool, len(p.builds))
	for _, x := range p.builds {
		added[x] = true
	}
	for _, seg := range p.indexed {
		for i, x := range seg.Indexes {
			if added[builtIndex{seg.ID, x.Build}] {
				b.put(s.indexRow(seg, &seg.Indexes[i], state))
			}
		}
	}
}

// decision is the record of a plan, with its key.
func (s *Store) decision(c milvus.CollectionID, p *plan) (string, *batch, error) {
	r := record{Collection: c, Publish: segmentIDs(p.add), Builds: p.builds, Drop: segmentIDs(p.dropped), DroppedAt: p.at, Checkpoints: p.checkpoints}
	id, err := s.IDs(1)
	if err != nil {
		return "", nil, err
	}
	value, err := json.Marshal(r)
	if err != nil {
		return "", nil, fault.Corrupt(op, "record of a change: %w", err)
	}
	key := s.records() + strconv.FormatInt(id, 10)
	b := &batch{}
	b.put(etcdmeta.KV{Key: key, Value: value}, nil)
	return key, b, nil
}

// records is the prefix of the records of changes.
func (s *Store) records() string { return s.keys.Own() + "change/" }

func segmentIDs(list []*Segment) []milvus.SegmentID {
	var out []milvus.SegmentID
	for _, seg := range list {
		out = append(out, seg.ID)
	}
	return out
}

func (s *Store) showPlan(p *plan) {
	s.show(func(v *view) {
		v.setSegments(slices.Concat(p.add, p.dropped, p.indexed)...)
		for _, cp := range p.checkpoints {
			v.checkpoints[cp.Channel] = cp
		}
	})
}

// plan checks a change.
func (s *Store) plan(c *Change) (*plan, error) {
	sh, err := s.shelf(c.Collection)
	if err != nil {
		return nil, err
	}
	if sh.value.State != pb.CollectionState_CollectionCreated {
		return nil, status.CollectionNotFound(sh.value.Database, sh.value.Schema.Name)
	}
	p := &plan{at: s.instant(), checkpoints: slices.Clone(c.Checkpoints)}
	if err := sh.checkChannels(p.checkpoints); err != nil {
		return nil, err
	}
	touched := map[milvus.SegmentID]bool{}
	once := func(id milvus.SegmentID) error {
		if touched[id] {
			return fault.Conflict(op, "a change names segment %d twice", id)
		}
		touched[id] = true
		return nil
	}
	if err := s.planAdd(p, sh, c.Add, once); err != nil {
		return nil, err
	}
	for _, id := range c.Drop {
		seg, err := s.visible(c.Collection, id)
		if err != nil {
			return nil, err
		}
		if err := once(id); err != nil {
			return nil, err
		}
		p.dropped = append(p.dropped, seg.dropped(p.at))
	}
	return p, s.planIndexes(p, sh, c.Indexes, once)
}

func (s *Store) planAdd(p *plan, sh *shelf, add []*Segment, once func(milvus.SegmentID) error) error {
	for _, seg := range add {
		if err := once(seg.ID); err != nil {
			return err
		}
		if _, exists := s.Segment(seg.ID); exists {
			return fault.Conflict(op, "segment %d exists already", seg.ID)
		}
		value, err := s.fitting(seg, pb.SegmentState_Flushed, sh)
		if err != nil {
			return err
		}
		p.add = append(p.add, value)
	}
	return nil
}

// fitting returns a new segment as it will be read back, if it belongs into the collection.
func (s *Store) fitting(seg *Segment, state pb.SegmentState, sh *shelf) (*Segment, error) {
	known := seg.Partition == milvus.AllPartitions && seg.IsL0() || sh.value.PartitionName(seg.Partition) != ""
	if seg.ID <= 0 || seg.Collection != sh.value.ID || !known {
		return nil, fault.Conflict(op, "segment %d is of partition %d of collection %d, which collection %d does not have", seg.ID, seg.Partition, seg.Collection, sh.value.ID)
	}
	return s.normal(seg, state, sh)
}

func (s *Store) planIndexes(p *plan, sh *shelf, indexes map[milvus.SegmentID][]milvus.IndexFiles, once func(milvus.SegmentID) error) error {
	for id, list := range indexes {
		seg, err := s.visible(sh.value.ID, id)
		if err != nil {
			return err
		}
		if err := once(id); err != nil {
			return err
		}
		added, err := s.normalIndexes(&seg.Segment, list, sh)
		if err != nil {
			return err
		}
		next := *seg
		next.Indexes = slices.Concat(seg.Indexes, added)
		sortBuilds(next.Indexes)
		for i := 1; i < len(next.Indexes); i++ {
			if next.Indexes[i].Build == next.Indexes[i-1].Build {
				return fault.Conflict(op, "segment %d has build %d already", id, next.Indexes[i].Build)
			}
		}
		for _, x := range added {
			p.builds = append(p.builds, builtIndex{id, x.Build})
		}
		p.indexed = append(p.indexed, &next)
	}
	return nil
}

// visible returns a segment that a change builds on.
func (s *Store) visible(c milvus.CollectionID, id milvus.SegmentID) (*Segment, error) {
	seg, ok := s.Segment(id)
	if !ok || seg.Collection != c || seg.State != pb.SegmentState_Flushed {
		return nil, fault.Conflict(op, "segment %d of collection %d is not there any more", id, c)
	}
	return seg, nil
}

func (sh *shelf) checkChannels(positions []milvus.Position) error {
	seen := map[string]bool{}
	for _, p := range positions {
		if seen[p.Channel] || !slices.Contains(sh.value.Channels, p.Channel) {
			return fault.Conflict(op, "collection %d does not have the channel %q, or it came twice", sh.value.ID, p.Channel)
		}
		seen[p.Channel] = true
	}
	return nil
}

// ForgetSegments removes the rows of dropped segments, once their files are gone. Ids that are not known are fine.
func (s *Store) ForgetSegments(ctx context.Context, ids ...milvus.SegmentID) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		var b batch
		for _, id := range ids {
			seg, ok := s.Segment(id)
			if !ok {
				continue
			}
			if seg.State != pb.SegmentState_Dropped {
				return fault.Conflict(op, "segment %d is not dropped", id)
			}
			b.remove(s.segmentKeys(seg)...)
		}
		if err := s.spread(ctx, "forget-segments:remove", &b); err != nil {
			return err
		}
		s.show(func(v *view) {
			for _, id := range ids {
				delete(v.segments, id)
			}
		})
		return nil
	})
}

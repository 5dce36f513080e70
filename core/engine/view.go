package engine

import (
	"slices"
	"strconv"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

// Properties of a collection that make its rows expire (docs/format/binlog-v1.md 9.3).
const (
	propertyTTLSeconds = "collection.ttl.seconds"
	propertyTTLField   = "ttl_field"
)

// view is what there was of a collection at one instant.
type view struct {
	collection *metastore.Collection
	key        milvus.Field
	rule       deltamerge.Rule
	expiry     *milvus.Field // that rule.TTL.Field names
	parts      []*part
}

// part is the rows of one block, or of one flushed segment.
type part struct {
	place
	block   *block             // nil of a segment
	segment *metastore.Segment // nil of a block
	scope   deltamerge.Scope
	deltas  []*metastore.Segment // L0 segments whose deletes are still to be put into scope

	rows    int
	columns flush.Chunk  // what was asked for so far
	mask    *filter.Mask // selected rows
}

// look collects the parts of some partitions (nil: all).
func (e *Engine) look(c *metastore.Collection, partitions []string) (*view, error) {
	s, err := e.share(c.ID)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.stopped != nil {
		return nil, s.stopped
	}
	if c, err = e.current(c); err != nil {
		return nil, err
	}
	v := &view{collection: c}
	v.key, _ = c.Schema.PrimaryKey()
	wanted, err := wantedPartitions(c, partitions)
	if err != nil {
		return nil, err
	}
	segments, flushing := e.store.Segments(c.ID), s.flushing
	if s.pending.shownBy(segments) {
		flushing = newBuffer()
	}
	v.addSegments(segments, wanted, flushing, s.growing)
	v.addBlocks(flushing, wanted, flushing, s.growing)
	v.addBlocks(s.growing, wanted, s.growing)
	return v, v.setTTL(e.config.Now().UnixMilli())
}

func wantedPartitions(c *metastore.Collection, names []string) (func(milvus.PartitionID) bool, error) {
	if len(names) == 0 {
		return func(id milvus.PartitionID) bool { return hasPartition(c, id) }, nil
	}
	ids := make([]milvus.PartitionID, len(names))
	for i, name := range names {
		var err error
		if ids[i], err = namedPartition(c, name); err != nil {
			return nil, err
		}
	}
	return func(id milvus.PartitionID) bool { return slices.Contains(ids, id) }, nil
}

// addSegments adds the flushed segments, with the L0 segments and the deletes in memory that concern them.
func (v *view) addSegments(all []*metastore.Segment, wanted func(milvus.PartitionID) bool, newer ...*buffer) {
	for _, seg := range all {
		if seg.IsL0() || !wanted(seg.Partition) || seg.Rows == 0 {
			continue
		}
		p := &part{place: place{seg.Partition, slices.Index(v.collection.Channels, seg.Channel)}, segment: seg, rows: int(seg.Rows)}
		p.scope.L0After = seg.DeleteApplyStart
		for _, l0 := range all {
			if covers(l0, seg) {
				p.deltas = append(p.deltas, l0)
			}
		}
		p.scope.L0 = tombsFor(p.place, newer)
		v.parts = append(v.parts, p)
	}
}

// covers reports whether an L0 segment's deletes are for the other segment.
func covers(l0, seg *metastore.Segment) bool {
	sameChannel := l0.Channel == seg.Channel || l0.Channel == "" || seg.Channel == ""
	return l0.IsL0() && sameChannel && (l0.Partition == seg.Partition || l0.Partition == milvus.AllPartitions)
}

func (v *view) addBlocks(from *buffer, wanted func(milvus.PartitionID) bool, newer ...*buffer) {
	for _, at := range sortedPlaces(from.blocks) {
		if !wanted(at.partition) {
			continue
		}
		for _, b := range from.blocks[at] {
			v.parts = append(v.parts, &part{place: at, block: b, rows: b.rows, scope: deltamerge.Scope{L0: tombsFor(at, newer)}})
		}
	}
}

// tombsFor returns the deletes in memory that concern a place.
func tombsFor(at place, buffers []*buffer) (out []*deltamerge.Set) {
	for _, b := range buffers {
		for _, p := range []place{at, {milvus.AllPartitions, at.shard}} {
			for _, t := range b.tombs[p] {
				out = append(out, t.set)
			}
		}
	}
	return out
}

// setTTL reads the collection's TTL.
func (v *view) setTTL(nowMilli int64) error {
	v.rule.TTL.NowMilli = nowMilli
	if text, ok := v.collection.Property(propertyTTLSeconds); ok {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return status.Invalid("%s is %q, not a number", propertyTTLSeconds, text)
		}
		v.rule.TTL.MaxAgeMilli = max(0, min(seconds, 1<<50)) * 1000
	}
	name, ok := v.collection.Property(propertyTTLField)
	if !ok || name == "" {
		return nil
	}
	for _, f := range v.collection.Schema.Fields {
		if f.Name == name && f.Type == milvus.TypeTimestamptz {
			v.rule.TTL.Field, v.expiry = f.ID, &f
			return nil
		}
	}
	return status.Invalid("%s names %q, which is not a Timestamptz field", propertyTTLField, name)
}

// CheckTTL refuses properties of a time to live by which no query could be answered.
func CheckTTL(c *metastore.Collection) error {
	return (&view{collection: c}).setTTL(0)
}

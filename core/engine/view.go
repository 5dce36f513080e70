package engine

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

// maxFilter is the longest filter, in bytes: long lists of keys are usual.
const maxFilter = 16 << 20

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

// choose selects the live rows that match. Where there are any, their part has its keys and timestamps; columns that only the
// filter needed are let go.
func (e *Engine) choose(ctx context.Context, c *metastore.Collection, expr string, values map[string]any, partitions []string) (*view, error) {
	v, err := e.look(c, partitions)
	if err != nil {
		return nil, err
	}
	where, err := filter.ParseWith(expr, &v.collection.Schema, filter.Options{Values: values, MaxLength: maxFilter})
	if err != nil {
		return nil, badFilter(err)
	}
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range v.parts {
		g.Go(func() error {
			if err := e.selectRows(each, v, p, where); err != nil {
				return err
			}
			p.columns = v.base(p)
			return nil
		})
	}
	return v, g.Wait()
}

// base are the columns of a part that every reader needs; none where no row was selected.
func (v *view) base(p *part) flush.Chunk {
	if p.mask.None() {
		return nil
	}
	return flush.Chunk{milvus.TimestampField: p.columns[milvus.TimestampField], v.key.ID: p.columns[v.key.ID]}
}

// badFilter is the error for a filter that its writer can correct.
func badFilter(err error) error {
	return status.New(status.InvalidParameter, "failed to create query plan: cannot parse expression: %w: invalid parameter", err)
}

// selectRows fills the part's mask: rows that live and match.
func (e *Engine) selectRows(ctx context.Context, v *view, p *part, where *filter.Filter) error {
	var fields []milvus.Field
	for _, id := range where.Fields() {
		if f, ok := v.collection.Schema.Field(id); ok {
			fields = append(fields, f)
		}
	}
	if v.expiry != nil {
		fields = append(fields, *v.expiry)
	}
	if err := e.fetch(ctx, v, p, fields); err != nil {
		return err
	}
	if err := e.fetchDeletes(ctx, v, p); err != nil {
		return err
	}
	live := make([]bool, p.rows)
	var expiry *array.Timestamp
	if v.expiry != nil {
		expiry = p.columns[v.expiry.ID].(*array.Timestamp)
	}
	if _, err := v.rule.Mask(p.scope, p.columns[v.key.ID], timesOf(p.columns[milvus.TimestampField]), expiry, live); err != nil {
		return err
	}
	p.mask = filter.NewMask(p.rows, func(i int) bool { return live[i] })
	if where.All() {
		return nil
	}
	matching, err := where.Eval(func(id milvus.FieldID) (arrow.Array, error) { return p.columns[id], nil }, p.rows)
	if err != nil {
		return err
	}
	p.mask = p.mask.And(matching)
	return nil
}

// fetch puts fields into the part's columns, beside the key and the timestamps.
func (e *Engine) fetch(ctx context.Context, v *view, p *part, fields []milvus.Field) error {
	if p.segment != nil {
		var have []milvus.Field
		for _, f := range fieldsOf(&v.collection.Schema) {
			if p.columns[f.ID] != nil {
				have = append(have, f)
			}
		}
		columns, err := e.load(ctx, &v.collection.Schema, &p.segment.Segment, append(have, fields...))
		p.columns = columns
		return err
	}
	columns := flush.Chunk{milvus.TimestampField: p.block.columns[milvus.TimestampField], v.key.ID: p.block.columns[v.key.ID]}
	maps.Copy(columns, p.columns)
	p.columns = columns
	for _, f := range fields {
		c, err := p.block.column(f)
		if err != nil {
			return err
		}
		p.columns[f.ID] = c
	}
	return nil
}

// fetchDeletes completes the part's scope with what is in files.
func (e *Engine) fetchDeletes(ctx context.Context, v *view, p *part) error {
	if p.segment == nil {
		return nil
	}
	var err error
	if p.scope.Own, err = e.loadDeletes(ctx, v.key, &p.segment.Segment); err != nil {
		return err
	}
	for _, l0 := range p.deltas {
		set, err := e.loadDeletes(ctx, v.key, &l0.Segment)
		if err != nil {
			return err
		}
		if set != nil {
			p.scope.L0 = append(p.scope.L0, set)
		}
	}
	return nil
}

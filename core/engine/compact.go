package engine

import (
	"cmp"
	"context"
	"math/bits"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

// Compact merges flushed segments of one partition and shard that are about the same size, and rewrites those with deleted
// rows; what lives keeps its timestamp. L0 segments whose deletes concern no row any more are dropped. Segments that
// Config.Protected names stay as they are. What is growing is not touched.
func (e *Engine) Compact(ctx context.Context, c *metastore.Collection) error {
	s, err := e.share(c.ID)
	if err != nil {
		return err
	}
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	if err := e.settle(ctx, s); err != nil {
		return err
	}
	if c, err = e.current(c); err != nil {
		return err
	}
	v := &view{collection: c}
	v.key, _ = c.Schema.PrimaryKey()
	v.addSegments(e.store.Segments(c.ID), func(milvus.PartitionID) bool { return true })
	everything, err := filter.Parse("", &c.Schema)
	if err != nil {
		return err
	}
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for _, p := range v.parts {
		g.Go(func() error { return e.selectRows(each, v, p, newCondition(everything, v.key.ID)) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	rewritten := map[milvus.SegmentID]bool{}
	for _, batch := range e.batches(v.parts) {
		if err := e.rewrite(ctx, s, v, batch); err != nil {
			return err
		}
		for _, p := range batch {
			rewritten[p.segment.ID] = true
		}
	}
	return e.dropApplied(ctx, s, v, rewritten)
}

// batches returns what is rewritten together: segments of one place and one tier of size, up to Config.SegmentBytes.
func (e *Engine) batches(parts []*part) (out [][]*part) {
	type tier struct {
		place
		size int
	}
	tiers := map[tier][]*part{}
	for _, p := range parts {
		if !e.protected(p.segment.ID) && p.shard >= 0 {
			t := tier{p.place, bits.Len64(uint64(p.bytes())) / 2} // a factor of four
			tiers[t] = append(tiers[t], p)
		}
	}
	for _, list := range tiers {
		var batch []*part
		var bytes int64
		end := func() {
			if len(batch) > 1 || len(batch) == 1 && !batch[0].mask.All() {
				out = append(out, batch)
			}
			batch, bytes = nil, 0
		}
		for _, p := range list {
			if len(batch) > 0 && bytes+p.bytes() > e.config.SegmentBytes {
				end()
			}
			batch, bytes = append(batch, p), bytes+p.bytes()
		}
		end()
	}
	slices.SortFunc(out, func(a, b []*part) int { return cmp.Compare(a[0].segment.ID, b[0].segment.ID) })
	return out
}

func (e *Engine) protected(id milvus.SegmentID) bool {
	return e.config.Protected != nil && e.config.Protected(id)
}

// bytes estimates the size of a segment in memory from its metadata.
func (p *part) bytes() (n int64) {
	for _, list := range p.segment.Binlogs {
		for _, b := range list.Binlogs {
			n += max(b.MemorySize, b.Size)
		}
	}
	return max(n, int64(p.rows)*16)
}

// rewrite puts one segment of the live rows in the place of a batch.
func (e *Engine) rewrite(ctx context.Context, s *share, v *view, batch []*part) error {
	fields := fieldsOf(&v.collection.Schema)
	ts, err := e.store.Timestamp()
	if err != nil {
		return err
	}
	w := e.newWriter(v.collection, ts)
	change := metastore.Change{Collection: v.collection.ID}
	var blocks []*block
	var spans []span
	start, end := batch[0].segment.Start.Timestamp, batch[0].segment.DML.Timestamp
	for _, p := range batch {
		change.Drop = append(change.Drop, p.segment.ID)
		start, end = min(start, p.segment.Start.Timestamp), max(end, p.segment.DML.Timestamp)
		if p.mask.None() {
			continue
		}
		for from, to := range p.mask.Runs() {
			spans = append(spans, span{len(blocks), from, to - from})
		}
		b, err := e.wholeBlock(ctx, v, p, fields)
		if err != nil {
			return err
		}
		blocks = append(blocks, b)
	}
	if len(blocks) > 0 {
		b, err := gatherBlock(fields, blocks, spans)
		if err == nil {
			err = w.rows(batch[0].place, start, end, b)
		}
		if err != nil {
			return err
		}
		w.segments[0].CompactionFrom = change.Drop
		if err := e.putFiles(ctx, w); err != nil {
			return err
		}
		change.Add = w.segments
	}
	if err := e.fault("compact:before-commit"); err != nil {
		return err
	}
	return e.publish(ctx, s, &pending{Change: change})
}

// wholeBlock reads all columns of a segment, RowID too.
func (e *Engine) wholeBlock(ctx context.Context, v *view, p *part, fields []milvus.Field) (*block, error) {
	columns, err := e.load(ctx, &v.collection.Schema, &p.segment.Segment, append(flush.SystemFields()[:1], fields...))
	if err != nil {
		return nil, err
	}
	return newBlock(columns), nil
}

// dropApplied drops the L0 segments that kill no row any more: all they concern was rewritten, or has no row of their keys.
func (e *Engine) dropApplied(ctx context.Context, s *share, v *view, rewritten map[milvus.SegmentID]bool) error {
	change := metastore.Change{Collection: v.collection.ID}
	for _, l0 := range e.store.Segments(v.collection.ID) {
		if !l0.IsL0() || e.protected(l0.ID) {
			continue
		}
		needed := slices.ContainsFunc(v.parts, func(p *part) bool {
			return covers(l0, p.segment) && !rewritten[p.segment.ID] && !p.mask.All()
		})
		if !needed {
			change.Drop = append(change.Drop, l0.ID)
		}
	}
	if len(change.Drop) == 0 {
		return nil
	}
	return e.publish(ctx, s, &pending{Change: change})
}

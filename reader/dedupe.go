package reader

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/spill"
)

// deduper is one run of dedupe.
type deduper struct {
	scan   *Scan
	memory *joinMemory
	store  *spill.Store
	ranks  []uint32 // of segments by id, which decide between rows of one time
	places []int    // of segments by rank
	older  []*deltamerge.Rows
}

// dedupe finds, of the live rows of each key, all but the newest. Deletes must have been read or joined.
func (s *Scan) dedupe(ctx context.Context, counts *Counts) (err error) {
	if s.opts.Dedupe != DedupeNewest {
		return nil
	}
	need, err := s.keyNeed(true, s.all())
	if err != nil {
		return err
	}
	var rows int64
	for _, seg := range s.segments {
		rows += seg.Rows
	}
	d := &deduper{scan: s}
	d.rank()
	if d.memory, err = s.joinMemory(ctx, need, s.rowsBytes(s.all()), rows); err != nil {
		return err
	}
	kept := int64(0)
	defer func() { d.memory.done(kept) }()
	d.store = s.store(d.memory)
	defer func() {
		s.spilled.Add(d.store.Spilled())
		err = errors.Join(err, d.store.Close())
	}()
	read, err := s.keyPass(ctx, s.all(), NewBudget(d.memory.reading), true, side{store: d.store}, counts)
	if err != nil {
		return err
	}
	var bytes int64
	d.older, bytes = marked(read)
	if err := d.run(ctx); err != nil {
		return err
	}
	kept = bytes
	s.older = map[milvus.SegmentID]*deltamerge.Rows{}
	for i, seg := range s.segments {
		s.older[seg.ID] = d.older[i]
	}
	return nil
}

func (d *deduper) rank() {
	d.places, d.ranks = d.scan.all(), make([]uint32, len(d.scan.segments))
	slices.SortFunc(d.places, func(a, b int) int { return cmp.Compare(d.scan.segments[a].ID, d.scan.segments[b].ID) })
	for rank, place := range d.places {
		d.ranks[place] = uint32(rank)
	}
}

// run works through the partitions.
func (d *deduper) run(ctx context.Context) error {
	queue := make(chan int, d.store.Partitions())
	for p := range d.store.Partitions() {
		queue <- p
	}
	close(queue)
	g, gctx := errgroup.WithContext(ctx)
	for range atOnce() {
		g.Go(func() error {
			var n deltamerge.Newest
			for p := range queue {
				if err := d.partition(gctx, p, &n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// partition marks the older rows of one partition. Tables that would not fit are built in several passes.
func (d *deduper) partition(ctx context.Context, p int, n *deltamerge.Newest) error {
	passes := d.memory.passes(d.store.Size(p))
	for pass := range passes {
		n.Reset()
		err := d.store.Each(p, func(b *spill.Batch) error {
			for i, tag := range b.Tags {
				hash := b.Hash(i)
				if passes > 1 && spill.Class(hash, passes) != pass {
					continue
				}
				at := deltamerge.Place{TS: b.TS[i], Segment: d.ranks[tag], Row: b.Rows[i]}
				var older deltamerge.Place
				var twice bool
				if b.Ends != nil {
					older, twice = n.Text(hash, b.Key(i), at)
				} else {
					older, twice = n.Int64(hash, b.Ints[i], at)
				}
				if twice {
					d.older[d.places[older.Segment]].Add(int64(older.Row))
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

package reader

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/spill"
)

// joins are the deletes that are joined with the keys of all segments before any is read, because they do not fit into memory:
// keys and deletes are put into partitions by hash, in temporary files, and joined partition by partition. What is left of it is
// a bit for each row.
type joins struct {
	l0   bool                      // those of all L0 segments
	own  map[milvus.SegmentID]bool // those of segments whose own deltalogs are many
	dead map[milvus.SegmentID]*deltamerge.Rows
}

// Shares of the budget, as divisors: deletes of L0 segments are kept in memory up to a third, those of one segment to an eighth.
const (
	l0Share  = 3
	ownShare = 8
)

// planJoins decides, from metadata, which deletes are joined.
func (s *Scan) planJoins() {
	s.joins.own, s.joins.dead = map[milvus.SegmentID]bool{}, map[milvus.SegmentID]*deltamerge.Rows{}
	if s.opts.TempDir == "" {
		return
	}
	var all int64
	for _, g := range s.l0 {
		for _, seg := range g.segments {
			all += deletesOf(seg)
		}
	}
	s.joins.l0 = all > s.atMost(s.opts.Budget.Total()/l0Share)
	for _, seg := range s.segments {
		if deletesOf(seg) > s.atMost(s.opts.Budget.Total()/ownShare) {
			s.joins.own[seg.ID] = true
		}
	}
}

// atMost bounds what is held in memory by SpillAfter.
func (s *Scan) atMost(bytes int64) int64 {
	if s.opts.SpillAfter > 0 {
		return min(bytes, s.opts.SpillAfter)
	}
	return bytes
}

// joinGroup is deletes that reach the same segments; the tag of their records is its place among the groups.
type joinGroup struct {
	l0   *l0Group          // nil: a segment's own
	segs []*milvus.Segment // whose deltalogs
}

// reach says that a group's deletes after a time apply to a segment.
type reach struct {
	group int
	after uint64
}

// joined returns the groups of deletes that are joined.
func (s *Scan) joined() (out []joinGroup) {
	if s.joins.l0 {
		for _, g := range s.l0 {
			out = append(out, joinGroup{g, g.segments})
		}
	}
	for _, seg := range s.segments {
		if s.joins.own[seg.ID] {
			out = append(out, joinGroup{nil, []*milvus.Segment{seg}})
		}
	}
	return out
}

// reaches returns, for every segment, the groups that reach it, and the places of those segments that any reaches.
func (s *Scan) reaches(groups []joinGroup) (out [][]reach, segments []int) {
	out = make([][]reach, len(s.segments))
	for i, seg := range s.segments {
		for g, group := range groups {
			switch {
			case group.l0 != nil && group.l0.covers(seg):
				out[i] = append(out[i], reach{g, uint64(seg.DeleteApplyStart)})
			case group.l0 == nil && group.segs[0] == seg:
				out[i] = append(out[i], reach{g, 0})
			}
		}
		if len(out[i]) > 0 {
			segments = append(segments, i)
		}
	}
	return out, segments
}

// joiner is one run of joinDeletes.
type joiner struct {
	scan     *Scan
	memory   *joinMemory
	groups   []joinGroup
	reaches  [][]reach
	segments []int
	deletes  *spill.Store
	rows     *spill.Store
	dead     []*deltamerge.Rows // by place of the segment
}

// joinDeletes finds the rows that the joined deletes kill.
func (s *Scan) joinDeletes(ctx context.Context, counts *Counts) (err error) {
	j := &joiner{scan: s, groups: s.joined()}
	if len(j.groups) == 0 {
		return nil
	}
	j.reaches, j.segments = s.reaches(j.groups)
	need, err := s.keyNeed(false, j.segments)
	if err != nil {
		return err
	}
	var rows int64
	for _, i := range j.segments {
		rows += s.segments[i].Rows
	}
	if j.memory, err = s.joinMemory(ctx, max(need, needLogs(j.groups)), s.rowsBytes(j.segments), max(rows, entries(j.groups))); err != nil {
		return err
	}
	kept := int64(0)
	defer func() { j.memory.done(kept) }()
	j.deletes, j.rows = s.store(j.memory), s.store(j.memory)
	defer func() {
		s.spilled.Add(j.deletes.Spilled() + j.rows.Spilled())
		err = errors.Join(err, j.deletes.Close(), j.rows.Close())
	}()
	if kept, err = j.collect(ctx, rows, counts); err != nil {
		kept = 0
		return err
	}
	if err := j.join(ctx); err != nil {
		kept = 0
		return err
	}
	for _, i := range j.segments {
		if j.dead[i] != nil {
			s.joins.dead[s.segments[i].ID] = j.dead[i]
		}
	}
	return nil
}

// collect reads keys of rows and deletes, the fewer first, and returns the memory of the result.
func (j *joiner) collect(ctx context.Context, rows int64, counts *Counts) (bytes int64, err error) {
	few := entries(j.groups)
	rowsFirst := rows > 0 && (few == 0 || rows <= few)
	if rowsFirst {
		few = rows
	}
	bloom := spill.NewBloom(few, j.memory.bloom)
	budget := NewBudget(j.memory.reading)
	readRows := func() error {
		n, err := j.scan.keyPass(ctx, j.segments, budget, false, side{j.rows, bloom, rowsFirst}, counts)
		if err == nil {
			j.dead, bytes = marked(n)
		}
		return err
	}
	readDeletes := func() error {
		return j.readDeletes(ctx, budget, side{j.deletes, bloom, !rowsFirst}, counts)
	}
	steps := []func() error{readDeletes, readRows}
	if rowsFirst {
		steps = []func() error{readRows, readDeletes}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return 0, err
		}
	}
	return bytes, nil
}

// join works through the partitions.
func (j *joiner) join(ctx context.Context) error {
	queue := make(chan int, j.deletes.Partitions())
	for p := range j.deletes.Partitions() {
		queue <- p
	}
	close(queue)
	g, gctx := errgroup.WithContext(ctx)
	for range atOnce() {
		g.Go(func() error {
			sets := make([]*deltamerge.Set, len(j.groups))
			for p := range queue {
				if err := j.partition(gctx, p, sets); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// partition marks the rows of one partition that its deletes kill. Tables that would not fit are built in several passes.
func (j *joiner) partition(ctx context.Context, p int, sets []*deltamerge.Set) error {
	deletes, bytes := j.deletes.Size(p)
	if rows, _ := j.rows.Size(p); deletes == 0 || rows == 0 {
		return nil
	}
	passes := j.memory.passes(deletes, bytes)
	for pass := range passes {
		mine := func(b *spill.Batch, i int) bool { return passes == 1 || spill.Class(b.Hash(i), passes) == pass }
		err := j.deletes.Each(p, func(b *spill.Batch) error {
			for i, tag := range b.Tags {
				if !mine(b, i) {
					continue
				}
				if sets[tag] == nil {
					sets[tag] = deltamerge.NewSet(0)
				}
				if b.Ends != nil {
					sets[tag].AddText(b.Key(i), b.TS[i])
				} else {
					sets[tag].Add(b.Ints[i], b.TS[i])
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		err = j.rows.Each(p, func(b *spill.Batch) error {
			for i := range b.Tags {
				if mine(b, i) && j.kills(sets, b, i) {
					j.dead[b.Tags[i]].Add(int64(b.Rows[i]))
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		for _, s := range sets {
			if s != nil {
				s.Reset()
			}
		}
	}
	return nil
}

// kills reports whether a row has a delete newer than itself, in a group that reaches its segment.
func (j *joiner) kills(sets []*deltamerge.Set, b *spill.Batch, i int) bool {
	for _, r := range j.reaches[b.Tags[i]] {
		if sets[r.group] == nil {
			continue
		}
		var newest uint64
		if b.Ends != nil {
			newest = sets[r.group].NewestText(b.Key(i))
		} else {
			newest = sets[r.group].Newest(b.Ints[i])
		}
		if newest > max(b.TS[i], r.after) {
			return true
		}
	}
	return false
}

package reader

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/deltalog"
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

// entries returns how many deletes the groups have by metadata; files that do not say are guessed by size.
func entries(groups []joinGroup) (n int64) {
	for _, b := range logsOf(groups) {
		if b.log.Entries > 0 {
			n += b.log.Entries
		} else {
			n += b.log.Size / 8
		}
	}
	return n
}

// joinLog is a deltalog of a group.
type joinLog struct {
	group int
	seg   *milvus.Segment
	log   milvus.Binlog
}

func logsOf(groups []joinGroup) (out []joinLog) {
	for g, group := range groups {
		for _, seg := range group.segs {
			for _, fb := range seg.Deltalogs {
				for _, b := range fb.Binlogs {
					out = append(out, joinLog{g, seg, b})
				}
			}
		}
	}
	return out
}

// logReserve is the memory of decoded pages of a deltalog.
const logReserve = 4 << 20

func needLog(b milvus.Binlog) int64 { return max(b.Size, sizeFloor/4) + logReserve }

// needLogs returns the most memory that reading one of the deltalogs takes.
func needLogs(groups []joinGroup) (most int64) {
	for _, l := range logsOf(groups) {
		most = max(most, needLog(l.log))
	}
	return most
}

// readDeletes puts all deletes of the groups into the store.
func (j *joiner) readDeletes(ctx context.Context, budget *Budget, to side, counts *Counts) error {
	logs := logsOf(j.groups)
	queue := make(chan joinLog, len(logs))
	for _, l := range logs {
		queue <- l
	}
	close(queue)
	bytes := make([]int64, atOnce())
	g, gctx := errgroup.WithContext(ctx)
	for n := range bytes {
		g.Go(func() error {
			w := to.store.Writer()
			for l := range queue {
				read, err := j.readLog(gctx, budget, l, to, w)
				if err != nil {
					return fmt.Errorf("deletes of segment %d: %w", l.seg.ID, err)
				}
				bytes[n] += read
			}
			return w.Flush()
		})
	}
	err := g.Wait()
	for _, n := range bytes {
		counts.Bytes += n
	}
	return err
}

// readLog puts the deletes of one file into the store, those after the cut left out.
func (j *joiner) readLog(ctx context.Context, budget *Budget, l joinLog, to side, w *spill.Writer) (int64, error) {
	need := needLog(l.log)
	if err := budget.Acquire(ctx, need); err != nil {
		return 0, err
	}
	defer budget.Release(need)
	s := j.scan
	body, err := s.fetch(ctx, l.log)
	if err != nil {
		return 0, err
	}
	var live []bool
	var inFile, afterCut int64
	err = deltalog.Each(body, func(d *deltalog.Deletes) error {
		if err := s.checkDeletes(l.log, d, l.log.Entries); err != nil {
			return err
		}
		inFile += int64(d.Len())
		live = resize(live, d.Len())
		n := s.rule.Applies(d.TS, live)
		afterCut += int64(d.Len()) - n
		if n == 0 {
			return ctx.Err()
		}
		if d.Strings != nil {
			return to.add(w, uint32(l.group), 0, d.Strings, d.TS, live)
		}
		return to.addInts(w, uint32(l.group), 0, d.Int64, d.TS, live)
	})
	if err == nil {
		err = s.checkDeletes(l.log, &deltalog.Deletes{}, inFile)
	}
	if err != nil {
		return 0, fault.Place(err, l.log.File.String())
	}
	s.deletes.Add(inFile)
	s.deletesAfterCut.Add(afterCut)
	return int64(len(body)), nil
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

package reader

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/spill"
)

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

package export

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
)

// judge sorts the base's units: what metadata decides, then what the keys of new deletes decide, then what keys and times of the
// rows decide.
func (r *runner) judge(ctx context.Context, inc *increment) error {
	j := &judgement{runner: r, increment: inc, signatures: map[milvus.SegmentID]string{}, reasons: map[*unit]string{}}
	for _, seg := range r.scan.Segments() {
		j.signatures[seg.ID] = content(seg)
	}
	reason := ""
	if inc.mapping.Options != r.plan.options() {
		reason = otherAsk
	} else if ok := j.columns(); !ok {
		reason = otherSchema
	}
	for i := range inc.mapping.Units {
		u := &inc.mapping.Units[i]
		switch why, doubt := j.metadata(u); {
		case reason != "":
			j.reasons[u] = reason
		case why != "":
			j.reasons[u] = why
		case doubt.rows:
			j.probe = append(j.probe, u)
		case len(doubt.deletes) > 0:
			j.news = append(j.news, news{u, doubt.deletes})
		}
	}
	// memory that the probes take is given back when they are done
	total := r.budget.Total() / 2
	if err := r.budget.Acquire(ctx, total); err != nil {
		return err
	}
	defer r.budget.Release(total)
	if err := j.compareKeys(ctx, total); err != nil {
		return err
	}
	if err := j.compareRows(ctx, reader.NewBudget(total)); err != nil {
		return err
	}
	for i := range inc.mapping.Units {
		u := &inc.mapping.Units[i]
		why, gone := j.reasons[u]
		if !gone {
			inc.kept = append(inc.kept, u)
			inc.reuse.RowsKept += u.Rows.Rows
		}
		for _, f := range u.Files {
			if gone {
				inc.reuse.Rewritten[why]++
				inc.reuse.FilesGone++
				inc.reuse.BytesGone += f.Bytes
				continue
			}
			inc.reuse.FilesKept++
			inc.reuse.BytesKept += f.Bytes
		}
	}
	return nil
}

// judgement is a decision in the making.
type judgement struct {
	*runner
	*increment
	signatures map[milvus.SegmentID]string // of the segments to read now
	reasons    map[*unit]string            // of units that are not kept
	news       []news
	probe      []*unit
}

// news are deletes that the base did not know, in the scope of a unit.
type news struct {
	unit    *unit
	deletes []newLog
}

type newLog struct {
	name logName
	milvus.Binlog
}

// doubt is what metadata can't decide.
type doubt struct {
	rows    bool // whether the same rows come out
	deletes []newLog
}

// columns reports whether the files have all columns as they are now, but for new ones that are NULL in every row of theirs.
func (j *judgement) columns() bool {
	now := map[string]mappedColumn{}
	for _, c := range j.plan.mappedColumns(j.scan) {
		now[c.Name] = c
	}
	for _, c := range j.mapping.Columns {
		if now[c.Name] != c {
			return false
		}
		delete(now, c.Name)
	}
	for _, c := range now {
		if !c.Nullable || c.Default != "" {
			return false
		}
		j.again = true
	}
	return true
}

// metadata judges by metadata alone.
func (j *judgement) metadata(u *unit) (reason string, d doubt) {
	for _, s := range u.Segments {
		switch now, ok := j.signatures[s.ID]; {
		case !ok:
			return goneSegment, d
		case now != s.Content:
			return changed, d
		}
	}
	then, now := j.mapping.Rule, j.plan.Rule
	if u.Counts.AfterCut > 0 && then.AsOf != now.AsOf || now.AsOf != 0 && u.Rows.MaxTS > now.AsOf {
		return afterTheCut, d
	}
	// deletes that counted then may not do so now
	earlier := now.AsOf != 0 && (then.AsOf == 0 || now.AsOf < then.AsOf)
	d.rows = earlier && u.Counts.Deleted > 0 || expiryMoves(u, then, now)
	for _, s := range u.Segments {
		news, gone := j.deletes(s)
		d.rows = d.rows || gone && u.Counts.Deleted > 0
		d.deletes = append(d.deletes, news...)
	}
	return "", d
}

// expiryMoves reports whether rows may expire now that did not then, or the other way round.
func expiryMoves(u *unit, then, now Rule) bool {
	if then.TTLField != 0 || now.TTLField != 0 {
		return true
	}
	if u.Counts.Expired > 0 && (now.TTLAgeMilli == 0 || now.TTLNowMilli-now.TTLAgeMilli < then.TTLNowMilli-then.TTLAgeMilli) {
		return true
	}
	return now.TTLAgeMilli > 0 && u.Rows.Rows > 0 && now.TTLNowMilli-u.Rows.MinTS.UnixMilli() >= now.TTLAgeMilli
}

// deletes compares the deltalogs in a segment's scope with those of the base: which are new or may count now as they did not
// then, and whether some are gone.
func (j *judgement) deletes(s mappedSegment) (news []newLog, gone bool) {
	then, now := j.mapping.Rule.AsOf, j.plan.Rule.AsOf
	later := now == 0 || then != 0 && then <= now // what was settled then is so now
	known := map[logName]bool{}
	for _, k := range s.Deletes {
		d := j.mapping.Deletes[k]
		known[logName{d.Segment, d.File, d.LogID}] = d.Settled
	}
	seg, _ := j.scan.Snapshot().Segment(s.ID)
	for of, b := range j.scan.DeletesOf(seg) {
		n := nameOf(of, b)
		switch {
		case !known[n]:
			news = append(news, newLog{n, b})
		case later:
			j.noteSettled(n)
		}
		delete(known, n)
	}
	return news, len(known) > 0
}

// probers is how many files or segments are looked at at once.
const probers = 4

// compareKeys keeps the units in whose range of keys no new delete falls; the others have to be probed. So have all if the deletes
// do not fit into memory.
func (j *judgement) compareKeys(ctx context.Context, memory int64) error {
	files := map[milvus.FileRef]*reader.Deleted{}
	var logs []newLog
	for _, n := range j.news {
		for _, b := range n.deletes {
			if _, ok := files[b.File]; !ok {
				files[b.File] = nil
				logs = append(logs, b)
				memory -= reader.NeedDeleted(b.Binlog)
			}
		}
	}
	if memory < 0 {
		for _, n := range j.news {
			j.probe = append(j.probe, n.unit)
		}
		return nil
	}
	keys, bytes := make([]*reader.Deleted, len(logs)), make([]int64, len(logs))
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(probers)
	for i, b := range logs {
		g.Go(func() (err error) {
			keys[i], bytes[i], err = j.scan.ReadDeleted(each, b.Binlog)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, b := range logs {
		files[b.File] = keys[i]
		j.reuse.BytesProbed += bytes[i]
		if !keys[i].Later {
			j.noteSettled(b.name)
		}
	}
	for _, n := range j.news {
		if slices.ContainsFunc(n.deletes, func(b newLog) bool { return files[b.File].Within(n.unit.Rows.keys()) }) {
			j.probe = append(j.probe, n.unit)
		}
	}
	return nil
}

// compareRows keeps the units in doubt of which the same rows come out as then.
func (j *judgement) compareRows(ctx context.Context, budget *reader.Budget) error {
	var ids []milvus.SegmentID
	for _, u := range j.probe {
		for _, s := range u.Segments {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	keys, err := j.scan.Keys(ids, budget)
	if err != nil {
		return err
	}
	same, bytes := make([]bool, len(j.probe)), make([]int64, len(j.probe))
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(probers)
	for i, u := range j.probe {
		g.Go(func() error {
			var all reader.Counts
			for _, s := range u.Segments {
				seg, _ := keys.Snapshot().Segment(s.ID)
				c, err := keys.Read(each, seg, discard)
				if errors.Is(err, fault.ErrLimit) {
					return nil // what can't be known is written anew
				}
				if err != nil {
					return err
				}
				all.Add(c)
			}
			same[i], bytes[i] = u.Rows.same(all.Out), all.Bytes
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	j.settleRead(keys)
	for i, u := range j.probe {
		j.reuse.BytesProbed += bytes[i]
		if !same[i] {
			j.reasons[u] = otherRows
		}
	}
	return nil
}

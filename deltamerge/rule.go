package deltamerge

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/milvus"
)

// Rule is what holds for a whole snapshot.
type Rule struct {
	AsOf milvus.Timestamp // T, inclusive; 0: no cut
	TTL  TTL
}

// TTL expires rows by age or by a column. The zero value expires nothing.
type TTL struct {
	NowMilli    int64          // the time at which expiry is judged, Unix ms
	MaxAgeMilli int64          // expired iff now - physical(e) >= this; 0: no limit
	Field       milvus.FieldID // Timestamptz field, expired iff 0 <= value <= now; 0: none
}

// Scope is what applies to one segment.
type Scope struct {
	Commit  milvus.Timestamp // commit_timestamp; 0: rows have their own
	Own     *Set             // the segment's deltalogs; may be nil
	L0      []*Set           // sets of the L0 segments in scope
	L0After milvus.Timestamp // delete_apply_start_after_timetick, an exclusive lower bound for L0 deletes
	Dead    *Rows            // rows that deletes in scope are known to kill, beside those of the sets; nil: none are known
	First   int64            // the number in Dead of the first row that is judged next
}

// Counts tells what became of rows: Rows = AfterCut + Deleted + Expired + those that live. A row counts once, in that order.
type Counts struct {
	Rows, AfterCut, Deleted, Expired int64
}

// Add adds b to c.
func (c *Counts) Add(b Counts) {
	c.Rows += b.Rows
	c.AfterCut += b.AfterCut
	c.Deleted += b.Deleted
	c.Expired += b.Expired
}

// Live returns the number of rows that live.
func (c Counts) Live() int64 { return c.Rows - c.AfterCut - c.Deleted - c.Expired }

// Effective turns the rows' own timestamps (field 1, bits of a TSO) into e(r), in place.
func (s Scope) Effective(ts []uint64) {
	if s.Commit == 0 {
		return
	}
	for i, t := range ts {
		ts[i] = max(t, uint64(s.Commit))
	}
}

// Mask sets live[i] for each row: eff are the effective timestamps, keys the primary keys (may be nil if the scope has no
// deletes), expiry the column of TTL.Field (nil if there is none). All have len(live) rows.
func (r Rule) Mask(s Scope, keys arrow.Array, eff []uint64, expiry *array.Timestamp, live []bool) (Counts, error) {
	c := Counts{Rows: int64(len(live))}
	c.AfterCut = r.cut(eff, live)
	var err error
	if s.Own != nil {
		c.Deleted, err = s.Own.kill(keys, eff, 0, live)
	}
	for i := 0; i < len(s.L0) && err == nil; i++ {
		var n int64
		n, err = s.L0[i].kill(keys, eff, uint64(s.L0After), live)
		c.Deleted += n
	}
	if err != nil {
		return c, err
	}
	c.Deleted += s.Dead.Clear(s.First, live)
	c.Expired = r.TTL.expire(eff, expiry, live)
	return c, nil
}

// Applies sets live[i] where the delete at ts[i] counts, which it does at or before the cut, and returns how many do.
func (r Rule) Applies(ts []uint64, live []bool) int64 { return int64(len(ts)) - r.cut(ts, live) }

func (r Rule) cut(eff []uint64, live []bool) int64 {
	var after int64
	for i, e := range eff {
		live[i] = r.AsOf == 0 || e <= uint64(r.AsOf)
		if !live[i] {
			after++
		}
	}
	return after
}

func (t TTL) expire(eff []uint64, expiry *array.Timestamp, live []bool) int64 {
	var expired int64
	if t.MaxAgeMilli > 0 {
		for i, e := range eff {
			if live[i] && t.NowMilli-milvus.Timestamp(e).UnixMilli() >= t.MaxAgeMilli {
				live[i] = false
				expired++
			}
		}
	}
	if expiry == nil {
		return expired
	}
	for i := range live {
		if live[i] && expiry.IsValid(i) && expiry.Value(i) >= 0 && int64(expiry.Value(i)) <= t.NowMilli*1000 {
			live[i] = false
			expired++
		}
	}
	return expired
}

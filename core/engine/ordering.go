package engine

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/milvus"
)

// ref is a row of a view.
type ref struct{ part, row int32 }

// ordering puts rows in the order of their keys; of rows with one key, older ones come first.
type ordering interface {
	// add adds the selected rows of a part, which has its keys and timestamps. Several goroutines may call it at once.
	add(v *view, part int)
	refs() []ref
}

// newOrdering returns the ordering of a query's rows: of no more than limit and offset ask for.
func newOrdering(key milvus.Field, q Query) ordering {
	limit := 0
	if n := q.Offset + q.Limit; q.Limit > 0 && n > 0 && n <= math.MaxInt/2 {
		limit = int(n)
	}
	if key.Type == milvus.TypeInt64 {
		return &firsts[int64]{
			limit: limit, all: shortlist[int64]{limit: limit},
			key: func(a arrow.Array, row int) int64 { return a.(*array.Int64).Value(row) }, own: func(k int64) int64 { return k },
		}
	}
	return &firsts[string]{
		limit: limit, all: shortlist[string]{limit: limit},
		key: func(a arrow.Array, row int) string { return a.(*array.String).Value(row) }, own: strings.Clone,
	}
}

// firsts keeps the first rows of all.
type firsts[K cmp.Ordered] struct {
	limit int // 0: all rows
	key   func(keys arrow.Array, row int) K
	own   func(K) K // a key that does not keep its column in memory

	mu  sync.Mutex
	all shortlist[K]
}

func (f *firsts[K]) add(v *view, part int) {
	p := v.parts[part]
	keys, ts := p.columns[v.key.ID], timesOf(p.columns[milvus.TimestampField])
	some := shortlist[K]{limit: f.limit}
	if f.limit == 0 {
		some.rows = make([]keyed[K], 0, p.mask.Count())
	}
	for row := range p.mask.Rows() {
		some.add(keyed[K]{f.key(keys, row), ts[row], ref{int32(part), int32(row)}})
	}
	if f.limit > 0 {
		some.cut()
		for i := range some.rows {
			some.rows[i].key = f.own(some.rows[i].key)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range some.rows {
		f.all.add(k)
	}
}

func (f *firsts[K]) refs() []ref {
	f.all.cut()
	out := make([]ref, len(f.all.rows))
	for i, k := range f.all.rows {
		out[i] = k.ref
	}
	return out
}

// keyed is a row and what it is ordered by.
type keyed[K cmp.Ordered] struct {
	key K
	ts  uint64
	ref
}

func compareKeyed[K cmp.Ordered](a, b keyed[K]) int {
	if c := cmp.Compare(a.key, b.key); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.ts, b.ts), cmp.Compare(a.part, b.part), cmp.Compare(a.row, b.row))
}

// shortlist keeps the first rows of those that were added, in no order, and at most as many again or spareRows.
type shortlist[K cmp.Ordered] struct {
	limit int // 0: all
	rows  []keyed[K]
	full  bool // there are limit rows up to last
	last  keyed[K]
}

const spareRows = 1024

func (s *shortlist[K]) add(k keyed[K]) {
	if s.full && compareKeyed(k, s.last) >= 0 {
		return
	}
	if s.rows = append(s.rows, k); s.limit > 0 && len(s.rows) >= s.limit+max(s.limit, spareRows) {
		s.cut()
	}
}

// cut orders the rows and leaves the first ones.
func (s *shortlist[K]) cut() {
	slices.SortFunc(s.rows, compareKeyed[K])
	if s.limit == 0 || len(s.rows) < s.limit {
		return
	}
	clear(s.rows[s.limit:])
	s.rows = s.rows[:s.limit]
	s.full, s.last = true, s.rows[s.limit-1]
}

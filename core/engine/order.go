package engine

import (
	"cmp"
	"slices"
	"sort"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/filter"
)

// fewKeys: keys are looked up one by one if there are at most one for so many rows; for more of them the rows are gone through.
const fewKeys = 32

// order is how a segment's rows follow one another by their keys.
type order struct {
	sorted bool    // as they are stored
	rows   []int32 // else: by key; nil: to be made by the next who looks keys up
}

// find returns the rows of a segment, ascending, whose keys the filter names; ok is false where it names none, or so many that
// a look at all rows is as good. The order is made by the second who asks for it: the first may be the only one.
func (e *Engine) find(v *view, p *part, c *condition) (rows []int, ok bool) {
	if p.segment == nil || !c.named || c.keys.Len() > p.rows/fewKeys && c.keys.Len() > 1 {
		return nil, false
	}
	keys := p.columns[v.key.ID]
	x := e.cache.entry(p.segment.ID)
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.order == nil:
		x.order = &order{sorted: isSorted(keys)}
	case !x.order.sorted && x.order.rows == nil:
		x.order.rows = byKey(keys)
		e.cache.grew(x, int64(4*len(x.order.rows)))
	}
	if !x.order.sorted && x.order.rows == nil {
		return nil, false
	}
	return x.order.find(keys, c.keys), true
}

func isSorted(keys arrow.Array) bool {
	switch k := keys.(type) {
	case *array.Int64:
		return slices.IsSorted(k.Int64Values())
	case *array.String:
		for i := 1; i < k.Len(); i++ {
			if k.Value(i) < k.Value(i-1) {
				return false
			}
		}
		return true
	}
	return false
}

// byKey returns the rows in the order of their keys.
func byKey(keys arrow.Array) []int32 {
	rows := make([]int32, keys.Len())
	for i := range rows {
		rows[i] = int32(i)
	}
	switch k := keys.(type) {
	case *array.Int64:
		values := k.Int64Values()
		slices.SortFunc(rows, func(a, b int32) int { return cmp.Compare(values[a], values[b]) })
	case *array.String:
		slices.SortFunc(rows, func(a, b int32) int { return cmp.Compare(k.Value(int(a)), k.Value(int(b))) })
	}
	return rows
}

// find returns the rows that have one of the values, ascending.
func (o *order) find(keys arrow.Array, among filter.Values) (out []int) {
	row := func(i int) int {
		if o.sorted {
			return i
		}
		return int(o.rows[i])
	}
	switch k := keys.(type) {
	case *array.Int64:
		values := k.Int64Values()
		for _, want := range among.Ints {
			at := sort.Search(len(values), func(i int) bool { return values[row(i)] >= want })
			for ; at < len(values) && values[row(at)] == want; at++ {
				out = append(out, row(at))
			}
		}
	case *array.String:
		for _, want := range among.Texts {
			at := sort.Search(k.Len(), func(i int) bool { return k.Value(row(i)) >= want })
			for ; at < k.Len() && k.Value(row(at)) == want; at++ {
				out = append(out, row(at))
			}
		}
	}
	slices.Sort(out)
	return out
}

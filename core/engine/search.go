package engine

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// maxHits bounds limit plus offset, Milvus's default.
const maxHits = 16384

// Search compares every live row that the filter selects with the vectors and returns, for each of these, the nearest. Rows
// whose vector is NULL are never near, nor are those that share no index with a sparse vector.
func (e *Engine) Search(ctx context.Context, c *metastore.Collection, s Search) ([]Hits, error) {
	f, metric, err := checkSearch(c, s)
	if err != nil {
		return nil, err
	}
	fields, err := outputFields(c, s.Fields)
	if err != nil {
		return nil, err
	}
	v, err := e.choose(ctx, c, s.Filter, s.Values, s.Partitions, nil)
	if err != nil {
		return nil, err
	}
	if err := e.checkHits(v, s); err != nil {
		return nil, err
	}
	found := make([]top, s.Vectors.Len())
	var mu sync.Mutex
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range v.parts {
		if !p.mask.None() {
			g.Go(func() error {
				some, err := e.searchPart(each, v, int32(i), f, metric, s)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				merge(found, some)
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return e.hits(ctx, v, found, metric, s, fields)
}

// checkHits refuses a search whose hits alone, an id and a score each, are more than an answer takes, or too many to be held.
func (e *Engine) checkHits(v *view, s Search) error {
	var rows int64
	for _, p := range v.parts {
		rows += int64(p.mask.Count())
	}
	n := int64(s.Vectors.Len())
	if n*min(s.Limit, rows)*12 > e.config.ResultBytes {
		return tooLarge("search", e.config.ResultBytes)
	}
	if held := n * min(s.Limit+s.Offset, rows) * hitBytes; held > maxHeld {
		return status.Invalid("%d vectors with (offset+limit) %d need %d bytes for hits, %d are allowed", n, s.Limit+s.Offset, held, int64(maxHeld))
	}
	return nil
}

// Hits of one search while it runs.
const (
	hitBytes = 12        // of a hit
	maxHeld  = 512 << 20 // bytes, in each of the parts that are searched at once
)

// merge adds the hits of a part.
func merge(into, some []top) {
	for q := range some {
		into[q].limit = some[q].limit
		if into[q].heap == nil {
			into[q].heap = some[q].heap
			continue
		}
		for _, h := range some[q].heap {
			into[q].add(h)
		}
	}
}

func checkSearch(c *metastore.Collection, s Search) (milvus.Field, string, error) {
	f, ok := c.Schema.Field(s.Field)
	if !ok {
		return f, "", status.Invalid("fieldID not found: %d", s.Field)
	}
	metric, err := chooseMetric(c, f, s.Metric)
	if err != nil {
		return f, "", err
	}
	t, err := cell.Type(f)
	switch {
	case err != nil:
		return f, "", err
	case s.Vectors == nil || s.Vectors.Len() == 0 || s.Vectors.NullN() > 0:
		return f, "", status.Invalid("vectors to search for are missing")
	case s.Vectors.Len() > maxVectors:
		return f, "", status.Invalid("nq [%d] is invalid, nq (number of search vector per search request) should be in range [1, %d]", s.Vectors.Len(), maxVectors)
	case !arrow.TypeEqual(t, s.Vectors.DataType()):
		return f, "", status.Invalid("vector dimension mismatch: field %s has vectors of %v, the search %v", f.Name, t, s.Vectors.DataType())
	case s.Limit < 1 || s.Offset < 0 || s.Limit+s.Offset > maxHits:
		return f, "", status.Invalid("(offset+limit) should be in range [1, %d], but got %d and %d", maxHits, s.Offset, s.Limit)
	case s.Radius != nil && !finite(*s.Radius) || s.RangeFilter != nil && !finite(*s.RangeFilter):
		return f, "", status.Invalid("radius and range_filter must be numbers")
	}
	f.Nullable = false // of the query's vectors
	_, err = checkValues(f, s.Vectors)
	return f, metric, err
}

// hit is a row and its score, negated where more is nearer: less is always nearer.
type hit struct {
	distance float32
	ref
}

func nearer(a, b hit) int {
	return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.part, b.part), cmp.Compare(a.row, b.row))
}

// top keeps the nearest hits, as a heap with the farthest first.
type top struct {
	limit int
	heap  []hit
}

func (t *top) add(h hit) {
	if len(t.heap) < t.limit {
		t.heap = append(t.heap, h)
		for i := len(t.heap) - 1; i > 0; {
			up := (i - 1) / 2
			if nearer(t.heap[i], t.heap[up]) <= 0 {
				break
			}
			t.heap[i], t.heap[up] = t.heap[up], t.heap[i]
			i = up
		}
		return
	}
	if nearer(h, t.heap[0]) >= 0 {
		return
	}
	t.heap[0] = h
	for i := 0; ; {
		far := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < len(t.heap) && nearer(t.heap[down], t.heap[far]) > 0 {
				far = down
			}
		}
		if far == i {
			return
		}
		t.heap[i], t.heap[far] = t.heap[far], t.heap[i]
		i = far
	}
}

// tile is how many rows are compared with every vector before the next ones are: so many stay in the processor's cache.
const tile = 256

// searchPart reads the vectors of a part, compares them, and lets go of them again.
func (e *Engine) searchPart(ctx context.Context, v *view, index int32, f milvus.Field, metric string, s Search) ([]top, error) {
	p := v.parts[index]
	if err := e.fetch(ctx, v, p, []milvus.Field{f}); err != nil {
		return nil, err
	}
	column := p.columns[f.ID]
	p.columns = nil
	return nearest(ctx, index, p.mask, column, f, metric, s)
}

// nearest returns the nearest of the selected rows for each vector.
func nearest(ctx context.Context, index int32, mask *filter.Mask, column arrow.Array, f milvus.Field, metric string, s Search) ([]top, error) {
	make1, err := scorers(metric, column, s.Vectors)
	if err != nil {
		return nil, err
	}
	n := s.Vectors.Len()
	tops, scores := make([]top, n), make([]scorer, n)
	for q := range n {
		tops[q].limit, scores[q] = int(s.Limit+s.Offset), make1(q)
	}
	accept := s.bounds(metric, f.Type)
	sign := float32(1)
	if !ascending(metric) {
		sign = -1
	}
	rows := make([]int32, 0, tile)
	compare := func() error {
		for q := range n {
			for _, row := range rows {
				if score := scores[q](int(row)); accept == nil || accept(score) {
					tops[q].add(hit{sign * score, ref{index, row}})
				}
			}
		}
		rows = rows[:0]
		return ctx.Err()
	}
	for row := range mask.Rows() {
		if column.IsNull(row) {
			continue
		}
		if rows = append(rows, int32(row)); len(rows) == tile {
			if err := compare(); err != nil {
				return nil, err
			}
		}
	}
	return tops, compare()
}

// bounds returns which scores count; nil for all.
func (s Search) bounds(metric string, t milvus.DataType) func(float32) bool {
	if s.Radius == nil && s.RangeFilter == nil && t != milvus.TypeSparseVector {
		return nil
	}
	up := ascending(metric)
	return func(score float32) bool {
		v := float64(score)
		switch {
		case t == milvus.TypeSparseVector && !(v > 0):
			return false
		case s.Radius != nil && (up && v >= *s.Radius || !up && v <= *s.Radius):
			return false
		case s.RangeFilter != nil && (up && v < *s.RangeFilter || !up && v > *s.RangeFilter):
			return false
		}
		return true
	}
}

// hits orders what was found and reads the fields of all hits at once.
func (e *Engine) hits(ctx context.Context, v *view, found []top, metric string, s Search, fields []milvus.Field) ([]Hits, error) {
	out := make([]Hits, len(found))
	ends := make([]int, len(found))
	var picked []ref
	for q := range found {
		all := found[q].heap
		slices.SortFunc(all, nearer)
		all = all[min(s.Offset, int64(len(all))):]
		for _, h := range all[:min(s.Limit, int64(len(all)))] {
			if !ascending(metric) {
				h.distance = -h.distance
			}
			picked, out[q].Scores = append(picked, h.ref), append(out[q].Scores, h.distance)
		}
		found[q].heap, ends[q] = nil, len(picked)
	}
	rows, err := e.take(ctx, v, append([]milvus.Field{v.key}, fields...), picked, "search")
	if err != nil {
		return nil, err
	}
	start := 0
	for q, end := range ends {
		slice := func(id milvus.FieldID) arrow.Array {
			return array.NewSlice(rows.Columns[id], int64(start), int64(end))
		}
		out[q].IDs, out[q].Rows = slice(v.key.ID), Rows{Count: end - start, Columns: map[milvus.FieldID]arrow.Array{}}
		for _, f := range fields {
			out[q].Rows.Columns[f.ID] = slice(f.ID)
		}
		start = end
	}
	return out, nil
}

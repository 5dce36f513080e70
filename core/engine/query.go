package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// Query returns live rows in the order of their keys. It sees every write that returned before it began.
func (e *Engine) Query(ctx context.Context, c *metastore.Collection, q Query) (Rows, error) {
	fields, err := outputFields(c, q.Fields)
	if err != nil {
		return Rows{}, err
	}
	if q.Limit < 0 || q.Offset < 0 {
		return Rows{}, status.Invalid("limit %d and offset %d can't be negative", q.Limit, q.Offset)
	}
	v, err := e.choose(ctx, c, q.Filter, q.Values, q.Partitions)
	if err != nil {
		return Rows{}, err
	}
	if q.Count {
		n := 0
		for _, p := range v.parts {
			n += p.mask.Count()
		}
		return Rows{Count: n}, nil
	}
	picked := v.ordered()
	picked = picked[min(q.Offset, int64(len(picked))):]
	if q.Limit > 0 {
		picked = picked[:min(q.Limit, int64(len(picked)))]
	}
	return e.take(ctx, v, fields, picked, "query")
}

func outputFields(c *metastore.Collection, ids []milvus.FieldID) ([]milvus.Field, error) {
	out := make([]milvus.Field, 0, len(ids))
	for _, id := range ids {
		f, ok := c.Schema.Field(id)
		if !ok || id < milvus.FirstUserField {
			return nil, status.Invalid("field %d not exist", id)
		}
		out = append(out, f)
	}
	return out, nil
}

// ref is a row of a view.
type ref struct{ part, row int32 }

// ordered returns the selected rows by key; of rows with one key, older ones first.
func (v *view) ordered() []ref {
	total := 0
	for _, p := range v.parts {
		total += p.mask.Count()
	}
	if v.key.Type == milvus.TypeInt64 {
		return orderBy(v, total, func(a arrow.Array, row int) int64 { return a.(*array.Int64).Value(row) })
	}
	return orderBy(v, total, func(a arrow.Array, row int) string { return a.(*array.String).Value(row) })
}

func orderBy[K cmp.Ordered](v *view, total int, key func(arrow.Array, int) K) []ref {
	type keyed struct {
		key K
		ts  uint64
		ref
	}
	all := make([]keyed, 0, total)
	for i, p := range v.parts {
		if p.mask.None() {
			continue
		}
		keys, ts := p.columns[v.key.ID], timesOf(p.columns[milvus.TimestampField])
		for row := range p.mask.Rows() {
			all = append(all, keyed{key(keys, row), ts[row], ref{int32(i), int32(row)}})
		}
	}
	slices.SortFunc(all, func(a, b keyed) int {
		if c := cmp.Compare(a.key, b.key); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.ts, b.ts), cmp.Compare(a.part, b.part), cmp.Compare(a.row, b.row))
	})
	out := make([]ref, len(all))
	for i, x := range all {
		out[i] = x.ref
	}
	return out
}

// Stats returns the rows of the collection, deleted ones that are still stored included.
func (e *Engine) Stats(c *metastore.Collection) (rows int64) {
	s, err := e.share(c.ID)
	if err != nil {
		return 0
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, seg := range e.store.Segments(c.ID) {
		rows += seg.Rows
	}
	return rows + s.flushing.rows() + s.growing.rows()
}

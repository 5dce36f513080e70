package engine

import (
	"context"

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
	var rows ordering
	var found func(*view, int) error
	if !q.Count {
		key, _ := c.Schema.PrimaryKey()
		rows = newOrdering(key, q)
		found = func(v *view, i int) error { rows.add(v, i); return nil }
	}
	v, err := e.choose(ctx, c, q.Filter, q.Values, q.Partitions, found)
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
	picked := rows.refs()
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

package engine

import (
	"context"
	"maps"
	"runtime"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

// maxFilter is the longest filter, in bytes: long lists of keys are usual.
const maxFilter = 16 << 20

// sparse is the share of rows, one in so many, below which only those that match are asked whether they live.
const sparse = 8

// condition is a filter and what it says of keys.
type condition struct {
	where *filter.Filter
	keyed bool          // it reads the key
	named bool          // only rows with one of the keys match
	keys  filter.Values // if named
}

func newCondition(where *filter.Filter, key milvus.FieldID) *condition {
	c := &condition{where: where, keyed: slices.Contains(where.Fields(), key)}
	c.keys, c.named = where.Among(key)
	return c
}

// choose selects the live rows that match. found is called with the index of each part that has any, by several goroutines at
// once; the part has its keys and timestamps then, and nothing is kept of them afterwards. found may be nil.
func (e *Engine) choose(ctx context.Context, c *metastore.Collection, expr string, values map[string]any, partitions []string, found func(v *view, part int) error) (*view, error) {
	v, err := e.look(c, partitions)
	if err != nil {
		return nil, err
	}
	where, err := filter.ParseWith(expr, &v.collection.Schema, filter.Options{Values: values, MaxLength: maxFilter})
	if err != nil {
		return nil, badFilter(err)
	}
	wanted := newCondition(where, v.key.ID)
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range v.parts {
		g.Go(func() error {
			err := e.selectRows(each, v, p, wanted)
			if err == nil && found != nil && !p.mask.None() {
				err = found(v, i)
			}
			p.columns = nil
			return err
		})
	}
	return v, g.Wait()
}

// badFilter is the error for a filter that its writer can correct.
func badFilter(err error) error {
	return status.New(status.InvalidParameter, "failed to create query plan: cannot parse expression: %w: invalid parameter", err)
}

// selectRows fills the part's mask: rows that live and match. Of a segment whose statistics say that no row can match nothing
// else is read; rows are looked up by their keys where the filter names these.
func (e *Engine) selectRows(ctx context.Context, v *view, p *part, c *condition) error {
	p.mask = filter.MaskOf(p.rows, nil)
	if out, err := e.excluded(ctx, v, p, c); out || err != nil {
		return err
	}
	if err := e.fetch(ctx, v, p, v.read(c.where)); err != nil {
		return err
	}
	if rows, ok := e.find(v, p, c); ok {
		return e.selectAmong(ctx, v, p, rows, c.where)
	}
	matching, err := c.where.Eval(func(id milvus.FieldID) (arrow.Array, error) { return p.columns[id], nil }, p.rows)
	if err != nil {
		return err
	}
	if matching.Count() < p.rows/sparse {
		return e.selectAmong(ctx, v, p, slices.Collect(matching.Rows()), nil)
	}
	if err := e.fetchDeletes(ctx, v, p); err != nil {
		return err
	}
	live, err := v.live(p.scope, p.columns, p.rows)
	if err != nil {
		return err
	}
	p.mask = matching.And(live)
	return nil
}

// selectAmong is selectRows for some rows, ascending; a filter that is nil is known to select them.
func (e *Engine) selectAmong(ctx context.Context, v *view, p *part, rows []int, where *filter.Filter) error {
	if len(rows) == 0 {
		return nil
	}
	if err := e.fetchDeletes(ctx, v, p); err != nil {
		return err
	}
	columns, err := v.gatherRows(p.columns, rows, where)
	if err != nil {
		return err
	}
	chosen, err := v.live(p.scope, columns, len(rows))
	if err != nil {
		return err
	}
	if where != nil {
		matching, err := where.Eval(func(id milvus.FieldID) (arrow.Array, error) { return columns[id], nil }, len(rows))
		if err != nil {
			return err
		}
		chosen = chosen.And(matching)
	}
	kept := rows[:0]
	for i := range chosen.Rows() {
		kept = append(kept, rows[i])
	}
	p.mask = filter.MaskOf(p.rows, kept)
	return nil
}

// read returns the fields that tell whether a row lives and matches, beside the key and the timestamp.
func (v *view) read(where *filter.Filter) (out []milvus.Field) {
	if where != nil {
		for _, id := range where.Fields() {
			if f, ok := v.collection.Schema.Field(id); ok {
				out = append(out, f)
			}
		}
	}
	if v.expiry != nil {
		out = append(out, *v.expiry)
	}
	return out
}

// gatherRows returns some rows of the columns that live and the filter read.
func (v *view) gatherRows(columns flush.Chunk, rows []int, where *filter.Filter) (flush.Chunk, error) {
	var spans []span
	for _, row := range rows {
		spans = appendRow(spans, 0, row)
	}
	ids := []milvus.FieldID{milvus.TimestampField, v.key.ID}
	for _, f := range v.read(where) {
		ids = append(ids, f.ID)
	}
	out := flush.Chunk{}
	for _, id := range ids {
		if out[id] != nil {
			continue
		}
		var err error
		if out[id], err = gather(columns[id].DataType(), []arrow.Array{columns[id]}, spans); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// live selects the rows that were not deleted and have not expired.
func (v *view) live(scope deltamerge.Scope, columns flush.Chunk, n int) (*filter.Mask, error) {
	live := make([]bool, n)
	var expiry *array.Timestamp
	if v.expiry != nil {
		expiry = columns[v.expiry.ID].(*array.Timestamp)
	}
	counts, err := v.rule.Mask(scope, columns[v.key.ID], timesOf(columns[milvus.TimestampField]), expiry, live)
	if err != nil {
		return nil, err
	}
	if counts.Live() == int64(n) {
		return filter.NewMask(n, nil), nil
	}
	return filter.NewMask(n, func(i int) bool { return live[i] }), nil
}

// fetch puts fields into the part's columns, beside the key and the timestamps.
func (e *Engine) fetch(ctx context.Context, v *view, p *part, fields []milvus.Field) error {
	if p.segment != nil {
		var have []milvus.Field
		for _, f := range fieldsOf(&v.collection.Schema) {
			if p.columns[f.ID] != nil {
				have = append(have, f)
			}
		}
		columns, err := e.load(ctx, &v.collection.Schema, &p.segment.Segment, append(have, fields...))
		p.columns = columns
		return err
	}
	columns := flush.Chunk{milvus.TimestampField: p.block.columns[milvus.TimestampField], v.key.ID: p.block.columns[v.key.ID]}
	maps.Copy(columns, p.columns)
	p.columns = columns
	for _, f := range fields {
		c, err := p.block.column(f)
		if err != nil {
			return err
		}
		p.columns[f.ID] = c
	}
	return nil
}

// fetchDeletes completes the part's scope with what is in files.
func (e *Engine) fetchDeletes(ctx context.Context, v *view, p *part) error {
	if p.segment == nil {
		return nil
	}
	var err error
	if p.scope.Own, err = e.loadDeletes(ctx, v.key, &p.segment.Segment); err != nil {
		return err
	}
	for _, l0 := range p.deltas {
		set, err := e.loadDeletes(ctx, v.key, &l0.Segment)
		if err != nil {
			return err
		}
		if set != nil {
			p.scope.L0 = append(p.scope.L0, set)
		}
	}
	return nil
}

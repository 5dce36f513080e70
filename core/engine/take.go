package engine

import (
	"context"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// takers is how many parts are read at once for a result.
const takers = 4

// share of a part in a result: its rows, in the order in which the result wants them.
type taking struct {
	*part
	spans   []span
	rows    int
	columns []arrow.Array // by field
}

// take returns the fields of the picked rows, in their order. Of a part no more is kept than these rows; a result beyond
// Config.ResultBytes is refused.
func (e *Engine) take(ctx context.Context, v *view, fields []milvus.Field, picked []ref, what string) (Rows, error) {
	out := Rows{Count: len(picked), Columns: map[milvus.FieldID]arrow.Array{}}
	used := make([]int, len(v.parts)) // index among the parts that are used, plus 1
	var parts []*taking
	var spans []span
	for _, r := range picked {
		if used[r.part] == 0 {
			parts = append(parts, &taking{part: v.parts[r.part]})
			used[r.part] = len(parts)
		}
		t := parts[used[r.part]-1]
		spans = appendRow(spans, used[r.part]-1, t.rows)
		t.spans = appendRow(t.spans, 0, int(r.row))
		t.rows++
	}
	if err := e.takeParts(ctx, v, fields, parts, what); err != nil {
		return out, err
	}
	for i, f := range fields {
		typ, err := cell.Type(f)
		if err != nil {
			return out, err
		}
		if len(parts) == 0 {
			out.Columns[f.ID] = array.MakeArrayOfNull(allocator, typ, 0)
			continue
		}
		arrays := make([]arrow.Array, len(parts))
		for j, t := range parts {
			arrays[j], t.columns[i] = t.columns[i], nil
		}
		if out.Columns[f.ID], err = gather(typ, arrays, spans); err != nil {
			return out, err
		}
	}
	return out, nil
}

// takeParts reads the columns of the parts and leaves of each what the result needs.
func (e *Engine) takeParts(ctx context.Context, v *view, fields []milvus.Field, parts []*taking, what string) error {
	var bytes atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(takers)
	for _, t := range parts {
		g.Go(func() error {
			keep := t.part.columns
			if err := e.fetch(ctx, v, t.part, fields); err != nil {
				return err
			}
			for _, f := range fields {
				column := t.part.columns[f.ID]
				some, err := gather(column.DataType(), []arrow.Array{column}, t.spans)
				if err != nil {
					return err
				}
				if bytes.Add(int64(some.Data().SizeInBytes())) > e.config.ResultBytes {
					return tooLarge(what, e.config.ResultBytes)
				}
				t.columns = append(t.columns, some)
			}
			t.part.columns = keep
			return nil
		})
	}
	return g.Wait()
}

func tooLarge(what string, limit int64) error {
	return status.New(status.Unexpected, "%s results exceed the maxOutputSize Limit %d: ask for fewer rows or fields", what, limit)
}

package fielddata

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// rows says which rows of a column have a value.
type rows struct {
	n, present int
	given      []bool // valid_data; nil if all rows have a value
	bits       []byte // of the array; nil if it has no NULLs
}

func newRows(f *milvus.Field, valid []bool, n int) (rows, error) {
	r := rows{n: n, present: n}
	if len(valid) == 0 {
		return r, nil
	}
	if len(valid) != n {
		return r, status.Invalid("the valid_data of field %s has %d rows, the request %d", f.Name, len(valid), n)
	}
	for _, ok := range valid {
		if !ok {
			r.present--
		}
	}
	if r.present == n {
		return r, nil
	}
	r.given = valid
	switch {
	case f.Default != nil:
	case f.Nullable:
		r.bits = bitmap(valid)
	default:
		return r, status.Invalid("the field %s is not nullable and has no default, %d of its rows have no value", f.Name, n-r.present)
	}
	return r, nil
}

func (r *rows) valid(row int) bool { return r.given == nil || r.given[row] }

// bitmap packs bools.
func bitmap(in []bool) []byte {
	out := make([]byte, (len(in)+7)/8)
	for i, v := range in {
		if v {
			bitutil.SetBit(out, i)
		}
	}
	return out
}

// spread returns one value for each row: the default, or nothing, where valid_data says that there is none.
func spread[T any](c *column, values []T) ([]T, error) {
	r := &c.rows
	if len(values) != r.n && len(values) != r.present {
		return nil, status.Invalid("the num_rows (%d) of field (%s) is not equal to passed num_rows (%d)", len(values), c.field.Name, r.n)
	}
	if r.given == nil {
		return values, nil
	}
	fill, _ := c.field.Default.(T)
	out := make([]T, r.n)
	compact, next := len(values) != r.n, 0
	for i, ok := range r.given {
		switch {
		case !ok:
			out[i] = fill
		case compact:
			out[i] = values[next]
			next++
		default:
			out[i] = values[i]
		}
	}
	return out, nil
}

// spreadWide is spread for rows of width values each.
func spreadWide[T any](c *column, values []T, width int) ([]T, error) {
	r := &c.rows
	count := len(values) / width
	if len(values)%width != 0 || count != r.n && count != r.present {
		return nil, status.Invalid("the num_rows (%d) of field (%s) is not equal to passed num_rows (%d), the length of the data is %d", count, c.field.Name, r.n, len(values))
	}
	if r.given == nil {
		return values, nil
	}
	out := make([]T, r.n*width)
	next := 0
	for i, ok := range r.given {
		if count == r.n {
			next = i
		}
		if ok {
			copy(out[i*width:(i+1)*width], values[next*width:])
			next++
		}
	}
	return out, nil
}

// build makes an array of the rows from buffers and children.
func (r *rows) build(t arrow.DataType, children []arrow.ArrayData, buffers ...[]byte) arrow.Array {
	all := []*memory.Buffer{nil}
	nulls := 0
	if r.bits != nil {
		all[0], nulls = memory.NewBufferBytes(r.bits), r.n-r.present
	}
	for _, b := range buffers {
		all = append(all, memory.NewBufferBytes(b))
	}
	return array.MakeFromData(array.NewData(t, r.n, all, children, nulls, 0))
}

// text builds an array of variable width from one value a row.
func text[T string | []byte](c *column, values []T) (arrow.Array, error) {
	offsets, data, err := concat(c, values)
	if err != nil {
		return nil, err
	}
	return c.rows.build(c.to, nil, arrow.Int32Traits.CastToBytes(offsets), data), nil
}

// raw builds an array of stored cells, as package cell decodes.
func raw(c *column, values [][]byte) (arrow.Array, error) {
	offsets, data, err := concat(c, values)
	if err != nil {
		return nil, err
	}
	return c.rows.build(arrow.BinaryTypes.Binary, nil, arrow.Int32Traits.CastToBytes(offsets), data), nil
}

func concat[T string | []byte](c *column, values []T) (offsets []int32, data []byte, err error) {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	if size > math.MaxInt32 {
		return nil, nil, status.Invalid("field %s has %d bytes, more than one request can", c.field.Name, size)
	}
	offsets, data = make([]int32, len(values)+1), make([]byte, 0, size)
	for i, v := range values {
		data = append(data, v...)
		offsets[i+1] = int32(len(data))
	}
	return offsets, data, nil
}

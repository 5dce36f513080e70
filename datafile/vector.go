package datafile

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapexport/snapexport/fault"
)

// vector is a top-level column of vectors whose elements are never NULL. In Parquet each is a list of the same length, so that
// its levels are the same in every row: they are repeated, and the elements' bytes copied.
type vector struct {
	chunk
	field   arrow.Field
	dim     int
	width   int    // bytes of a vector
	perPage int    // vectors
	perRow  int    // bytes of a vector's repetition levels
	levels  []byte // repetition levels of perPage vectors

	rep, def []byte
	run      int  // rows at the page's end that are all NULL, or all not
	null     bool // which of them
	body     []byte
	inPage   counts
}

func newVector(f arrow.Field, c chunk, o Options) *vector {
	v := &vector{chunk: c, field: f, dim: c.leaf.dim, width: c.leaf.vectorBytes()}
	v.perPage = min(max(int(o.PageBytes)/v.width, 1), maxPageRows)
	one := appendVector(nil, 0, 1, v.dim, 1)
	v.perRow, v.levels = len(one), bytes.Repeat(one, v.perPage)
	return v
}

// vectorBytes is the size of a vector.
func (l leaf) vectorBytes() int { return l.dim * l.typ.(arrow.FixedWidthDataType).BitWidth() / 8 }

// appendVector appends the repetition levels of a vector: the first element's, and that of the others.
func appendVector(dst []byte, first, others uint8, dim, width int) []byte {
	dst = appendRun(dst, uint32(first), 1, width)
	if dim > 1 {
		dst = appendRun(dst, uint32(others), dim-1, width)
	}
	return dst
}

func (v *vector) write(a arrow.Array) error {
	if err := checkNulls(v.field, a); err != nil {
		return err
	}
	list := a.(*array.FixedSizeList)
	elements := list.ListValues()
	some := a.NullN() > 0
	for from := 0; from < a.Len(); {
		null, to := some && a.IsNull(from), from+1
		most := min(a.Len(), from+v.perPage-int(v.inPage.values))
		for to < most && (!some || a.IsNull(to) == null) {
			to++
		}
		v.inPage.values += int64(to - from)
		if null {
			v.inPage.nulls += int64(to - from)
		} else {
			off := a.Data().Offset()
			if err := v.copy(elements, (off+from)*v.dim, (off+to)*v.dim); err != nil {
				return err
			}
		}
		v.mark(null, to-from)
		if int(v.inPage.values) == v.perPage {
			if err := v.flush(); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// copy appends elements [from, to).
func (v *vector) copy(elements arrow.Array, from, to int) (err error) {
	if v.body == nil {
		v.body = v.blocks.get()
	}
	v.body, err = appendElements(v.body, v.field.Name, elements, from, to)
	return err
}

// appendElements appends the bytes of elements [from, to) of the field's vectors.
func appendElements(dst []byte, field string, elements arrow.Array, from, to int) ([]byte, error) {
	if elements.NullN() > 0 {
		part := array.NewSlice(elements, int64(from), int64(to))
		defer part.Release()
		if part.NullN() > 0 {
			return dst, fault.Corrupt(opWrite, "NULL in a vector of the field %q", field)
		}
	}
	a := viewOf(elements)
	return append(dst, a.data[from*a.width:to*a.width]...), nil
}

// mark notes the levels of n rows.
func (v *vector) mark(null bool, n int) {
	if null != v.null {
		v.endRun()
		v.null = null
	}
	v.run += n
}

func (v *vector) endRun() {
	switch {
	case v.run == 0:
	case v.null:
		v.rep = appendRun(v.rep, 0, v.run, 1)
		v.def = appendRun(v.def, 0, v.run, v.leaf.defWidth())
	default:
		v.rep = append(v.rep, v.levels[:v.run*v.perRow]...)
		v.def = appendRun(v.def, uint32(v.leaf.maxDef), v.run*v.dim, v.leaf.defWidth())
	}
	v.run = 0
}

// flush ends the page, if it has rows.
func (v *vector) flush() error {
	if v.inPage.values == 0 {
		return nil
	}
	v.endRun()
	rows, nulls := int(v.inPage.values), int(v.inPage.nulls)
	d := draft{rep: v.rep, def: v.def, body: v.body, own: true, values: (rows-nulls)*v.dim + nulls, nulls: nulls, rows: rows, encoding: format.Plain, observed: uncounted{}}
	if err := v.finish(d); err != nil {
		return err
	}
	v.rep, v.def, v.inPage, v.body = v.rep[:0], v.def[:0], counts{}, nil
	return nil
}

func (v *vector) buffered() int64  { return v.writeBytes + int64(len(v.body)) }
func (v *vector) end() error       { return v.flush() }
func (v *vector) begin()           {}
func (v *vector) chunks() []*chunk { return []*chunk{&v.chunk} }

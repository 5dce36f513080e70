package cell

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// dense decodes vectors of a fixed width. They are stored as fixed_size_binary, or as binary where the field is nullable
// (docs/format/binlog-v1.md 3).
func (d *decoder) dense() (arrow.Array, error) {
	width := d.field.Type.DenseVectorWidth(d.field.Dim)
	values, err := d.vectors(width)
	if err != nil {
		return nil, err
	}
	if d.field.Type == milvus.TypeBinaryVector {
		return d.result(nil, memory.NewBufferBytes(values)), nil
	}
	elements := widen(d.field.Type, values)
	t := d.to.(*arrow.FixedSizeListType).Elem()
	child := array.NewData(t, d.n*d.field.Dim, []*memory.Buffer{nil, memory.NewBufferBytes(elements)}, nil, 0, 0)
	return d.result([]arrow.ArrayData{child}), nil
}

// vectors returns the bytes of all rows, width each; those of NULL rows mean nothing.
func (d *decoder) vectors(width int) ([]byte, error) {
	if fixed, ok := d.raw.(*array.FixedSizeBinary); ok {
		if got := fixed.DataType().(*arrow.FixedSizeBinaryType).ByteWidth; got != width {
			return nil, fault.Corrupt(opDecode, "field %q (%v, %d dimensions) needs %d bytes a row, %d are stored",
				d.field.Name, d.field.Type, d.field.Dim, width, got)
		}
		off := fixed.Data().Offset()
		return fixed.Data().Buffers()[1].Bytes()[off*width : (off+d.n)*width], nil
	}
	cells, ok := bytesOf(d.raw)
	if _, text := d.raw.(*array.String); !ok || text {
		return nil, d.mismatch()
	}
	nulls := 0
	for i := range d.n {
		if d.isNull(i) {
			nulls++
		} else if got := int(cells.offsets[i+1] - cells.offsets[i]); got != width {
			nulls++
			if err := d.bad(i, "%d bytes, %d dimensions need %d", got, d.field.Dim, width); err != nil {
				return nil, err
			}
		}
	}
	if nulls == 0 {
		return cells.data[cells.offsets[0]:cells.offsets[d.n]], nil
	}
	if int64(d.n)*int64(width) > maxDecoded {
		return nil, fault.Limit(opDecode, "field %q: %d rows of %d bytes at once", d.field.Name, d.n, width)
	}
	out := make([]byte, d.n*width)
	for i := range d.n {
		if !d.isNull(i) {
			copy(out[i*width:], cells.value(i))
		}
	}
	return out, nil
}

// widen returns the vectors' elements as float32 or int32; those of a FloatVector are what is stored.
func widen(t milvus.DataType, b []byte) []byte {
	switch t {
	case milvus.TypeFloat16Vector:
		return widenHalves(b)
	case milvus.TypeBFloat16Vector:
		return widenBrains(b)
	case milvus.TypeInt8Vector:
		out := make([]int32, len(b))
		for i, v := range b {
			out[i] = int32(int8(v))
		}
		return arrow.Int32Traits.CastToBytes(out)
	}
	return b
}

func widenHalves(b []byte) []byte {
	out := make([]uint32, len(b)/2)
	for i := range out {
		out[i] = widenHalf(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return arrow.Uint32Traits.CastToBytes(out)
}

func widenBrains(b []byte) []byte {
	out := make([]uint32, len(b)/2)
	for i := range out {
		out[i] = widenBrain(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return arrow.Uint32Traits.CastToBytes(out)
}

// vectorLists decodes lists of dense vectors.
func (d *decoder) vectorLists() (arrow.Array, error) {
	list, ok := d.raw.(*array.List)
	if !ok {
		return nil, d.mismatch()
	}
	off := list.Data().Offset()
	offsets := list.Offsets()[off : off+d.n+1]
	first, last := offsets[0], offsets[d.n]
	all := list.ListValues()
	part := array.NewSlice(all, int64(first), int64(last))
	if err := d.elementNulls(part, offsets); err != nil {
		return nil, err
	}
	ef := elementField(d.field)
	ef.Nullable = true // rows with NULL elements have been dealt with
	elements, err := Decode(ef, part, Options{})
	if err != nil {
		return nil, err
	}
	if first != 0 {
		moved := make([]int32, len(offsets))
		for i, o := range offsets {
			moved[i] = o - first
		}
		offsets = moved
	}
	return d.result([]arrow.ArrayData{withoutNulls(elements)}, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))), nil
}

// elementNulls reports rows that hold a NULL vector.
func (d *decoder) elementNulls(part arrow.Array, offsets []int32) error {
	if part.NullN() == 0 {
		return nil
	}
	for i := range d.n {
		for j := offsets[i]; j < offsets[i+1] && !d.isNull(i); j++ {
			if part.IsNull(int(j - offsets[0])) {
				if err := d.bad(i, "a NULL vector in the list"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// withoutNulls drops the bitmap of elements whose rows are NULL.
func withoutNulls(a arrow.Array) arrow.ArrayData {
	data := a.Data()
	if data.NullN() == 0 {
		return data
	}
	bufs := append([]*memory.Buffer{nil}, data.Buffers()[1:]...)
	return array.NewData(data.DataType(), data.Len(), bufs, data.Children(), 0, data.Offset())
}

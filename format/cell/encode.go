package cell

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const opEncode = "encode values"

// Encode is the inverse of Decode: it turns a canonical array of a field into the storage form that writers take. Dense
// vectors of a nullable field become binary, others fixed_size_binary; float32 elements are rounded to the nearest half
// where the field has halves. The result may share memory with the argument.
//
// ErrCorrupt if the array has another type than [Type], a NULL where there can be none, or a value that does not fit.
func Encode(f milvus.Field, canonical arrow.Array) (arrow.Array, error) {
	t, err := Type(f)
	if err != nil {
		return nil, err
	}
	if !arrow.TypeEqual(t, canonical.DataType()) {
		return nil, fault.Corrupt(opEncode, "field %q (%v) needs %v, not %v", f.Name, f.Type, t, canonical.DataType())
	}
	if canonical.NullN() > 0 && !f.Nullable {
		return nil, fault.Corrupt(opEncode, "field %q is not nullable and has %d NULLs", f.Name, canonical.NullN())
	}
	e := encoder{field: f, in: canonical}
	switch f.Type {
	case milvus.TypeInt8:
		return e.small(math.MinInt8, math.MaxInt8)
	case milvus.TypeInt16:
		return e.small(math.MinInt16, math.MaxInt16)
	case milvus.TypeString, milvus.TypeVarChar, milvus.TypeText, milvus.TypeJSON:
		return retype(canonical, arrow.BinaryTypes.Binary), nil
	case milvus.TypeTimestamptz:
		return retype(canonical, arrow.PrimitiveTypes.Int64), nil
	case milvus.TypeDate:
		return retype(canonical, arrow.PrimitiveTypes.Int32), nil
	case milvus.TypeSparseVector:
		return e.sparse()
	case milvus.TypeArray:
		return e.arrays()
	case milvus.TypeArrayOfVector:
		return e.vectorLists()
	}
	if f.Type.IsDenseVector() {
		return e.dense()
	}
	return canonical, nil
}

// Stored returns dense vectors, in the canonical form, as the bytes that Milvus stores of them: fixed_size_binary of the width of
// a vector, little-endian elements, NULL where they were. It may share memory with the argument. Errors as [Encode].
func Stored(f milvus.Field, canonical arrow.Array) (arrow.Array, error) {
	t, err := denseType(f)
	if err != nil {
		return nil, err
	}
	if !f.Type.IsDenseVector() || !arrow.TypeEqual(t, canonical.DataType()) {
		return nil, fault.Corrupt(opEncode, "field %q (%v) has no vectors as %v", f.Name, f.Type, canonical.DataType())
	}
	f.Nullable = true // whether there may be NULLs was decided when they were read
	values, err := encoder{field: f, in: canonical}.narrow()
	if err != nil {
		return nil, err
	}
	d := decoder{field: f, raw: canonical, n: canonical.Len()}
	if err := d.validity(); err != nil {
		return nil, err
	}
	return build(StoredType(f), d.n, d.valid, nil, memory.NewBufferBytes(values)), nil
}

// StoredType is the type of what [Stored] returns.
func StoredType(f milvus.Field) arrow.DataType {
	return &arrow.FixedSizeBinaryType{ByteWidth: f.Type.DenseVectorWidth(f.Dim)}
}

type encoder struct {
	field milvus.Field
	in    arrow.Array
}

func (e encoder) bad(row int, format string, args ...any) error {
	err := fault.Corrupt(opEncode, format, args...)
	return fault.Corrupt(opEncode, "field %q (%v), row %d: %s", e.field.Name, e.field.Type, row, err.Detail)
}

func retype(a arrow.Array, t arrow.DataType) arrow.Array {
	d := a.Data()
	return array.MakeFromData(array.NewData(t, d.Len(), d.Buffers(), nil, d.NullN(), d.Offset()))
}

func (e encoder) small(least, most int32) (arrow.Array, error) {
	for i, v := range e.in.(*array.Int32).Int32Values() {
		if (v < least || v > most) && e.in.IsValid(i) {
			return nil, e.bad(i, "%d is out of range", v)
		}
	}
	return e.in, nil
}

// cells builds a binary array from what fill appends for each row that is not NULL.
func (e encoder) cells(fill func(row int, out []byte) ([]byte, error)) (arrow.Array, error) {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	defer b.Release()
	var buf []byte
	for i := range e.in.Len() {
		if e.in.IsNull(i) {
			b.AppendNull()
			continue
		}
		var err error
		if buf, err = fill(i, buf[:0]); err != nil {
			return nil, err
		}
		b.Append(buf)
	}
	return b.NewArray(), nil
}

func (e encoder) dense() (arrow.Array, error) {
	width := e.field.Type.DenseVectorWidth(e.field.Dim)
	values, err := e.narrow()
	if err != nil {
		return nil, err
	}
	if e.field.Nullable {
		return e.cells(func(i int, out []byte) ([]byte, error) { return append(out, values[i*width:(i+1)*width]...), nil })
	}
	t := &arrow.FixedSizeBinaryType{ByteWidth: width}
	return build(t, e.in.Len(), nil, nil, memory.NewBufferBytes(values)), nil
}

// narrow returns the stored bytes of all rows.
func (e encoder) narrow() ([]byte, error) {
	n, off := e.in.Len(), e.in.Data().Offset()
	if fixed, ok := e.in.(*array.FixedSizeBinary); ok {
		width := e.field.Type.DenseVectorWidth(e.field.Dim)
		return fixed.Data().Buffers()[1].Bytes()[off*width : (off+n)*width], nil
	}
	dim := e.field.Dim
	child := array.NewSlice(e.in.(*array.FixedSizeList).ListValues(), int64(off*dim), int64((off+n)*dim))
	switch e.field.Type {
	case milvus.TypeFloat16Vector:
		return narrowHalves(child.(*array.Float32).Float32Values(), narrowHalf), nil
	case milvus.TypeBFloat16Vector:
		return narrowHalves(child.(*array.Float32).Float32Values(), narrowBrain), nil
	case milvus.TypeInt8Vector:
		out := make([]byte, n*dim)
		for i, v := range child.(*array.Int32).Int32Values() {
			if v != int32(int8(v)) && e.in.IsValid(i/dim) {
				return nil, e.bad(i/dim, "%d is out of range", v)
			}
			out[i] = byte(v)
		}
		return out, nil
	}
	return arrow.Float32Traits.CastToBytes(child.(*array.Float32).Float32Values()), nil
}

func narrowHalves(in []float32, narrow func(uint32) uint16) []byte {
	out := make([]byte, 0, 2*len(in))
	for _, v := range in {
		out = binary.LittleEndian.AppendUint16(out, narrow(math.Float32bits(v)))
	}
	return out
}

func (e encoder) sparse() (arrow.Array, error) {
	m := e.in.(*array.Map)
	keys, values := m.Keys().(*array.Int64), m.Items().(*array.Float32)
	return e.cells(func(i int, out []byte) ([]byte, error) {
		from, to := m.ValueOffsets(i)
		last := int64(-1)
		for j := int(from); j < int(to); j++ {
			k, v := keys.Value(j), values.Value(j)
			if k <= last || k >= math.MaxUint32 || math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil, e.bad(i, "the pair %d: %v", k, v)
			}
			out = binary.LittleEndian.AppendUint32(out, uint32(k))
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
			last = k
		}
		return out, nil
	})
}

func (e encoder) vectorLists() (arrow.Array, error) {
	list := e.in.(*array.List)
	off, n := list.Data().Offset(), list.Len()
	offsets := list.Offsets()[off : off+n+1]
	part := array.NewSlice(list.ListValues(), int64(offsets[0]), int64(offsets[n]))
	elements, err := Encode(elementField(e.field), part)
	if err != nil {
		return nil, err
	}
	moved := make([]int32, n+1)
	for i, o := range offsets {
		moved[i] = o - offsets[0]
	}
	d := decoder{field: e.field, raw: e.in, n: n}
	d.field.Nullable = true // checked
	if err := d.validity(); err != nil {
		return nil, err
	}
	t := arrow.ListOfField(arrow.Field{Name: "element", Type: elements.DataType()})
	return build(t, n, d.valid, []arrow.ArrayData{elements.Data()}, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(moved))), nil
}

// arrays writes each list as a ScalarField. An empty one is the member of the one-of without content.
func (e encoder) arrays() (arrow.Array, error) {
	list := e.in.(*array.List)
	kind := elementKinds[e.field.ElementType]
	var content []byte
	return e.cells(func(i int, out []byte) ([]byte, error) {
		from, to := list.ValueOffsets(i)
		var err error
		if content, err = e.elements(content[:0], kind, list.ListValues(), int(from), int(to)); err != nil {
			return nil, e.bad(i, "%v", err)
		}
		out = appendBytes(out, kind.field, content)
		return e.validData(out, list.ListValues(), int(from), int(to))
	})
}

// validData appends the elements' validity where the field can have NULL elements.
func (e encoder) validData(out []byte, a arrow.Array, from, to int) ([]byte, error) {
	if !e.field.ElementNullable || from == to {
		return out, nil
	}
	out = binary.AppendUvarint(appendTag(out, validData, wireBytes), uint64(to-from))
	for j := from; j < to; j++ {
		if a.IsValid(j) {
			out = append(out, 1)
		} else {
			out = append(out, 0)
		}
	}
	return out, nil
}

// elements appends the content of the one-of's member for elements from to to; NULL is written as zero.
func (e encoder) elements(out []byte, kind elementKind, a arrow.Array, from, to int) ([]byte, error) {
	if text, ok := a.(*array.String); ok {
		for j := from; j < to; j++ {
			v := ""
			if text.IsValid(j) {
				v = text.Value(j)
			}
			out = appendBytes(out, 1, []byte(v))
		}
		return out, nil
	}
	var packed []byte
	for j := from; j < to; j++ {
		v, bits := element(a, j)
		switch {
		case kind.wire == wireFixed32:
			packed = binary.LittleEndian.AppendUint32(packed, uint32(bits))
		case kind.wire == wireFixed64:
			packed = binary.LittleEndian.AppendUint64(packed, bits)
		case v < kind.least || v > kind.most:
			return nil, fault.Corrupt(opEncode, "element %d is out of range", v)
		default:
			packed = binary.AppendUvarint(packed, uint64(v))
		}
	}
	if len(packed) == 0 {
		return out, nil
	}
	return appendBytes(out, 1, packed), nil
}

// element returns an element as an integer, or the bits of a float.
func element(a arrow.Array, j int) (v int64, bits uint64) {
	if a.IsNull(j) {
		return 0, 0
	}
	switch a := a.(type) {
	case *array.Boolean:
		if a.Value(j) {
			return 1, 0
		}
	case *array.Int32:
		return int64(a.Value(j)), 0
	case *array.Date32:
		return int64(a.Value(j)), 0
	case *array.Int64:
		return a.Value(j), 0
	case *array.Timestamp:
		return int64(a.Value(j)), 0
	case *array.Float32:
		return 0, uint64(math.Float32bits(a.Value(j)))
	case *array.Float64:
		return 0, math.Float64bits(a.Value(j))
	}
	return 0, 0
}

package packed

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// maxInline is the length from which V3 puts texts into files of their own, bytes.
const maxInline = 65536

// stored gives raw, as cell.Encode makes it, the Arrow type whose Parquet form Milvus writes
// (docs/format/storage-v2-v3.md 1.5, 2.6).
func (w Writer) stored(f milvus.Field, raw arrow.Array) (arrow.Array, error) {
	if raw.NullN() > 0 && !f.Nullable {
		return nil, fault.Corrupt(op, "field %d has %d NULLs and is not nullable", f.ID, raw.NullN())
	}
	switch f.Type {
	case milvus.TypeBool:
		return want(f, raw, arrow.BOOL)
	case milvus.TypeInt8:
		return narrow[int8](f, raw, arrow.PrimitiveTypes.Int8)
	case milvus.TypeInt16:
		return narrow[int16](f, raw, arrow.PrimitiveTypes.Int16)
	case milvus.TypeInt32:
		return want(f, raw, arrow.INT32)
	case milvus.TypeInt64, milvus.TypeTimestamptz:
		return want(f, raw, arrow.INT64)
	case milvus.TypeFloat:
		return want(f, raw, arrow.FLOAT32)
	case milvus.TypeDouble:
		return want(f, raw, arrow.FLOAT64)
	case milvus.TypeText:
		if w.manifest() {
			return inline(f, raw)
		}
		return bytesAs(f, raw, arrow.BinaryTypes.String)
	case milvus.TypeString, milvus.TypeVarChar:
		return bytesAs(f, raw, arrow.BinaryTypes.String)
	case milvus.TypeArray, milvus.TypeJSON, milvus.TypeGeometry, milvus.TypeSparseVector:
		return bytesAs(f, raw, arrow.BinaryTypes.Binary)
	case milvus.TypeArrayOfVector:
		return lists(f, raw)
	}
	if f.Type.IsDenseVector() {
		return vectors(f, raw)
	}
	return nil, fault.Unsupported(op, "field %d: how type %v is stored is not known", f.ID, f.Type)
}

func mismatch(f milvus.Field, raw arrow.Array) error {
	return fault.Corrupt(op, "field %d of type %v can't be stored from Arrow %v", f.ID, f.Type, raw.DataType())
}

func want(f milvus.Field, raw arrow.Array, id arrow.Type) (arrow.Array, error) {
	if raw.DataType().ID() != id {
		return nil, mismatch(f, raw)
	}
	return raw, nil
}

func retype(t arrow.DataType, like arrow.Array, buffers []*memory.Buffer, children []arrow.ArrayData, offset int) arrow.Array {
	data := array.NewData(t, like.Len(), buffers, children, like.NullN(), offset)
	defer data.Release()
	return array.MakeFromData(data)
}

// bytesAs gives binary and utf8 arrays the type t without touching the bytes.
func bytesAs(f milvus.Field, raw arrow.Array, t arrow.DataType) (arrow.Array, error) {
	if id := raw.DataType().ID(); id != arrow.BINARY && id != arrow.STRING {
		return nil, mismatch(f, raw)
	}
	return retype(t, raw, raw.Data().Buffers(), nil, raw.Data().Offset()), nil
}

// narrow turns int32 into int8 or int16, whose Parquet columns say so.
func narrow[T int8 | int16](f milvus.Field, raw arrow.Array, t arrow.DataType) (arrow.Array, error) {
	wide, ok := raw.(*array.Int32)
	if !ok {
		return want(f, raw, t.ID())
	}
	off := wide.Data().Offset()
	out := make([]T, off+wide.Len()) // at the same offset, so that the validity stays
	for i, v := range wide.Int32Values() {
		out[off+i] = T(v)
		if int32(T(v)) != v && wide.IsValid(i) {
			return nil, fault.Corrupt(op, "field %d, row %d: %d is no %v", f.ID, i, v, f.Type)
		}
	}
	buffers := []*memory.Buffer{wide.Data().Buffers()[0], memory.NewBufferBytes(arrow.GetBytes(out))}
	return retype(t, wide, buffers, nil, off), nil
}

// inline puts the flag byte of inline texts before each one.
func inline(f milvus.Field, raw arrow.Array) (arrow.Array, error) {
	in, ok := raw.(array.BinaryLike)
	if !ok {
		return nil, mismatch(f, raw)
	}
	bytes, at := in.ValueBytes(), offsets(raw.Data())
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	defer b.Release()
	var cell []byte
	for i := range raw.Len() {
		if raw.IsNull(i) {
			b.AppendNull()
			continue
		}
		text := bytes[at[i]-at[0] : at[i+1]-at[0]]
		if len(text) >= maxInline {
			return nil, fault.Unsupported(op, "field %d, row %d: a text of %d bytes is stored in a Vortex file", f.ID, i, len(text)).WithHint("texts below %d bytes are stored inline", maxInline)
		}
		cell = append(append(cell[:0], 0), text...)
		b.Append(cell)
	}
	return b.NewArray(), nil
}

// lists makes elements nullable, as Milvus's are in type though never in value.
func lists(f milvus.Field, raw arrow.Array) (arrow.Array, error) {
	list, ok := raw.(*array.List)
	if !ok {
		return nil, mismatch(f, raw)
	}
	width := f.ElementType.DenseVectorWidth(f.Dim)
	element, ok := list.DataType().(*arrow.ListType).Elem().(*arrow.FixedSizeBinaryType)
	if !ok || element.ByteWidth != width {
		return nil, mismatch(f, raw)
	}
	t := arrow.ListOfField(arrow.Field{Name: "element", Type: element, Nullable: true})
	return retype(t, raw, raw.Data().Buffers(), raw.Data().Children(), raw.Data().Offset()), nil
}

// vectors checks the width of dense vectors. Those of nullable fields have variable length, NULL without bytes.
func vectors(f milvus.Field, raw arrow.Array) (arrow.Array, error) {
	width := f.Type.DenseVectorWidth(f.Dim)
	switch a := raw.(type) {
	case *array.FixedSizeBinary:
		if n := a.DataType().(*arrow.FixedSizeBinaryType).ByteWidth; n != width || f.Nullable {
			return nil, mismatch(f, raw)
		}
		return a, nil
	case *array.Binary:
		if !f.Nullable {
			return nil, mismatch(f, raw)
		}
		for i := range a.Len() {
			if a.IsValid(i) && a.ValueLen(i) != width {
				return nil, fault.Corrupt(op, "field %d, row %d: a vector of %d bytes, dimension %d has %d", f.ID, i, a.ValueLen(i), f.Dim, width)
			}
		}
		return a, nil
	}
	return nil, mismatch(f, raw)
}

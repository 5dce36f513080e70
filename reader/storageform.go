package reader

import (
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// columnName is the name of a field's column in files of V3.
func columnName(f milvus.Field) string { return strconv.FormatInt(int64(f.ID), 10) }

// storageForm turns the Arrow form of a field's column, as Milvus gives it to Vortex, into that of Parquet pages: int32 for
// small integers, binary for all bytes and text, fixed_size_binary for vectors (docs/format/storage-v2-v3.md 1.5, 6).
func storageForm(f milvus.Field, a arrow.Array) (arrow.Array, error) {
	var out arrow.Array
	switch {
	case f.Type.IsDenseVector():
		out = vectors(a, f.Type.DenseVectorWidth(f.Dim))
	case f.Type == milvus.TypeArrayOfVector:
		out = vectorLists(a, f.ElementType.DenseVectorWidth(f.Dim))
	default:
		out = scalars(f, a)
	}
	if out == nil {
		return nil, fault.Corrupt(opStream, "the converter gave field %s (%v) as %v", f.Name, f.Type, a.DataType())
	}
	return out, nil
}

// scalars returns nil for types that don't fit.
func scalars(f milvus.Field, a arrow.Array) arrow.Array {
	want := arrow.BINARY
	switch f.Type {
	case milvus.TypeBool:
		want = arrow.BOOL
	case milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32, milvus.TypeDate:
		return int32s(a)
	case milvus.TypeInt64, milvus.TypeTimestamptz, milvus.TypeTime:
		want = arrow.INT64
	case milvus.TypeFloat:
		want = arrow.FLOAT32
	case milvus.TypeDouble:
		want = arrow.FLOAT64
	default:
		return binaries(a)
	}
	if a.DataType().ID() != want {
		return nil
	}
	return a
}

func int32s(a arrow.Array) arrow.Array {
	out := make([]int32, a.Len())
	switch a := a.(type) {
	case *array.Int32:
		return a
	case *array.Int16:
		for i, v := range a.Int16Values() {
			out[i] = int32(v)
		}
	case *array.Int8:
		for i, v := range a.Int8Values() {
			out[i] = int32(v)
		}
	default:
		return nil
	}
	b := array.NewInt32Builder(memory.DefaultAllocator)
	b.AppendValues(out, validity(a))
	return b.NewArray()
}

// validity returns nil if there is no NULL.
func validity(a arrow.Array) []bool {
	if a.NullN() == 0 {
		return nil
	}
	valid := make([]bool, a.Len())
	for i := range valid {
		valid[i] = a.IsValid(i)
	}
	return valid
}

// binaries takes every layout of bytes and text.
func binaries(a arrow.Array) arrow.Array {
	d := a.Data()
	switch a := a.(type) {
	case *array.Binary:
		return a
	case *array.String:
		return array.MakeFromData(array.NewData(arrow.BinaryTypes.Binary, d.Len(), d.Buffers(), nil, d.NullN(), d.Offset()))
	case *array.LargeString:
		return copied(a, func(i int) []byte { return []byte(a.Value(i)) })
	case *array.LargeBinary:
		return copied(a, a.Value)
	case *array.StringView:
		return copied(a, func(i int) []byte { return []byte(a.Value(i)) })
	case *array.BinaryView:
		return copied(a, a.Value)
	}
	return nil
}

// copied returns nil for more than a batch may hold: of a view, all rows may be the same bytes.
func copied(a arrow.Array, value func(int) []byte) arrow.Array {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
			continue
		}
		v := value(i)
		if b.DataLen()+len(v) > batchLimit {
			return nil
		}
		b.Append(v)
	}
	return b.NewArray()
}

// vectors takes bytes of the width, of variable length where NULLs have none, and lists of so many u8.
func vectors(a arrow.Array, width int) arrow.Array {
	switch a := a.(type) {
	case *array.FixedSizeBinary:
		if a.DataType().(*arrow.FixedSizeBinaryType).ByteWidth != width {
			return nil
		}
		return a
	case *array.FixedSizeList:
		return bytesOfList(a, width)
	}
	return binaries(a)
}

// bytesOfList returns a fixed_size_list of u8 as fixed_size_binary, of the same memory.
func bytesOfList(a *array.FixedSizeList, width int) arrow.Array {
	values, ok := a.ListValues().(*array.Uint8)
	if !ok || int(a.DataType().(*arrow.FixedSizeListType).Len()) != width {
		return nil
	}
	d := a.Data()
	if values.NullN() > 0 && !nullsWithin(a, values, width) {
		return nil
	}
	bytes := values.Uint8Values()
	if len(bytes) < (d.Offset()+d.Len())*width {
		return nil
	}
	t := &arrow.FixedSizeBinaryType{ByteWidth: width}
	return array.MakeFromData(array.NewData(t, d.Len(), []*memory.Buffer{d.Buffers()[0], memory.NewBufferBytes(bytes)}, nil, d.NullN(), d.Offset()))
}

// nullsWithin reports whether elements are NULL only where their row is.
func nullsWithin(a *array.FixedSizeList, values *array.Uint8, width int) bool {
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		for j := (a.Data().Offset() + i) * width; j < (a.Data().Offset()+i+1)*width; j++ {
			if values.IsNull(j) {
				return false
			}
		}
	}
	return true
}

// vectorLists takes lists of what vectors takes.
func vectorLists(a arrow.Array, width int) arrow.Array {
	var offsets []int32
	var values arrow.Array
	switch a := a.(type) {
	case *array.List:
		offsets, values = a.Offsets()[a.Data().Offset():], a.ListValues()
	case *array.LargeList:
		if a.ListValues().Len() > math.MaxInt32 {
			return nil
		}
		for _, o := range a.Offsets()[a.Data().Offset():] {
			offsets = append(offsets, int32(o))
		}
		values = a.ListValues()
	default:
		return nil
	}
	elements := vectors(values, width)
	if elements == nil || elements.DataType().ID() != arrow.FIXED_SIZE_BINARY {
		return nil
	}
	if a.Data().Offset() != 0 && a.NullN() > 0 {
		return nil // batches begin at their first row
	}
	t := arrow.ListOfField(arrow.Field{Name: "element", Type: elements.DataType(), Nullable: true})
	buffers := []*memory.Buffer{a.Data().Buffers()[0], memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))}
	return array.MakeFromData(array.NewData(t, a.Len(), buffers, []arrow.ArrayData{elements.Data()}, a.NullN(), 0))
}

package binlog

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// storage gives raw the Arrow type whose Parquet form Milvus writes (docs/format/binlog-v1.md 3).
func storage(f milvus.Field, raw arrow.Array) (arrow.Array, error) {
	switch f.Type {
	case milvus.TypeBool:
		return want(f, raw, arrow.BOOL)
	case milvus.TypeInt8:
		return narrow[int8](f, raw, arrow.PrimitiveTypes.Int8)
	case milvus.TypeInt16:
		return narrow[int16](f, raw, arrow.PrimitiveTypes.Int16)
	case milvus.TypeInt32, milvus.TypeDate:
		return want(f, raw, arrow.INT32)
	case milvus.TypeInt64, milvus.TypeTimestamptz, milvus.TypeTime:
		return want(f, raw, arrow.INT64)
	case milvus.TypeFloat:
		return want(f, raw, arrow.FLOAT32)
	case milvus.TypeDouble:
		return want(f, raw, arrow.FLOAT64)
	case milvus.TypeString, milvus.TypeVarChar, milvus.TypeText:
		return bytesAs(f, raw, arrow.BinaryTypes.String)
	case milvus.TypeArray, milvus.TypeJSON, milvus.TypeGeometry, milvus.TypeSparseVector:
		return bytesAs(f, raw, arrow.BinaryTypes.Binary)
	case milvus.TypeArrayOfVector:
		return want(f, raw, arrow.LIST)
	}
	if f.Type.IsDenseVector() {
		return vectors(f, raw)
	}
	return nil, fault.Unsupported(opEncode, "field %d: type %v is not written to V1 files", f.ID, f.Type)
}

func mismatch(f milvus.Field, raw arrow.Array) error {
	return fault.Corrupt(opEncode, "field %d of type %v can't be stored from Arrow %v", f.ID, f.Type, raw.DataType())
}

func want(f milvus.Field, raw arrow.Array, id arrow.Type) (arrow.Array, error) {
	if raw.DataType().ID() != id {
		return nil, mismatch(f, raw)
	}
	return raw, nil
}

// narrow turns int32 into int8 or int16, whose Parquet columns say so.
func narrow[T int8 | int16](f milvus.Field, raw arrow.Array, t arrow.DataType) (arrow.Array, error) {
	wide, ok := raw.(*array.Int32)
	if !ok {
		return want(f, raw, t.ID())
	}
	out := make([]T, wide.Len())
	for i, v := range wide.Int32Values() {
		out[i] = T(v)
		if int32(out[i]) != v && wide.IsValid(i) {
			return nil, fault.Corrupt(opEncode, "field %d row %d: %d is no %v", f.ID, i, v, f.Type)
		}
	}
	values := memory.NewBufferBytes(arrow.GetBytes(out))
	return rebuild(t, wide, []*memory.Buffer{validity(wide), values}), nil
}

// bytesAs gives binary and utf8 arrays the type t without touching the bytes.
func bytesAs(f milvus.Field, raw arrow.Array, t arrow.DataType) (arrow.Array, error) {
	if id := raw.DataType().ID(); id != arrow.BINARY && id != arrow.STRING {
		return nil, mismatch(f, raw)
	}
	d := raw.Data()
	data := array.NewData(t, d.Len(), d.Buffers(), nil, d.NullN(), d.Offset())
	defer data.Release()
	return array.MakeFromData(data), nil
}

// vectors checks the width of dense vectors. Nullable fields are stored with variable length, NULL without bytes.
func vectors(f milvus.Field, raw arrow.Array) (arrow.Array, error) {
	width := f.Type.DenseVectorWidth(f.Dim)
	switch a := raw.(type) {
	case *array.FixedSizeBinary:
		if n := a.DataType().(*arrow.FixedSizeBinaryType).ByteWidth; n != width {
			return nil, fault.Corrupt(opEncode, "field %d: vectors of %d bytes, dimension %d has %d", f.ID, n, f.Dim, width)
		}
		if !f.Nullable {
			return a, nil
		}
		return variable(a, width), nil
	case *array.Binary:
		if !f.Nullable {
			return nil, mismatch(f, raw)
		}
		for i := range a.Len() {
			if a.IsValid(i) && a.ValueLen(i) != width {
				return nil, fault.Corrupt(opEncode, "field %d row %d: vector of %d bytes, dimension %d has %d", f.ID, i, a.ValueLen(i), f.Dim, width)
			}
		}
		return a, nil
	}
	return nil, mismatch(f, raw)
}

func variable(a *array.FixedSizeBinary, width int) arrow.Array {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	b.Reserve(a.Len())
	b.ReserveData((a.Len() - a.NullN()) * width)
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(a.Value(i))
		}
	}
	return b.NewArray()
}

// validity returns a's validity bitmap moved to offset 0, nil if there are no NULLs.
func validity(a arrow.Array) *memory.Buffer {
	if a.NullN() == 0 {
		return nil
	}
	bits := make([]byte, (a.Len()+7)/8)
	for i := range a.Len() {
		if a.IsValid(i) {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return memory.NewBufferBytes(bits)
}

func rebuild(t arrow.DataType, like arrow.Array, buffers []*memory.Buffer) arrow.Array {
	data := array.NewData(t, like.Len(), buffers, nil, like.NullN(), 0)
	defer data.Release()
	return array.MakeFromData(data)
}

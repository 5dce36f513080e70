package fielddata

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// encodeArrays turns lists of scalars into one message a row, which is their stored form.
func encodeArrays(f milvus.Field, a *array.List) (*schemapb.ScalarField, error) {
	stored, err := cell.Encode(f, a)
	if err != nil {
		return nil, err
	}
	cells := stored.(*array.Binary)
	out := make([]*schemapb.ScalarField, cells.Len())
	for i := range out {
		out[i] = &schemapb.ScalarField{}
		if cells.IsValid(i) {
			if err := proto.Unmarshal(cells.Value(i), out[i]); err != nil {
				return nil, err
			}
		}
	}
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_ArrayData{ArrayData: &schemapb.ArrayArray{Data: out, ElementType: schemapb.DataType(f.ElementType)}}}, nil
}

// encodeVectors turns vectors into one message: those of rows that are not NULL, lists of vectors row by row.
func encodeVectors(f milvus.Field, a arrow.Array) (*schemapb.VectorField, error) {
	f.Nullable = f.Nullable || a.NullN() > 0
	stored, err := cell.Encode(f, a)
	if err != nil {
		return nil, err
	}
	switch {
	case f.Type == milvus.TypeArrayOfVector:
		return encodeLists(f, stored.(*array.List))
	case f.Type == milvus.TypeSparseVector:
		return encodeSparse(stored.(*array.Binary), a), nil
	}
	if b, ok := stored.(*array.Binary); ok { // of a nullable field: NULL rows have no bytes
		return message(f.Type, f.Dim, b.ValueBytes())
	}
	width := f.Type.DenseVectorWidth(f.Dim)
	off := stored.Data().Offset()
	return message(f.Type, f.Dim, stored.Data().Buffers()[1].Bytes()[off*width:(off+stored.Len())*width])
}

// message holds vectors of which b is the stored form.
func message(t milvus.DataType, dim int, b []byte) (*schemapb.VectorField, error) {
	v := &schemapb.VectorField{Dim: int64(dim)}
	switch t {
	case milvus.TypeFloatVector:
		v.Data = &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: arrow.Float32Traits.CastFromBytes(b)}}
	case milvus.TypeFloat16Vector:
		v.Data = &schemapb.VectorField_Float16Vector{Float16Vector: b}
	case milvus.TypeBFloat16Vector:
		v.Data = &schemapb.VectorField_Bfloat16Vector{Bfloat16Vector: b}
	case milvus.TypeInt8Vector:
		v.Data = &schemapb.VectorField_Int8Vector{Int8Vector: b}
	case milvus.TypeBinaryVector:
		v.Data = &schemapb.VectorField_BinaryVector{BinaryVector: b}
	default:
		return nil, status.New(status.Unexpected, "vectors of type %v", t)
	}
	return v, nil
}

// encodeSparse also says the greatest dimension, which is that of the last index of a row.
func encodeSparse(cells *array.Binary, canonical arrow.Array) *schemapb.VectorField {
	m := canonical.(*array.Map)
	keys := m.Keys().(*array.Int64)
	out, dim := make([][]byte, 0, cells.Len()), int64(0)
	for i := range cells.Len() {
		if cells.IsNull(i) {
			continue
		}
		out = append(out, cells.Value(i))
		if from, to := m.ValueOffsets(i); to > from {
			dim = max(dim, keys.Value(int(to)-1)+1)
		}
	}
	return &schemapb.VectorField{Dim: dim, Data: &schemapb.VectorField_SparseFloatVector{SparseFloatVector: &schemapb.SparseFloatArray{Contents: out, Dim: dim}}}
}

func encodeLists(f milvus.Field, list *array.List) (*schemapb.VectorField, error) {
	width := f.ElementType.DenseVectorWidth(f.Dim)
	elements := list.ListValues()
	base := elements.Data().Offset()
	var all []byte
	if b := elements.Data().Buffers()[1]; b != nil {
		all = b.Bytes()[base*width:]
	}
	out := make([]*schemapb.VectorField, list.Len())
	for i := range out {
		from, to := list.ValueOffsets(i)
		if list.IsNull(i) {
			from, to = 0, 0
		}
		var err error
		if out[i], err = message(f.ElementType, f.Dim, all[int(from)*width:int(to)*width]); err != nil {
			return nil, err
		}
	}
	return &schemapb.VectorField{Dim: int64(f.Dim), Data: &schemapb.VectorField_VectorArray{VectorArray: &schemapb.VectorArray{
		Dim: int64(f.Dim), Data: out, ElementType: schemapb.DataType(f.ElementType)}}}, nil
}

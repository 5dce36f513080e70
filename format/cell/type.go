package cell

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// maxDim bounds what a schema may claim; Milvus allows 32768, binary vectors eight times that.
const maxDim = 1 << 20

// Type returns the canonical type of a field:
//
//	Bool                          bool
//	Int8, Int16, Int32            int32
//	Int64, Time (microseconds)    int64
//	Float, Double                 float32, float64
//	String, VarChar, Text, JSON   utf8
//	Geometry (WKB)                binary
//	Timestamptz                   timestamp[us, UTC]
//	Date                          date32
//	Array of T                    list<element: T>, the element nullable iff f.ElementNullable
//	FloatVector, Float16Vector,
//	BFloat16Vector                fixed_size_list<element: float32 not null>[dim]
//	Int8Vector                    fixed_size_list<element: int32 not null>[dim]
//	BinaryVector                  fixed_size_binary[(dim+7)/8]
//	SparseFloatVector             map<int64, float32 not null>
//	ArrayOfVector of V            list<element: V not null>
//
// Whether values may be NULL is not part of the type. ErrUnsupported for types whose storage is not known, ErrCorrupt for
// a vector without dimension.
func Type(f milvus.Field) (arrow.DataType, error) {
	switch f.Type {
	case milvus.TypeArray:
		if !isElement(f.ElementType) {
			return nil, fault.Unsupported("read schema", "field %q is an Array of %v", f.Name, f.ElementType)
		}
		t, err := Type(milvus.Field{Name: f.Name, Type: f.ElementType})
		if err != nil {
			return nil, err
		}
		return arrow.ListOfField(arrow.Field{Name: "element", Type: t, Nullable: f.ElementNullable}), nil
	case milvus.TypeArrayOfVector:
		if !f.ElementType.IsDenseVector() {
			return nil, fault.Unsupported("read schema", "field %q is an ArrayOfVector of %v", f.Name, f.ElementType)
		}
		t, err := Type(elementField(f))
		if err != nil {
			return nil, err
		}
		return arrow.ListOfField(arrow.Field{Name: "element", Type: t}), nil
	}
	if f.Type.IsDenseVector() {
		return denseType(f)
	}
	if t := scalarType(f.Type); t != nil {
		return t, nil
	}
	return nil, fault.Unsupported("read schema", "field %q has type %v", f.Name, f.Type)
}

// elementField is the field that the vectors of an ArrayOfVector belong to.
func elementField(f milvus.Field) milvus.Field {
	return milvus.Field{ID: f.ID, Name: f.Name, Type: f.ElementType, Dim: f.Dim}
}

func denseType(f milvus.Field) (arrow.DataType, error) {
	if f.Dim <= 0 || f.Dim > maxDim {
		return nil, fault.Corrupt("read schema", "field %q is a %v of %d dimensions", f.Name, f.Type, f.Dim)
	}
	switch f.Type {
	case milvus.TypeBinaryVector:
		return &arrow.FixedSizeBinaryType{ByteWidth: f.Type.DenseVectorWidth(f.Dim)}, nil
	case milvus.TypeInt8Vector:
		return fixedList(arrow.PrimitiveTypes.Int32, f.Dim), nil
	}
	return fixedList(arrow.PrimitiveTypes.Float32, f.Dim), nil
}

func fixedList(t arrow.DataType, dim int) arrow.DataType {
	return arrow.FixedSizeListOfField(int32(dim), arrow.Field{Name: "element", Type: t})
}

var (
	timestampType = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	sparseType    = newSparseType()
)

func newSparseType() *arrow.MapType {
	t := arrow.MapOf(arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float32)
	t.SetItemNullable(false)
	return t
}

// scalarType returns nil for anything that is no scalar and no sparse vector.
func scalarType(t milvus.DataType) arrow.DataType {
	switch t {
	case milvus.TypeBool:
		return arrow.FixedWidthTypes.Boolean
	case milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32:
		return arrow.PrimitiveTypes.Int32
	case milvus.TypeInt64, milvus.TypeTime:
		return arrow.PrimitiveTypes.Int64
	case milvus.TypeFloat:
		return arrow.PrimitiveTypes.Float32
	case milvus.TypeDouble:
		return arrow.PrimitiveTypes.Float64
	case milvus.TypeString, milvus.TypeVarChar, milvus.TypeText, milvus.TypeJSON:
		return arrow.BinaryTypes.String
	case milvus.TypeGeometry:
		return arrow.BinaryTypes.Binary
	case milvus.TypeTimestamptz:
		return timestampType
	case milvus.TypeDate:
		return arrow.FixedWidthTypes.Date32
	case milvus.TypeSparseVector:
		return sparseType
	}
	return nil
}

// isElement reports whether Arrays of the type are read.
func isElement(t milvus.DataType) bool {
	_, ok := elementKinds[t]
	return ok
}

package milvus

import "fmt"

// DataType is schemapb.DataType.
type DataType int32

const (
	TypeNone           DataType = 0
	TypeBool           DataType = 1
	TypeInt8           DataType = 2
	TypeInt16          DataType = 3
	TypeInt32          DataType = 4
	TypeInt64          DataType = 5
	TypeFloat          DataType = 10
	TypeDouble         DataType = 11
	TypeString         DataType = 20
	TypeVarChar        DataType = 21
	TypeArray          DataType = 22
	TypeJSON           DataType = 23
	TypeGeometry       DataType = 24
	TypeText           DataType = 25
	TypeTimestamptz    DataType = 26
	TypeMol            DataType = 27
	TypeDate           DataType = 28
	TypeTime           DataType = 29
	TypeDecimal        DataType = 30
	TypeUUID           DataType = 31
	TypeBinaryVector   DataType = 100
	TypeFloatVector    DataType = 101
	TypeFloat16Vector  DataType = 102
	TypeBFloat16Vector DataType = 103
	TypeSparseVector   DataType = 104
	TypeInt8Vector     DataType = 105
	TypeArrayOfVector  DataType = 106
	TypeArrayOfStruct  DataType = 200
	TypeStruct         DataType = 201
)

var typeNames = map[DataType]string{
	TypeNone: "None", TypeBool: "Bool", TypeInt8: "Int8", TypeInt16: "Int16", TypeInt32: "Int32", TypeInt64: "Int64",
	TypeFloat: "Float", TypeDouble: "Double", TypeString: "String", TypeVarChar: "VarChar", TypeArray: "Array", TypeJSON: "JSON",
	TypeGeometry: "Geometry", TypeText: "Text", TypeTimestamptz: "Timestamptz", TypeMol: "Mol", TypeDate: "Date", TypeTime: "Time",
	TypeDecimal: "Decimal", TypeUUID: "UUID", TypeBinaryVector: "BinaryVector", TypeFloatVector: "FloatVector",
	TypeFloat16Vector: "Float16Vector", TypeBFloat16Vector: "BFloat16Vector", TypeSparseVector: "SparseFloatVector",
	TypeInt8Vector: "Int8Vector", TypeArrayOfVector: "ArrayOfVector", TypeArrayOfStruct: "ArrayOfStruct", TypeStruct: "Struct",
}

// String returns Milvus's name of the type, or "DataType(n)" for one that is not known here.
func (t DataType) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return fmt.Sprintf("DataType(%d)", int32(t))
}

// DenseVectorWidth returns the bytes of one dense vector of dim dimensions, or 0 if the type is not a dense vector.
func (t DataType) DenseVectorWidth(dim int) int {
	switch t {
	case TypeBinaryVector:
		return (dim + 7) / 8
	case TypeFloatVector:
		return 4 * dim
	case TypeFloat16Vector, TypeBFloat16Vector:
		return 2 * dim
	case TypeInt8Vector:
		return dim
	}
	return 0
}

// IsDenseVector reports whether every value has the same number of bytes, given by the dimension.
func (t DataType) IsDenseVector() bool { return t.DenseVectorWidth(8) > 0 }

// IsVector reports whether the type is a vector of any kind, sparse ones and lists of vectors included.
func (t DataType) IsVector() bool {
	return t.IsDenseVector() || t == TypeSparseVector || t == TypeArrayOfVector
}

package filter

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// testSchema has a field of every kind.
var testSchema = &milvus.Schema{
	Name: "t",
	Fields: []milvus.Field{
		{ID: 0, Name: "RowID", Type: milvus.TypeInt64},
		{ID: 1, Name: "Timestamp", Type: milvus.TypeInt64},
		{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
		{ID: 101, Name: "flag", Type: milvus.TypeBool, Nullable: true},
		{ID: 102, Name: "age", Type: milvus.TypeInt32, Nullable: true},
		{ID: 103, Name: "big", Type: milvus.TypeInt64, Nullable: true},
		{ID: 104, Name: "f", Type: milvus.TypeFloat, Nullable: true},
		{ID: 105, Name: "d", Type: milvus.TypeDouble, Nullable: true},
		{ID: 106, Name: "name", Type: milvus.TypeVarChar, Nullable: true},
		{ID: 107, Name: "meta", Type: milvus.TypeJSON, Nullable: true},
		{ID: 108, Name: "ts", Type: milvus.TypeTimestamptz, Nullable: true},
		{ID: 109, Name: "day", Type: milvus.TypeDate, Nullable: true},
		{ID: 110, Name: "clock", Type: milvus.TypeTime, Nullable: true},
		{ID: 111, Name: "ints", Type: milvus.TypeArray, ElementType: milvus.TypeInt64, Nullable: true},
		{ID: 112, Name: "tags", Type: milvus.TypeArray, ElementType: milvus.TypeVarChar, Nullable: true},
		{ID: 113, Name: "vec", Type: milvus.TypeFloatVector, Dim: 4},
		{ID: 114, Name: "floats", Type: milvus.TypeArray, ElementType: milvus.TypeFloat, Nullable: true, ElementNullable: true},
		{ID: 115, Name: "bools", Type: milvus.TypeArray, ElementType: milvus.TypeBool, Nullable: true},
		{ID: 116, Name: "place", Type: milvus.TypeGeometry},
		{ID: 120, Name: "$meta", Type: milvus.TypeJSON, Dynamic: true},
	},
	StructArrays: []milvus.StructArray{{ID: 117, Name: "parts", Members: []milvus.Field{
		{ID: 118, Name: "size", Type: milvus.TypeArray, ElementType: milvus.TypeInt32},
		{ID: 119, Name: "emb", Type: milvus.TypeArrayOfVector, ElementType: milvus.TypeFloatVector, Dim: 2},
	}}},
	EnableDynamic: true,
}

// fixedSchema is testSchema without its dynamic field.
var fixedSchema = func() *milvus.Schema {
	s := *testSchema
	s.Fields = s.Fields[:len(s.Fields)-1]
	s.EnableDynamic = false
	return &s
}()

// arrowType is cell.Type for the kinds that filters read.
func arrowType(f milvus.Field) arrow.DataType {
	switch f.Type {
	case milvus.TypeBool:
		return arrow.FixedWidthTypes.Boolean
	case milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32:
		return arrow.PrimitiveTypes.Int32
	case milvus.TypeFloat:
		return arrow.PrimitiveTypes.Float32
	case milvus.TypeDouble:
		return arrow.PrimitiveTypes.Float64
	case milvus.TypeTimestamptz:
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	case milvus.TypeDate:
		return arrow.FixedWidthTypes.Date32
	case milvus.TypeArray:
		return arrow.ListOf(arrowType(milvus.Field{Type: f.ElementType}))
	case milvus.TypeFloatVector:
		return arrow.FixedSizeListOf(1, arrow.PrimitiveTypes.Float32)
	case milvus.TypeVarChar, milvus.TypeJSON:
		return arrow.BinaryTypes.String
	}
	return arrow.PrimitiveTypes.Int64
}

// appendValue appends nil, bool, int64, float64, string or []any.
func appendValue(b array.Builder, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Int32Builder:
		b.Append(int32(v.(int64)))
	case *array.Int64Builder:
		b.Append(v.(int64))
	case *array.Float32Builder:
		b.Append(float32(v.(float64)))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.(int64)))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.(int64)))
	case *array.ListBuilder:
		b.Append(true)
		for _, item := range v.([]any) {
			appendValue(b.ValueBuilder(), item)
		}
	}
}

// table is rows of values by field name.
type table []map[string]any

// columns builds the canonical arrays; every array is a slice that begins in the middle of a byte, as segments give them.
func (t table) columns(tb testing.TB) Columns {
	tb.Helper()
	const skip = 3
	cache := map[milvus.FieldID]arrow.Array{}
	return func(id milvus.FieldID) (arrow.Array, error) {
		if arr, ok := cache[id]; ok {
			return arr, nil
		}
		f, ok := testSchema.Field(id)
		if !ok {
			return nil, fault.Missing("test", "field %d", id)
		}
		b := array.NewBuilder(memory.DefaultAllocator, arrowType(f))
		defer b.Release()
		for range skip {
			b.AppendNull()
		}
		for _, row := range t {
			appendValue(b, row[f.Name])
		}
		whole := b.NewArray()
		cache[id] = array.NewSlice(whole, skip, int64(skip+len(t)))
		return cache[id], nil
	}
}

// evaluate returns the selected rows.
func evaluate(tb testing.TB, f *Filter, t table) []int {
	tb.Helper()
	mask, err := f.Eval(t.columns(tb), len(t))
	if err != nil {
		tb.Fatalf("%s: %v", f, err)
	}
	rows := []int{}
	for i := range mask.Rows() {
		rows = append(rows, i)
	}
	if mask.Len() != len(t) || mask.Count() != len(rows) {
		tb.Fatalf("mask of %d rows, %d selected, yields %d", mask.Len(), mask.Count(), len(rows))
	}
	return rows
}

func mustParse(tb testing.TB, expr string) *Filter {
	tb.Helper()
	f, err := Parse(expr, testSchema)
	if err != nil {
		tb.Fatalf("%s: %v", expr, err)
	}
	return f
}

func field(name string) milvus.Field { return milvus.Field{ID: 999, Name: name, Type: milvus.TypeJSON} }

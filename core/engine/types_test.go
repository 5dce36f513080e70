package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// Values of every type, ends of their ranges and NULL come back from files of every version.
func TestEveryTypeComesBack(t *testing.T) {
	fields := []milvus.Field{
		{Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
		{Name: "v", Type: milvus.TypeFloatVector, Dim: 2, Nullable: true},
		{Name: "text", Type: milvus.TypeText, Nullable: true},
		{Name: "geometry", Type: milvus.TypeGeometry, Nullable: true},
	}
	scalars := []milvus.DataType{milvus.TypeBool, milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32, milvus.TypeInt64, milvus.TypeFloat,
		milvus.TypeDouble, milvus.TypeVarChar, milvus.TypeTimestamptz, milvus.TypeDate, milvus.TypeTime}
	for _, s := range scalars {
		fields = append(fields, milvus.Field{Name: "a" + s.String(), Type: s, MaxLength: 9 * count(s == milvus.TypeVarChar), Nullable: true},
			milvus.Field{Name: "b" + s.String(), Type: milvus.TypeArray, ElementType: s, MaxLength: 9 * count(s == milvus.TypeVarChar), MaxCapacity: 3, Nullable: true})
	}
	for _, v := range []milvus.DataType{milvus.TypeFloat16Vector, milvus.TypeBFloat16Vector, milvus.TypeInt8Vector, milvus.TypeBinaryVector, milvus.TypeSparseVector} {
		fields = append(fields, milvus.Field{Name: "c" + v.String(), Type: v, Dim: 8 * count(v != milvus.TypeSparseVector), Nullable: true})
	}
	schema := milvus.Schema{Name: "types", Fields: fields, StructArrays: []milvus.StructArray{{Name: "s", Nullable: true, Members: []milvus.Field{
		{Name: "n", Type: milvus.TypeArray, ElementType: milvus.TypeInt64, MaxCapacity: 3},
		{Name: "v", Type: milvus.TypeArrayOfVector, ElementType: milvus.TypeFloatVector, Dim: 2, MaxCapacity: 3},
	}}}}
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3} {
		t.Run(fmt.Sprint("V", version), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{StorageVersion: version})
			s := schema
			if version != milvus.StorageV1 {
				if _, err := w.CreateCollection(t.Context(), Spec{Schema: s}); !status.Is(err, status.InvalidParameter) || !strings.Contains(err.Error(), "how type Date is stored is not known") {
					t.Fatal(err)
				}
				s.Fields = slices.DeleteFunc(slices.Clone(s.Fields), func(f milvus.Field) bool { return f.Type == milvus.TypeDate || f.Type == milvus.TypeTime })
			}
			c := create(t, w, Spec{Schema: s})
			rows := threeRows(t, &c.Schema)
			insert(t, w, c, rows)
			if text := fieldNamed(t, &c.Schema, "text").ID; version == milvus.StorageV3 {
				rows.Columns[text] = fixture.Strings("", strings.Repeat("x", 65536), "")
				if _, err := w.Insert(t.Context(), c, "", rows); !status.Is(err, status.InvalidParameter) {
					t.Errorf("a text that V3 can't hold: %v", err)
				}
			}
			want := query(t, w, c, Query{})
			flushed(t, w, c)
			w.reopen(t)
			same(t, "from files", query(t, w, c, Query{}), want)
			if len(want) != 3 || strings.Count(want[1], "(null)") < 30 {
				t.Errorf("%.300q", want)
			}
		})
	}
}

// threeRows are random values, NULL where it can be, and empty or long ones.
func threeRows(t *testing.T, s *milvus.Schema) Rows {
	rows := Rows{Count: 3, Columns: randomColumns(t, newRand(), &milvus.Schema{}, 0)}
	for _, f := range fieldsOf(s) {
		typ, err := cell.Type(f)
		if err != nil {
			t.Fatal(err)
		}
		b := array.NewBuilder(allocator, typ)
		switch b := b.(type) {
		case *array.Int64Builder:
			b.AppendValues([]int64{-1 << 63, 0, 1<<63 - 1}, []bool{true, f.PrimaryKey, true})
		case *array.BinaryBuilder:
			b.AppendValues([][]byte{{1, 2}, nil, {}}, []bool{true, false, true})
		case *array.StringBuilder:
			long := "ß"
			if f.Type == milvus.TypeText {
				long = strings.Repeat("long ", 65535/5)
			}
			b.AppendValues([]string{"", "", long}, []bool{true, false, true})
		case *array.Date32Builder:
			b.AppendValues([]arrow.Date32{-1, 0, 20_000}, []bool{true, false, true})
		case *array.FixedSizeBinaryBuilder:
			b.AppendValues([][]byte{{1}, nil, {255}}, []bool{true, false, true})
		default:
			randomValue(newRand(), f, b, 2, strings.HasPrefix(f.Name, "s["))
			b.AppendNull()
			randomValue(newRand(), f, b, 0, true)
		}
		rows.Columns[f.ID] = b.NewArray()
	}
	return rows
}

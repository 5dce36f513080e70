package fielddata

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

func scalars(s *schemapb.ScalarField) *schemapb.FieldData {
	return &schemapb.FieldData{Field: &schemapb.FieldData_Scalars{Scalars: s}}
}

func vectors(v *schemapb.VectorField) *schemapb.FieldData {
	return &schemapb.FieldData{Field: &schemapb.FieldData_Vectors{Vectors: v}}
}

func ints(v ...int32) *schemapb.ScalarField {
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_IntData{IntData: &schemapb.IntArray{Data: v}}}
}

func longs(v ...int64) *schemapb.ScalarField {
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: v}}}
}

func texts(v ...string) *schemapb.ScalarField {
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_StringData{StringData: &schemapb.StringArray{Data: v}}}
}

func jsons(v ...string) *schemapb.ScalarField {
	out := make([][]byte, len(v))
	for i, s := range v {
		out[i] = []byte(s)
	}
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_JsonData{JsonData: &schemapb.JSONArray{Data: out}}}
}

func wkts(v ...string) *schemapb.ScalarField {
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_GeometryWktData{GeometryWktData: &schemapb.GeometryWktArray{Data: v}}}
}

func arrays(of milvus.DataType, v ...*schemapb.ScalarField) *schemapb.ScalarField {
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_ArrayData{ArrayData: &schemapb.ArrayArray{Data: v, ElementType: schemapb.DataType(of)}}}
}

func floatVectors(dim int64, v ...float32) *schemapb.VectorField {
	return &schemapb.VectorField{Dim: dim, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: v}}}
}

func halfVectors(dim int64, bits ...uint16) *schemapb.VectorField {
	var b []byte
	for _, v := range bits {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return &schemapb.VectorField{Dim: dim, Data: &schemapb.VectorField_Float16Vector{Float16Vector: b}}
}

func sparse(dim int64, rows ...[]float32) *schemapb.VectorField {
	var out [][]byte
	for _, r := range rows {
		var b []byte
		for i := 0; i < len(r); i += 2 {
			b = binary.LittleEndian.AppendUint32(b, uint32(r[i]))
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(r[i+1]))
		}
		out = append(out, b)
	}
	return &schemapb.VectorField{Dim: dim, Data: &schemapb.VectorField_SparseFloatVector{SparseFloatVector: &schemapb.SparseFloatArray{Contents: out, Dim: dim}}}
}

func vectorArray(dim int64, of milvus.DataType, v ...*schemapb.VectorField) *schemapb.VectorField {
	return &schemapb.VectorField{Dim: dim, Data: &schemapb.VectorField_VectorArray{VectorArray: &schemapb.VectorArray{Dim: dim, Data: v, ElementType: schemapb.DataType(of)}}}
}

func valid(d *schemapb.FieldData, v ...bool) *schemapb.FieldData {
	d.ValidData = v
	return d
}

var zone = time.FixedZone("", 8*3600)

// columnCases: a column as a client sends it, the canonical array, and the column as a client gets it (nil: the same).
var columnCases = []struct {
	name  string
	field milvus.Field
	in    *schemapb.FieldData
	want  string
	out   *schemapb.FieldData
}{
	{"bool", milvus.Field{Type: milvus.TypeBool},
		scalars(&schemapb.ScalarField{Data: &schemapb.ScalarField_BoolData{BoolData: &schemapb.BoolArray{Data: []bool{true, false, true}}}}), `[true false true]`, nil},
	{"int8", milvus.Field{Type: milvus.TypeInt8}, scalars(ints(-128, 0, 127)), `[-128 0 127]`, nil},
	{"int64", milvus.Field{Type: milvus.TypeInt64}, scalars(longs(math.MinInt64, 0, math.MaxInt64)), `[-9223372036854775808 0 9223372036854775807]`, nil},
	{"compact int64", milvus.Field{Type: milvus.TypeInt64, Nullable: true}, valid(scalars(longs(1, 3)), true, false, true), `[1 (null) 3]`,
		valid(scalars(longs(1, 0, 3)), true, false, true)},
	{"full int64", milvus.Field{Type: milvus.TypeInt64, Nullable: true}, valid(scalars(longs(1, 7, 3)), true, false, true), `[1 (null) 3]`,
		valid(scalars(longs(1, 0, 3)), true, false, true)},
	{"default", milvus.Field{Type: milvus.TypeInt64, Default: int64(9)}, valid(scalars(longs(1, 3)), true, false, true), `[1 9 3]`, scalars(longs(1, 9, 3))},
	{"only NULLs", milvus.Field{Type: milvus.TypeVarChar, Nullable: true, MaxLength: 4}, valid(&schemapb.FieldData{}, false, false, false), `[(null) (null) (null)]`,
		valid(scalars(texts("", "", "")), false, false, false)},
	{"float", milvus.Field{Type: milvus.TypeFloat},
		scalars(&schemapb.ScalarField{Data: &schemapb.ScalarField_FloatData{FloatData: &schemapb.FloatArray{Data: []float32{1.5, -2, 0}}}}), `[1.5 -2 0]`, nil},
	{"double", milvus.Field{Type: milvus.TypeDouble},
		scalars(&schemapb.ScalarField{Data: &schemapb.ScalarField_DoubleData{DoubleData: &schemapb.DoubleArray{Data: []float64{1.5, -2, 1e300}}}}), `[1.5 -2 1e+300]`, nil},
	{"varchar", milvus.Field{Type: milvus.TypeVarChar, MaxLength: 4}, scalars(texts("a", "", "日")), `["a" "" "日"]`, nil},
	{"json", milvus.Field{Type: milvus.TypeJSON, Nullable: true}, valid(scalars(jsons(`{"a":1}`, `[2]`)), true, true, false), `["{\"a\":1}" "[2]" (null)]`,
		valid(scalars(&schemapb.ScalarField{Data: &schemapb.ScalarField_JsonData{JsonData: &schemapb.JSONArray{Data: [][]byte{[]byte(`{"a":1}`), []byte(`[2]`), nil}}}}), true, true, false)},
	{"geometry", milvus.Field{Type: milvus.TypeGeometry}, scalars(wkts("POINT (1 2)", "POLYGON((0 0,1 0,1 1,0 0))", "POINT EMPTY")), "",
		scalars(wkts("POINT (1 2)", "POLYGON ((0 0, 1 0, 1 1, 0 0))", "POINT EMPTY"))},
	{"wkb", milvus.Field{Type: milvus.TypeGeometry, Nullable: true},
		valid(scalars(&schemapb.ScalarField{Data: &schemapb.ScalarField_GeometryData{GeometryData: &schemapb.GeometryArray{
			Data: [][]byte{{0, 0, 0, 0, 1, 63, 240, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0}}}}}), false, true, false), "",
		valid(scalars(wkts("", "POINT (1 2)", "")), false, true, false)},
	{"timestamptz", milvus.Field{Type: milvus.TypeTimestamptz}, scalars(texts("2025-01-01T00:00:00Z", "2025-01-01T00:00:00.5", "2025-01-01 08:00:00+08:00")),
		`[1735689600000000 1735660800500000 1735689600000000]`,
		scalars(texts("2025-01-01T08:00:00+08:00", "2025-01-01T00:00:00.5+08:00", "2025-01-01T08:00:00+08:00"))},
	{"array", milvus.Field{Type: milvus.TypeArray, ElementType: milvus.TypeInt16, MaxCapacity: 3}, scalars(arrays(milvus.TypeInt16, ints(1, -2), ints(), ints(5))),
		`[[1 -2] [] [5]]`, nil},
	{"array of text", milvus.Field{Type: milvus.TypeArray, ElementType: milvus.TypeVarChar, MaxLength: 3, Nullable: true},
		valid(scalars(arrays(milvus.TypeVarChar, texts("a", "bc"))), false, true, false), `[(null) ["a" "bc"] (null)]`,
		valid(scalars(arrays(milvus.TypeVarChar, &schemapb.ScalarField{}, texts("a", "bc"), &schemapb.ScalarField{})), false, true, false)},
	{"float vector", milvus.Field{Type: milvus.TypeFloatVector, Dim: 2}, vectors(floatVectors(2, 1, 2, 3, 4, 5, 6)), `[[1 2] [3 4] [5 6]]`, nil},
	{"nullable float vector", milvus.Field{Type: milvus.TypeFloatVector, Dim: 2, Nullable: true}, valid(vectors(floatVectors(2, 1, 2, 5, 6)), true, false, true),
		`[[1 2] (null) [5 6]]`, nil},
	{"half vector", milvus.Field{Type: milvus.TypeFloat16Vector, Dim: 1}, vectors(halfVectors(1, 0x3c00, 0xc000, 0x3555)), `[[1] [-2] [0.33325195]]`, nil},
	{"half vector of floats", milvus.Field{Type: milvus.TypeFloat16Vector, Dim: 1, Nullable: true}, valid(vectors(floatVectors(1, 1, 0.33333334)), true, false, true),
		`[[1] (null) [0.33325195]]`, valid(vectors(halfVectors(1, 0x3c00, 0x3555)), true, false, true)},
	{"int8 vector", milvus.Field{Type: milvus.TypeInt8Vector, Dim: 2},
		vectors(&schemapb.VectorField{Dim: 2, Data: &schemapb.VectorField_Int8Vector{Int8Vector: []byte{1, 255, 128, 127, 0, 2}}}), `[[1 -1] [-128 127] [0 2]]`, nil},
	{"binary vector", milvus.Field{Type: milvus.TypeBinaryVector, Dim: 8},
		vectors(&schemapb.VectorField{Dim: 8, Data: &schemapb.VectorField_BinaryVector{BinaryVector: []byte{1, 255, 128}}}), "", nil},
	{"sparse vector", milvus.Field{Type: milvus.TypeSparseVector, Nullable: true}, valid(vectors(sparse(8, []float32{1, 0.5, 7, 2}, nil)), true, false, true),
		`[{[1 7] [0.5 2]} (null) {[] []}]`, nil},
	{"list of vectors", milvus.Field{Type: milvus.TypeArrayOfVector, ElementType: milvus.TypeFloatVector, Dim: 2, Nullable: true},
		valid(vectors(vectorArray(2, milvus.TypeFloatVector, floatVectors(2, 1, 2, 3, 4), &schemapb.VectorField{Dim: 2})), true, false, true), `[[[1 2] [3 4]] (null) []]`,
		valid(vectors(vectorArray(2, milvus.TypeFloatVector, floatVectors(2, 1, 2, 3, 4), floatVectors(2), floatVectors(2))), true, false, true)},
}

func TestColumns(t *testing.T) {
	for _, c := range columnCases {
		t.Run(c.name, func(t *testing.T) {
			f := c.field
			f.Name, f.ID = "x", 100
			a, err := Decode(f, c.in, 3, Options{Zone: zone})
			if err != nil {
				t.Fatal(err)
			}
			if got := show(a); c.want != "" && got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			want := c.out
			if want == nil {
				want = c.in
			}
			want = proto.CloneOf(want)
			want.Type, want.FieldName, want.FieldId = schemapb.DataType(f.Type), "x", 100
			got, err := Encode(f, a, Options{Zone: zone})
			if err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			back, err := Decode(f, got, 3, Options{Zone: zone})
			if err != nil || show(back) != show(a) {
				t.Errorf("read back: %v %v", back, err)
			}
		})
	}
}

// show is the array's text; timestamps as microseconds.
func show(a arrow.Array) string {
	if moments, ok := a.(*array.Timestamp); ok {
		return fmt.Sprint(moments.TimestampValues())
	}
	return a.String()
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		field milvus.Field
		in    *schemapb.FieldData
		want  string
	}{
		{"rows", milvus.Field{Type: milvus.TypeInt64}, scalars(longs(1, 2)), "the num_rows (2) of field (x) is not equal to passed num_rows (3)"},
		{"NULL", milvus.Field{Type: milvus.TypeInt64}, valid(scalars(longs(1, 2)), true, true, false), "not nullable"},
		{"valid_data", milvus.Field{Type: milvus.TypeInt64, Nullable: true}, valid(scalars(longs(1, 2)), true, true), "valid_data"},
		{"other type", milvus.Field{Type: milvus.TypeInt64}, scalars(ints(1, 2, 3)), "num_rows (0)"},
		{"range", milvus.Field{Type: milvus.TypeInt8}, scalars(ints(1, 2, 128)), "row number: 2: the value 128 is out of range"},
		{"length", milvus.Field{Type: milvus.TypeVarChar, MaxLength: 2}, scalars(texts("a", "日", "")), "exceeds max length, row number: 1, length: 3, max length: 2"},
		{"json", milvus.Field{Type: milvus.TypeJSON}, scalars(jsons("1", "{", "2")), "row number: 1"},
		{"dynamic", milvus.Field{Type: milvus.TypeJSON, Dynamic: true}, scalars(jsons("{}", "1", "{}")), "no JSON object"},
		{"wkt", milvus.Field{Type: milvus.TypeGeometry}, scalars(wkts("POINT (1 2)", "POINT (1", "")), "row number: 1"},
		{"time", milvus.Field{Type: milvus.TypeTimestamptz}, scalars(texts("2025-01-01", "soon", "")), "row number: 1: got invalid timestamptz string: 'soon'"},
		{"capacity", milvus.Field{Type: milvus.TypeArray, ElementType: milvus.TypeInt8, MaxCapacity: 1}, scalars(arrays(milvus.TypeInt8, ints(1), ints(1, 2), ints())), "exceeds max capacity (1)"},
		{"element type", milvus.Field{Type: milvus.TypeArray, ElementType: milvus.TypeInt8}, scalars(arrays(milvus.TypeInt8, ints(1), longs(1), ints())), "row 1"},
		{"dim", milvus.Field{Type: milvus.TypeFloatVector, Dim: 4}, vectors(floatVectors(2, 1, 2, 3, 4, 5, 6)), "the dim (2) of field data(x) is not equal to schema dim (4)"},
		{"NaN", milvus.Field{Type: milvus.TypeFloatVector, Dim: 1}, vectors(floatVectors(1, 1, float32(math.NaN()), 2)), "row number: 1: value 'NaN' is not a number or infinity"},
		{"sparse order", milvus.Field{Type: milvus.TypeSparseVector}, vectors(sparse(8, nil, []float32{7, 1, 1, 1}, nil)), "do not ascend"},
		{"type", milvus.Field{Type: milvus.TypeDecimal}, scalars(ints(1, 2, 3)), "Decimal"},
	} {
		f := c.field
		f.Name = "x"
		_, err := Decode(f, c.in, 3, Options{})
		if !status.Is(err, status.InvalidParameter) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestRequest: a whole request with a struct array and the dynamic field, and its way back.
func TestRequest(t *testing.T) {
	s := &milvus.Schema{
		Fields: []milvus.Field{
			{ID: 0, Name: "RowID", Type: milvus.TypeInt64}, {ID: 1, Name: "Timestamp", Type: milvus.TypeInt64},
			{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}, {ID: 101, Name: "n", Type: milvus.TypeInt64, Nullable: true},
			{ID: 105, Name: "$meta", Type: milvus.TypeJSON, Dynamic: true},
		},
		StructArrays: []milvus.StructArray{{ID: 102, Name: "parts", Members: []milvus.Field{
			{ID: 103, Name: "parts[name]", Type: milvus.TypeArray, ElementType: milvus.TypeVarChar},
			{ID: 104, Name: "parts[vec]", Type: milvus.TypeArrayOfVector, ElementType: milvus.TypeFloatVector, Dim: 1},
		}}},
	}
	named := func(name string, d *schemapb.FieldData) *schemapb.FieldData {
		d.FieldName = name
		return d
	}
	parts := func(vec *schemapb.VectorField) *schemapb.FieldData {
		return &schemapb.FieldData{FieldName: "parts", Type: schemapb.DataType_ArrayOfStruct, Field: &schemapb.FieldData_StructArrays{StructArrays: &schemapb.StructArrayField{
			Fields: []*schemapb.FieldData{named("name", scalars(arrays(milvus.TypeVarChar, texts("a", "b"), texts("c")))), named("vec", vectors(vec))}}}}
	}
	meta := scalars(jsons(`{"k":1}`, `{}`))
	meta.IsDynamic = true
	id, good := named("id", scalars(longs(1, 2))), parts(vectorArray(1, milvus.TypeFloatVector, floatVectors(1, 1, 2), floatVectors(1, 3)))
	columns, err := Columns(s, []*schemapb.FieldData{id, good, meta}, 2, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(columns) != 4 || columns[104].String() != "[[[1] [2]] [[3]]]" || columns[105].String() != `["{\"k\":1}" "{}"]` {
		t.Errorf("%v", columns)
	}
	out, err := Answer(s, []milvus.FieldID{103, 104, 100}, columns, Options{})
	if err != nil || len(out) != 2 || out[0].FieldName != "parts" || len(out[0].GetStructArrays().Fields) != 2 || out[0].GetStructArrays().Fields[1].FieldName != "vec" || out[1].FieldName != "id" {
		t.Errorf("%v %v", out, err)
	}
	for want, data := range map[string][]*schemapb.FieldData{
		"fieldSchema(id) has no corresponding": {good},
		"the request has no columns":           {},
		"fieldSchema(parts)":                   {id},
		"comes twice":                          {id, id},
		"field y does not exist":               {named("y", scalars(longs(1, 2)))},
		"differ in length, row number: 1":      {parts(vectorArray(1, milvus.TypeFloatVector, floatVectors(1, 1, 2), floatVectors(1)))},
	} {
		if _, err := Columns(s, data, 2, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestManyRows: a count of rows is no reason to take memory.
func TestManyRows(t *testing.T) {
	s := &milvus.Schema{Fields: []milvus.Field{
		{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true, AutoID: true},
		{ID: 101, Name: "v", Type: milvus.TypeFloatVector, Dim: 32768, Nullable: true},
	}}
	d := valid(vectors(floatVectors(32768)), make([]bool, 1<<20)...)
	d.FieldName = "v"
	if _, err := Columns(s, []*schemapb.FieldData{d}, 1<<20, Options{}); !status.Is(err, status.InvalidParameter) {
		t.Errorf("%v", err)
	}
}

// TestHostileGeometry: counts and depths that would take memory or the stack are refused first.
func TestHostileGeometry(t *testing.T) {
	for _, b := range [][]byte{
		{1, 2, 0, 0, 0, 255, 255, 255, 255},                              // a line of 4 billion points
		{1, 3, 0, 0, 0, 255, 255, 255, 255},                              // a polygon of as many rings
		{0, 0, 0, 0, 7, 255, 255, 255, 255},                              // big-endian: a collection
		bytes.Repeat([]byte{1, 7, 0, 0, 0, 1, 0, 0, 0}, 1<<20),           // collections in collections
		append(wkbOf(t, "POINT (1 2)"), 0),                               // something after it
		{1, 1, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, // EWKB, with an SRID
	} {
		if _, err := littleEndian(b); err == nil {
			t.Errorf("% x is taken", b[:9])
		}
	}
	if _, err := ParseGeometry(strings.Repeat("GEOMETRYCOLLECTION(", 1<<20)); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"POINT (1 2)", "POINT Z (1 2 3)", "LINESTRING (0 0, 1 1)", "POLYGON ((0 0, 1 0, 1 1, 0 0), (0 0, 1 0, 1 1, 0 0))", "MULTIPOINT (1 2, 3 4)",
		"MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))", "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))", "LINESTRING EMPTY"} {
		b := wkbOf(t, text)
		if again, err := littleEndian(b); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: %v", text, err)
		}
		if got, err := FormatGeometry(b); err != nil || got != text && text != "MULTIPOINT (1 2, 3 4)" {
			t.Errorf("%s: %s %v", text, got, err)
		}
	}
}

func wkbOf(t *testing.T, text string) []byte {
	t.Helper()
	b, err := ParseGeometry(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzDecode: whatever a column says, it is an array of as many rows, or an error; and an array can be answered.
func FuzzDecode(f *testing.F) {
	for i, c := range columnCases {
		b, err := proto.Marshal(c.in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		var d schemapb.FieldData
		if proto.Unmarshal(b, &d) != nil {
			return
		}
		field := columnCases[int(which)%len(columnCases)].field
		field.Name, field.ID = "x", 100
		a, err := Decode(field, &d, 3, Options{})
		if err != nil {
			return
		}
		if a.Len() != 3 {
			t.Fatalf("%d rows", a.Len())
		}
		out, err := Encode(field, a, Options{})
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(field, out, 3, Options{})
		if err != nil || show(again) != show(a) {
			t.Fatalf("%v, then %v %v", a, again, err)
		}
	})
}

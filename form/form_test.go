package form

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// collection has a field of each type that has forms, nullable but for the key and the members, and one that has none.
var collection = milvus.Schema{
	Fields: []milvus.Field{
		{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
		{ID: 101, Name: "f32", Type: milvus.TypeFloatVector, Dim: 2, Nullable: true},
		{ID: 102, Name: "f16", Type: milvus.TypeFloat16Vector, Dim: 2, Nullable: true},
		{ID: 103, Name: "bf16", Type: milvus.TypeBFloat16Vector, Dim: 2, Nullable: true},
		{ID: 104, Name: "i8", Type: milvus.TypeInt8Vector, Dim: 2, Nullable: true},
		{ID: 105, Name: "bits", Type: milvus.TypeBinaryVector, Dim: 16, Nullable: true},
		{ID: 106, Name: "sparse", Type: milvus.TypeSparseVector, Nullable: true},
		{ID: 107, Name: "doc", Type: milvus.TypeJSON, Nullable: true},
		{ID: 108, Name: "list", Type: milvus.TypeArrayOfVector, ElementType: milvus.TypeFloat16Vector, Dim: 2, Nullable: true},
		{ID: 109, Name: "text", Type: milvus.TypeVarChar, Nullable: true},
		{ID: 110, Name: "tags", Type: milvus.TypeArray, ElementType: milvus.TypeVarChar, Nullable: true},
	},
	StructArrays: []milvus.StructArray{{ID: 120, Name: "chunks", Members: []milvus.Field{
		{ID: 121, Name: "n", Type: milvus.TypeArray, ElementType: milvus.TypeInt32},
		{ID: 122, Name: "v", Type: milvus.TypeArrayOfVector, ElementType: milvus.TypeFloatVector, Dim: 2},
	}}},
}

// canonicalRows: NULL, empties and extremes.
const canonicalRows = `[
{"id": 1, "f32": [1.5, -2], "f16": [65504, -0.0], "bf16": [3.3895313892515355e38, 1], "i8": [-128, 127], "bits": "AP8=", "sparse": [{"key": 0, "value": 0.5}, {"key": 4294967294, "value": -1}],
 "doc": "{\"b\": [1, 2.50], \"a\": null}", "list": [[1, 2], [3, 4]], "text": "{}", "tags": ["a", null], "chunks": [{"n": 1, "v": [1, 2]}, {"n": 2, "v": [3, 4]}], "seg": 7},
{"id": 2, "f32": null, "f16": null, "bf16": null, "i8": null, "bits": null, "sparse": null, "doc": null, "list": null, "text": null, "tags": null, "chunks": null, "seg": 7},
{"id": 3, "f32": [0, 0], "f16": [0, 0], "bf16": [0, 0], "i8": [0, 0], "bits": "AAA=", "sparse": [], "doc": "null", "list": [], "text": "", "tags": [], "chunks": [], "seg": 7},
{"id": 4, "f32": [1e-45, 3.4028234663852886e38], "f16": [5.960464477539063e-8, 1], "bf16": [1, 2], "i8": [1, -1], "bits": "Dw8=", "sparse": [{"key": 9, "value": 1}],
 "doc": "\"x\"", "list": [[5, 6]], "text": "x", "tags": ["b"], "chunks": [{"n": 3, "v": [5, 6]}], "seg": 7}
]`

func withID(f arrow.Field, id milvus.FieldID, doc string) arrow.Field {
	f.Metadata = arrow.NewMetadata([]string{metaFieldID, metaDoc}, []string{fmt.Sprint(int64(id)), doc})
	return f
}

// canonicalSchema is as package reader makes it.
func canonicalSchema(t *testing.T) *arrow.Schema {
	t.Helper()
	typeOf := func(f milvus.Field) arrow.DataType {
		typ, err := cell.Type(f)
		if err != nil {
			t.Fatal(err)
		}
		return typ
	}
	var fields []arrow.Field
	for _, f := range collection.Fields {
		fields = append(fields, withID(arrow.Field{Name: f.Name, Type: typeOf(f), Nullable: !f.PrimaryKey}, f.ID, "doc of "+f.Name))
	}
	for _, a := range collection.StructArrays {
		var members []arrow.Field
		for _, m := range a.Members {
			members = append(members, withID(arrow.Field{Name: m.Name, Type: typeOf(m).(*arrow.ListType).Elem()}, m.ID, "doc of "+m.Name))
		}
		list := arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.StructOf(members...)})
		fields = append(fields, withID(arrow.Field{Name: a.Name, Type: list, Nullable: true}, a.ID, "doc of "+a.Name))
	}
	return arrow.NewSchema(append(fields, arrow.Field{Name: "seg", Type: arrow.PrimitiveTypes.Int64}), nil)
}

func canonicalBatch(t *testing.T) arrow.RecordBatch {
	t.Helper()
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, canonicalSchema(t), strings.NewReader(canonicalRows))
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func convert(t *testing.T, o Options, batch arrow.RecordBatch) arrow.RecordBatch {
	t.Helper()
	f, err := New(&collection, batch.Schema(), o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Convert(batch)
	if err != nil {
		t.Fatal(err)
	}
	if !out.Schema().Equal(f.Schema()) {
		t.Errorf("the batch has schema %s, the form %s", out.Schema(), f.Schema())
	}
	for i, c := range out.Columns() {
		if !arrow.TypeEqual(c.DataType(), f.Schema().Field(i).Type) {
			t.Errorf("column %d is %s, not %s", i, c.DataType(), f.Schema().Field(i).Type)
		}
	}
	return out
}

func column(batch arrow.RecordBatch, name string) arrow.Array {
	return batch.Column(batch.Schema().FieldIndices(name)[0])
}

// text is an array as JSON in one line.
func text(t *testing.T, a arrow.Array) string {
	t.Helper()
	out, err := a.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), "\n", "")
}

func TestDefaultsCostNothing(t *testing.T) {
	batch := canonicalBatch(t)
	for _, o := range []Options{{}, {VectorsList, SparseMap, JSONString}} {
		if out := convert(t, o, batch); out != batch {
			t.Errorf("%+v: the batch was converted", o)
		}
	}
}

func TestForms(t *testing.T) {
	batch := canonicalBatch(t)
	for _, c := range []struct {
		opts   Options
		column string
		typ    string
		want   string
	}{
		{Options{Vectors: VectorsBinary}, "f32", "fixed_size_binary[8]", `["AADAPwAAAMA=",null,"AAAAAAAAAAA=","AQAAAP//f38="]`},
		{Options{Vectors: VectorsBinary}, "f16", "fixed_size_binary[4]", `["/3sAgA==",null,"AAAAAA==","AQAAPA=="]`},
		{Options{Vectors: VectorsBinary}, "bf16", "fixed_size_binary[4]", `["f3+APw==",null,"AAAAAA==","gD8AQA=="]`},
		{Options{Vectors: VectorsBinary}, "i8", "fixed_size_binary[2]", `["gH8=",null,"AAA=","Af8="]`},
		{Options{Vectors: VectorsBinary}, "bits", "fixed_size_binary[2]", `["AP8=",null,"AAA=","Dw8="]`},
		{Options{Vectors: VectorsBinary}, "list", "list<element: fixed_size_binary[4]>", `[["ADwAQA==","AEIARA=="],null,[],["AEUARg=="]]`},
		{Options{Vectors: VectorsBinary}, "chunks", "list<element: struct<n: int32, v: fixed_size_binary[8]>>",
			`[[{"n":1,"v":"AACAPwAAAEA="},{"n":2,"v":"AABAQAAAgEA="}],null,[],[{"n":3,"v":"AACgQAAAwEA="}]]`},
		{Options{Vectors: VectorsFixedList}, "f32", "fixed_size_list<element: float32>[2]", `[[1.5,-2],null,[0,0],[1e-45,3.4028235e+38]]`},
		{Options{Sparse: SparseStruct}, "sparse", "struct<indices: list<element: int64>, values: list<element: float32>>",
			`[{"indices":[0,4294967294],"values":[0.5,-1]},null,{"indices":[],"values":[]},{"indices":[9],"values":[1]}]`},
		{Options{JSON: JSONVariant}, "doc", "extension<arrow.parquet.variant>", `[{"a":null,"b":[1,2.5]},null,null,"x"]`},
		{Options{VectorsBinary, SparseStruct, JSONVariant}, "text", "utf8", `["{}",null,"","x"]`},
		{Options{VectorsBinary, SparseStruct, JSONVariant}, "tags", "list<element: utf8>", `[["a",null],null,[],["b"]]`},
	} {
		out := column(convert(t, c.opts, batch), c.column)
		if got := strings.NewReplacer(", nullable", "", " nullable", "").Replace(out.DataType().String()); got != c.typ {
			t.Errorf("%s is %s, not %s", c.column, got, c.typ)
		}
		if got := text(t, out); got != c.want {
			t.Errorf("%s: %s, want %s", c.column, got, c.want)
		}
		for from := range batch.NumRows() { // slices of batches give slices of columns
			part := column(convert(t, c.opts, batch.NewSlice(from, batch.NumRows())), c.column)
			if !array.Equal(part, array.NewSlice(out, from, batch.NumRows())) && c.opts.JSON == "" {
				t.Errorf("%s from row %d on: %v", c.column, from, part)
			}
		}
	}
}

// The JSON null is a value, SQL's is none.
func TestVariantNulls(t *testing.T) {
	out := column(convert(t, Options{JSON: JSONVariant}, canonicalBatch(t)), "doc").(*extensions.VariantArray)
	var nulls []bool
	for i := range out.Len() {
		nulls = append(nulls, out.Storage().IsNull(i))
	}
	if fmt.Sprint(nulls) != "[false true false false]" {
		t.Errorf("NULL: %v", nulls)
	}
}

// What a table holds of any form, whoever reads it, becomes what it was.
func TestCanonical(t *testing.T) {
	batch := canonicalBatch(t)
	for _, o := range []Options{{}, {Vectors: VectorsBinary}, {Sparse: SparseStruct}, {Vectors: VectorsBinary, Sparse: SparseStruct}} {
		out := convert(t, o, batch)
		for i, want := range batch.Schema().Fields() {
			for _, have := range []arrow.Array{out.Column(i), asStored(t, out.Column(i))} {
				got, err := Canonical(&collection, want, have)
				if err != nil {
					t.Fatal(err)
				}
				a, b := text(t, got), text(t, batch.Column(i))
				if a != b {
					t.Errorf("%+v: %s of %s: %s, want %s", o, want.Name, have.DataType(), a, b)
				}
			}
		}
	}
}

// asStored gives fixed-size binaries as the binaries that a table has.
func asStored(t *testing.T, a arrow.Array) arrow.Array {
	t.Helper()
	typ := storedType(a.DataType())
	if arrow.TypeEqual(typ, a.DataType()) {
		return a
	}
	out, _, err := array.FromJSON(memory.DefaultAllocator, typ, strings.NewReader(text(t, a)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func storedType(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.FixedSizeBinaryType:
		return arrow.BinaryTypes.Binary
	case *arrow.ListType:
		elem := t.ElemField()
		elem.Type = storedType(elem.Type)
		return arrow.ListOfField(elem)
	case *arrow.StructType:
		members := append([]arrow.Field(nil), t.Fields()...)
		for i := range members {
			members[i].Type = storedType(members[i].Type)
		}
		return arrow.StructOf(members...)
	}
	return t
}

// A table that someone else wrote to.
func TestCanonicalOfDamage(t *testing.T) {
	schema := canonicalSchema(t)
	f32, sparse := schema.Field(1), schema.Field(6)
	short, _, err := array.FromJSON(memory.DefaultAllocator, arrow.BinaryTypes.Binary, strings.NewReader(`["AADAPwAAAMA=", "AAA=", null]`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Canonical(&collection, f32, short)
	if err != nil || got != short { // a NULL for the second would hash as the snapshot's NULL
		t.Errorf("%v (%v)", got, err)
	}
	uneven, _, err := array.FromJSON(memory.DefaultAllocator, pairsType, strings.NewReader(`[{"indices": [1, 2], "values": [0.5]}]`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Canonical(&collection, sparse, uneven); !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), "2 indices and 1 values") {
		t.Errorf("%v", err)
	}
	list := func(t arrow.DataType) arrow.DataType { return arrow.ListOf(t) }
	loose := arrow.StructOf(arrow.Field{Name: "indices", Type: list(arrow.PrimitiveTypes.Int64), Nullable: true}, arrow.Field{Name: "values", Type: list(arrow.PrimitiveTypes.Float32), Nullable: true})
	for _, row := range []string{`{"indices": null, "values": null}`, `{"indices": [null], "values": [0.5]}`, `{"indices": [0], "values": [null]}`} {
		have, _, err := array.FromJSON(memory.DefaultAllocator, loose, strings.NewReader("["+row+"]"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Canonical(&collection, sparse, have); err != nil || got != have { // not {} or {0: 0.5} or {0: 0}
			t.Errorf("%s is %v (%v)", row, got, err)
		}
	}
	other, _, err := array.FromJSON(memory.DefaultAllocator, arrow.BinaryTypes.String, strings.NewReader(`["a"]`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Canonical(&collection, f32, other); err != nil || got != other {
		t.Errorf("%v (%v)", got, err)
	}
}

func TestEncodings(t *testing.T) {
	out := convert(t, Options{Vectors: VectorsBinary}, canonicalBatch(t)).Schema()
	for name, want := range map[string][2]string{
		"f32":  {"doc of f32 (8 bytes: 2 x float32, little-endian)", `{"type":"FloatVector","element":"float32","dim":2,"bytes":8,"byte_order":"little-endian"}`},
		"bf16": {"doc of bf16 (4 bytes: 2 x bfloat16, little-endian)", `{"type":"BFloat16Vector","element":"bfloat16","dim":2,"bytes":4,"byte_order":"little-endian"}`},
		"bits": {"doc of bits (2 bytes: 16 x bit, little-endian)", `{"type":"BinaryVector","element":"bit","dim":16,"bytes":2,"byte_order":"little-endian"}`},
		"list": {"doc of list (4 bytes: 2 x float16, little-endian)", `{"type":"Float16Vector","element":"float16","dim":2,"bytes":4,"byte_order":"little-endian"}`},
		"text": {"doc of text", ""},
	} {
		f := out.Field(out.FieldIndices(name)[0])
		doc, _ := f.Metadata.GetValue(metaDoc)
		encoding, _ := f.Metadata.GetValue(MetaEncoding)
		if doc != want[0] || encoding != want[1] {
			t.Errorf("%s: %q, %s", name, doc, encoding)
		}
	}
	chunks := out.Field(out.FieldIndices("chunks")[0]).Type.(*arrow.ListType).Elem().(*arrow.StructType)
	if v, _ := chunks.Field(1).Metadata.GetValue(MetaEncoding); !strings.Contains(v, `"dim":2`) {
		t.Errorf("the member has %q", v)
	}
}

func TestRefusals(t *testing.T) {
	for _, o := range []Options{{Vectors: "blob"}, {Sparse: "list"}, {JSON: "bson"}} {
		if _, err := New(&collection, canonicalSchema(t), o); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, canonicalSchema(t), strings.NewReader(`[{"id": 1, "doc": "{", "seg": 1}]`))
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(&collection, batch.Schema(), Options{JSON: JSONVariant})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Convert(batch); !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), "doc") || !strings.Contains(err.Error(), "row 0 of a batch: the text is not JSON") {
		t.Errorf("%v", err)
	}
}

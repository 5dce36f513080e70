package binlog

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

var head = Header{Collection: 1, Partition: 2, Segment: 3, Written: 470646393297436672, From: 470646393191268355, To: 470646393191268399}

// storageCase is a field, its values in storage form, and what Parquet must say of the column.
type storageCase struct {
	name     string
	field    milvus.Field
	raw      arrow.Array
	physical string
	logical  string
	length   int         // of fixed-length values
	size     int         // original_size in the Codec dialect
	read     arrow.Array // what Column gives back, if not raw
}

func jsonArray(t testing.TB, dt arrow.DataType, text string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, dt, bytes.NewReader([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func floats32(v ...float32) arrow.Array {
	b := array.NewFloat32Builder(memory.DefaultAllocator)
	b.AppendValues(v, nil)
	return b.NewArray()
}

func blobs(dt arrow.BinaryDataType, v ...[]byte) arrow.Array {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, dt)
	for _, x := range v {
		if x == nil {
			b.AppendNull()
		} else {
			b.Append(x)
		}
	}
	return b.NewArray()
}

func fixed(width int, v ...[]byte) arrow.Array {
	b := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, &arrow.FixedSizeBinaryType{ByteWidth: width})
	for _, x := range v {
		if x == nil {
			b.AppendNull()
		} else {
			b.Append(x)
		}
	}
	return b.NewArray()
}

func vectorLists(width int, rows ...[][]byte) arrow.Array {
	b := array.NewListBuilder(memory.DefaultAllocator, &arrow.FixedSizeBinaryType{ByteWidth: width})
	for _, row := range rows {
		b.Append(true)
		for _, v := range row {
			b.ValueBuilder().(*array.FixedSizeBinaryBuilder).Append(v)
		}
	}
	return b.NewArray()
}

func storageCases(t testing.TB) []storageCase {
	prim := arrow.PrimitiveTypes
	v8 := func(b byte) []byte { return bytes.Repeat([]byte{b}, 8) }
	f := func(id milvus.FieldID, dt milvus.DataType) milvus.Field { return milvus.Field{ID: id, Type: dt} }
	null := func(f milvus.Field) milvus.Field { f.Nullable = true; return f }
	dim := func(f milvus.Field, d int) milvus.Field { f.Dim = d; return f }
	pk := func(f milvus.Field) milvus.Field { f.PrimaryKey = true; return f }
	lists := dim(f(119, milvus.TypeArrayOfVector), 2)
	lists.ElementType = milvus.TypeFloatVector
	signed := func(bits int) string { return fmt.Sprintf("Int(bitWidth=%d, isSigned=true)", bits) }
	return []storageCase{
		{"bool", f(100, milvus.TypeBool), jsonArray(t, arrow.FixedWidthTypes.Boolean, `[true,false,true]`), "BOOLEAN", "None", 0, 3, nil},
		{"bool null", null(f(101, milvus.TypeBool)), jsonArray(t, arrow.FixedWidthTypes.Boolean, `[true,null,false]`), "BOOLEAN", "None", 0, 3, nil},
		{"int8", f(102, milvus.TypeInt8), jsonArray(t, prim.Int8, `[-128,0,127]`), "INT32", signed(8), 0, 3, jsonArray(t, prim.Int32, `[-128,0,127]`)},
		{"int8 from int32", null(f(103, milvus.TypeInt8)), jsonArray(t, prim.Int32, `[-128,null,127]`), "INT32", signed(8), 0, 3, nil},
		{"int16", f(104, milvus.TypeInt16), jsonArray(t, prim.Int32, `[-32768,0,32767]`), "INT32", signed(16), 0, 6, nil},
		{"int32", f(105, milvus.TypeInt32), jsonArray(t, prim.Int32, `[-2147483648,0]`), "INT32", signed(32), 0, 8, nil},
		{"int64 pk", pk(f(106, milvus.TypeInt64)), jsonArray(t, prim.Int64, `[-9223372036854775808,9007199254740993]`), "INT64", signed(64), 0, 16, nil},
		{"float", f(107, milvus.TypeFloat), floats32(1.5, float32(math.Inf(1)), float32(math.Copysign(0, -1)), 1e-45), "FLOAT", "None", 0, 16, nil},
		{"double null", null(f(108, milvus.TypeDouble)), jsonArray(t, prim.Float64, `[null,0.1,5e-324]`), "DOUBLE", "None", 0, 24, nil},
		{"varchar", f(109, milvus.TypeVarChar), jsonArray(t, arrow.BinaryTypes.String, `["","é<&>","x"]`), "BYTE_ARRAY", "String", 0, 54, blobs(arrow.BinaryTypes.Binary, []byte{}, []byte("é<&>"), []byte("x"))},
		{"varchar null", null(pk(f(110, milvus.TypeVarChar))), blobs(arrow.BinaryTypes.Binary, nil, []byte("a")), "BYTE_ARRAY", "String", 0, 33, nil},
		{"json", f(111, milvus.TypeJSON), blobs(arrow.BinaryTypes.Binary, []byte(`{"a":1}`), []byte(`null`)), "BYTE_ARRAY", "None", 0, 43, nil},
		{"array null", null(f(112, milvus.TypeArray)), blobs(arrow.BinaryTypes.Binary, []byte{0x12, 0}, nil, []byte{}), "BYTE_ARRAY", "None", 0, 50, nil},
		{"timestamptz", f(113, milvus.TypeTimestamptz), jsonArray(t, prim.Int64, `[-1,1700000000000000]`), "INT64", signed(64), 0, 16, nil},
		{"sparse null", null(f(114, milvus.TypeSparseVector)), blobs(arrow.BinaryTypes.Binary, []byte{1, 0, 0, 0, 0, 0, 128, 63}, []byte{}, nil), "BYTE_ARRAY", "None", 0, 56, nil},
		{"float vector", dim(f(115, milvus.TypeFloatVector), 2), fixed(8, v8(1), v8(2)), "FIXED_LEN_BYTE_ARRAY", "None", 8, 20, nil},
		{"float vector null", dim(null(f(116, milvus.TypeFloatVector)), 2), fixed(8, v8(1), nil, v8(3)), "BYTE_ARRAY", "None", 0, 20, blobs(arrow.BinaryTypes.Binary, v8(1), nil, v8(3))},
		{"bfloat16 null", dim(null(f(117, milvus.TypeBFloat16Vector)), 4), blobs(arrow.BinaryTypes.Binary, nil, v8(9)), "BYTE_ARRAY", "None", 0, 12, nil},
		{"binary vector", dim(f(118, milvus.TypeBinaryVector), 64), fixed(8, v8(1)), "FIXED_LEN_BYTE_ARRAY", "None", 8, 12, nil},
		{"vector lists", lists, vectorLists(8, [][]byte{v8(1), v8(2)}, nil, [][]byte{v8(3)}), "FIXED_LEN_BYTE_ARRAY", "None", 8, 40, nil},
	}
}

// seen is what read_columns.py prints of one file.
type seen struct {
	Collection, Partition, Segment, Field, Start, End int64
	Type                                              milvus.DataType
	Extras                                            map[string]any
	Next                                              any
	Event                                             [2]int64
	Column, Physical, Logical, Codec                  string
	Length                                            int
	Optional, Dictionary                              bool
	ArrowSchema                                       bool              `json:"arrow_schema"`
	FieldMetadata                                     map[string]string `json:"field_metadata"`
	Values                                            []any
}

// TestWriter writes every storage form in every dialect, reads it with Column, and has pyarrow read it after a script that
// knows nothing of ours has stripped the envelope.
func TestWriter(t *testing.T) {
	writers := map[string]Writer{"codec": {}, "codec old": {Before25: true}, "stream": {Dialect: Stream}}
	dir := t.TempDir()
	for wname, w := range writers {
		for _, c := range storageCases(t) {
			b, err := w.Encode(head, c.field, c.raw)
			if err != nil {
				t.Fatalf("%s %s: %v", wname, c.name, err)
			}
			want := c.read
			if want == nil {
				want = c.raw
			}
			if got := readAll(t, b, c.field); !array.Equal(got, want) && !array.ApproxEqual(got, want) {
				t.Errorf("%s %s: read back %v, want %v", wname, c.name, got, want)
			}
			if err := os.WriteFile(filepath.Join(dir, wname+" "+c.name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	var files map[string]seen
	dec := json.NewDecoder(bytes.NewReader(testkit.RunPython(t, filepath.Join("testdata", "read_columns.py"), dir)))
	dec.UseNumber()
	if err := dec.Decode(&files); err != nil {
		t.Fatal(err)
	}
	for wname, w := range writers {
		for _, c := range storageCases(t) {
			s, ok := files[wname+" "+c.name]
			if !ok {
				t.Errorf("%s %s: not read by pyarrow", wname, c.name)
				continue
			}
			checkSeen(t, wname+" "+c.name, w, c, s)
		}
	}
}

func checkSeen(t *testing.T, name string, w Writer, c storageCase, s seen) {
	t.Helper()
	same := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s is %v, want %v", name, what, got, want)
		}
	}
	same("ids", []int64{s.Collection, s.Partition, s.Segment, s.Field}, []int64{1, 2, 3, int64(c.field.ID)})
	same("type", s.Type, c.field.Type)
	same("physical type", s.Physical, c.physical)
	same("logical type", s.Logical, c.logical)
	same("length", s.Length, c.length)
	same("codec", s.Codec, "ZSTD")
	if c.physical != "BOOLEAN" {
		same("dictionary", s.Dictionary, w.Before25 || !c.field.PrimaryKey)
	}
	list := c.field.Type == milvus.TypeArrayOfVector
	nullableVector := c.field.Type.IsDenseVector() && c.field.Nullable
	same("Arrow schema", s.ArrowSchema, list || nullableVector && w.Dialect == Codec)
	switch {
	case list:
		same("field metadata", s.FieldMetadata, map[string]string{"elementType": itoa(int64(c.field.ElementType)), "dim": itoa(int64(c.field.Dim))})
	case s.ArrowSchema:
		same("field metadata", s.FieldMetadata, map[string]string{"dim": itoa(int64(c.field.Dim))})
	}
	nullable, has := s.Extras["nullable"]
	same("nullable in the extras", has, !w.Before25)
	if has {
		same("nullable", nullable, c.field.Nullable)
	}
	if w.Dialect == Codec {
		same("column", s.Column, "val")
		same("optional", s.Optional, c.field.Nullable)
		same("bounds", []int64{s.Start, s.End, s.Event[0], s.Event[1]}, []int64{int64(head.From), int64(head.To), int64(head.From), int64(head.To)})
		same("next position", s.Next, any("end"))
		same("original_size", s.Extras["original_size"], any(itoa(int64(c.size))))
	} else {
		same("column", s.Column, itoa(int64(c.field.ID)))
		same("optional", s.Optional, true)
		same("bounds", []int64{s.Start, s.End, s.Event[0], s.Event[1]}, []int64{0, 0, 1, 1})
		same("next position", s.Next, any(json.Number("-1")))
	}
	same("values", s.Values, plainValues(c.raw))
}

// plainValues spells values as read_columns.py does.
func plainValues(a arrow.Array) []any {
	out := make([]any, a.Len())
	for i := range out {
		if a.IsValid(i) {
			out[i] = plainValue(a, i)
		}
	}
	return out
}

func plainValue(a arrow.Array, i int) any {
	switch v := a.(type) {
	case *array.Boolean:
		return v.Value(i)
	case *array.Float32:
		return json.Number(fmt.Sprint(math.Float32bits(v.Value(i))))
	case *array.Float64:
		return json.Number(fmt.Sprint(math.Float64bits(v.Value(i))))
	case *array.Binary:
		return base64.StdEncoding.EncodeToString(v.Value(i))
	case *array.String:
		return base64.StdEncoding.EncodeToString([]byte(v.Value(i)))
	case *array.FixedSizeBinary:
		return base64.StdEncoding.EncodeToString(v.Value(i))
	case *array.List:
		from, to := v.ValueOffsets(i)
		s := array.NewSlice(v.ListValues(), from, to)
		defer s.Release()
		return plainValues(s)
	}
	return json.Number(a.ValueStr(i))
}

// readAll decodes a file of one field into one array.
func readAll(t testing.TB, b []byte, f milvus.Field) arrow.Array {
	t.Helper()
	file, err := Open(b)
	if err != nil {
		t.Fatal(err)
	}
	c, err := file.Column(f)
	if err != nil {
		t.Fatal(err)
	}
	return drain(t, c)
}

func drain(t testing.TB, c *Column) arrow.Array {
	t.Helper()
	var parts []arrow.Array
	for {
		a, err := c.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, a)
	}
	if len(parts) == 0 {
		return array.NewNull(0)
	}
	all, err := array.Concatenate(parts, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	if int64(all.Len()) != c.Rows() {
		t.Fatalf("%d rows, declared %d", all.Len(), c.Rows())
	}
	return all
}

func TestWriterRefuses(t *testing.T) {
	prim := arrow.PrimitiveTypes
	vector := milvus.Field{ID: 100, Type: milvus.TypeFloatVector, Dim: 2}
	nullable := vector
	nullable.Nullable = true
	for _, c := range []struct {
		name string
		f    milvus.Field
		raw  arrow.Array
	}{
		{"NULL in a field that is not nullable", milvus.Field{Type: milvus.TypeInt64}, jsonArray(t, prim.Int64, `[1,null]`)},
		{"another type", milvus.Field{Type: milvus.TypeInt64}, jsonArray(t, prim.Int32, `[1]`)},
		{"overflow", milvus.Field{Type: milvus.TypeInt8}, jsonArray(t, prim.Int32, `[128]`)},
		{"dimension", vector, fixed(4, []byte("abcd"))},
		{"dimension of a nullable vector", nullable, blobs(arrow.BinaryTypes.Binary, []byte("abcd"))},
		{"variable vectors", vector, blobs(arrow.BinaryTypes.Binary, []byte("abcdefgh"))},
		{"struct", milvus.Field{Type: milvus.TypeStruct}, jsonArray(t, prim.Int64, `[1]`)},
	} {
		if _, err := (Writer{}).Encode(head, c.f, c.raw); fault.ClassName(err) == "" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := (Writer{}).Encode(Header{}, milvus.Field{Type: milvus.TypeInt64}, jsonArray(t, prim.Int64, `[1]`)); err == nil {
		t.Error("timestamps of 0 were written")
	}
}

func TestSlicedInput(t *testing.T) {
	f := milvus.Field{ID: 100, Type: milvus.TypeInt8, Nullable: true}
	whole := jsonArray(t, arrow.PrimitiveTypes.Int32, `[9,1,null,3,4,null,6,7,8,9,10]`)
	part := array.NewSlice(whole, 1, 10)
	b, err := Writer{}.Encode(head, f, part)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, b, f); !array.Equal(got, part) {
		t.Errorf("got %v, want %v", got, part)
	}
	g := milvus.Field{ID: 100, Type: milvus.TypeVarChar}
	text := array.NewSlice(jsonArray(t, arrow.BinaryTypes.String, `["zero","one","two","three"]`), 1, 3)
	if b, err = (Writer{}).Encode(head, g, text); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, b, g); !array.Equal(got, blobs(arrow.BinaryTypes.Binary, []byte("one"), []byte("two"))) {
		t.Errorf("got %v", got)
	}
	if file, _ := Open(b); !reflect.DeepEqual(file.Descriptor.Extras["original_size"], any("38")) {
		t.Errorf("original_size %v, want 38", file.Descriptor.Extras["original_size"])
	}
}

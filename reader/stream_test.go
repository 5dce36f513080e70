package reader

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

type closer struct{ io.ReadSeeker }

func (closer) Close() error { return nil }

// columnOf reads an array from JSON, as Arrow has it.
func columnOf(t testing.TB, dt arrow.DataType, json string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader(json))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// streamOf returns the IPC stream of a column "100" and the same once more.
func streamOf(t testing.TB, a arrow.Array, opts ...ipc.Option) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "100", Type: a.DataType(), Nullable: true}}, nil)
	var out bytes.Buffer
	w := ipc.NewWriter(&out, append(opts, ipc.WithSchema(schema))...)
	for range 2 {
		if err := w.Write(array.NewRecordBatch(schema, []arrow.Array{a}, int64(a.Len()))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// drain reads a stream as the column of a field and returns its rows as text.
func drain(body []byte, f milvus.Field, rows int64) (out string, err error) {
	in, err := openStream(closer{bytes.NewReader(body)}, []string{columnName(f)}, rows)
	for err == nil {
		var batch arrow.RecordBatch
		if batch, err = in.next(); err != nil {
			break
		}
		var a arrow.Array
		if a, err = storageForm(f, batch.Column(0)); err != nil {
			break
		}
		if a, err = cell.Decode(f, a, cell.Options{}); err == nil {
			out += a.String()
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return out, err
}

var streamFields = []milvus.Field{
	{ID: 100, Name: "f", Type: milvus.TypeInt8, Nullable: true},
	{ID: 100, Name: "f", Type: milvus.TypeInt64, Nullable: true},
	{ID: 100, Name: "f", Type: milvus.TypeVarChar, Nullable: true},
	{ID: 100, Name: "f", Type: milvus.TypeBinaryVector, Dim: 16, Nullable: true},
	{ID: 100, Name: "f", Type: milvus.TypeArrayOfVector, ElementType: milvus.TypeInt8Vector, Dim: 2, Nullable: true},
}

func TestStorageForm(t *testing.T) {
	t.Parallel()
	bytesList := arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8)
	small, long, text, vector, list := streamFields[0], streamFields[1], streamFields[2], streamFields[3], streamFields[4]
	for name, c := range map[string]struct {
		field milvus.Field
		t     arrow.DataType
		json  string
		want  string // "": does not fit
	}{
		"int8":            {small, arrow.PrimitiveTypes.Int8, `[-128, null, 127]`, "[-128 (null) 127]"},
		"int16":           {small, arrow.PrimitiveTypes.Int16, `[-128, null, 127]`, "[-128 (null) 127]"},
		"int16 too large": {small, arrow.PrimitiveTypes.Int16, `[128]`, ""},
		"int64 for int8":  {small, arrow.PrimitiveTypes.Int64, `[1]`, ""},
		"int32 for int64": {long, arrow.PrimitiveTypes.Int32, `[1]`, ""},
		"text for int64":  {long, arrow.BinaryTypes.String, `["1"]`, ""},
		"text":            {text, arrow.BinaryTypes.String, `["é", null, ""]`, `["é" (null) ""]`},
		"large text":      {text, arrow.BinaryTypes.LargeString, `["é", null, ""]`, `["é" (null) ""]`},
		"text view":       {text, arrow.BinaryTypes.StringView, `["é", null, "longer than twelve bytes"]`, `["é" (null) "longer than twelve bytes"]`},
		"number for text": {text, arrow.PrimitiveTypes.Int32, `[1]`, ""},
		"vector":          {vector, &arrow.FixedSizeBinaryType{ByteWidth: 2}, `["AQI=", null]`, `["\x01\x02" (null)]`},
		"vector of u8":    {vector, bytesList, `[[1, 2], null]`, `["\x01\x02" (null)]`},
		"vector binary":   {vector, arrow.BinaryTypes.BinaryView, `["AQI=", null]`, `["\x01\x02" (null)]`},
		"NULL in vector":  {vector, bytesList, `[[1, null]]`, ""},
		"wide vector":     {vector, arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Uint8), `[[1, 2, 3]]`, ""},
		"float vector":    {vector, arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32), `[[1, 2]]`, ""},
		"vectors":         {list, arrow.ListOf(bytesList), `[[[1, 2], [3, 255]], [], null]`, "[[[1 2] [3 -1]] [] (null)]"},
		"large vectors":   {list, arrow.LargeListOf(bytesList), `[[[1, 2], [3, 255]], [], null]`, "[[[1 2] [3 -1]] [] (null)]"},
		"lists of bytes":  {list, arrow.ListOf(arrow.PrimitiveTypes.Uint8), `[[1, 2]]`, ""},
	} {
		a := columnOf(t, c.t, c.json)
		got, err := drain(streamOf(t, a), c.field, 2*int64(a.Len()))
		if c.want == "" && !errors.Is(err, fault.ErrCorrupt) || c.want != "" && (err != nil || got != c.want+c.want) {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
}

func TestStreamIsNotTrusted(t *testing.T) {
	t.Parallel()
	f := streamFields[2]
	good := streamOf(t, columnOf(t, arrow.BinaryTypes.String, `["a", "b"]`))
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.Append(strings.Repeat("x", batchLimit+1<<12))
	big := b.NewArray()
	for name, c := range map[string]struct {
		body []byte
		rows int64
		want string
	}{
		"nothing":     {nil, 4, `begins with ""`},
		"a line":      {[]byte("Traceback (most recent call last):"), 4, `begins with "Trac"`},
		"cut":         {good[:len(good)-100], 4, "output"},
		"too few":     {good, 5, "gave 4 rows, metadata says 5"},
		"too many":    {good, 3, "more rows than the 3"},
		"large batch": {streamOf(t, big), 2, "exceeds limit"},
		"bomb":        {streamOf(t, big, ipc.WithZstd()), 2, "bytes"},
		"dictionary":  {streamOf(t, columnOf(t, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, `["a"]`)), 2, "dictionary"},
	} {
		if _, err := drain(c.body, f, c.rows); !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := drain(good, f, -1); err != nil || got != `["a" "b"]["a" "b"]` {
		t.Error(got, err)
	}
}

func FuzzStream(f *testing.F) {
	for _, seed := range []struct {
		t    arrow.DataType
		json string
	}{
		{arrow.PrimitiveTypes.Int8, `[1, null]`}, {arrow.BinaryTypes.StringView, `["a", null, "longer than twelve bytes"]`}, {arrow.BinaryTypes.LargeBinary, `["AQI="]`},
		{arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8), `[[1, 2], null]`}, {arrow.LargeListOf(arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Uint8)), `[[[1, 2]], []]`},
	} {
		f.Add(streamOf(f, columnOf(f, seed.t, seed.json)))
		f.Add(streamOf(f, columnOf(f, seed.t, seed.json), ipc.WithZstd()))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, field := range streamFields {
			_, err := drain(body, field, -1)
			if err != nil && fault.ClassName(err) == "" {
				t.Errorf("an error without a class: %v", err)
			}
		}
	})
}

package datafile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// TestRandom writes random rows of random types by both writers: both files have the same schema, and engines read the same
// rows from them.
func TestRandom(t *testing.T) {
	dir := t.TempDir()
	var files []string
	want, columns := int64(0), 0
	for seed := range uint64(40) {
		r := &random{rand.New(rand.NewPCG(seed, 7))}
		schema := r.schema()
		opts := Options{PageBytes: 1 << (5 + r.IntN(10)), RowGroupBytes: 1 << (8 + r.IntN(14)), Scalars: someCodecs[seed%4], Vectors: someCodecs[seed/4%4]}
		var batches []arrow.RecordBatch
		for range r.IntN(5) {
			b := r.batch(schema)
			from := r.Int64N(b.NumRows() + 1)
			b = b.NewSlice(from, from+r.Int64N(b.NumRows()-from+1))
			batches = append(batches, b)
			want += b.NumRows()
		}
		path, stats := write(t, schema, opts, batches...)
		ours, theirs := filepath.Join(dir, fmt.Sprint(seed, "-ours.parquet")), filepath.Join(dir, fmt.Sprint(seed, "-theirs.parquet"))
		if err := os.Rename(path, ours); err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(theirs)
		if err != nil {
			t.Fatal(err)
		}
		writeReference(t, out, schema, opts, batches...)
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		sameSchema(t, ours, theirs)
		checkPages(t, ours, stats)
		columns += checkBack(t, ours, schema, batches)
		files = append(files, ours, theirs)
	}
	if got := python(t, "equal.py", files...); got != fmt.Sprint(want) {
		t.Errorf("%s rows compared of %d", got, want)
	}
	if columns < 50 {
		t.Errorf("only %d columns read back", columns)
	}
}

var someCodecs = []Codec{{}, {Name: CodecNone}, {Name: CodecSnappy}, {Name: CodecZstd, Level: 3}}

// footerOf decodes a file's footer.
func footerOf(t *testing.T, data []byte) *format.FileMetaData {
	t.Helper()
	n := int(uint32(data[len(data)-8]) | uint32(data[len(data)-7])<<8 | uint32(data[len(data)-6])<<16)
	m := new(format.FileMetaData)
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), data[len(data)-8-n:len(data)-8], m); err != nil {
		t.Fatal(err)
	}
	return m
}

func sameSchema(t *testing.T, ours, theirs string) {
	t.Helper()
	var text [2]string
	for i, name := range []string{ours, theirs} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, e := range footerOf(t, data).Schema {
			fmt.Fprintf(&b, "%s %v %v %v %v %d %s\n", e.Name, e.Type, e.RepetitionType, e.NumChildren, e.ConvertedType, max(e.FieldID, 0), &e.LogicalType)
		}
		text[i] = b.String()
	}
	if text[0] != text[1] {
		t.Errorf("schema of %s:\n%s\nby arrow-go:\n%s", ours, text[0], text[1])
	}
}

type random struct{ *rand.Rand }

func (r *random) schema() *arrow.Schema {
	fields := make([]arrow.Field, 1+r.IntN(6))
	for i := range fields {
		fields[i] = arrow.Field{Name: fmt.Sprint("c", i), Type: r.typ(0), Nullable: r.IntN(2) == 0}
	}
	return numbered(fields...)
}

func (r *random) typ(depth int) arrow.DataType {
	flat := []arrow.DataType{arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float32,
		arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, arrow.FixedWidthTypes.Date32,
		&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, arrow.FixedWidthTypes.Time64us, &arrow.FixedSizeBinaryType{ByteWidth: 3}}
	if depth > 2 || r.IntN(2) == 0 {
		return flat[r.IntN(len(flat))]
	}
	elem := element(r.typ(depth+1), r.IntN(2) == 0)
	switch r.IntN(6) {
	case 0:
		return arrow.ListOfField(elem)
	case 1:
		key := flat[1+r.IntN(2)]
		return arrow.MapOfFields(arrow.Field{Name: "key", Type: key}, arrow.Field{Name: "value", Type: elem.Type, Nullable: elem.Nullable})
	case 2:
		elem.Name, elem.Nullable = "a", true // arrow-go refuses NULL in a required member, also where the struct is NULL
		return arrow.StructOf(elem, arrow.Field{Name: "b", Type: r.typ(depth + 1), Nullable: true})
	}
	return arrow.FixedSizeListOfField(int32(1+r.IntN(9)), element(flat[1+r.IntN(3)], false))
}

func (r *random) batch(schema *arrow.Schema) arrow.RecordBatch {
	return r.rows(schema, r.IntN(300), []int{0, 2, 10}[r.IntN(3)])
}

// rows gives random rows; one of so many values is NULL.
func (r *random) rows(schema *arrow.Schema, rows, nulls int) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i, f := range schema.Fields() {
		for range rows {
			r.value(b.Field(i), f, nulls)
		}
	}
	return b.NewRecordBatch()
}

// value appends a value; one of so many is NULL, where the field may be.
func (r *random) value(b array.Builder, f arrow.Field, nulls int) {
	if f.Nullable && nulls > 0 && r.IntN(nulls) == 0 {
		b.AppendNull()
		return
	}
	few := int64(r.IntN(1 << r.IntN(20)))
	switch v := b.(type) {
	case *array.BooleanBuilder:
		v.Append(r.IntN(3) == 0)
	case *array.Int32Builder:
		v.Append(int32(few) - 5)
	case *array.Int64Builder:
		v.Append(few<<30 - 1000)
	case *array.Float32Builder:
		v.Append(float32(r.number()))
	case *array.Float64Builder:
		v.Append(r.number())
	case *array.StringBuilder:
		v.Append(strings.Repeat("ä", r.IntN(4)) + strings.Repeat("x", r.IntN(90)*r.IntN(2)) + fmt.Sprint(few))
	case *array.BinaryBuilder:
		v.Append(make([]byte, r.IntN(9)))
	case *array.FixedSizeBinaryBuilder:
		v.Append(append(make([]byte, v.Type().(*arrow.FixedSizeBinaryType).ByteWidth-1), byte(few)))
	case *array.Date32Builder:
		v.Append(arrow.Date32(few) - 40)
	case *array.Time64Builder:
		v.Append(arrow.Time64(few))
	case *array.TimestampBuilder:
		v.Append(arrow.Timestamp(few << 20))
	case *array.MapBuilder: // before ListBuilder
		t := f.Type.(*arrow.MapType)
		v.Append(true)
		for k := range r.IntN(4) { // DuckDB wants keys to differ
			if keys, ok := v.KeyBuilder().(*array.Int32Builder); ok {
				keys.Append(int32(k))
			} else {
				v.KeyBuilder().(*array.Int64Builder).Append(int64(k) << 40)
			}
			r.value(v.ItemBuilder(), t.ItemField(), nulls)
		}
	case *array.FixedSizeListBuilder:
		t := f.Type.(*arrow.FixedSizeListType)
		v.Append(true)
		for range t.Len() {
			r.value(v.ValueBuilder(), t.ElemField(), nulls)
		}
	case *array.ListBuilder:
		v.Append(true)
		for range r.IntN(4) {
			r.value(v.ValueBuilder(), f.Type.(*arrow.ListType).ElemField(), nulls)
		}
	case *array.StructBuilder:
		v.Append(true)
		for i, m := range f.Type.(*arrow.StructType).Fields() {
			r.value(v.FieldBuilder(i), m, nulls)
		}
	default:
		panic(fmt.Sprintf("no values of %T", b))
	}
}

func (r *random) number() float64 {
	switch r.IntN(40) {
	case 0:
		return math.NaN()
	case 1:
		return math.Copysign(0, -1)
	case 2:
		return math.Inf(1)
	}
	return math.Round(r.NormFloat64()*100) / 4
}

package main

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

var everyType = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "f", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
	{Name: "d", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: `na"me`, Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "j", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "bin", Type: &arrow.FixedSizeBinaryType{ByteWidth: 2}, Nullable: true},
	{Name: "geo", Type: arrow.BinaryTypes.Binary, Nullable: true},
	{Name: "ts", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "v", Type: arrow.FixedSizeListOfNonNullable(2, arrow.PrimitiveTypes.Float32), Nullable: true},
	{Name: "sparse", Type: arrow.MapOf(arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float32), Nullable: true},
	{Name: "st", Type: arrow.ListOf(arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32, Nullable: true})), Nullable: true},
}, nil)

func TestJSONLines(t *testing.T) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, everyType)
	add := func(i int, value any, text string) {
		t.Helper()
		switch f := b.Field(i).(type) {
		case *array.Float32Builder:
			f.Append(float32(value.(float64)))
		case *array.Float64Builder:
			f.Append(value.(float64))
		default:
			if err := f.AppendValueFromString(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, v := range []struct {
		number float64
		text   string
	}{{0, "9007199254740993"}, {0, "true"}, {math.NaN(), ""}, {math.Inf(-1), ""}, {0, "a\u0000b\"\\\n<é>\u2028"}, {0, `{"a": [1.0, 12345678901234567890] }`},
		{0, "AP8="}, {0, "AQ=="}, {0, "2025-01-31T23:59:59.000001Z"}, {0, "1969-12-31"}, {0, "[1.5,-0]"}, {0, ""}, {0, `[{"a":1},{"a":null}]`}} {
		if i != 11 {
			add(i, v.number, v.text)
			continue
		}
		m := b.Field(i).(*array.MapBuilder)
		m.Append(true)
		m.KeyBuilder().(*array.Int64Builder).AppendValues([]int64{3, 4294967294}, nil)
		m.ItemBuilder().(*array.Float32Builder).AppendValues([]float32{0.1, 16777216}, nil)
	}
	for i := range everyType.NumFields() {
		if i == 0 {
			b.Field(i).(*array.Int64Builder).Append(-1)
		} else {
			b.Field(i).AppendNull()
		}
	}
	batch := b.NewRecordBatch()
	const rest = `"bin":"AP8=","geo":"AQ==","ts":"2025-01-31T23:59:59.000001Z","day":"1969-12-31","v":[1.5,-0.0],"sparse":{"3":0.1,"4294967294":16777216.0},"st":[{"a":1},{"a":null}]}
{"id":-1,"b":null,"f":null,"d":null,"na\"me":null,"j":null,"bin":null,"geo":null,"ts":null,"day":null,"v":null,"sparse":null,"st":null}
`
	const first = `{"id":9007199254740993,"b":true,"f":"NaN","d":"-Infinity","na\"me":"a\u0000b\"\\\n<é>` + "\u2028" + `",`
	for _, c := range []struct {
		nested map[string]bool
		want   string
	}{
		{nil, first + `"j":"{\"a\": [1.0, 12345678901234567890] }",` + rest},
		{map[string]bool{"j": true}, first + `"j":{"a":[1.0,12345678901234567890]},` + rest},
	} {
		var out bytes.Buffer
		if err := (&jsonLines{out: &out, nested: c.nested}).write(batch); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("got\n%s\nwant\n%s", out.String(), c.want)
		}
		for line := range strings.Lines(out.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("not JSON: %s", line)
			}
		}
		// a part of a batch, whose arrays have offsets
		out.Reset()
		if err := (&jsonLines{out: &out, nested: c.nested}).write(batch.NewSlice(1, 2)); err != nil {
			t.Fatal(err)
		}
		if _, last, _ := strings.Cut(rest, "\n"); out.String() != last {
			t.Errorf("the second row is %s", out.String())
		}
	}
}

func TestAppendFloat(t *testing.T) {
	for _, c := range []struct {
		v    float64
		bits int
		want string
	}{
		{0, 64, "0.0"}, {math.Copysign(0, -1), 64, "-0.0"}, {1, 32, "1.0"}, {-1.5, 32, "-1.5"}, {float64(float32(0.1)), 32, "0.1"}, {float64(float32(0.1)), 64, "0.10000000149011612"},
		{1e15, 64, "1000000000000000.0"}, {1e16, 64, "1e+16"}, {math.MaxFloat64, 64, "1.7976931348623157e+308"}, {math.SmallestNonzeroFloat32, 32, "1e-45"}, {math.Inf(1), 32, `"Infinity"`},
	} {
		if got := string(appendFloat(nil, c.v, c.bits)); got != c.want {
			t.Errorf("%v is %s, not %s", c.v, got, c.want)
		}
	}
}

func TestAppendTime(t *testing.T) {
	for micros, want := range map[int64]string{
		0: `"1970-01-01T00:00:00Z"`, -1: `"1969-12-31T23:59:59.999999Z"`, 253402300800000000: `"+010000-01-01T00:00:00Z"`,
		math.MaxInt64: `"+294247-01-10T04:00:54.775807Z"`, math.MinInt64: `"-290308-12-21T19:59:05.224192Z"`,
	} {
		if got := string(appendTime(nil, time.UnixMicro(micros).UTC())); got != want {
			t.Errorf("%d is %s, not %s", micros, got, want)
		}
	}
}

func BenchmarkJSONLines(b *testing.B) {
	const rows, dim = 1000, 768
	v := array.NewFixedSizeListBuilder(memory.DefaultAllocator, dim, arrow.PrimitiveTypes.Float32)
	for i := range rows {
		v.Append(true)
		for j := range dim {
			v.ValueBuilder().(*array.Float32Builder).Append(float32(i) / float32(j+1))
		}
	}
	a := v.NewArray()
	batch := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: "v", Type: a.DataType()}}, nil), []arrow.Array{a}, rows)
	b.SetBytes(rows * dim * 4)
	for b.Loop() {
		var out bytes.Buffer
		if err := (&jsonLines{out: &out}).write(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*rows)/b.Elapsed().Seconds(), "rows/s")
}

package datafile

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

var update = flag.Bool("update", false, "rewrite golden files")

// write writes the batches to a file of the test's own and returns its path and statistics.
func write(t testing.TB, schema *arrow.Schema, opts Options, batches ...arrow.RecordBatch) (string, Stats) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.parquet")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := Create(out, schema, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	s, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return path, s
}

func python(t testing.TB, script string, args ...string) string {
	t.Helper()
	return strings.TrimSpace(string(testkit.RunPython(t, filepath.Join("testdata", script), args...)))
}

func statsFile(t testing.TB, s Stats) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "stats.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryType(t *testing.T) {
	schema := everyType()
	rec := record(t, schema, everyRow)
	// The second batch begins in the middle of its arrays: offsets of every kind.
	twice := record(t, schema, everyRow[:len(everyRow)-2]+","+everyRow[2:])
	path, stats := write(t, schema, Options{}, rec, twice.NewSlice(4, 8))
	if got := python(t, "rows.py", path); got != "8" {
		t.Errorf("pyarrow read %s rows, want 8", got)
	}
	if got := python(t, "stats.py", path, statsFile(t, stats)); got != "8" {
		t.Errorf("%s columns compared with pyiceberg's statistics, want 8", got)
	}
}

func TestLayout(t *testing.T) {
	schema := everyType()
	path, _ := write(t, schema, Options{KeyValues: []milvus.KeyValue{{Key: "milvus.collection", Value: "films"}, {Key: "milvus.snapshot", Value: "backup"}}},
		record(t, schema, everyRow))
	golden(t, "layout.txt", python(t, "layout.py", path)+"\n")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (see -update):\n%s", name, got)
	}
}

func TestEmptyFile(t *testing.T) {
	schema := everyType()
	path, stats := write(t, schema, Options{})
	if got := python(t, "rows.py", path); got != "0" || stats.Rows != 0 || len(stats.SplitOffsets) != 0 {
		t.Errorf("pyarrow read %s rows of %+v", got, stats)
	}
}

func TestFloats(t *testing.T) {
	negZero, nan := float32(math.Copysign(0, -1)), float32(math.NaN())
	payload := math.Float32frombits(0x7fc01234)
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name         string
		values       []float32
		nans         int64
		lower, upper any
	}{
		{"NaN is no bound", []float32{nan, 2, payload, -1}, 2, float32(-1), float32(2)},
		{"only NaN", []float32{nan, nan}, 2, nil, nil},
		{"zeros round outwards", []float32{0}, 0, negZero, float32(0)},
		{"negative zero", []float32{negZero}, 0, negZero, float32(0)},
		{"infinities", []float32{-inf, inf, 0}, 0, -inf, inf},
	} {
		t.Run(c.name, func(t *testing.T) {
			schema := numbered(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
				arrow.Field{Name: "v", Type: arrow.FixedSizeListOfField(1, element(arrow.PrimitiveTypes.Float32, false))})
			b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			for _, v := range c.values {
				b.Field(0).(*array.Float32Builder).Append(v)
				l := b.Field(1).(*array.FixedSizeListBuilder)
				l.Append(true)
				l.ValueBuilder().(*array.Float32Builder).Append(v)
			}
			path, stats := write(t, schema, Options{}, b.NewRecordBatch())
			f := stats.Fields[0]
			if f.NaNs != c.nans || !bytes.Equal(f.Lower, bound(c.lower)) || !bytes.Equal(f.Upper, bound(c.upper)) {
				t.Errorf("got %d NaN, [% x, % x]; want %d, %v, %v", f.NaNs, f.Lower, f.Upper, c.nans, c.lower, c.upper)
			}
			if v := stats.Fields[1]; v.Values != NotCounted || v.Lower != nil || v.Bytes == 0 {
				t.Errorf("the vector's element has statistics: %+v", v)
			}
			var want []string
			for _, v := range c.values {
				want = append(want, strconv.FormatUint(uint64(math.Float32bits(v)), 16))
			}
			if got := python(t, "bits.py", path); got != strings.Join(want, " ")+" | "+strings.Join(want, " ") {
				t.Errorf("pyarrow reads the bits %s", got)
			}
		})
	}
}

func bound(v any) []byte {
	if v == nil {
		return nil
	}
	return floatBytes(v.(float32))
}

func TestTextBounds(t *testing.T) {
	long := strings.Repeat("é", 16)
	top := string(rune(0x10FFFF))
	for _, c := range []struct {
		name         string
		values       []string
		lower, upper string
		unbounded    bool
		ours         bool // pyiceberg gives another bound, or fails
	}{
		{"short", []string{"b", "a", ""}, "", "b", false, false},
		{"16 code points stay", []string{long}, long, long, false, false},
		{"longer is cut and rounded up", []string{long + "x"}, long, strings.Repeat("é", 15) + "ê", false, false},
		{"over the surrogates", []string{strings.Repeat("a", 15) + "\uD7FF" + "x"}, strings.Repeat("a", 15) + "\uD7FF", strings.Repeat("a", 15) + "\uE000", false, true},
		{"the last code point carries", []string{strings.Repeat("a", 15) + top + "x"}, strings.Repeat("a", 15) + top, strings.Repeat("a", 14) + "b", false, true},
		{"nothing above", []string{strings.Repeat(top, 17)}, strings.Repeat(top, 16), "", true, true},
		{"bytes order supplementary characters last", []string{"\uFFFD", "😀"}, "\uFFFD", "😀", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			schema := numbered(arrow.Field{Name: "s", Type: arrow.BinaryTypes.String})
			b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
			b.Field(0).(*array.StringBuilder).AppendValues(c.values, nil)
			path, stats := write(t, schema, Options{}, b.NewRecordBatch())
			f := stats.Fields[0]
			if string(f.Lower) != c.lower || string(f.Upper) != c.upper || (f.Upper == nil) != c.unbounded {
				t.Errorf("got [%q, %q]", f.Lower, f.Upper)
			}
			if !c.ours {
				python(t, "stats.py", path, statsFile(t, stats))
			}
		})
	}
}

func TestBytesAbove(t *testing.T) {
	if got := bytesAbove("a\xff\xff"); string(got) != "b" {
		t.Errorf("got %q", got)
	}
	if got := bytesAbove("\xff\xff"); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestRowGroupsByBytes(t *testing.T) {
	schema := numbered(arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "v", Type: arrow.FixedSizeListOfField(256, element(arrow.PrimitiveTypes.Float32, false))})
	batches := vectors(schema, 256, 20, 512) // 512 KiB each
	path, stats := write(t, schema, Options{RowGroupBytes: 2 << 20}, batches...)
	if n := len(stats.SplitOffsets); n < 4 || n > 6 {
		t.Errorf("%d row groups of 10 MiB, want about 5", n)
	}
	python(t, "stats.py", path, statsFile(t, stats))
	if got := python(t, "pages.py", path); got != "ok 10240" {
		t.Error(got)
	}
}

// vectors gives batches of ids from 0 and vectors whose values tell row and place.
func vectors(schema *arrow.Schema, dim, n, rows int) []arrow.RecordBatch {
	out := make([]arrow.RecordBatch, n)
	for k := range out {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		ids, list := b.Field(0).(*array.Int64Builder), b.Field(1).(*array.FixedSizeListBuilder)
		values := list.ValueBuilder().(*array.Float32Builder)
		for i := range rows {
			id := k*rows + i
			ids.Append(int64(id))
			list.Append(true)
			for j := range dim {
				values.Append(float32(id) + float32(j)/float32(dim))
			}
		}
		out[k] = b.NewRecordBatch()
	}
	return out
}

func TestRefusals(t *testing.T) {
	withID := func(f arrow.Field, id string) arrow.Field {
		f.Metadata = arrow.NewMetadata([]string{FieldIDKey}, []string{id})
		return f
	}
	plain := arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int64}
	for _, c := range []struct {
		name   string
		schema *arrow.Schema
		class  error
	}{
		{"no id", arrow.NewSchema([]arrow.Field{plain}, nil), fault.ErrCorrupt},
		{"no id on an element", arrow.NewSchema([]arrow.Field{withID(arrow.Field{Name: "x", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64)}, "1")}, nil), fault.ErrCorrupt},
		{"id twice", arrow.NewSchema([]arrow.Field{withID(plain, "1"), withID(plain, "1")}, nil), fault.ErrCorrupt},
		{"bad id", arrow.NewSchema([]arrow.Field{withID(plain, "x")}, nil), fault.ErrCorrupt},
		{"int8", numbered(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int8}), fault.ErrUnsupported},
		{"local time", numbered(arrow.Field{Name: "x", Type: &arrow.TimestampType{Unit: arrow.Microsecond}}), fault.ErrUnsupported},
		{"nanoseconds", numbered(arrow.Field{Name: "x", Type: &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}}), fault.ErrUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Create(io.Discard, c.schema, Options{}); !errors.Is(err, c.class) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNullInRequired(t *testing.T) {
	nullable := numbered(arrow.Field{Name: "l", Type: arrow.ListOfField(element(arrow.PrimitiveTypes.Int64, true)), Nullable: true})
	for name, c := range map[string]struct {
		schema *arrow.Schema
		json   string
	}{
		"column":  {numbered(arrow.Field{Name: "l", Type: arrow.ListOfField(element(arrow.PrimitiveTypes.Int64, true))}), `[{"l": null}]`},
		"element": {numbered(arrow.Field{Name: "l", Type: arrow.ListOfField(element(arrow.PrimitiveTypes.Int64, false)), Nullable: true}), `[{"l": [1, null]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			rec := record(t, nullable, c.json)
			field := c.schema.Field(0)
			data := array.NewData(field.Type, rec.Column(0).Len(), rec.Column(0).Data().Buffers(), rec.Column(0).Data().Children(), rec.Column(0).NullN(), 0)
			bad := array.NewRecordBatch(c.schema, []arrow.Array{array.MakeFromData(data)}, 1)
			w, err := Create(io.Discard, c.schema, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(bad); !errors.Is(err, fault.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			if _, err := w.Close(); !errors.Is(err, fault.ErrCorrupt) {
				t.Errorf("Close after a failed Write: %v", err)
			}
		})
	}
}

func TestWrongBatch(t *testing.T) {
	w, err := Create(io.Discard, numbered(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int64}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	other := numbered(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int32})
	if err := w.Write(record(t, other, `[{"x": 1}]`)); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// full fails once n bytes have come.
type full struct{ n int }

var errFull = errors.New("disk full")

func (f *full) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func (f *full) Close() error { panic("closed by the writer of the file") }

func TestFailingDestination(t *testing.T) {
	schema := everyType()
	rec := record(t, schema, everyRow)
	for _, n := range []int{0, 4, 100, 2000, 1 << 20} {
		w, err := Create(&full{n}, schema, Options{})
		if err == nil {
			if err = w.Write(rec); err == nil {
				_, err = w.Close()
			}
		}
		if enough := n == 1<<20; (err == nil) != enough || !enough && !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: %v", n, err)
		}
	}
}

package deltalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

var header = binlog.Header{Collection: 1, Partition: milvus.AllPartitions, Segment: 3, Written: 4}

func ints(n int) *Deletes {
	d := &Deletes{PKType: milvus.TypeInt64}
	for i := range n {
		d.Int64 = append(d.Int64, int64(i)*9007199254740993-5)
		d.TS = append(d.TS, 470646393191268355+uint64(i%7))
	}
	if n > 2 {
		d.Int64[0], d.Int64[1], d.TS[2] = math.MinInt64, math.MaxInt64, math.MaxUint64
	}
	return d
}

func texts(n int) *Deletes {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	d := &Deletes{PKType: milvus.TypeVarChar}
	odd := []string{"", "<a&b>", `"\`, "a,b", "\x00\n", "\U0001F600e\u0301"}
	for i := range n {
		b.Append(fmt.Sprintf("%skey-%d", odd[i%len(odd)], i))
		d.TS = append(d.TS, 470646393191268355+uint64(i%7))
	}
	d.Strings = b.NewStringArray()
	return d
}

type variant struct {
	name string
	Writer
}

func variants() []variant {
	return []variant{
		{"json codec", Writer{}},
		{"json codec old", Writer{Before25: true}},
		{"json stream", Writer{Dialect: binlog.Stream}},
		{"json stream old", Writer{Dialect: binlog.Stream, Before25: true}},
		{"text", Writer{Form: Text, Before25: true}},
		{"multi stream", Writer{Form: MultiField, Dialect: binlog.Stream}},
		{"multi codec", Writer{Form: MultiField}},
		{"bare", Writer{Form: Bare}},
	}
}

// TestForms writes every form, reads it again, and has pyarrow read it by a decoder that knows nothing of ours.
func TestForms(t *testing.T) {
	dir := t.TempDir()
	want := map[string]*Deletes{}
	for _, v := range variants() {
		for _, d := range []*Deletes{ints(0), ints(1), ints(1000), texts(1), texts(1000)} {
			if v.Form == Text && d.PKType == milvus.TypeVarChar {
				continue
			}
			h := header
			if d.Len() == 0 {
				h.From, h.To = 1, 1
			}
			b, err := v.Encode(h, d)
			if err != nil {
				t.Fatalf("%s: %v", v.name, err)
			}
			name := fmt.Sprintf("%s %v %d", v.name, d.PKType, d.Len())
			sameDeletes(t, name, b, d)
			want[name] = d
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	var seen map[string][][2]any
	dec := json.NewDecoder(bytes.NewReader(testkit.RunPython(t, filepath.Join("testdata", "read_deletes.py"), dir)))
	dec.UseNumber()
	if err := dec.Decode(&seen); err != nil {
		t.Fatal(err)
	}
	if len(seen) != len(want) {
		t.Errorf("pyarrow read %d files of %d", len(seen), len(want))
	}
	for name, d := range want {
		for i, row := range seen[name] {
			key := ""
			if d.PKType == milvus.TypeInt64 {
				key = fmt.Sprint(d.Int64[i])
			} else {
				key = d.Strings.Value(i)
			}
			if fmt.Sprint(row[0]) != key || fmt.Sprint(row[1]) != fmt.Sprint(d.TS[i]) {
				t.Fatalf("%s row %d: pyarrow has %v, want %q at %d", name, i, row, key, d.TS[i])
			}
		}
		if len(seen[name]) != d.Len() {
			t.Errorf("%s: pyarrow has %d rows, want %d", name, len(seen[name]), d.Len())
		}
	}
}

func TestHeaders(t *testing.T) {
	for _, v := range variants()[:7] {
		b, err := v.Encode(header, ints(10))
		if err != nil {
			t.Fatal(err)
		}
		f, err := binlog.Open(b)
		if err != nil {
			t.Fatal(err)
		}
		d, e := f.Descriptor, f.Events[0]
		wantType, wantVersion := milvus.TypeString, ""
		if v.Form == MultiField {
			wantType, wantVersion = milvus.TypeInt64, "MULTI_FIELD"
		}
		if d.Field != -1 || d.Partition != -1 || d.DataType != wantType || d.Extras.Version() != wantVersion || e.Type != binlog.EventDelete {
			t.Errorf("%s: descriptor %+v", v.name, d)
		}
		from, to, next := milvus.Timestamp(470646393191268355), milvus.Timestamp(math.MaxUint64), int32(len(b))
		start, end := from, to
		if v.Dialect == binlog.Stream {
			from, to, start, end, next = 0, 0, 1, 1, -1
		}
		if d.Start != from || d.End != to || e.Start != start || e.End != end || e.NextPosition != next {
			t.Errorf("%s: %d to %d, event %d to %d, next %d", v.name, d.Start, d.End, e.Start, e.End, e.NextPosition)
		}
	}
}

// payload frames columns as a deltalog.
func payload(t *testing.T, x binlog.Extras, c ...binlog.ParquetColumn) []byte {
	t.Helper()
	p, err := binlog.Parquet(c...)
	if err != nil {
		t.Fatal(err)
	}
	return frame(t, x, binlog.EventDelete, p)
}

func frame(t *testing.T, x binlog.Extras, e binlog.EventType, p []byte) []byte {
	t.Helper()
	b, err := binlog.Writer{Dialect: binlog.Stream}.Wrap(header, binlog.File{
		Descriptor: binlog.Descriptor{Field: -1, DataType: milvus.TypeString, Extras: x}, Events: []binlog.Event{{Type: e, Payload: p}}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func textColumn(cells ...any) binlog.ParquetColumn {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	for _, c := range cells {
		if s, ok := c.(string); ok {
			b.AppendString(s)
		} else {
			b.AppendNull()
		}
	}
	return binlog.ParquetColumn{Name: "c", Values: b.NewArray(), Optional: true, FieldID: -1}
}

func intColumn(id int32, v ...int64) binlog.ParquetColumn {
	return binlog.ParquetColumn{Name: fmt.Sprint("c", id), Values: int64Array(v), FieldID: id}
}

func TestReadByContent(t *testing.T) {
	multi := binlog.Extras{"version": "MULTI_FIELD"}
	named := func(c binlog.ParquetColumn, name string) binlog.ParquetColumn { c.Name = name; return c }
	bare := func(c ...binlog.ParquetColumn) []byte {
		p, err := binlog.Parquet(c...)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	two := &Deletes{PKType: milvus.TypeInt64, Int64: []int64{1, 2}, TS: []uint64{10, 20}}
	for _, c := range []struct {
		name  string
		b     []byte
		want  *Deletes
		class error
	}{
		{"mixed cells", payload(t, nil, textColumn("1,10", `{"ts":20,"pk":2,"pkType":5}`)), two, nil},
		{"multi", payload(t, multi, intColumn(-1, 1, 2), named(intColumn(-1, 10, 20), "x")), two, nil},
		{"multi without version", payload(t, nil, intColumn(-1, 1, 2), named(intColumn(-1, 10, 20), "x")), two, nil},
		{"bare by position", bare(intColumn(-1, 1, 2), named(intColumn(-1, 10, 20), "x")), two, nil},
		{"bare the other way round", bare(intColumn(1, 10, 20), intColumn(0, 1, 2)), two, nil},
		{"bare of another file", bare(intColumn(100, 10, 20), intColumn(101, 1, 2)), nil, fault.ErrCorrupt},
		{"bare with one column", bare(intColumn(0, 1, 2)), nil, fault.ErrCorrupt},
		{"multi with one column", payload(t, multi, intColumn(-1, 1, 2)), nil, fault.ErrCorrupt},
		{"one column of numbers", payload(t, nil, intColumn(-1, 1, 2)), nil, fault.ErrCorrupt},
		{"multi with texts as timestamps", payload(t, multi, intColumn(-1, 1), textColumn("1")), nil, fault.ErrCorrupt},
		{"multi with a NULL", payload(t, multi, textColumn("a", nil), intColumn(-1, 1, 2)), nil, fault.ErrCorrupt},
		{"multi not UTF-8", payload(t, multi, textColumn("a", "\xff"), intColumn(-1, 1, 2)), nil, fault.ErrCorrupt},
		{"multi cut inside a character", payload(t, multi, textColumn("a\xc3", "\xa9b"), intColumn(-1, 1, 2)), nil, fault.ErrCorrupt},
		{"NULL cell", payload(t, nil, textColumn("1,10", nil)), nil, fault.ErrCorrupt},
		{"insert event", frame(t, nil, binlog.EventInsert, bare(textColumn("1,10"))), nil, fault.ErrCorrupt},
		{"no Parquet", frame(t, nil, binlog.EventDelete, []byte("12345678901234567890")), nil, fault.ErrCorrupt},
		{"encrypted", payload(t, binlog.Extras{"edek": "x"}, textColumn("1,10")), nil, fault.ErrUnsupported},
		{"encrypted Parquet", []byte("PARExxxxxxxxxxxxPARE"), nil, fault.ErrUnsupported},
		{"empty", nil, nil, fault.ErrCorrupt},
	} {
		d, err := Read(c.b)
		if !errors.Is(err, c.class) {
			t.Errorf("%s: %v, want %v", c.name, err, c.class)
		}
		if c.want != nil && err == nil {
			sameDeletes(t, c.name, c.b, c.want)
		}
		if err != nil && d != nil {
			t.Errorf("%s: a result beside an error", c.name)
		}
	}
}

func TestSeveralEvents(t *testing.T) {
	one, err := Writer{}.Encode(header, &Deletes{PKType: milvus.TypeInt64, Int64: []int64{1}, TS: []uint64{10}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := binlog.Open(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := binlog.Assemble(f.Descriptor, []binlog.Event{f.Events[0], f.Events[0]})
	if err != nil {
		t.Fatal(err)
	}
	sameDeletes(t, "two events", b, &Deletes{PKType: milvus.TypeInt64, Int64: []int64{1, 1}, TS: []uint64{10, 10}})
}

func TestEncodeRefuses(t *testing.T) {
	for name, d := range map[string]*Deletes{
		"type":   {PKType: milvus.TypeFloat},
		"counts": {PKType: milvus.TypeInt64, Int64: []int64{1}, TS: nil},
		"texts":  {PKType: milvus.TypeVarChar, TS: []uint64{1}},
	} {
		if _, err := (Writer{}).Encode(header, d); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if _, err := (Writer{Form: Text}).Encode(header, texts(1)); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("text form of VarChar keys: %v", err)
	}
}

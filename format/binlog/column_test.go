package binlog

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// TestGenuineColumns decodes every genuine insert log and writes it again: the descriptor (original_size of our formulas
// included), the event's bounds and the decoded values must be the same.
func TestGenuineColumns(t *testing.T) {
	rows := int64(0)
	genuine(t, "insert_log", func(name string, b []byte) {
		f, err := Open(b)
		if err != nil {
			t.Fatal(err)
		}
		d, e := f.Descriptor, f.Events[0]
		c, err := f.Column(milvus.Field{ID: d.Field})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		field := fieldOf(d, c)
		values := drain(t, c)
		rows += c.Rows()
		if c.Events() != 1 {
			t.Errorf("%s: %d events", name, c.Events())
		}
		again, err := Writer{Before25: true}.Encode(Header{
			Collection: d.Collection, Partition: d.Partition, Segment: d.Segment, Written: d.Timestamp, From: d.Start, To: d.End,
		}, field, values)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// Milvus counts elements of arrays, we count their bytes: nobody reads that number.
		if d.DataType != milvus.TypeArray && !bytes.Equal(again[:e.Offset], b[:e.Offset]) {
			t.Errorf("%s: another descriptor\n%q\n%q", name, again[:e.Offset], b[:e.Offset])
		}
		g, err := Open(again)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o := g.Events[0]; o.Start != e.Start || o.End != e.End || int(o.NextPosition) != len(again) || int(e.NextPosition) != len(b) {
			t.Errorf("%s: event from %d to %d, next %d", name, o.Start, o.End, o.NextPosition)
		}
		if got := readAll(t, again, field); !array.Equal(got, values) && !bytes.Equal(bitsOf(got), bitsOf(values)) {
			t.Errorf("%s: values differ after a round trip", name)
		}
	})
	if rows == 0 {
		t.Error("no rows")
	}
	t.Logf("%d values", rows)
}

// fieldOf makes up a field from what the file says of itself.
func fieldOf(d Descriptor, c *Column) milvus.Field {
	f := milvus.Field{ID: d.Field, Type: d.DataType}
	if w := d.DataType.DenseVectorWidth(8); w > 0 {
		f.Dim = c.Physical().TypeLength * 8 / w
	}
	return f
}

// bitsOf are the bytes of a fixed-width array: NaN equals NaN.
func bitsOf(a arrow.Array) []byte { return a.Data().Buffers()[1].Bytes() }

func TestSeveralEvents(t *testing.T) {
	f := milvus.Field{ID: 100, Type: milvus.TypeInt64}
	one, err := Writer{Dialect: Stream}.Encode(head, f, jsonArray(t, arrow.PrimitiveTypes.Int64, `[1,2]`))
	if err != nil {
		t.Fatal(err)
	}
	file, err := Open(one)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Writer{Dialect: Stream}.Encode(head, f, jsonArray(t, arrow.PrimitiveTypes.Int64, `[3]`))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Open(two)
	if err != nil {
		t.Fatal(err)
	}
	both, err := Assemble(file.Descriptor, []Event{file.Events[0], other.Events[0]})
	if err != nil {
		t.Fatal(err)
	}
	if file, err = Open(both); err != nil {
		t.Fatal(err)
	}
	c, err := file.Column(f)
	if err != nil || c.Events() != 2 || c.Rows() != 3 {
		t.Fatalf("%+v, %v", c, err)
	}
	stats, ok := c.Stats()
	if !ok || len(stats) != 2 || !bytes.Equal(stats[0].Max, []byte{2, 0, 0, 0, 0, 0, 0, 0}) || !bytes.Equal(stats[1].Min, []byte{3, 0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("stats %v", stats)
	}
	if got := drain(t, c); !array.Equal(got, jsonArray(t, arrow.PrimitiveTypes.Int64, `[1,2,3]`)) {
		t.Errorf("got %v", got)
	}
	if _, err := c.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestColumnRefuses(t *testing.T) {
	f := milvus.Field{ID: 100, Type: milvus.TypeInt64}
	good, err := Writer{}.Encode(head, f, jsonArray(t, arrow.PrimitiveTypes.Int64, `[1,2]`))
	if err != nil {
		t.Fatal(err)
	}
	file, err := Open(good)
	if err != nil {
		t.Fatal(err)
	}
	e := file.Events[0]
	two, err := Parquet(
		ParquetColumn{Name: "a", Values: jsonArray(t, arrow.PrimitiveTypes.Int64, `[1]`), FieldID: -1},
		ParquetColumn{Name: "b", Values: jsonArray(t, arrow.PrimitiveTypes.Int64, `[1]`), FieldID: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		field milvus.FieldID
		event Event
		class error
		at    int64
	}{
		{"another field", 101, e, fault.ErrCorrupt, 45},
		{"a delete event", 100, Event{Type: EventDelete, Payload: e.Payload}, fault.ErrCorrupt, e.Offset + 8},
		{"two columns", 100, Event{Type: EventInsert, Payload: two}, fault.ErrCorrupt, e.Offset + 33},
		{"no Parquet", 100, Event{Type: EventInsert, Payload: bytes.Repeat([]byte("x"), 50)}, fault.ErrCorrupt, e.Offset + 33},
		{"encrypted Parquet", 100, Event{Type: EventInsert, Payload: append([]byte("PARE"), e.Payload[4:]...)}, fault.ErrUnsupported, e.Offset + 33},
		{"empty payload", 100, Event{Type: EventInsert}, fault.ErrCorrupt, e.Offset + 33},
	} {
		g := File{Descriptor: file.Descriptor, Events: []Event{c.event}}
		g.Events[0].Offset = e.Offset
		_, err := g.Column(milvus.Field{ID: c.field})
		var fe *fault.Error
		if !errors.As(err, &fe) || !errors.Is(err, c.class) || fe.Offset != c.at {
			t.Errorf("%s: %v at %d, want %v at %d", c.name, err, fe.Offset, c.class, c.at)
		}
	}
}

// TestDamagedCases opens and decodes every V1 file of the damaged cases that concern this package: exactly the damage must
// be met, with its class.
func TestDamagedCases(t *testing.T) {
	root, n := testkit.Acceptance(t), 0
	for _, c := range testkit.Cases(t, "damaged") {
		name := filepath.Base(c.Name)
		if ok, _ := filepath.Match("v1-*", name); !ok && name != "edek" {
			continue
		}
		n++
		classes := map[string]int{}
		files, _ := filepath.Glob(filepath.Join(root, c.BucketDir, "files", "insert_log", "*", "*", "*", "*", "*"))
		if len(files) == 0 {
			t.Errorf("%s: no insert logs", c.Name)
		}
		for _, path := range files {
			if class := fault.ClassName(decodeFile(t, path)); class != "" {
				classes[class]++
				if !c.Accepts(class) {
					t.Errorf("%s: %s, want %s", c.Name, class, c.Refuse)
				}
			}
		}
		if len(classes) == 0 {
			t.Errorf("%s: nothing was refused", c.Name)
		}
	}
	if n < 20 {
		t.Errorf("%d cases", n)
	}
}

// decodeFile decodes an insert log wholly, as the field that it lies under.
func decodeFile(t *testing.T, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(b)
	if err != nil {
		return err
	}
	c, err := f.Column(milvus.Field{ID: f.Descriptor.Field})
	for err == nil {
		_, err = c.Next()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// TestAcceptedColumns decodes every insert log of the cases that must be read; none may be refused, and each is the file of
// the field that it lies under.
func TestAcceptedColumns(t *testing.T) {
	root, n := testkit.Acceptance(t), 0
	for _, kind := range []string{"snapshot", "trap"} {
		seen := map[string]bool{}
		for _, c := range testkit.Cases(t, kind) {
			if c.Refuse != "" || seen[c.BucketDir] {
				continue
			}
			seen[c.BucketDir] = true
			files, _ := filepath.Glob(filepath.Join(root, c.BucketDir, "*", "insert_log", "*", "*", "*", "[0-9]*", "[0-9]*"))
			for _, path := range files {
				b := testkit.ReadFile(t, path)
				if !Sniff(b) {
					continue // V2
				}
				n++
				if f, err := Open(b); err != nil || itoa(int64(f.Descriptor.Field)) != filepath.Base(filepath.Dir(path)) {
					t.Errorf("%s: field %d, %v", path, f.Descriptor.Field, err)
				} else if err := decodeFile(t, path); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
		}
	}
	t.Logf("%d files", n)
	if n < 500 {
		t.Errorf("%d files", n)
	}
}

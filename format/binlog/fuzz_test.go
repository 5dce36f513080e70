package binlog

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// refused fails unless err is one of the classes that hostile bytes may give.
func refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, fault.ErrCorrupt) && !errors.Is(err, fault.ErrLimit) && !errors.Is(err, fault.ErrUnsupported) {
		t.Fatalf("%v has no class", err)
	}
}

func seedFiles(f *testing.F) {
	seen := map[milvus.DataType]bool{}
	genuine(f, "insert_log", func(_ string, b []byte) {
		if d, err := OpenDescriptor(b); err == nil && !seen[d.DataType] {
			seen[d.DataType] = true
			f.Add(b)
		}
	})
	f.Add(sample(f, Extras{"original_size": "1"}, oneEvent(), oneEvent()))
	f.Add(sample(f, Extras{"original_size": "1", "edek": "x"}, oneEvent()))
	for _, c := range storageCases(f) {
		if b, err := (Writer{Dialect: Stream}).Encode(head, c.field, c.raw); err == nil {
			f.Add(b)
		}
	}
}

// FuzzBinlogOpen: whatever the bytes are, Open and Column return values or a fault; what is opened assembles to the same
// layout; the rows that come are those that are declared.
func FuzzBinlogOpen(f *testing.F) {
	seedFiles(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Open(b)
		if err != nil {
			refused(t, err)
			return
		}
		total := int(file.Events[0].Offset)
		for i := range file.Events {
			total += minEvent + len(file.Events[i].Payload)
		}
		if total != len(b) {
			t.Fatalf("%d bytes accounted for, the file has %d", total, len(b))
		}
		c, err := file.Column(milvus.Field{ID: file.Descriptor.Field})
		if err != nil {
			refused(t, err)
			return
		}
		c.Stats()
		rows := int64(0)
		for {
			var a arrow.Array
			if a, err = c.Next(); err != nil {
				break
			}
			rows += int64(a.Len())
		}
		if !errors.Is(err, io.EOF) {
			refused(t, err)
		} else if rows != c.Rows() {
			t.Fatalf("%d rows, declared %d", rows, c.Rows())
		}
	})
}

// FuzzDescriptor: extras of any text, framed correctly; accepted ones survive another round.
func FuzzDescriptor(f *testing.F) {
	for _, s := range []string{`{"original_size":"24000"}`, `{"nullable":true,"original_size":"1"}`, `{"edek":"x","encryption_zone":9007199254740993}`,
		`[]`, `null`, `{}`, `{"original_size":5}`, `{"a":{"b":[1,2,{"c":"\"}]"}]},"original_size":"0"}`, `{"original_size":"1"} `, "{\"\xff\":1}"} {
		f.Add([]byte(s))
	}
	prefix := sample(f, Extras{"original_size": "1"})[:extrasAt]
	f.Fuzz(func(t *testing.T, extras []byte) {
		b := append(bytes.Clone(prefix), extras...)
		le.PutUint32(b[extrasLengthAt:], uint32(len(extras)))
		le.PutUint32(b[magicSize+9:], uint32(minDescriptor+len(extras)))
		d, err := OpenDescriptor(b)
		if err != nil {
			refused(t, err)
			return
		}
		if _, ok := d.Extras.OriginalSize(); !ok {
			return // not written by anyone, and not by us
		}
		again, err := Assemble(d, nil)
		if err != nil {
			t.Fatal(err)
		}
		e, err := OpenDescriptor(again)
		if err != nil {
			t.Fatal(err)
		}
		third, err := Assemble(e, nil)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("extras %q became %q, then %q (%v)", extras, again[extrasAt:], third[extrasAt:], err)
		}
	})
}

// FuzzStats: any bytes; what is read can be written and read again to the same.
func FuzzStats(f *testing.F) {
	n := 0
	genuine(f, "stats_log", func(_ string, b []byte) {
		if n++; n%10 == 0 {
			f.Add(b)
		}
	})
	blocked := NewFilter(FilterBlocked, 3)
	blocked.AddString("x")
	b, err := EncodeCompoundStats([]Stats{{Field: 1, PKType: milvus.TypeVarChar, Min: "a", Max: "b", Filter: blocked}, {Field: 1, PKType: milvus.TypeVarChar, Min: "", Max: "", Filter: &Filter{Kind: FilterAlwaysTrue}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := ReadStats(b)
		if err != nil {
			refused(t, err)
			return
		}
		for _, s := range all {
			s.Filter.HasInt64(7)
			s.Filter.HasString("x")
		}
		once, err := EncodeCompoundStats(all)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadStats(once)
		if err != nil {
			t.Fatalf("%q: %v", once, err)
		}
		if twice, err := EncodeCompoundStats(again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q became %q (%v)", once, twice, err)
		}
	})
}

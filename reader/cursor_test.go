package reader

import (
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/milvus"
)

var head = binlog.Header{Collection: 1, Partition: 2, Segment: 3, Written: 470646393297436672, From: 470646393191268355, To: 470646393191268399}

// openCursor returns a cursor over a binlog of one nullable field with the given values; nil is NULL. Vectors of other than the
// field's dimension may be given.
func openCursor(t *testing.T, f milvus.Field, bad BadRows, values [][]byte) *cursor {
	t.Helper()
	written := f
	if f.Dim > 0 {
		i := slices.IndexFunc(values, func(v []byte) bool { return v != nil })
		written.Dim = len(values[i]) / 4
	}
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	for _, v := range values {
		if v == nil {
			b.AppendNull()
		} else {
			b.Append(v)
		}
	}
	body, err := binlog.Writer{}.Encode(head, written, b.NewArray())
	if err != nil {
		t.Fatal(err)
	}
	file, err := binlog.Open(body)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := file.Column(f)
	if err != nil {
		t.Fatal(err)
	}
	return &cursor{field: f, name: "1/2/3/102/7", pages: pages, bad: bad}
}

// A NULL vector takes a bit in its file and 4 bytes per dimension in memory, so a page is decoded piece by piece.
func TestMostlyNullVectorsAreDecodedInPieces(t *testing.T) {
	const dim, rows = 1024, 50_000 // 4 KiB each: 200 MB if decoded at once
	sparse := map[int]bool{0: true, 4095: true, 4096: true, 9000: true, rows - 1: true}
	values := make([][]byte, rows)
	for r := range sparse {
		values[r] = make([]byte, dim*4)
		values[r][2] = 0x80
		values[r][3] = 0x3f // 1.0
	}
	f := milvus.Field{ID: 102, Name: "v", Type: milvus.TypeFloatVector, Dim: dim, Nullable: true}
	c := openCursor(t, f, BadFail, values)
	row, batches := 0, 0
	for {
		n, err := c.available(DefaultBatchRows)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		if size := n * dim * 4; size > maxDecoded {
			t.Fatalf("%d bytes are decoded at once", size)
		}
		got, err := c.take(n)
		if err != nil {
			t.Fatal(err)
		}
		list := got.rows.(*array.FixedSizeList)
		for i := range n {
			if list.IsValid(i) != sparse[row+i] {
				t.Fatalf("row %d: valid is %v", row+i, list.IsValid(i))
			}
			if start, _ := list.ValueOffsets(i); sparse[row+i] && list.ListValues().(*array.Float32).Value(int(start)) != 1 {
				t.Errorf("row %d has another value", row+i)
			}
		}
		row += n
		batches++
	}
	if row != rows || batches != 13 {
		t.Errorf("%d rows in %d batches", row, batches)
	}
}

// Rows that do not fit are found where they are, in whatever piece of a page.
func TestBadRowsOfLaterPieces(t *testing.T) {
	const dim, rows = 1024, 10_000
	values := make([][]byte, rows)
	want := []int{1, 4095, 4096, 8192, rows - 1}
	for _, r := range want {
		values[r] = make([]byte, 8)
	}
	f := milvus.Field{ID: 102, Name: "v", Type: milvus.TypeFloatVector, Dim: dim, Nullable: true}
	c := openCursor(t, f, BadNull, values)
	var got []int
	for row := 0; ; {
		n, err := c.available(3000)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		rows, err := c.take(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range rows.bads {
			got = append(got, row+b)
		}
		row += n
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows %v do not fit, %v are reported", want, got)
	}

	for _, r := range want {
		values[r] = nil
	}
	values[9000] = make([]byte, 8)
	c = openCursor(t, f, BadFail, values)
	for {
		n, err := c.available(DefaultBatchRows)
		if err != nil {
			if !strings.Contains(err.Error(), "from row 8192 of the file") || !strings.Contains(err.Error(), "row 808") {
				t.Errorf("the error does not lead to row 9000: %v", err)
			}
			return
		}
		if n == 0 {
			t.Fatal("a value that does not fit was taken")
		}
		if _, err := c.take(n); err != nil {
			t.Fatal(err)
		}
	}
}

// A vector field without a file is NULL, and as wide.
func TestConstantVectorsComeInPieces(t *testing.T) {
	f := milvus.Field{ID: 102, Name: "v", Type: milvus.TypeFloatVector, Dim: 1024, Nullable: true}
	c := &cursor{field: f}
	n, err := c.available(DefaultBatchRows)
	if err != nil || n != 4096 {
		t.Fatalf("%d rows, %v", n, err)
	}
	got, err := c.take(n)
	if err != nil || got.rows.Len() != n || got.rows.NullN() != n {
		t.Errorf("%v, %v", got.rows, err)
	}
}

func TestCheckJSON(t *testing.T) {
	f := milvus.Field{ID: 102, Name: "j", Type: milvus.TypeJSON, Nullable: true}
	values := [][]byte{[]byte(`{"a":1}`), []byte(`{"a":`), nil, []byte(`{} {}`)}
	for _, c := range []struct {
		check bool
		want  []int
	}{{false, nil}, {true, []int{1, 3}}} {
		cur := openCursor(t, f, BadNull, values)
		cur.json = c.check
		n, err := cur.available(100)
		if err != nil || n != 4 {
			t.Fatal(n, err)
		}
		got, err := cur.take(n)
		if err != nil || !slices.Equal(got.bads, c.want) || got.rows.NullN() != 1+len(c.want) {
			t.Errorf("check %v: rows %v, %d NULLs, %v", c.check, got.bads, got.rows.NullN(), err)
		}
	}
}

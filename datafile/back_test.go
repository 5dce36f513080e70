package datafile

import (
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/format/pages"
)

// checkBack reads every column that format/pages reads, and returns how many those were.
func checkBack(t *testing.T, path string, schema *arrow.Schema, batches []arrow.RecordBatch) int {
	t.Helper()
	file, err := pages.OpenBytes(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	storage, err := storageSchema(schema)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for i, c := range file.Columns() {
		top, _ := storage.FieldsByName(c.Name)
		cursor, err := file.Cursor(i)
		if err != nil || len(batches) == 0 || c.MaxRep > 0 && !sameElements(top[0].Type, cursor.Type()) {
			continue
		}
		var got, want []arrow.Array
		for {
			a, err := cursor.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a)
		}
		for _, b := range batches {
			data, err := toStorage(top[0], b.Column(storage.FieldIndices(c.Name)[0]))
			if err != nil {
				t.Fatal(err)
			}
			if b.NumRows() > 0 {
				want = append(want, array.MakeFromData(array.NewData(cursor.Type(), data.Len(), data.Buffers(), data.Children(), data.NullN(), data.Offset())))
			}
		}
		if len(got) == 0 && len(want) == 0 {
			continue
		}
		if a, b := joined(t, got), joined(t, want); !array.ApproxEqual(a, b, array.WithNaNsEqual(true), array.WithAbsTolerance(0)) {
			t.Errorf("%s: column %v is %v, not %v", path, c.Path, a, b)
		}
		compared++
	}
	return compared
}

// sameElements says whether both are lists of one type: only types that are not nested can be taken for their physical ones.
func sameElements(a, b arrow.DataType) bool {
	l, ok := a.(*arrow.ListType)
	return ok && arrow.TypeEqual(l.Elem(), b.(*arrow.ListType).Elem())
}

func joined(t *testing.T, parts []arrow.Array) arrow.Array {
	t.Helper()
	a, err := array.Concatenate(parts, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestBytes shows a small file: a dictionary, NULL vectors, three pages of each column.
func TestBytes(t *testing.T) {
	schema := numbered(arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "v", Type: arrow.FixedSizeListOfField(3, element(arrow.PrimitiveTypes.Float32, false)), Nullable: true},
		arrow.Field{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true})
	rec := record(t, schema, `[{"id": 1, "v": [1, 2, 3], "s": "red"}, {"id": 2, "v": null, "s": "blue"}, {"id": 3, "v": [4, 5, 6], "s": "red"},
		{"id": 4, "v": [7, 8, 9], "s": null}, {"id": 5, "v": [0, 0, 0], "s": "red"}]`)
	path, stats := write(t, schema, Options{PageBytes: 24, Keys: []string{"id"}}, rec, rec)
	checkPages(t, path, stats)
	if n := checkBack(t, path, schema, []arrow.RecordBatch{rec, rec}); n != 3 {
		t.Errorf("%d columns read back", n)
	}
	golden(t, "small.txt", hex.Dump(read(t, path)))
}

// TestHybrid packs and repeats: what format/pages reads is tested with every file; here are lengths.
func TestHybrid(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []uint8
		width  int
		want   string
	}{
		{"none", nil, 1, ""},
		{"a run", make([]uint8, 300), 1, "d80400"},
		{"packed, the last group padded", []uint8{1, 0, 1}, 1, "0305"},
		{"packed groups before a run", append([]uint8{1, 0}, make([]uint8, 20)...), 1, "03011c00"},
		{"a short run is packed", []uint8{2, 2, 2, 2, 2, 2, 2, 1}, 2, "03aa6a"},
		{"two runs", append(make([]uint8, 8), 3, 3, 3, 3, 3, 3, 3, 3), 2, "10001003"},
	} {
		if got := hex.EncodeToString(appendHybrid(nil, c.values, c.width)); got != c.want {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
	}
	if got := hex.EncodeToString(appendHybrid(nil, []uint32{1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}, 10)); got != "12e803" {
		t.Errorf("wide values: %s", got)
	}
}

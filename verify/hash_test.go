package verify

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func withID(f arrow.Field, id string) arrow.Field {
	f.Metadata = arrow.NewMetadata([]string{metaFieldID}, []string{id})
	return f
}

// rowsOf makes the batch of the document's test vectors; the vector is a fixed-size or a variable list.
func rowsOf(t *testing.T, fixed bool, rows int) arrow.RecordBatch {
	t.Helper()
	var vector arrow.DataType = arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32)
	if fixed {
		vector = arrow.FixedSizeListOfNonNullable(2, arrow.PrimitiveTypes.Float32)
	}
	schema := arrow.NewSchema([]arrow.Field{
		withID(arrow.Field{Name: "t", Type: arrow.BinaryTypes.String, Nullable: true}, "102"), // order is by id, not by position
		withID(arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64}, "100"),
		withID(arrow.Field{Name: "v", Type: vector}, "101"),
		{Name: "_milvus_segment", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	texts, vectors := []string{"a", ""}, [][]float32{{0.5, -1}, {0, 0}}
	for r := range rows {
		if r == 1 {
			b.Field(0).AppendNull()
		} else {
			b.Field(0).(*array.StringBuilder).Append(texts[r])
		}
		b.Field(1).(*array.Int64Builder).Append(int64(r + 1))
		lists := b.Field(2).(array.ListLikeBuilder)
		lists.Append(true)
		lists.ValueBuilder().(*array.Float32Builder).AppendValues(vectors[r], nil)
		b.Field(3).(*array.Int64Builder).Append(int64(77 + r))
	}
	return b.NewRecordBatch()
}

func hashOf(t *testing.T, batches ...arrow.RecordBatch) Hash {
	t.Helper()
	h, err := NewHasher(batches[0].Schema())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := h.Add(b); err != nil {
			t.Fatal(err)
		}
	}
	return h.Sum()
}

// The vectors of docs/format/content-hash.md.
func TestDocumentedVectors(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "format", "content-hash.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile("(?m)^\\| .* \\| `([0-9a-f]{32}-[0-9]+)` \\|$").FindAllSubmatch(doc, -1)
	if len(want) != 3 {
		t.Fatalf("the document has %d test vectors", len(want))
	}
	for rows, w := range want {
		for _, fixed := range []bool{false, true} {
			if got := hashOf(t, rowsOf(t, fixed, rows)).String(); got != string(w[1]) {
				t.Errorf("%d rows, fixed %v: %s, the document says %s", rows, fixed, got, w[1])
			}
		}
	}
}

func TestHashDoesNotDependOnOrderOrBatches(t *testing.T) {
	whole := rowsOf(t, true, 2)
	parts := hashOf(t, whole.NewSlice(1, 2), whole.NewSlice(0, 1))
	if all := hashOf(t, whole); all != parts {
		t.Errorf("%s in one batch, %s in two", all, parts)
	}
	sum := hashOf(t, whole.NewSlice(0, 1)).Add(hashOf(t, whole.NewSlice(1, 2)))
	if sum != parts {
		t.Errorf("sums of parts differ: %s and %s", sum, parts)
	}
	if doubled := sum.Add(hashOf(t, whole)); doubled == sum {
		t.Error("a row that is there twice does not show")
	}
}

func TestHashTellsValuesApart(t *testing.T) {
	b := func(values []int32, valid []bool) arrow.RecordBatch {
		schema := arrow.NewSchema([]arrow.Field{withID(arrow.Field{Name: "a", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32), Nullable: true}, "100")}, nil)
		rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		lists := rb.Field(0).(*array.ListBuilder)
		lists.Append(values != nil)
		lists.ValueBuilder().(*array.Int32Builder).AppendValues(values, valid)
		return rb.NewRecordBatch()
	}
	seen := map[Hash]string{}
	for name, batch := range map[string]arrow.RecordBatch{
		"null": b(nil, nil), "empty": b([]int32{}, nil), "zero": b([]int32{0}, nil), "null element": b([]int32{0}, []bool{false}),
		"two": b([]int32{0, 0}, nil), "one null of two": b([]int32{0, 0}, []bool{true, false}),
	} {
		h := hashOf(t, batch)
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s hash alike", name, other)
		}
		seen[h] = name
	}
}

// A list of binary vectors is one of fixed-size binaries in the exporter and of binaries in a table.
func TestHashOfBinaryVectorLists(t *testing.T) {
	var hashes []Hash
	for _, elem := range []arrow.DataType{&arrow.FixedSizeBinaryType{ByteWidth: 2}, arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeBinary} {
		schema := arrow.NewSchema([]arrow.Field{withID(arrow.Field{Name: "a", Type: arrow.ListOfNonNullable(elem)}, "100")}, nil)
		batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(`[{"a": ["AAE=", "AgM="]}, {"a": []}]`))
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hashOf(t, batch))
	}
	if hashes[0] != hashes[1] || hashes[1] != hashes[2] {
		t.Errorf("the forms hash differently: %v", hashes)
	}
}

func TestParseHash(t *testing.T) {
	h := hashOf(t, rowsOf(t, true, 2))
	if back, err := ParseHash(h.String()); err != nil || back != h {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{"", "00-1", h.String()[1:], h.String() + "x"} {
		if _, err := ParseHash(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func BenchmarkHasher(b *testing.B) {
	schema := arrow.NewSchema([]arrow.Field{withID(arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64}, "100"),
		withID(arrow.Field{Name: "v", Type: arrow.FixedSizeListOfNonNullable(128, arrow.PrimitiveTypes.Float32)}, "101")}, nil)
	rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	const rows = 4096
	for r := range rows {
		rb.Field(0).(*array.Int64Builder).Append(int64(r))
		rb.Field(1).(*array.FixedSizeListBuilder).Append(true)
		rb.Field(1).(*array.FixedSizeListBuilder).ValueBuilder().(*array.Float32Builder).AppendValues(make([]float32, 128), nil)
	}
	batch := rb.NewRecordBatch()
	h, _ := NewHasher(schema)
	b.SetBytes(rows * (8 + 512))
	for b.Loop() {
		if err := h.Add(batch); err != nil {
			b.Fatal(err)
		}
	}
}

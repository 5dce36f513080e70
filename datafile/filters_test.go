package datafile

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/internal/testkit"
)

// TestFilters selects rows by a key, at the borders of pages and row groups and within them: every engine finds the key's text
// and vectors, whose pages end elsewhere, bit for bit. The truth is what pyarrow reads, without a filter, of the file that
// arrow-go made of the same rows.
func TestFilters(t *testing.T) {
	engines := testkit.Engines(t)
	schema, batches := keyed(6, 500)
	var reference strings.Builder
	writeReference(t, &reference, schema, Options{}, batches...)
	truth := rowsOf(t, engines, testkit.PyArrow, table(t, []byte(reference.String())))
	for i, opts := range []Options{{}, {Scalars: Codec{Name: CodecNone}, Vectors: Codec{Name: CodecZstd, Level: 3}}} {
		opts.PageBytes, opts.RowGroupBytes, opts.Keys = 3000, 300_000, []string{"key"}
		path, stats := write(t, schema, opts, batches...)
		checkPages(t, path, stats)
		if len(stats.SplitOffsets) < 3 {
			t.Fatalf("%d row groups", len(stats.SplitOffsets))
		}
		border := footerOf(t, read(t, path)).RowGroups[0].NumRows
		file := table(t, read(t, path))
		for _, r := range [][2]int64{{0, 1}, {374, 376}, {border - 1, border + 1}, {700, 1900}, {2999, 4000}, {5000, 6000}} {
			file.Where = &testkit.Range{Column: "key", From: r[0], To: r[1]}
			want := slices.DeleteFunc(slices.Clone(truth), func(row string) bool { k := keyOf(t, row); return k < r[0] || k >= r[1] })
			if n := max(0, min(r[1], 3000)-r[0]); int64(len(want)) != n {
				t.Fatalf("%d rows in %v", len(want), r)
			}
			for _, engine := range readers {
				modes := []string{"true"}
				if slices.Contains(testkit.Sparks, engine) && i == 0 {
					modes = []string{"true", "false"}
				}
				for _, nested := range modes {
					file.Conf = nil
					if slices.Contains(testkit.Sparks, engine) {
						file.Conf = map[string]string{"spark.sql.parquet.enableNestedColumnVectorizedReader": nested}
					}
					if len(want) == 0 && engine == testkit.Spark35 {
						continue // it hands over columns without types
					}
					got := rowsOf(t, engines, engine, file)
					if d := firstDifference(got, want); d >= 0 || len(got) != len(want) {
						t.Errorf("%+v: %s (%s): %d rows of %v, not %d: %.300s", opts.Scalars, engine, nested, len(got), r, len(want), fmt.Sprint(got))
					}
				}
			}
		}
	}
}

func keyOf(t *testing.T, row string) int64 {
	var r struct{ Key int64 }
	if err := json.Unmarshal([]byte(row), &r); err != nil {
		t.Fatal(err)
	}
	return r.Key
}

// keyed gives batches of ascending keys with a text, vectors of two widths and a vector in a struct, all of random bits.
func keyed(n, rows int) (*arrow.Schema, []arrow.RecordBatch) {
	short := arrow.FixedSizeListOfField(7, element(arrow.PrimitiveTypes.Int32, false))
	schema := numbered(arrow.Field{Name: "key", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "v", Type: arrow.FixedSizeListOfField(64, element(arrow.PrimitiveTypes.Float32, false))},
		arrow.Field{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
		arrow.Field{Name: "w", Type: short, Nullable: true},
		arrow.Field{Name: "s", Type: arrow.StructOf(arrow.Field{Name: "n", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
			arrow.Field{Name: "v", Type: short, Nullable: true}), Nullable: true})
	r := rand.New(rand.NewPCG(8, 9))
	vector := func(b array.Builder, dim int) {
		list := b.(*array.FixedSizeListBuilder)
		if dim == 7 && r.IntN(4) == 0 {
			list.AppendNull()
			return
		}
		list.Append(true)
		for range dim {
			switch v := list.ValueBuilder().(type) {
			case *array.Float32Builder:
				v.Append(math.Float32frombits(r.Uint32()))
			case *array.Int32Builder:
				v.Append(int32(r.Uint32()))
			}
		}
	}
	out := make([]arrow.RecordBatch, n)
	for k := range out {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := range rows {
			b.Field(0).(*array.Int64Builder).Append(int64(k*rows + i))
			vector(b.Field(1), 64)
			if text := b.Field(2).(*array.StringBuilder); r.IntN(5) == 0 {
				text.AppendNull()
			} else {
				text.Append(strings.Repeat("x", r.IntN(30)) + fmt.Sprint(i))
			}
			vector(b.Field(3), 7)
			s := b.Field(4).(*array.StructBuilder)
			if r.IntN(6) == 0 {
				s.AppendNull()
				continue
			}
			s.Append(true)
			s.FieldBuilder(0).(*array.Int32Builder).Append(int32(i))
			vector(s.FieldBuilder(1), 7)
		}
		out[k] = b.NewRecordBatch()
	}
	return schema, out
}

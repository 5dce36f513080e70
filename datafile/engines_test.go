package datafile

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapexport/snapexport/internal/testkit"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testkit.StopEngines()
	os.Exit(code)
}

// table makes a folder of data files that engines read, with one file.
func table(t *testing.T, data []byte) testkit.Table {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "f.parquet"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return testkit.Table{URI: dir, Data: true, Bits: true}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestEngines writes every type that Spark knows in pages and row groups of every size, NULL in all of a batch included:
// every engine reads the rows that pyarrow reads from the file that arrow-go made of them.
func TestEngines(t *testing.T) {
	engines := testkit.Engines(t)
	var fields []arrow.Field
	for _, f := range everyType().Fields() {
		if f.Name != "clock" {
			fields = append(fields, f)
		}
	}
	fields = append(fields, arrow.Field{Name: "void", Type: arrow.PrimitiveTypes.Int64, Nullable: true})
	schema := numbered(fields...)
	r := &random{rand.New(rand.NewPCG(3, 4))}
	var batches []arrow.RecordBatch
	for _, nulls := range []int{0, 10, 1, 2, 10} {
		batches = append(batches, r.rows(schema, 400, nulls))
	}
	for _, c := range []struct {
		name    string
		opts    Options
		batches []arrow.RecordBatch
	}{
		{"pages", Options{PageBytes: 1000, RowGroupBytes: 1 << 30}, batches},
		{"row groups", Options{PageBytes: 700, RowGroupBytes: 100, Scalars: someCodecs[2], Vectors: someCodecs[3]}, append(batches[:3:3], batches[0].NewSlice(7, 8))},
		{"one page", Options{Scalars: someCodecs[1], Vectors: someCodecs[2]}, batches},
		{"one row", Options{}, []arrow.RecordBatch{batches[1].NewSlice(5, 6)}},
		{"no row", Options{}, nil},
	} {
		path, stats := write(t, schema, c.opts, c.batches...)
		checkPages(t, path, stats)
		var reference strings.Builder
		writeReference(t, &reference, schema, Options{}, c.batches...)
		ours, theirs := table(t, read(t, path)), table(t, []byte(reference.String()))
		want := rowsOf(t, engines, testkit.PyArrow, theirs)
		for _, engine := range readers {
			if engine == testkit.Polars && stats.Rows == 0 {
				continue // it gives columns without rows no types
			}
			got := rowsOf(t, engines, engine, ours)
			if int64(len(got)) != stats.Rows {
				t.Errorf("%s: %s reads %d rows of %d", c.name, engine, len(got), stats.Rows)
			}
			if i := firstDifference(got, want); i >= 0 {
				t.Errorf("%s: %s reads\n%s\nnot\n%s", c.name, engine, got[i], want[i])
			}
		}
	}
}

// readers read Parquet files without a table.
var readers = append([]string{testkit.PyArrow, testkit.DuckDB, testkit.Polars}, testkit.Sparks...)

func rowsOf(t *testing.T, e *testkit.EngineSet, engine string, table testkit.Table) []string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "rows")
	e.Rows(t, engine, table, out)
	lines := strings.Split(string(read(t, out)), "\n")
	slices.Sort(lines)
	return lines[1:] // the first is what follows the last line
}

func firstDifference(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// TestPruning filters by a scalar whose pages end elsewhere than those of the vector: rows and vectors belong together. For
// Spark every page of the vector that the filter leaves out is made unreadable.
func TestPruning(t *testing.T) {
	engines := testkit.Engines(t)
	schema := numbered(arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "v", Type: arrow.FixedSizeListOfField(256, element(arrow.PrimitiveTypes.Float32, false))})
	path, stats := write(t, schema, Options{PageBytes: 5000, RowGroupBytes: 1 << 30, Keys: []string{"id"}}, vectors(schema, 256, 10, 500)...)
	checkPages(t, path, stats)
	whole, holed := table(t, read(t, path)), table(t, holes(t, read(t, path), 3210, 3215))
	want := "[[3210 3210.996 3210] [3211 3211.996 3211] [3212 3212.996 3212] [3213 3213.996 3213] [3214 3214.996 3214]]"
	query := "SELECT id, CAST(%s AS STRING) AS l, CAST(%s AS STRING) AS f FROM t WHERE id >= 3210 AND id < 3215 ORDER BY id"
	for _, c := range []struct {
		engine      string
		table       testkit.Table
		last, first string
	}{
		{testkit.DuckDB, whole, "v[256]", "CAST(v[1] AS INT)"},
		{testkit.Spark, holed, "element_at(v, 256)", "CAST(v[0] AS INT)"},
		{testkit.Spark35, holed, "element_at(v, 256)", "CAST(v[0] AS INT)"},
	} {
		if got := fmt.Sprint(engines.Query(t, c.engine, c.table, fmt.Sprintf(query, c.last, c.first)).Rows); got != want {
			t.Errorf("%s: %s", c.engine, got)
		}
	}
}

// holes fills the vector's pages, the second column's, without rows [from, to) with nonsense, up to where a page is only
// skipped.
func holes(t *testing.T, data []byte, from, to int64) []byte {
	t.Helper()
	c := footerOf(t, data).RowGroups[0].Columns[1]
	var x format.OffsetIndex
	decode(t, data[c.OffsetIndexOffset:c.OffsetIndexOffset+int64(c.OffsetIndexLength)], &x)
	filled := 0
	for i, p := range x.PageLocations {
		next := int64(1 << 40)
		if i+1 < len(x.PageLocations) {
			next = x.PageLocations[i+1].FirstRowIndex
		}
		if next+700 <= from || p.FirstRowIndex >= to+700 { // a page of ids has about 600 rows
			for k := p.Offset; k < p.Offset+int64(p.CompressedPageSize); k++ {
				data[k] = 0xFF
			}
			filled++
		}
	}
	if filled < len(x.PageLocations)/2 {
		t.Fatalf("only %d of %d pages filled", filled, len(x.PageLocations))
	}
	return data
}

package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// typedTable is the collection in one storage version, and the table that it was exported to.
type typedTable struct {
	*typed
	meta, uri string
	exported
}

// exportTyped exports the columns that keep says yes to. How V2 and V3 store Date and Time is not known.
func exportTyped(t *testing.T, version int64, keep func(typedColumn) bool, flags ...string) typedTable {
	t.Helper()
	columns := slices.DeleteFunc(someTypes(), func(c typedColumn) bool {
		return !keep(c) || version != milvus.StorageV1 && (c.Type == milvus.TypeDate || c.Type == milvus.TypeTime)
	})
	a := typedTable{typed: newTyped(columns), uri: filepath.Join(t.TempDir(), "table")}
	a.meta = a.write(t, t.TempDir(), version)
	succeed(t, nil, &a.exported, append([]string{"export", a.meta, "--to", a.uri, "--with", "partition,segment,ts,time,row-id"}, flags...)...)
	if a.Rows != typedRows {
		t.Errorf("%d rows", a.Rows)
	}
	return a
}

func every(typedColumn) bool { return true }

// Every type that can be exported, with its values at the edges, as every engine reads it: from all storage versions, as a
// table and as plain files.
func TestAllTypesInEveryEngine(t *testing.T) {
	t.Parallel()
	engines := testkit.Engines(t)
	all := []typedTable{exportTyped(t, milvus.StorageV1, every), exportTyped(t, milvus.StorageV2, every), exportTyped(t, milvus.StorageV3, every)}
	if all[1].Hash != all[2].Hash {
		t.Errorf("V2 has content hash %s, V3 %s", all[1].Hash, all[2].Hash)
	}
	for _, a := range all {
		for _, engine := range []string{testkit.PyArrow, testkit.PyIceberg, testkit.DuckDB} {
			a.compare(t, engines, engine)
		}
	}
	// to Spark, which is slow with so many columns, the tables look alike, but for Date and Time
	for _, engine := range testkit.Sparks {
		all[0].compare(t, engines, engine)
		all[0].compareModes(t, engines, engine)
	}
}

// compare reads the table, and once more the columns of NaNs with their bits.
func (a typedTable) compare(t *testing.T, engines *testkit.EngineSet, engine string) {
	t.Helper()
	table := testkit.Table{URI: a.uri}
	if engine == testkit.PyIceberg {
		table.Ignore = []string{"clips_null"} // 0.11.1 makes an empty list of a NULL list of structs
	}
	engines.Compare(t, engine, table, a.truth(t, false))
	table.Bits, table.Columns = true, append(a.names(func(c typedColumn) bool { return c.bits || c.PrimaryKey }), systemColumns...)
	engines.Compare(t, engine, table, a.truth(t, true))
}

// compareModes reads the table in the ways that Spark has beside the one that it takes by itself. Its own Parquet reader and
// Iceberg's each decode columns one by one or in batches; Iceberg's does that where all columns are flat.
func (a typedTable) compareModes(t *testing.T, engines *testkit.EngineSet, engine string) {
	t.Helper()
	truth := a.truth(t, false)
	flat := append(a.names(typedColumn.flat), systemColumns...)
	nested := a.names(func(c typedColumn) bool { return !c.flat() })
	for _, on := range []string{"true", "false"} {
		engines.Compare(t, engine, testkit.Table{URI: a.uri, Columns: flat, Ignore: nested, Conf: map[string]string{
			"spark.sql.iceberg.vectorization.enabled": on,
		}}, truth)
		engines.Compare(t, engine, testkit.Table{URI: a.uri, Data: true, Conf: map[string]string{
			"spark.sql.parquet.enableNestedColumnVectorizedReader": on,
			"spark.sql.parquet.datetimeRebaseModeInRead":           "CORRECTED", // Spark 3.5 refuses times long ago without
		}}, truth)
	}
}

// Spark 3.5 says what it wants before it reads times long ago from files that say nothing of who wrote them.
func TestOldTimesInPlainFiles(t *testing.T) {
	t.Parallel()
	engines := testkit.Engines(t)
	old := exportTyped(t, milvus.StorageV1, func(c typedColumn) bool { return c.Type == milvus.TypeDate || c.Type == milvus.TypeTimestamptz })
	table := testkit.Table{URI: old.uri, Data: true}
	const sql = "SELECT count(*), count(CASE WHEN year(date) = 1 OR year(timestamptz) = 1 THEN 1 END) FROM t"
	if got := fmt.Sprint(engines.Query(t, testkit.Spark, table, sql).Rows); got != "[[15 4]]" {
		t.Errorf("Spark 4.0: %s", got)
	}
	if msg := engines.Refusal(t, testkit.Spark35, table); !strings.Contains(msg, "datetimeRebaseMode") {
		t.Errorf("Spark 3.5 says %s", msg)
	}
}

// Acceptance cases with many types, whose truth was not made with our code, in every engine.
func TestAcceptanceTypesInEveryEngine(t *testing.T) {
	t.Parallel()
	dir := testkit.Acceptance(t)
	engines := testkit.Engines(t)
	cases := testkit.Cases(t, "")
	few := testkit.AllEngines[:len(testkit.AllEngines)-len(testkit.Sparks)]
	for name, readers := range map[string][]string{
		"snapshots/storage-v2-v3/alltypes-v2-and-v3": testkit.AllEngines, "traps/f-nullable-v3": testkit.AllEngines, "traps/f-array-element-nulls": testkit.AllEngines,
		"traps/f-name-collisions": testkit.AllEngines, "traps/f-dim-large": testkit.AllEngines,
		"traps/f-all-types-dialect-a": few, "traps/f-nullable-dialect-b": few, "traps/f-nullable-v2": few, "traps/f-array-encodings": few, "traps/t16-defaults-v3": few,
	} {
		c := cases[slices.IndexFunc(cases, func(c testkit.Case) bool { return c.Name == name })]
		table := filepath.Join(t.TempDir(), "table")
		checkExport(t, exportCase(t, dir, c, table), c)
		for _, engine := range readers {
			read := testkit.Table{URI: table}
			if engine == testkit.PyIceberg && strings.Contains(name, "nullable") {
				read.Ignore = []string{"st"} // as clips_null above
			}
			engines.Compare(t, engine, read, filepath.Join(dir, c.Truth))
		}
	}
}

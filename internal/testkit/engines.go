package testkit

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The engines that read tables for tests. PyArrow reads the Parquet files of the data folder and knows nothing of Iceberg.
const (
	Spark     = "spark-4.0"
	Spark35   = "spark-3.5"
	DuckDB    = "duckdb"
	PyIceberg = "pyiceberg"
	PyArrow   = "pyarrow"
	Polars    = "polars" // no SQL over lists as others have it, no tags
)

// Sparks are the releases of Spark that tables must be readable with. To ask both costs a session of 10 s and 1 GB more, once
// in a test binary; where a test is not about what Spark reads, Spark alone will do.
var Sparks = []string{Spark, Spark35}

// AllEngines are the engines in the order in which they are cheap to start: pyarrow first, the Sparks last.
var AllEngines = append([]string{PyArrow, PyIceberg, DuckDB}, Sparks...)

// S3 says where a table's objects are. Empty Region means us-east-1.
type S3 struct {
	Endpoint  string `json:"endpoint"` // http://127.0.0.1:7070
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
	Region    string `json:"region"`
}

// Settings are what engines need to read what the server holds.
func (v Versitygw) Settings() *S3 {
	return &S3{Endpoint: v.Endpoint, AccessKey: v.AccessKey, SecretKey: v.SecretKey}
}

// Table is what an engine reads.
type Table struct {
	URI     string            // root of the Iceberg table (a path, file://, s3://, s3a://), or for Spark a name in a catalog
	Ref     string            // tag or branch; "" is the current snapshot
	Data    bool              // the Parquet files of the data folder instead of the Iceberg table
	S3      *S3               // where s3:// is; nil for local tables
	Conf    map[string]string // settings of the engine, such as spark.sql.catalog.x.uri; Spark has them for this request only
	Columns []string          // read only these; nil is all
	Ignore  []string          // columns that are left out of a comparison
	JSON    []string          // columns whose JSON text is compared by value (an engine or type does not keep the text)
	Where   *Range            // read only the rows in it; the engine may leave out files, row groups and pages that have none
	Bits    bool              // floating-point numbers are compared by their bits, which the truth has as unsigned integers
}

// Range selects the rows whose value of an integer column is at least From and less than To.
type Range struct {
	Column string `json:"column"`
	From   int64  `json:"from"`
	To     int64  `json:"to"`
}

// Comparison is what an engine found, beside the rows that must be there.
type Comparison struct {
	Truth    int64    `json:"truth"`    // rows of the truth
	Rows     int64    `json:"rows"`     // rows of the table
	Equal    int64    `json:"equal"`    // rows that are in both, as multisets
	Problems []string `json:"problems"` // what differs; empty iff they are equal
}

// Result is what a query returned. Values are as encoding/json gives them, with numbers as json.Number; NaN and infinities
// are the strings NaN, Infinity and -Infinity, binary is base64, instants are microseconds since 1970.
type Result struct {
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

// EngineSet is the engines of this test binary. Each is one long-lived process (Spark takes 10 s to come up), started when a
// test first asks for it. They end when the test binary does, or with [StopEngines].
type EngineSet struct{ python, scripts, tools string }

// Engines returns the engines. They are those of `make tools`; where that has not been run, the test fails.
func Engines(t testing.TB) *EngineSet {
	t.Helper()
	root := Root(t)
	return &EngineSet{
		python:  Python(t),
		scripts: filepath.Join(root, "internal", "testkit", "engines"),
		tools:   filepath.Join(root, ".tools"),
	}
}

// Compare fails the test unless the engine finds exactly the rows of the truth file in the table. Truth is JSON lines, plain
// or .gz, one live row each, in the encoding that internal/testkit/engines/compare.py describes.
func (e *EngineSet) Compare(t testing.TB, engine string, table Table, truth string) {
	t.Helper()
	c := e.Diff(t, engine, table, truth)
	if len(c.Problems) > 0 {
		t.Errorf("%s: %s: %d of %d rows equal (the table has %d)\n  %s", engine, table.URI, c.Equal, c.Truth, c.Rows, strings.Join(c.Problems, "\n  "))
	}
}

// Diff is Compare without a verdict, for tests in which the two must differ.
func (e *EngineSet) Diff(t testing.TB, engine string, table Table, truth string) Comparison {
	t.Helper()
	path, err := filepath.Abs(truth)
	if err != nil {
		t.Fatal(err)
	}
	var c Comparison
	e.ask(t, engine, request{Op: "compare", Table: table, Truth: path}, &c)
	return c
}

// Rows writes the table's rows to the file out, as JSON lines in canonical encoding and in no order, and returns their number.
func (e *EngineSet) Rows(t testing.TB, engine string, table Table, out string) int64 {
	t.Helper()
	path, err := filepath.Abs(out)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Rows int64 `json:"rows"`
	}
	e.ask(t, engine, request{Op: "rows", Table: table, Out: path}, &r)
	return r.Rows
}

// Query returns what SQL over the table, which it calls t, gives; without a URI there is no t. Only Spark, DuckDB and polars know SQL.
func (e *EngineSet) Query(t testing.TB, engine string, table Table, sql string) Result {
	t.Helper()
	var r Result
	e.ask(t, engine, request{Op: "query", Table: table, SQL: sql}, &r)
	return r
}

// Schema returns the table's columns as the engine hands them to Arrow: pairs of name and Arrow type.
func (e *EngineSet) Schema(t testing.TB, engine string, table Table) [][2]string {
	t.Helper()
	var r struct {
		Columns [][2]string `json:"columns"`
	}
	e.ask(t, engine, request{Op: "schema", Table: table}, &r)
	return r.Columns
}

// Refusal returns the error with which the engine refuses to read the table; the test fails if it does read it.
func (e *EngineSet) Refusal(t testing.TB, engine string, table Table) string {
	t.Helper()
	reply := e.exchange(t, engine, request{Op: "schema", Table: table})
	if reply.Error == "" {
		t.Errorf("%s reads %s, which it should refuse", engine, table.URI)
	}
	return reply.Error
}

func (e *EngineSet) ask(t testing.TB, engine string, r request, into any) {
	t.Helper()
	reply := e.exchange(t, engine, r)
	if reply.Error != "" {
		t.Fatalf("%s: %s of %s: %s\n%s", engine, r.Op, r.Table.URI, reply.Error, reply.Trace)
	}
	dec := json.NewDecoder(bytes.NewReader(reply.raw))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: answer %.200q: %v", engine, reply.raw, err)
	}
}

func (e *EngineSet) exchange(t testing.TB, engine string, r request) reply {
	t.Helper()
	p, err := e.process(engine)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	answer, err := p.exchange(r)
	if err != nil {
		t.Fatalf("%s: %s of %s: %v\n%s", engine, r.Op, r.Table.URI, err, p.stderr.tail())
	}
	if d := time.Since(start); d > time.Second {
		t.Logf("%s: %s of %s took %.1f s", engine, r.Op, r.Table.URI, d.Seconds())
	}
	return answer
}

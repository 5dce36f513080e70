package testkit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	StopEngines()
	os.Exit(code)
}

// truth is the rows of sparkTable, in the encoding of truth files. No list of structs is NULL: pyiceberg 0.11.1 reads that as
// an empty list.
var truth = []string{
	`{"id": 9007199254740993, "name": "a\u0000b", "f": 0.10000000149011612, "d": -0.0, "vec": [1.5, -0.0], "sparse": {"4294967294": 0.5}, "bin": "AAH/", "ts": -1, "$meta": "{\"k\": 1}", "st": [{"a": 1, "b": "x"}]}`,
	`{"id": 2, "name": "ü", "f": "NaN", "d": "-Infinity", "vec": [], "sparse": {}, "bin": "", "ts": 253402300800000000, "$meta": "{}", "st": []}`,
	`{"id": 2, "name": "ü", "f": "NaN", "d": "-Infinity", "vec": [], "sparse": {}, "bin": "", "ts": 253402300800000000, "$meta": "{}", "st": []}`,
	`{"id": 3, "name": null, "f": null, "d": 1.0, "vec": null, "sparse": null, "bin": null, "ts": null, "$meta": null, "st": []}`,
}

func writeTruth(t *testing.T, rows ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(rows, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// sparkTable makes an Iceberg table with the rows of truth and a tag of the first of them, and returns its root. The name is
// that of a new catalog in the session.
func sparkTable(t *testing.T, e *EngineSet, name, warehouse string, s3 *S3) string {
	t.Helper()
	conf := map[string]string{
		"spark.sql.catalog." + name:                "org.apache.iceberg.spark.SparkCatalog",
		"spark.sql.catalog." + name + ".type":      "hadoop",
		"spark.sql.catalog." + name + ".warehouse": warehouse,
	}
	for _, sql := range []string{
		"CREATE TABLE w.db.t (id bigint, name string, f float, d double, vec array<float>, sparse map<bigint, float>, bin binary, ts timestamp, _meta string, st array<struct<a: int, b: string>>) USING iceberg",
		`INSERT INTO w.db.t VALUES (9007199254740993, 'a\u0000b', float('0.1'), double('-0.0'), array(float('1.5'), float('-0.0')), map(4294967294L, float('0.5')),
			X'0001FF', timestamp_micros(-1), '{"k": 1}', array(named_struct('a', 1, 'b', 'x')))`,
		"ALTER TABLE w.db.t CREATE TAG first",
		`INSERT INTO w.db.t SELECT 2L, 'ü', float('NaN'), double('-Infinity'), cast(array() AS array<float>), cast(map() AS map<bigint, float>), X'',
			timestamp_micros(253402300800000000), '{}', cast(array() AS array<struct<a: int, b: string>>) FROM range(2)`,
		"INSERT INTO w.db.t VALUES (3, NULL, NULL, double('1.0'), NULL, NULL, NULL, NULL, NULL, cast(array() AS array<struct<a: int, b: string>>))",
	} {
		e.Query(t, Spark, Table{Conf: conf, S3: s3}, strings.Replace(sql, " w.db.t", " "+name+".db.t", 1))
	}
	return warehouse + "/db/t"
}

func TestEveryEngineReadsTheSameRows(t *testing.T) {
	e := Engines(t)
	gateway := StartVersitygw(t)
	gateway.MakeBucket(t, "lake")
	for _, place := range []struct {
		name, warehouse string
		s3              *S3
	}{
		{"local", "file://" + t.TempDir(), nil},
		{"s3", "s3a://lake/warehouse", gateway.Settings()},
	} {
		root := sparkTable(t, e, place.name, place.warehouse, place.s3)
		for _, engine := range AllEngines {
			t.Run(place.name+"/"+engine, func(t *testing.T) { checkEngine(t, e, engine, root, place.s3) })
		}
	}
}

// checkEngine reads the table of sparkTable with one engine in all ways there are.
func checkEngine(t *testing.T, e *EngineSet, engine, root string, s3 *S3) {
	all, first := writeTruth(t, truth...), writeTruth(t, truth[0])
	table := Table{URI: root, S3: s3, Data: engine == PyArrow}
	e.Compare(t, engine, table, all)

	wrong := e.Diff(t, engine, table, writeTruth(t, append(truth[:3:3], strings.Replace(truth[3], "1.0", "1.5", 1))...))
	if wrong.Equal != 3 || len(wrong.Problems) != 1 || !strings.HasPrefix(wrong.Problems[0], "differs in d: want 1.5, got 1.0") {
		t.Errorf("one wrong value gives %+v", wrong)
	}
	if fewer := e.Diff(t, engine, table, first); fewer.Equal != 1 || fewer.Rows != 4 || len(fewer.Problems) == 0 {
		t.Errorf("missing rows give %+v", fewer)
	}

	out := filepath.Join(t.TempDir(), "rows.jsonl")
	if n := e.Rows(t, engine, table, out); n != 4 {
		t.Errorf("%d rows written", n)
	}
	checkLine(t, out)

	part := table
	part.Ignore = []string{"sparse"}
	e.Compare(t, engine, part, all)
	part.Columns, part.Ignore = []string{"id", "_meta"}, nil
	keys := []string{`{"id":9007199254740993,"$meta":"{\"k\":1}"}`, `{"id":2,"$meta":"{}"}`, `{"id":2,"$meta":"{}"}`, `{"id":3,"$meta":null}`}
	if spaced := e.Diff(t, engine, part, writeTruth(t, keys...)); spaced.Equal != 3 {
		t.Errorf("JSON text without its space gives %+v", spaced)
	}
	part.JSON = []string{"$meta"}
	e.Compare(t, engine, part, writeTruth(t, keys...))

	nowhere := table
	nowhere.URI += "-none"
	if msg := e.Refusal(t, engine, nowhere); msg == "" {
		t.Error("no error for a table that is not there")
	}
	if engine == PyArrow {
		return
	}
	table.Ref = "first"
	e.Compare(t, engine, table, first)
	table.Ref, table.Data = "", true
	e.Compare(t, engine, table, all)
	if engine == PyIceberg {
		return
	}
	table.Data = false
	got := e.Query(t, engine, table, "SELECT count(*) AS n, max(id) AS m FROM t")
	if len(got.Rows) != 1 || got.Rows[0][0] != json.Number("4") || got.Rows[0][1] != json.Number("9007199254740993") {
		t.Errorf("%+v", got)
	}
}

// checkLine checks the canonical encoding of the row that has a value in every column.
func checkLine(t *testing.T, path string) {
	t.Helper()
	const want = `{"_meta":"{\"k\": 1}","bin":"AAH/","d":-0.0,"f":0.10000000149011612,"id":9007199254740993,"name":"a\u0000b","sparse":{"4294967294":0.5},"st":[{"a":1,"b":"x"}],"ts":-1,"vec":[1.5,-0.0]}`
	if got := string(ReadFile(t, path)); !strings.Contains(got, want+"\n") {
		t.Errorf("rows are\n%s\nand not\n%s", got, want)
	}
}

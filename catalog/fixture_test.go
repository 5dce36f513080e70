package catalog

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"

	"github.com/snapexport/snapexport/datafile"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (see -update):\n%s", name, got)
	}
}

func milvusField(name string, t arrow.DataType, nullable bool, id, doc string) arrow.Field {
	f := arrow.Field{Name: name, Type: t, Nullable: nullable}
	if id != "" {
		f.Metadata = arrow.NewMetadata([]string{MilvusIDKey, MilvusDocKey}, []string{id, doc})
	}
	return f
}

func elem(t arrow.DataType, nullable bool) arrow.Field {
	return arrow.Field{Name: "element", Type: t, Nullable: nullable}
}

func vector(dim int32) arrow.DataType {
	return arrow.FixedSizeListOfField(dim, elem(arrow.PrimitiveTypes.Float32, false))
}

func sparse() arrow.DataType {
	return arrow.MapOfFields(arrow.Field{Name: "key", Type: arrow.PrimitiveTypes.Int64}, arrow.Field{Name: "value", Type: arrow.PrimitiveTypes.Float32})
}

// films is a collection of each type.
func films() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		milvusField("id", arrow.PrimitiveTypes.Int64, false, "100", "Int64 primary key id=100"),
		milvusField("title", arrow.BinaryTypes.String, true, "101", "VarChar max_length=64 id=101"),
		milvusField("vec", vector(3), true, "102", "FloatVector dim=3 id=102"),
		milvusField("bits", &arrow.FixedSizeBinaryType{ByteWidth: 2}, true, "103", "BinaryVector dim=16 id=103"),
		milvusField("terms", sparse(), true, "104", "SparseFloatVector id=104"),
		milvusField("tags", arrow.ListOfField(elem(arrow.BinaryTypes.String, false)), true, "105", "Array<VarChar> id=105"),
		milvusField("holes", arrow.ListOfField(elem(arrow.PrimitiveTypes.Int32, true)), true, "106", "Array<Int32> id=106"),
		milvusField("ok", arrow.FixedWidthTypes.Boolean, true, "107", "Bool id=107"),
		milvusField("score", arrow.PrimitiveTypes.Float32, true, "108", "Float id=108"),
		milvusField("weight", arrow.PrimitiveTypes.Float64, true, "109", "Double id=109"),
		milvusField("year", arrow.PrimitiveTypes.Int32, true, "110", "Int16 id=110"),
		milvusField("at", &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, true, "111", "Timestamptz id=111"),
		milvusField("day", arrow.FixedWidthTypes.Date32, true, "112", "Date id=112"),
		milvusField("place", arrow.BinaryTypes.Binary, true, "113", "Geometry id=113"),
		milvusField("clips", arrow.ListOfField(elem(arrow.StructOf(
			arrow.Field{Name: "label", Type: arrow.BinaryTypes.String},
			arrow.Field{Name: "emb", Type: vector(2)}), false)), true, "114", "struct array id=114"),
		milvusField("_meta", arrow.BinaryTypes.String, true, "120", "dynamic fields id=120"),
		milvusField("_milvus_ts", arrow.PrimitiveTypes.Int64, false, "", ""),
	}, nil)
}

const filmRows = `[
{"id": 1, "title": "Grüße 😀", "vec": [1, 2, 3], "bits": "AQI=", "terms": [{"key": 4294967295, "value": 0.5}], "tags": ["a", ""], "holes": [1, null], "ok": true, "score": 1.5, "weight": 0.1, "year": 1999, "at": "2024-02-29T23:59:59.999999Z", "day": "2024-02-29", "place": "AAE=", "clips": [{"label": "x", "emb": [1, 0]}], "_meta": "{\"a\": 1}", "_milvus_ts": 449000000000000001},
{"id": 9007199254740993, "title": "", "vec": [0, -0.5, 4], "bits": "AAA=", "terms": [], "tags": [], "holes": [], "ok": false, "score": -2, "weight": -1e300, "year": -32768, "at": "1970-01-01T00:00:00Z", "day": "1969-12-31", "place": "", "clips": [], "_meta": "{}", "_milvus_ts": 449000000000000002},
{"id": -5, "title": null, "vec": null, "bits": null, "terms": null, "tags": null, "holes": null, "ok": null, "score": null, "weight": null, "year": null, "at": null, "day": null, "place": null, "clips": null, "_meta": null, "_milvus_ts": 449000000000000003}
]`

// filmTruth is filmRows as the engines' comparison spells them.
const filmTruth = `{"id": 1, "title": "Grüße 😀", "vec": [1.0, 2.0, 3.0], "bits": "AQI=", "terms": {"4294967295": 0.5}, "tags": ["a", ""], "holes": [1, null], "ok": true, "score": 1.5, "weight": 0.1, "year": 1999, "at": 1709251199999999, "day": "2024-02-29", "place": "AAE=", "clips": [{"label": "x", "emb": [1.0, 0.0]}], "_meta": "{\"a\": 1}", "_milvus_ts": 449000000000000001}
{"id": 9007199254740993, "title": "", "vec": [0.0, -0.5, 4.0], "bits": "AAA=", "terms": {}, "tags": [], "holes": [], "ok": false, "score": -2.0, "weight": -1e300, "year": -32768, "at": 0, "day": "1969-12-31", "place": "", "clips": [], "_meta": "{}", "_milvus_ts": 449000000000000002}
{"id": -5, "title": null, "vec": null, "bits": null, "terms": null, "tags": null, "holes": null, "ok": null, "score": null, "weight": null, "year": null, "at": null, "day": null, "place": null, "clips": null, "_meta": null, "_milvus_ts": 449000000000000003}
`

// ids is a collection of ids and small vectors.
func ids() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		milvusField("id", arrow.PrimitiveTypes.Int64, false, "100", "key"),
		milvusField("vec", vector(2), false, "101", "vector"),
	}, nil)
}

func schemaOf(t testing.TB, s *arrow.Schema, opts SchemaOptions) *Schema {
	t.Helper()
	out, err := FromArrow(s, opts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// write puts a data file of the rows (JSON) below a table and describes it.
func (p place) write(t testing.TB, location, name string, s *Schema, rows string) iceberg.DataFile {
	t.Helper()
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, s.Arrow, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	w, err := datafile.Create(&body, s.Arrow, datafile.Options{Keys: []string{"id"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	stats, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	uri := location + "/data/" + name
	p.put(t, uri, body.Bytes())
	f, err := DataFile(uri, stats)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// row is one row of ids().
func row(id string) string { return `[{"id": ` + id + `, "vec": [` + id + `, 0]}]` }

func int64p(v int64) *int64 { return &v }

func appended(s *arrow.Schema, f ...arrow.Field) *arrow.Schema {
	return arrow.NewSchema(append(s.Fields(), f...), nil)
}

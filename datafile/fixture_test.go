package datafile

import (
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// numbered gives every field of a schema, nested ones included, an id: 1, 2, ... in order of depth first.
func numbered(fields ...arrow.Field) *arrow.Schema {
	next := 0
	var number func(f arrow.Field) arrow.Field
	number = func(f arrow.Field) arrow.Field {
		next++
		f.Metadata = arrow.NewMetadata([]string{FieldIDKey}, []string{strconv.Itoa(next)})
		switch t := f.Type.(type) {
		case *arrow.ListType:
			f.Type = arrow.ListOfField(number(t.ElemField()))
		case *arrow.FixedSizeListType:
			f.Type = arrow.FixedSizeListOfField(t.Len(), number(t.ElemField()))
		case *arrow.MapType:
			f.Type = arrow.MapOfFields(number(t.KeyField()), number(t.ItemField()))
		case *arrow.StructType:
			members := make([]arrow.Field, t.NumFields())
			for i, m := range t.Fields() {
				members[i] = number(m)
			}
			f.Type = arrow.StructOf(members...)
		}
		return f
	}
	out := make([]arrow.Field, len(fields))
	for i, f := range fields {
		out[i] = number(f)
	}
	return arrow.NewSchema(out, nil)
}

func element(t arrow.DataType, nullable bool) arrow.Field {
	return arrow.Field{Name: "element", Type: t, Nullable: nullable}
}

func sparseType() arrow.DataType {
	return arrow.MapOfFields(arrow.Field{Name: "key", Type: arrow.PrimitiveTypes.Int64}, arrow.Field{Name: "value", Type: arrow.PrimitiveTypes.Float32})
}

// everyType is one column of each type that the exporter hands over, nullable but for the key.
func everyType() *arrow.Schema {
	vec := arrow.FixedSizeListOfField(3, element(arrow.PrimitiveTypes.Float32, false))
	part := arrow.StructOf(
		arrow.Field{Name: "n", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		arrow.Field{Name: "v", Type: vec})
	f := func(name string, t arrow.DataType) arrow.Field {
		return arrow.Field{Name: name, Type: t, Nullable: true}
	}
	return numbered(
		arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		f("flag", arrow.FixedWidthTypes.Boolean),
		f("small", arrow.PrimitiveTypes.Int32),
		f("single", arrow.PrimitiveTypes.Float32),
		f("double", arrow.PrimitiveTypes.Float64),
		f("text", arrow.BinaryTypes.String),
		f("raw", arrow.BinaryTypes.Binary),
		f("at", &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}),
		f("day", arrow.FixedWidthTypes.Date32),
		f("clock", arrow.FixedWidthTypes.Time64us),
		f("words", arrow.ListOfField(element(arrow.BinaryTypes.String, false))),
		f("holes", arrow.ListOfField(element(arrow.PrimitiveTypes.Int64, true))),
		f("vec", vec),
		f("bytes8", arrow.FixedSizeListOfField(2, element(arrow.PrimitiveTypes.Int32, false))),
		f("bits", &arrow.FixedSizeBinaryType{ByteWidth: 2}),
		f("sparse", sparseType()),
		f("vecs", arrow.ListOfField(element(vec, false))),
		f("parts", arrow.ListOfField(element(part, false))),
	)
}

// everyRow is one row per line in JSON, as array.RecordFromJSON reads it: extremes, empties and NULL of everything.
// NaN and -0.0, which JSON has no word for, are in TestFloats.
const everyRow = `[
{"id": 1, "flag": true, "small": 2147483647, "single": 3.4028235e38, "double": 1.7976931348623157e308, "text": "Grüße, 世界 😀", "raw": "AAH/", "at": "2024-02-29T23:59:59.999999Z", "day": "1969-12-31", "clock": "23:59:59.999999", "words": ["a", "", "ß"], "holes": [1, null, 3], "vec": [1.5, -2, 1e-45], "bytes8": [-128, 127], "bits": "AQI=", "sparse": [{"key": 0, "value": 0.5}, {"key": 4294967295, "value": -1}], "vecs": [[1, 2, 3], [4, 5, 6]], "parts": [{"n": 7, "v": [1, 0, 0]}, {"n": null, "v": [0, 1, 0]}]},
{"id": -9223372036854775808, "flag": false, "small": -2147483648, "single": -1e-45, "double": 5e-324, "text": "", "raw": "", "at": "0001-01-01T00:00:00Z", "day": "9999-12-31", "clock": "00:00:00", "words": [], "holes": [], "vec": [0, 0, 0], "bytes8": [0, 0], "bits": "AAA=", "sparse": [], "vecs": [], "parts": []},
{"id": 9223372036854775807, "flag": null, "small": null, "single": null, "double": null, "text": null, "raw": null, "at": null, "day": null, "clock": null, "words": null, "holes": null, "vec": null, "bytes8": null, "bits": null, "sparse": null, "vecs": null, "parts": null},
{"id": 9007199254740993, "flag": true, "small": 0, "single": 0.1, "double": 0.1, "text": "\u0000\u0001 \" \\ \n", "raw": "gA==", "at": "1970-01-01T00:00:00.000001Z", "day": "1970-01-01", "clock": "12:00:00", "words": ["z"], "holes": [null], "vec": [3, 2, 1], "bytes8": [5, 6], "bits": "/38=", "sparse": [{"key": 9, "value": 2}], "vecs": [[7, 8, 9]], "parts": [{"n": 1, "v": [9, 9, 9]}]}
]`

func record(t testing.TB, schema *arrow.Schema, json string) arrow.RecordBatch {
	t.Helper()
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(json))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

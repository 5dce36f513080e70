package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/snapexport/snapexport/milvus"
)

// Values at the edges, as truth files spell them: a FLOAT is widened to a double.
var (
	edgeFloats = []string{"0.0", "-0.0", "0.10000000149011612", "1.401298464324817e-45", "1.1754943508222875e-38", "3.4028234663852886e+38", "-3.4028234663852886e+38",
		`"NaN"`, `"Infinity"`, `"-Infinity"`}
	edgeDoubles = []string{"0.0", "-0.0", "0.1", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e+308", "-1.7976931348623157e+308", `"NaN"`, `"Infinity"`, `"-Infinity"`}
	edgeHalves  = []string{"0.0", "-0.0", "5.960464477539063e-08", "6.103515625e-05", "65504.0", "-65504.0", `"NaN"`, `"Infinity"`, `"-Infinity"`}
	edgeBfloats = []string{"0.0", "-0.0", "9.183549615799121e-41", "1.1754943508222875e-38", "3.3895313892515355e+38", "-3.3895313892515355e+38", `"NaN"`, `"Infinity"`, `"-Infinity"`}
	edgeLongs   = []string{"0", "-9223372036854775808", "9223372036854775807", "9007199254740993", "-9007199254740993"}
	edgeTexts   = []string{`""`, `" "`, `"a\u0000b"`, `"\u0000"`, `"Grüße 😀"`, `"` + strings.Repeat("\U0010FFFF", 20) + `"`, `"é"`, `"e\u0301"`, `"NULL"`, `"'\"\\\n\t\r"`,
		`"` + strings.Repeat("0123456789abcdef", 4000) + `"`}
	edgeTimes = []string{"0", "-1", "1", "951782400123456", "-62135596800000000", "253402300799999999", "-12219292800000001"}
)

const day = 86_400_000_000 // microseconds

// someTypes are the columns of every type that Milvus stores and that can be exported.
func someTypes() []typedColumn {
	scalars := []typedColumn{
		column("bool", milvus.TypeBool, "true", "false"),
		column("int8", milvus.TypeInt8, "-128", "127", "0"),
		column("int16", milvus.TypeInt16, "-32768", "32767", "0"),
		column("int32", milvus.TypeInt32, "-2147483648", "2147483647", "0"),
		column("int64", milvus.TypeInt64, edgeLongs...),
		column("float", milvus.TypeFloat, edgeFloats...),
		column("double", milvus.TypeDouble, edgeDoubles...),
		column("varchar", milvus.TypeVarChar, edgeTexts...),
		column("string", milvus.TypeString, edgeTexts[:6]...),
		column("text", milvus.TypeText, edgeTexts[2:]...),
		column("json", milvus.TypeJSON, `"null"`, `"{}"`, `"[]"`, `"\"\""`, `" {\"k\" : [1, 2.50, -0.5, true, null, \"😀\"]} "`, `"9007199254740993"`, `"{\"a\":{\"b\":{\"c\":[[[]]]}}}"`),
		column("json_odd", milvus.TypeJSON, `"{\"a\": 1, \"a\": 2}"`, `"1e400"`, `"\"\\u0000\""`, `"123456789012345678901234567890"`, `"-0.0"`),
		column("geometry", milvus.TypeGeometry, `"AQEAAAAAAAAAAADwPwAAAAAAAABA"`, `"AQEAAAAAAAAAAAD4fwAAAAAAAPh/"`, `"AQcAAAAAAAAA"`),
		column("timestamptz", milvus.TypeTimestamptz, edgeTimes...),
		column("timestamptz_far", milvus.TypeTimestamptz, "253402300800000000", "-62135596800000001", "8210298412799999999", "-9000000000000000000"),
		column("date", milvus.TypeDate, `"1970-01-01"`, `"1969-12-31"`, `"2024-02-29"`, `"0001-01-01"`, `"1582-10-10"`, `"9999-12-31"`),
		column("time", milvus.TypeTime, "0", fmt.Sprint(day-1), fmt.Sprint(day/2)),
	}
	return slices.Concat(scalars, arrayTypes(), vectorTypes(), nestedTypes(), nanTypes())
}

// arrayTypes are arrays of every element type, and the same with elements that may be NULL.
func arrayTypes() []typedColumn {
	var out []typedColumn
	for _, e := range []struct {
		typ    milvus.DataType
		values []string
	}{
		{milvus.TypeBool, []string{"true", "false"}}, {milvus.TypeInt8, []string{"-128", "127"}}, {milvus.TypeInt16, []string{"-32768", "32767"}},
		{milvus.TypeInt32, []string{"-2147483648", "2147483647"}}, {milvus.TypeInt64, edgeLongs}, {milvus.TypeFloat, edgeFloats}, {milvus.TypeDouble, edgeDoubles},
		{milvus.TypeVarChar, edgeTexts[:8]}, {milvus.TypeTimestamptz, edgeTimes},
	} {
		name := "array_" + strings.ToLower(e.typ.String())
		all := strings.Join(e.values, ",")
		out = append(out, listColumn(name, milvus.TypeArray, e.typ, 0, "[]", "["+all+"]", "["+e.values[0]+"]"))
		some := listColumn(name+"_some", milvus.TypeArray, e.typ, 0, "[]", "[null]", "[null,"+all+",null]", "["+e.values[1]+"]")
		some.ElementNullable = true
		out = append(out, some)
	}
	return out
}

// vectorOf writes a vector of so many dimensions out of the elements.
func vectorOf(dim, first int, elements []string) string {
	var out []string
	for i := range dim {
		out = append(out, elements[(first+i)%len(elements)])
	}
	return "[" + strings.Join(out, ",") + "]"
}

func vectorsOf(dim int, elements []string) []string {
	return []string{vectorOf(dim, 0, elements), vectorOf(dim, 1, elements), vectorOf(dim, len(elements)/2, elements)}
}

func vectorTypes() []typedColumn {
	bytesOf := []string{"-128", "127", "0", "-1", "1"}
	var many []string
	for i := range 2047 {
		many = append(many, fmt.Sprint(float64(i)*0.25-100)+"e0")
	}
	out := []typedColumn{
		vectorColumn("binary_8", milvus.TypeBinaryVector, 8, `"AA=="`, `"/w=="`),
		vectorColumn("binary_4096", milvus.TypeBinaryVector, 4096, `"`+strings.Repeat("AP9h", 512/3)+`/wA="`, `"`+strings.Repeat("////", 512/3)+`AAA="`),
		vectorColumn("sparse", milvus.TypeSparseVector, 0, "{}", `{"0": 0.5}`, `{"4294967294": 3.4028234663852886e+38}`, `{"1": 1.401298464324817e-45, "70000": 0.10000000149011612, "4294967294": 2.0}`),
	}
	for _, dim := range []int{1, 10} {
		out = append(out,
			vectorColumn(fmt.Sprint("float_", dim), milvus.TypeFloatVector, dim, vectorsOf(dim, edgeFloats)...),
			vectorColumn(fmt.Sprint("float16_", dim), milvus.TypeFloat16Vector, dim, vectorsOf(dim, edgeHalves)...),
			vectorColumn(fmt.Sprint("bfloat16_", dim), milvus.TypeBFloat16Vector, dim, vectorsOf(dim, edgeBfloats)...),
			vectorColumn(fmt.Sprint("int8_", dim), milvus.TypeInt8Vector, dim, vectorsOf(dim, bytesOf)...))
	}
	return append(out, vectorColumn("float_2048", milvus.TypeFloatVector, 2048, vectorsOf(2048, many)...), vectorColumn("int8_2048", milvus.TypeInt8Vector, 2048, vectorsOf(2048, bytesOf)...))
}

// nestedTypes are lists of vectors and struct arrays.
func nestedTypes() []typedColumn {
	var out []typedColumn
	for _, e := range []struct {
		typ milvus.DataType
		dim int
		of  []string
	}{
		{milvus.TypeFloatVector, 3, edgeFloats}, {milvus.TypeFloat16Vector, 3, edgeHalves}, {milvus.TypeBFloat16Vector, 3, edgeBfloats}, {milvus.TypeInt8Vector, 3, []string{"-128", "127", "0"}},
	} {
		v := vectorsOf(e.dim, e.of)
		out = append(out, listColumn("list_"+strings.ToLower(e.typ.String()), milvus.TypeArrayOfVector, e.typ, e.dim, "[]", "["+v[0]+"]", "["+strings.Join(v, ",")+"]"))
	}
	out = append(out, listColumn("list_binaryvector", milvus.TypeArrayOfVector, milvus.TypeBinaryVector, 16, "[]", `["AAE="]`, `["//8=","AAA="]`))
	clips := typedColumn{Field: milvus.Field{Name: "clips"}, members: []milvus.Field{
		listColumn("start", milvus.TypeArray, milvus.TypeInt64, 0).Field, listColumn("title", milvus.TypeArray, milvus.TypeVarChar, 0).Field,
		listColumn("score", milvus.TypeArray, milvus.TypeDouble, 0).Field, listColumn("embedding", milvus.TypeArrayOfVector, milvus.TypeFloatVector, 3).Field,
	}}
	clips.values = []string{"[]", `[{"start": -9223372036854775808, "title": "", "score": "NaN", "embedding": [-0.0, "Infinity", 1.5]}]`,
		`[{"start": 9007199254740993, "title": "a\u0000😀", "score": -0.0, "embedding": [1.0, 2.0, 3.0]}, {"start": 0, "title": "é", "score": 5e-324, "embedding": [0.0, 0.0, "NaN"]}]`}
	return append(out, clips)
}

// nanTypes are NaNs by their bits: quiet and signalling ones, of both signs, with payloads. A scalar column has one only: in
// the dictionary of a source file all NaNs are one.
func nanTypes() []typedColumn {
	single := []string{fmt.Sprint(0x7fc00000), fmt.Sprint(uint32(0xffc12345)), fmt.Sprint(0x7fc12345), fmt.Sprint(uint32(0xff800001))}
	double := []string{fmt.Sprint(0x7ff8000000000000), fmt.Sprint(uint64(0xfff8dead0000beef)), fmt.Sprint(0x7ff8dead0000beef), fmt.Sprint(uint64(0xfff0000000000001))}
	half := []string{fmt.Sprint(0x7fc00000), fmt.Sprint(uint32(0xffc00000)), fmt.Sprint(0x7fc12000)}
	out := []typedColumn{
		column("nan_float", milvus.TypeFloat, single[1]), column("nan_double", milvus.TypeDouble, double[1]),
		listColumn("nan_array", milvus.TypeArray, milvus.TypeDouble, 0, "["+strings.Join(double, ",")+"]"),
		vectorColumn("nan_vector", milvus.TypeFloatVector, len(single), "["+strings.Join(single, ",")+"]"),
		vectorColumn("nan_halves", milvus.TypeFloat16Vector, len(half), "["+strings.Join(half, ",")+"]"),
	}
	for i := range out {
		out[i].bits = true
	}
	return out
}

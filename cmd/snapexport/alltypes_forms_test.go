package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

func hasVectors(c typedColumn) bool { return c.Type.IsVector() || c.members != nil }

// Vectors as the bytes that Milvus stores and sparse vectors as two lists, in every engine.
func TestVectorsAsBytesInEveryEngine(t *testing.T) {
	t.Parallel()
	engines := testkit.Engines(t)
	a := exportTyped(t, milvus.StorageV1, hasVectors, "--vector-as", "binary", "--sparse-as", "struct")
	truth := a.truthAs(t, stored)
	for _, engine := range testkit.AllEngines {
		table := testkit.Table{URI: a.uri}
		if engine == testkit.PyIceberg {
			table.Ignore = []string{"clips_null"}
		}
		engines.Compare(t, engine, table, truth)
	}
	verified(t, a)
}

// Vectors as lists of a fixed size: Arrow sees the size, others read lists.
func TestFixedListsInEngines(t *testing.T) {
	t.Parallel()
	engines := testkit.Engines(t)
	a := exportTyped(t, milvus.StorageV2, hasVectors, "--vector-as", "fixed-list", "--format", "parquet")
	truth := a.truth(t, false)
	table := testkit.Table{URI: a.uri, Data: true}
	for _, engine := range append([]string{testkit.PyArrow, testkit.DuckDB}, testkit.Sparks...) {
		engines.Compare(t, engine, table, truth)
	}
	sized := 0
	for _, c := range engines.Schema(t, testkit.PyArrow, table) {
		if strings.HasPrefix(c[1], "fixed_size_list<") {
			sized++
		}
	}
	if sized < 20 {
		t.Errorf("pyarrow sees %d lists of a fixed size", sized)
	}
}

// JSON as variant, by value, in the engines that know Iceberg's format 3.
func TestVariantsInSparkAndDuckDB(t *testing.T) {
	t.Parallel()
	engines := testkit.Engines(t)
	a := exportTyped(t, milvus.StorageV3, func(c typedColumn) bool { return c.Name == "json" }, "--json-as", "variant")
	table := testkit.Table{URI: a.uri, JSON: []string{"json", "json_null", "$meta"}}
	engines.Compare(t, testkit.Spark, table, a.truth(t, false))
	engines.Compare(t, testkit.DuckDB, table, a.truthAs(t, func(c typedColumn, value string) string {
		if c.Type == milvus.TypeJSON && value == `"null"` {
			return "null" // to DuckDB 1.5, the null in a variant is NULL
		}
		return value
	}))
	for _, engine := range []string{testkit.PyIceberg, testkit.Spark35} {
		if msg := engines.Refusal(t, engine, table); msg == "" {
			t.Errorf("%s says nothing", engine)
		}
	}
	verified(t, a)
}

// verified fails the test unless the table is found to hold the snapshot's rows.
func verified(t *testing.T, a typedTable) {
	t.Helper()
	succeed(t, nil, nil, "verify", a.meta, a.uri)
}

// stored spells dense vectors as the base64 of what Milvus stores.
func stored(c typedColumn, value string) string {
	switch {
	case value == "null" || c.Type == milvus.TypeBinaryVector || c.ElementType == milvus.TypeBinaryVector:
		return value
	case c.members != nil:
		return storedMembers(c, value)
	case c.Type == milvus.TypeArrayOfVector:
		return eachOf(value, func(v string) string { return storedVector(c.ElementType, v, c.bits) })
	case c.Type.IsDenseVector():
		return storedVector(c.Type, value, c.bits)
	}
	return value
}

// eachOf gives every element of a JSON list another spelling.
func eachOf(list string, spell func(string) string) string {
	var elements []json.RawMessage
	if err := json.Unmarshal([]byte(list), &elements); err != nil {
		panic(err)
	}
	out := make([]string, len(elements))
	for i, e := range elements {
		out[i] = spell(string(e))
	}
	return "[" + strings.Join(out, ",") + "]"
}

func storedMembers(c typedColumn, value string) string {
	return eachOf(value, func(object string) string {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(object), &members); err != nil {
			panic(err)
		}
		var out []string
		for _, m := range c.members {
			v := string(members[m.Name])
			if m.Type == milvus.TypeArrayOfVector {
				v = storedVector(m.ElementType, v, false)
			}
			out = append(out, fmt.Sprintf("%q: %s", m.Name, v))
		}
		return "{" + strings.Join(out, ",") + "}"
	})
}

// storedVector is little-endian: floats, the upper half of floats (bfloat16), IEEE halves, or bytes.
func storedVector(typ milvus.DataType, list string, bits bool) string {
	var out []byte
	eachOf(list, func(element string) string {
		x, err := strconv.ParseFloat(strings.Trim(element, `"`), 32)
		b := math.Float32bits(float32(x))
		if bits {
			var n uint64
			n, err = strconv.ParseUint(element, 10, 32)
			b = uint32(n)
		}
		switch {
		case err != nil:
			panic(err)
		case typ == milvus.TypeFloatVector:
			out = binary.LittleEndian.AppendUint32(out, b)
		case typ == milvus.TypeBFloat16Vector:
			out = binary.LittleEndian.AppendUint16(out, uint16(b>>16))
		case typ == milvus.TypeFloat16Vector:
			out = binary.LittleEndian.AppendUint16(out, halfBits(b))
		case typ == milvus.TypeInt8Vector:
			out = append(out, byte(int8(x)))
		}
		return ""
	})
	return strconv.Quote(base64.StdEncoding.EncodeToString(out))
}

// halfBits is the IEEE half of a float that is one exactly.
func halfBits(float uint32) uint16 {
	sign, exponent, fraction := uint16(float>>16&0x8000), int(float>>23&0xff)-127, float&0x7fffff
	switch {
	case exponent == 128: // infinity and NaN
		return sign | 0x7c00 | uint16(fraction>>13)
	case exponent < -14: // zero and less than the smallest normal number: units of 2^-24
		return sign | uint16(math.Abs(float64(math.Float32frombits(float)))*(1<<24))
	}
	return sign | uint16(exponent+15)<<10 | uint16(fraction>>13)
}

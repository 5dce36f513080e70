package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// everyType is a schema with a field of every kind.
func everyType(key milvus.DataType) milvus.Schema {
	return milvus.Schema{Name: "things", EnableDynamic: true, Fields: []milvus.Field{
		{Name: "id", Type: key, PrimaryKey: true, MaxLength: 40 * count(key == milvus.TypeVarChar)},
		{Name: "age", Type: milvus.TypeInt32, Nullable: true},
		{Name: "small", Type: milvus.TypeInt8, Default: int32(7)},
		{Name: "name", Type: milvus.TypeVarChar, MaxLength: 64},
		{Name: "flag", Type: milvus.TypeBool},
		{Name: "score", Type: milvus.TypeDouble},
		{Name: "doc", Type: milvus.TypeJSON, Nullable: true},
		{Name: "tags", Type: milvus.TypeArray, ElementType: milvus.TypeVarChar, MaxLength: 16, MaxCapacity: 8},
		{Name: "at", Type: milvus.TypeTimestamptz, Nullable: true},
		{Name: "vec", Type: milvus.TypeFloatVector, Dim: 4},
		{Name: "half", Type: milvus.TypeFloat16Vector, Dim: 4},
		{Name: "brain", Type: milvus.TypeBFloat16Vector, Dim: 2, Nullable: true},
		{Name: "bits", Type: milvus.TypeBinaryVector, Dim: 16},
		{Name: "tiny", Type: milvus.TypeInt8Vector, Dim: 3},
		{Name: "words", Type: milvus.TypeSparseVector},
	}, StructArrays: []milvus.StructArray{
		{Name: "parts", Members: []milvus.Field{
			{Name: "name", Type: milvus.TypeArray, ElementType: milvus.TypeVarChar, MaxLength: 16, MaxCapacity: 8},
			{Name: "vec", Type: milvus.TypeArrayOfVector, ElementType: milvus.TypeFloatVector, Dim: 2, MaxCapacity: 8},
		}},
	}}
}

// randomColumns makes n rows of all fields but the key.
func randomColumns(t *testing.T, r *rand.Rand, s *milvus.Schema, n int) map[milvus.FieldID]arrow.Array {
	t.Helper()
	out := map[milvus.FieldID]arrow.Array{}
	lengths := make([]int, n) // of struct arrays
	for i := range lengths {
		lengths[i] = r.IntN(4)
	}
	for _, f := range fieldsOf(s) {
		if f.PrimaryKey {
			continue
		}
		typ, err := cell.Type(f)
		if err != nil {
			t.Fatal(err)
		}
		b := array.NewBuilder(allocator, typ)
		member := strings.HasSuffix(f.Name, "]")
		for i := range n {
			if f.Nullable && r.IntN(4) == 0 {
				b.AppendNull()
				continue
			}
			randomValue(r, f, b, lengths[i], member)
		}
		out[f.ID] = b.NewArray()
	}
	return out
}

func randomValue(r *rand.Rand, f milvus.Field, b array.Builder, length int, fixed bool) {
	word := func(n int) string { return strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(n)) + "ß" }
	switch b := b.(type) {
	case *array.Int32Builder:
		b.Append(int32(r.IntN(100)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(r.Int64N(1 << 50)))
	case *array.Int64Builder:
		b.Append(r.Int64())
	case *array.Date32Builder:
		b.Append(arrow.Date32(r.IntN(1000)))
	case *array.BooleanBuilder:
		b.Append(r.IntN(2) == 0)
	case *array.Float32Builder:
		b.Append(float32(r.NormFloat64()))
	case *array.Float64Builder:
		b.Append(r.NormFloat64())
	case *array.StringBuilder:
		if f.Type == milvus.TypeJSON {
			b.Append(fmt.Sprintf(`{"n":%d,"w":%q}`, r.IntN(10), word(5)))
		} else {
			b.Append(word(8))
		}
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte{byte(r.IntN(256)), byte(r.IntN(256))})
	case *array.FixedSizeListBuilder:
		b.Append(true)
		for range b.Type().(*arrow.FixedSizeListType).Len() {
			randomValue(r, milvus.Field{}, b.ValueBuilder(), 0, false)
		}
	case *array.MapBuilder:
		b.Append(true)
		for k := range 1 + r.IntN(3) {
			b.KeyBuilder().(*array.Int64Builder).Append(int64(3 * k))
			b.ItemBuilder().(*array.Float32Builder).Append(r.Float32() + 0.1)
		}
	case *array.ListBuilder:
		b.Append(true)
		if !fixed {
			length = r.IntN(4)
		}
		for range length {
			randomValue(r, milvus.Field{}, b.ValueBuilder(), 0, false)
		}
	default:
		panic(fmt.Sprintf("%T", b))
	}
}

// keysOf makes a key column.
func keysOf(f milvus.Field, keys []int64) arrow.Array {
	if f.Type == milvus.TypeInt64 {
		return int64Array(slices.Clone(keys))
	}
	b := array.NewStringBuilder(allocator)
	for _, k := range keys {
		b.Append(textKey(k))
	}
	return b.NewArray()
}

// textKey sorts as the numbers do.
func textKey(k int64) string { return fmt.Sprintf("key-%020d", k) }

// filterOf selects keys.
func filterOf(f milvus.Field, keys ...int64) string {
	if f.Type == milvus.TypeInt64 {
		return "id in " + strings.ReplaceAll(fmt.Sprint(keys), " ", ", ")
	}
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = `"` + textKey(k) + `"`
	}
	return "id in [" + strings.Join(texts, ",") + "]"
}

// texts returns a text of each row's values in the given fields.
func texts(fields []milvus.Field, columns map[milvus.FieldID]arrow.Array, n int) []string {
	out := make([]string, n)
	for _, f := range fields {
		c := columns[f.ID]
		for i := range n {
			out[i] += f.Name + "=" + c.ValueStr(i) + ";"
		}
	}
	return out
}

func fieldIDs(fields []milvus.Field) []milvus.FieldID {
	out := make([]milvus.FieldID, len(fields))
	for i, f := range fields {
		out[i] = f.ID
	}
	return out
}

// query returns all rows as texts, in key order.
func query(t *testing.T, w *world, c *metastore.Collection, q Query) []string {
	t.Helper()
	fields := fieldsOf(&c.Schema)
	q.Fields = fieldIDs(fields)
	rows, err := w.Query(t.Context(), c, q)
	if err != nil {
		t.Fatal(err)
	}
	return texts(fields, rows.Columns, rows.Count)
}

func create(t *testing.T, w *world, s Spec) *metastore.Collection {
	t.Helper()
	c, err := w.CreateCollection(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// model is what the rows should be: by key, where it is and its text.
type model map[int64]modelRow

type modelRow struct {
	partition string
	age       string
	text      string
}

func (m model) texts(keep func(int64, modelRow) bool) []string {
	out := []string{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if keep == nil || keep(k, m[k]) {
			out = append(out, m[k].text)
		}
	}
	return out
}

// put inserts or upserts random rows of the keys into the engine and the model.
func (m model) put(t *testing.T, w *world, c *metastore.Collection, r *rand.Rand, partition string, keys []int64, upsert bool) {
	t.Helper()
	err := m.try(t, w, c, r, partition, keys, upsert)
	if err != nil {
		t.Fatal(err)
	}
}

func (m model) try(t *testing.T, w *world, c *metastore.Collection, r *rand.Rand, partition string, keys []int64, upsert bool) error {
	t.Helper()
	columns := keyedColumns(t, r, c, keys)
	rows := Rows{Count: len(keys), Columns: columns}
	var err error
	if upsert {
		_, err = w.Upsert(t.Context(), c, partition, rows)
	} else {
		_, err = w.Insert(t.Context(), c, partition, rows)
	}
	if err == nil {
		m.add(t, c, columns, partition, keys)
	}
	return err
}

// expect is what try does to the model.
func (m model) expect(t *testing.T, w *world, c *metastore.Collection, r *rand.Rand, keys []int64) {
	t.Helper()
	m.add(t, c, keyedColumns(t, r, c, keys), "_default", keys)
}

func keyedColumns(t *testing.T, r *rand.Rand, c *metastore.Collection, keys []int64) map[milvus.FieldID]arrow.Array {
	t.Helper()
	key, _ := c.Schema.PrimaryKey()
	columns := randomColumns(t, r, &c.Schema, len(keys))
	columns[key.ID] = keysOf(key, keys)
	return columns
}

func (m model) add(t *testing.T, c *metastore.Collection, columns map[milvus.FieldID]arrow.Array, partition string, keys []int64) {
	t.Helper()
	for i, text := range texts(fieldsOf(&c.Schema), rounded(t, c, columns), len(keys)) {
		m[keys[i]] = modelRow{partition, columns[101].ValueStr(i), text}
	}
}

func (m model) copy() model { return maps.Clone(m) }

// rounded returns the columns with halves as files have them.
func rounded(t *testing.T, c *metastore.Collection, columns map[milvus.FieldID]arrow.Array) map[milvus.FieldID]arrow.Array {
	t.Helper()
	out := maps.Clone(columns)
	for id, a := range columns {
		f, _ := c.Schema.Field(id)
		stored, err := cell.Encode(f, a)
		if err == nil {
			out[id], err = cell.Decode(f, stored, cell.Options{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s: %d rows, want %d; row %d:\n got %s\nwant %s", what, len(got), len(want), i, g, w)
		}
	}
}

// plain is the row's text up to what exports show otherwise.
func (m modelRow) plain() string {
	text, _, _ := strings.Cut(m.text, "$meta=")
	return text
}

var milvusKey = milvus.Field{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// A typed column of the collection of all types: its field, and its values as JSON in the encoding of truth files.
type typedColumn struct {
	milvus.Field
	members []milvus.Field // of a struct array, whose values are lists of objects
	values  []string       // of row i: values[i % len]
	bits    bool           // values are the bits of floating-point numbers
}

func (c typedColumn) at(row int) string { return c.values[row%len(c.values)] }

// column makes one, and fills in what Milvus's schema has of dimensions and lengths.
func column(name string, typ milvus.DataType, values ...string) typedColumn {
	c := typedColumn{Field: milvus.Field{Name: name, Type: typ}, values: values}
	if typ == milvus.TypeVarChar {
		c.MaxLength = 65535
	}
	return c
}

func listColumn(name string, typ, element milvus.DataType, dim int, values ...string) typedColumn {
	c := column(name, typ, values...)
	c.ElementType, c.Dim, c.MaxCapacity = element, dim, 64
	if element == milvus.TypeVarChar {
		c.MaxLength = 65535
	}
	return c
}

func vectorColumn(name string, typ milvus.DataType, dim int, values ...string) typedColumn {
	c := column(name, typ, values...)
	c.Dim = dim
	return c
}

func params(f *milvus.Field) {
	for _, p := range []struct {
		key string
		n   int
	}{{"dim", f.Dim}, {"max_length", f.MaxLength}, {"max_capacity", f.MaxCapacity}} {
		if p.n > 0 {
			f.TypeParams = append(f.TypeParams, milvus.KeyValue{Key: p.key, Value: fmt.Sprint(p.n)})
		}
	}
}

const (
	typedRows  = 15 // at least as many as the longest list of values and a NULL
	typedPart  = 500
	typedFirst = 1000 // id of the first of two segments
	lateRow    = 8    // the first row of the second, which has the late field
)

// typed is the collection of all types being laid out.
type typed struct {
	columns []typedColumn
	schema  milvus.Schema
}

// newTyped gives every column a twin that may be NULL, and fields their ids. The key comes first; a field that was added
// after the first segment, and the dynamic field, come last.
func newTyped(columns []typedColumn) *typed {
	var ids []string
	for i, edge := range []int64{-1 << 63, 1<<63 - 1, 1<<53 + 1, 1 << 53, -1<<53 - 1, 0} {
		ids = append(ids, fmt.Sprint(edge))
		ids = append(ids, fmt.Sprint(i+1))
	}
	for i := len(ids); i < typedRows; i++ {
		ids = append(ids, fmt.Sprint(i+100))
	}
	key := column("id", milvus.TypeInt64, ids...)
	key.PrimaryKey = true
	s := &typed{columns: []typedColumn{key}, schema: milvus.Schema{Name: "alltypes", EnableDynamic: true}}
	for _, c := range columns {
		twin := c
		twin.Name, twin.Nullable, twin.values = c.Name+"_null", true, append([]string{"null"}, c.values...)
		s.columns = append(s.columns, c, twin)
	}
	late := column("late", milvus.TypeInt64, "7", "null")
	late.Nullable, late.Default = true, int64(1<<53+1)
	meta := column("$meta", milvus.TypeJSON, `"{}"`, `"{\"k\": [1, 9007199254740993]}"`)
	meta.Dynamic = true
	s.columns = append(s.columns, late, meta)
	next := milvus.FirstUserField
	for i := range s.columns {
		c := &s.columns[i]
		c.ID, next = next, next+1
		params(&c.Field)
		if c.members == nil {
			s.schema.Fields = append(s.schema.Fields, c.Field)
			continue
		}
		c.members = slices.Clone(c.members)
		for m := range c.members {
			c.members[m].ID, c.members[m].Nullable, next = next, c.Nullable, next+1
			params(&c.members[m])
		}
		s.schema.StructArrays = append(s.schema.StructArrays, milvus.StructArray{ID: c.ID, Name: c.Name, Nullable: c.Nullable, Members: c.members})
	}
	return s
}

// names are those of the columns that keep says yes to.
func (s *typed) names(keep func(typedColumn) bool) []string {
	var out []string
	for _, c := range s.columns {
		if keep(c) {
			out = append(out, strings.Replace(c.Name, "$", "_", 1))
		}
	}
	return out
}

// flat says whether a column is neither list nor map nor struct.
func (c typedColumn) flat() bool {
	return c.members == nil && (!c.Type.IsVector() || c.Type == milvus.TypeBinaryVector) && c.Type != milvus.TypeArray
}

// write lays the collection out below dir in a storage version, as two segments, the first of two chunks and without the
// late field. It returns the path of the snapshot's metadata.
func (s *typed) write(t *testing.T, dir string, version int64) string {
	t.Helper()
	c := fixture.New(dir, milvus.Collection{ID: 77, Database: "default", Schema: s.schema, Partitions: []milvus.Partition{{ID: typedPart, Name: "_default"}}})
	c.Files.Version = version
	for i, bounds := range [][]int{{0, 4, lateRow}, {lateRow, typedRows}} {
		seg := fixture.Segment{ID: typedFirst + milvus.SegmentID(i), Partition: typedPart, Level: milvus.LevelL1, Channel: "dml_0_77v0"}
		for j := range len(bounds) - 1 {
			seg.Chunks = append(seg.Chunks, s.chunk(t, bounds[j], bounds[j+1], i == 0))
		}
		c.Add(t, seg)
	}
	return filepath.Join(dir, c.Snapshot(t, "all", 7001, nil))
}

func (s *typed) chunk(t *testing.T, from, to int, early bool) flush.Chunk {
	out := flush.Chunk{}
	var times, rowIDs []int64
	for i := from; i < to; i++ {
		times, rowIDs = append(times, typedTime(i)), append(rowIDs, int64(i)+1<<60)
	}
	out[milvus.TimestampField], out[milvus.RowIDField] = fixture.Int64s(times...), fixture.Int64s(rowIDs...)
	for _, c := range s.columns {
		if early && c.Default != nil {
			continue
		}
		var cells []string
		for i := from; i < to; i++ {
			cells = append(cells, c.at(i))
		}
		if c.members == nil {
			out[c.ID] = arrayOf(t, c.Field, cells, c.bits)
		}
		for _, m := range c.members {
			out[m.ID] = arrayOf(t, m, memberOf(t, cells, m.Name), false)
		}
	}
	return out
}

func typedTime(row int) int64 { return int64(fixture.DocumentsTime) + int64(row)<<18 }

// arrayOf reads values in the encoding of truth files as a canonical array of the field.
func arrayOf(t *testing.T, f milvus.Field, cells []string, bits bool) arrow.Array {
	t.Helper()
	typ, err := cell.Type(f)
	if err != nil {
		t.Fatal(err)
	}
	if f.Type == milvus.TypeSparseVector {
		cells = pairsOf(t, cells)
	}
	asWritten := typ
	if bits {
		asWritten = bitsOf(typ)
	}
	a, _, err := array.FromJSON(memory.DefaultAllocator, asWritten, strings.NewReader("["+strings.Join(cells, ",")+"]"))
	if err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	return array.MakeFromData(retyped(a.Data(), typ))
}

// bitsOf is the type with every floating-point number as the integer of the same bits.
func bitsOf(typ arrow.DataType) arrow.DataType {
	switch typ := typ.(type) {
	case *arrow.Float32Type:
		return arrow.PrimitiveTypes.Uint32
	case *arrow.Float64Type:
		return arrow.PrimitiveTypes.Uint64
	case *arrow.ListType:
		return arrow.ListOf(bitsOf(typ.Elem()))
	case *arrow.FixedSizeListType:
		return arrow.FixedSizeListOf(typ.Len(), bitsOf(typ.Elem()))
	}
	return typ
}

// retyped is the same memory under another type of the same shape.
func retyped(d arrow.ArrayData, typ arrow.DataType) arrow.ArrayData {
	var children []arrow.ArrayData
	if nested, ok := typ.(arrow.NestedType); ok {
		for i, f := range nested.Fields() {
			children = append(children, retyped(d.Children()[i], f.Type))
		}
	}
	return array.NewData(typ, d.Len(), d.Buffers(), children, d.NullN(), d.Offset())
}

// pairsOf turns objects by index into the lists of pairs that Arrow makes a map of.
func pairsOf(t *testing.T, cells []string) []string {
	t.Helper()
	out := slices.Clone(cells)
	for i, c := range cells {
		var entries map[string]json.RawMessage
		if err := json.Unmarshal([]byte(c), &entries); err != nil {
			t.Fatal(err)
		}
		if entries == nil {
			continue
		}
		var pairs []string
		for k, v := range entries {
			pairs = append(pairs, fmt.Sprintf(`{"key": %s, "value": %s}`, k, v))
		}
		slices.SortFunc(pairs, func(a, b string) int { // Milvus sorts by index; the shorter number is the smaller one
			return len(a[:strings.Index(a, ",")])*1000 + strings.Compare(a, b) - len(b[:strings.Index(b, ",")])*1000
		})
		out[i] = "[" + strings.Join(pairs, ",") + "]"
	}
	return out
}

// memberOf takes one member out of lists of objects.
func memberOf(t *testing.T, cells []string, name string) []string {
	t.Helper()
	out := make([]string, len(cells))
	for i, c := range cells {
		var objects []map[string]json.RawMessage
		if err := json.Unmarshal([]byte(c), &objects); err != nil {
			t.Fatal(err)
		}
		values := []string{}
		for _, o := range objects {
			values = append(values, string(o[name]))
		}
		if out[i] = "[" + strings.Join(values, ",") + "]"; objects == nil {
			out[i] = "null"
		}
	}
	return out
}

// truth writes the rows that must come out to a file and returns its path. A column of bits is NaN there; with bits, only
// such columns and the key are.
func (s *typed) truth(t *testing.T, bits bool) string {
	t.Helper()
	if bits {
		return s.truthAs(t, onlyBits)
	}
	return s.truthAs(t, withoutBits)
}

// truthAs is truth, with a column's values as spell writes them, or without the column where that returns "".
func (s *typed) truthAs(t *testing.T, spell func(c typedColumn, value string) string) string {
	t.Helper()
	var out bytes.Buffer
	for i := range typedRows {
		var cells []string
		for _, c := range s.columns {
			value := c.at(i)
			if c.Default != nil && i < lateRow {
				value = fmt.Sprint(c.Default)
			}
			if value = spell(c, value); value != "" {
				cells = append(cells, fmt.Sprintf("%q: %s", c.Name, value))
			}
		}
		fmt.Fprintf(&out, "{%s}\n", strings.Join(append(cells, systemCells(i)...), ", "))
	}
	path := filepath.Join(t.TempDir(), "truth.jsonl")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// systemColumns are what --with adds.
var systemColumns = []string{"_milvus_ts", "_milvus_time", "_milvus_row_id", "_milvus_partition", "_milvus_segment"}

func systemCells(row int) []string {
	var out []string
	for i, v := range []any{typedTime(row), typedTime(row) >> 18 * 1000, int64(row) + 1<<60, `"_default"`, typedFirst + row/lateRow} {
		out = append(out, fmt.Sprintf("%q: %v", systemColumns[i], v))
	}
	return out
}

func withoutBits(c typedColumn, value string) string {
	if c.bits {
		return nans(value)
	}
	return value
}

// onlyBits keeps the columns of bits, and the key.
func onlyBits(c typedColumn, value string) string {
	if c.bits || c.PrimaryKey {
		return value
	}
	return ""
}

// nans puts "NaN" in the place of every number.
func nans(v string) string {
	fields := strings.FieldsFunc(v, func(r rune) bool { return r < '0' || r > '9' })
	for _, n := range fields {
		v = strings.Replace(v, n, `"NaN"`, 1)
	}
	return v
}

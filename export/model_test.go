package export_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// The model: a history of inserts and deletes, and what of it lives, row by row and straight from the rules of
// docs/format/binlog-v1.md 9. It shares no code with what it judges.

// row is an insert. Cells are nil, bool, int64, float32, float64, string, []byte, or []any of them; a sparse vector is a []any
// of pair.
type row struct {
	key       any // int64 or string
	ts        uint64
	partition int
	group     int
	cells     map[milvus.FieldID]any
}

type pair struct {
	index int64
	value float32
}

// deletion is a delete of a key, in one partition or (-1) in all.
type deletion struct {
	key       any
	ts        uint64
	partition int
}

// group is what rows have in common that came in by import or by restore: such rows lie in segments of their own.
type group struct{ commit, applyStart uint64 }

// history is a collection from its beginning to its snapshot.
type history struct {
	schema  milvus.Schema
	dropped milvus.Field              // of which there are files, but not in the schema
	added   map[milvus.FieldID]uint64 // when a field came, for those that were not there from the beginning
	rows    []row
	deletes []deletion
	groups  []group
	cut     uint64
	ttl     int64          // seconds; 0: none
	expiry  milvus.FieldID // the field of ttl_field; 0: none
	times   bool           // there may be Date and Time fields, which only V1 has
	scale   int            // how many more rows and keys than usual
}

// fate is what becomes of a row.
type fate int

const (
	lives fate = iota
	afterCut
	deleted
	expired
)

func (h *history) effective(r row) uint64 { return max(r.ts, h.groups[r.group].commit) }

func (h *history) fateOf(r row) fate {
	e := h.effective(r)
	if h.cut != 0 && e > h.cut {
		return afterCut
	}
	for _, d := range h.deletes {
		if d.key == r.key && (d.partition == -1 || d.partition == r.partition) && e < d.ts && (h.cut == 0 || d.ts <= h.cut) && d.ts > h.groups[r.group].applyStart {
			return deleted
		}
	}
	nowMilli := int64(h.cut >> 18)
	if h.ttl > 0 && nowMilli-int64(e>>18) >= h.ttl*1000 {
		return expired
	}
	if v, ok := r.cells[h.expiry].(int64); ok && h.expiry != 0 && v >= 0 && v <= nowMilli*1000 {
		return expired
	}
	return lives
}

// all returns the members of struct arrays and the plain fields.
func (h *history) all() []milvus.Field {
	out := h.schema.UserFields()
	for _, a := range h.schema.StructArrays {
		out = append(out, a.Members...)
	}
	return out
}

// line spells some columns of a row of the output.
func (h *history) line(r row, columns []string) string {
	values := map[string]any{}
	for _, f := range h.schema.UserFields() {
		values[columnName(f.Name)] = r.cells[f.ID]
	}
	for _, a := range h.schema.StructArrays {
		values[a.Name] = zipped(a, r)
	}
	var b strings.Builder
	for _, name := range columns {
		fmt.Fprintf(&b, "%s=%s ", name, spell(values[name]))
	}
	return b.String()
}

func columnName(field string) string {
	if field == "$meta" {
		return "_meta"
	}
	return field
}

// zipped makes structs, as lists of member values, of the members' lists.
func zipped(a milvus.StructArray, r row) any {
	first, ok := r.cells[a.Members[0].ID].([]any)
	if !ok {
		return nil
	}
	out := make([]any, len(first))
	for i := range first {
		var s []any
		for _, m := range a.Members {
			s = append(s, r.cells[m.ID].([]any)[i])
		}
		out[i] = s
	}
	return out
}

// spell writes a value so that two values are written alike iff they are the same bits.
func spell(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case float32:
		return fmt.Sprintf("f%08x", math.Float32bits(v))
	case float64:
		return fmt.Sprintf("d%016x", math.Float64bits(v))
	case string:
		return strconv.Quote(v)
	case []byte:
		return "x" + hex.EncodeToString(v)
	case pair:
		return fmt.Sprintf("%d:%s", v.index, spell(v.value))
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = spell(e)
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return fmt.Sprint(v)
}

// random makes histories.
type random struct{ *rand.Rand }

func (r random) coin() bool { return r.IntN(2) == 0 }

func (r random) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.IntN(256))
	}
	return out
}

func (r random) text() string {
	return []string{"", "a", "<&>", "0", "ü", "line\nbreak", "\"quoted\"", "日本", strings.Repeat("long ", 30), fmt.Sprint(r.IntN(1000))}[r.IntN(10)]
}

// value makes a value of the field, now and then NULL where that is possible.
func (r random) value(f milvus.Field) any {
	if f.Nullable && r.IntN(4) == 0 {
		return nil
	}
	switch f.Type {
	case milvus.TypeArray:
		return r.list(r.IntN(4), milvus.Field{Type: f.ElementType, Nullable: f.ElementNullable})
	case milvus.TypeArrayOfVector:
		return r.list(r.IntN(4), milvus.Field{Type: f.ElementType, Dim: f.Dim})
	case milvus.TypeSparseVector:
		var out = []any{}
		for at := int64(-1); r.IntN(3) > 0; {
			if at += 1 + r.Int64N(1<<30); at >= 1<<32-1 {
				break
			}
			out = append(out, pair{at, r.Float32()})
		}
		return out
	case milvus.TypeBinaryVector:
		return r.bytes(f.Dim / 8)
	}
	if f.Type.IsDenseVector() {
		out := make([]any, f.Dim)
		for i := range out {
			out[i] = r.element(f.Type)
		}
		return out
	}
	return r.scalar(f.Type)
}

func (r random) list(n int, f milvus.Field) any {
	out := make([]any, n)
	for i := range out {
		out[i] = r.value(f)
	}
	return out
}

// element makes a number that every width of float holds exactly.
func (r random) element(t milvus.DataType) any {
	if t == milvus.TypeInt8Vector {
		return int64(r.IntN(256) - 128)
	}
	return float32(r.IntN(255)-127) / 4
}

func (r random) scalar(t milvus.DataType) any {
	switch t {
	case milvus.TypeBool:
		return r.coin()
	case milvus.TypeInt8:
		return int64(int8(r.Uint32()))
	case milvus.TypeInt16:
		return int64(int16(r.Uint32()))
	case milvus.TypeInt32, milvus.TypeDate:
		return int64(int32(r.Uint32()))
	case milvus.TypeInt64, milvus.TypeTime, milvus.TypeTimestamptz:
		return int64(r.Uint64())
	case milvus.TypeFloat:
		return []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), math.Float32frombits(0x7fc00001), r.Float32()}[r.IntN(5)]
	case milvus.TypeDouble:
		return []float64{0, math.Copysign(0, -1), math.Inf(-1), math.Float64frombits(0x7ff8000000000001), r.Float64()}[r.IntN(5)]
	case milvus.TypeJSON:
		return []string{`{}`, `null`, `{"a": 1}`, `[1,  2]`, `"text"`, `{"b":{"c":[null,1.50]}}`}[r.IntN(6)]
	case milvus.TypeGeometry:
		return r.bytes(r.IntN(30))
	}
	return r.text()
}

// appendTo appends a value to a builder of a canonical array.
func appendTo(b array.Builder, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Int32Builder:
		b.Append(int32(v.(int64)))
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.(int64)))
	case *array.Int64Builder:
		b.Append(v.(int64))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.(int64)))
	case *array.Float32Builder:
		b.Append(v.(float32))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.BinaryBuilder:
		b.Append(v.([]byte))
	case *array.FixedSizeBinaryBuilder:
		b.Append(v.([]byte))
	case *array.MapBuilder:
		b.Append(true)
		for _, p := range v.([]any) {
			b.KeyBuilder().(*array.Int64Builder).Append(p.(pair).index)
			b.ItemBuilder().(*array.Float32Builder).Append(p.(pair).value)
		}
	case array.ListLikeBuilder:
		b.Append(true)
		for _, e := range v.([]any) {
			appendTo(b.ValueBuilder(), e)
		}
	default:
		panic(fmt.Sprintf("no builder for %T", b))
	}
}

// arrayOf makes the canonical array of one field.
func arrayOf(t testing.TB, f milvus.Field, rows []row) arrow.Array {
	t.Helper()
	typ, err := cell.Type(f)
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewBuilder(memory.DefaultAllocator, typ)
	for _, r := range rows {
		appendTo(b, r.cells[f.ID])
	}
	return b.NewArray()
}

// valueOf is the inverse of appendTo, over everything that tables hold.
func valueOf(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Date32:
		return int64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.Float32:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.String:
		return a.Value(i)
	case *array.Binary:
		return append([]byte{}, a.Value(i)...)
	case *array.FixedSizeBinary:
		return append([]byte{}, a.Value(i)...)
	case *array.Struct:
		var out []any
		for m := range a.NumField() {
			out = append(out, valueOf(a.Field(m), i))
		}
		return out
	case *array.Map:
		out := []any{}
		for from, to := a.ValueOffsets(i); from < to; from++ {
			out = append(out, pair{a.Keys().(*array.Int64).Value(int(from)), a.Items().(*array.Float32).Value(int(from))})
		}
		return out
	case array.ListLike:
		out := []any{}
		for from, to := a.ValueOffsets(i); from < to; from++ {
			out = append(out, valueOf(a.ListValues(), int(from)))
		}
		return out
	}
	panic(fmt.Sprintf("no value of %T", a))
}

// lines spells the columns of the rows of a batch.
func lines(batch arrow.RecordBatch, columns []string) []string {
	out := make([]string, batch.NumRows())
	for r := range out {
		var b strings.Builder
		for _, name := range columns {
			i := slices.IndexFunc(batch.Schema().Fields(), func(f arrow.Field) bool { return f.Name == name })
			if i < 0 {
				fmt.Fprintf(&b, "%s is missing ", name)
				continue
			}
			fmt.Fprintf(&b, "%s=%s ", name, spell(valueOf(batch.Column(i), r)))
		}
		out[r] = b.String()
	}
	return out
}

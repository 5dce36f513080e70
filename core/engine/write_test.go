package engine

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

func vectors(dim int, v ...float32) arrow.Array { return fixture.FloatVectors(dim, v...) }

func everyRow(n int) *filter.Mask { return filter.NewMask(n, nil) }

func insert(t *testing.T, w *world, c *metastore.Collection, rows Rows) Result {
	t.Helper()
	r, err := w.Insert(t.Context(), c, "", rows)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// simple is a collection of keys, names and vectors of two floats.
func simple(change ...func(*milvus.Schema)) milvus.Schema {
	s := milvus.Schema{Name: "simple", Fields: []milvus.Field{
		{Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
		{Name: "name", Type: milvus.TypeVarChar, MaxLength: 4},
		{Name: "vec", Type: milvus.TypeFloatVector, Dim: 2},
	}}
	for _, f := range change {
		f(&s)
	}
	return s
}

func TestSchemasThatAreRefused(t *testing.T) {
	w := newWorld(t, Config{})
	field := func(f milvus.Field) func(*milvus.Schema) {
		return func(s *milvus.Schema) { s.Fields = append(s.Fields, f) }
	}
	for want, change := range map[string]func(*milvus.Schema){
		"Invalid collection name: 1a.":                   func(s *milvus.Schema) { s.Name = "1a" },
		"collection name should not be empty":            func(s *milvus.Schema) { s.Name = " " },
		"exactly one primary key, it has 0":              func(s *milvus.Schema) { s.Fields[0].PrimaryKey = false },
		"exactly one primary key, it has 2":              field(milvus.Field{Name: "b", Type: milvus.TypeInt64, PrimaryKey: true}),
		"primary key should be Int64 or VarChar":         func(s *milvus.Schema) { s.Fields[0].Type = milvus.TypeInt32 },
		"does not contain vector field":                  func(s *milvus.Schema) { s.Fields = s.Fields[:2] },
		"duplicated field name name":                     field(milvus.Field{Name: "name", Type: milvus.TypeBool}),
		"in (0, 65535], but got 0 instead":               field(milvus.Field{Name: "t", Type: milvus.TypeVarChar}),
		"in (0, 65535], but got 65536 instead":           field(milvus.Field{Name: "t", Type: milvus.TypeVarChar, MaxLength: 65536}),
		"in (0, 4096], but got 0 instead":                field(milvus.Field{Name: "t", Type: milvus.TypeArray, ElementType: milvus.TypeInt64}),
		"invalid dimension: 1 of field t":                field(milvus.Field{Name: "t", Type: milvus.TypeFloatVector, Dim: 1}),
		"invalid dimension: 32769 of field t":            field(milvus.Field{Name: "t", Type: milvus.TypeFloatVector, Dim: 32769}),
		"should be multiple of 8":                        field(milvus.Field{Name: "t", Type: milvus.TypeBinaryVector, Dim: 12}),
		"dim should not be specified for sparse":         field(milvus.Field{Name: "t", Type: milvus.TypeSparseVector, Dim: 12}),
		"please use VarChar":                             field(milvus.Field{Name: "t", Type: milvus.TypeString, MaxLength: 3}),
		"maximum field's number should be limited to 64": manyFields(65),
		"Invalid field name: a-b.":                       field(milvus.Field{Name: "a-b", Type: milvus.TypeBool}),
		"Invalid field name: In. it is a keyword":        field(milvus.Field{Name: "In", Type: milvus.TypeBool}),
		"only primary field can":                         field(milvus.Field{Name: "t", Type: milvus.TypeInt64, AutoID: true}),
		"partition key should be Int64 or VarChar":       field(milvus.Field{Name: "t", Type: milvus.TypeBool, PartitionKey: true}),
		"primary field not support null":                 func(s *milvus.Schema) { s.Fields[0].Nullable = true },
		"default value of field t":                       field(milvus.Field{Name: "t", Type: milvus.TypeBool, Default: "yes"}),
		"length of varchar field t exceeds max length":   field(milvus.Field{Name: "t", Type: milvus.TypeVarChar, MaxLength: 2, Default: "yes"}),
		"struct array field s has no fields":             func(s *milvus.Schema) { s.StructArrays = []milvus.StructArray{{Name: "s"}} },
		"functions are not supported":                    func(s *milvus.Schema) { s.Functions = []milvus.Function{{Name: "bm25"}} },
		"must be Array or ArrayOfVector, a is BinaryVector": func(s *milvus.Schema) {
			s.StructArrays = []milvus.StructArray{{Name: "s", Members: []milvus.Field{{Name: "a", Type: milvus.TypeBinaryVector, Dim: 8}}}}
		},
	} {
		_, err := w.CreateCollection(t.Context(), Spec{Schema: simple(change)})
		if code, reason := status.Of(err); code != status.InvalidParameter && !strings.Contains(reason, "default value") || !strings.Contains(reason, want) {
			t.Errorf("%v %q, want %q", code, reason, want)
		}
	}
	for _, spec := range []Spec{{Schema: simple(), Shards: 17}, {Schema: simple(), Partitions: 2}, {Schema: simple(), Properties: []milvus.KeyValue{{Key: "collection.ttl.seconds", Value: "x"}}}} {
		if _, err := w.CreateCollection(t.Context(), spec); !status.Is(err, status.InvalidParameter) {
			t.Error(spec, err)
		}
	}
}

func manyFields(n int) func(*milvus.Schema) {
	return func(s *milvus.Schema) {
		for i := len(s.Fields); i < n; i++ {
			s.Fields = append(s.Fields, milvus.Field{Name: fmt.Sprint("f", i), Type: milvus.TypeBool})
		}
	}
}

func TestFieldIDs(t *testing.T) {
	w := newWorld(t, Config{})
	c := create(t, w, Spec{Schema: everyType(milvus.TypeVarChar), Shards: 2})
	var got []string
	for _, f := range c.Schema.Fields {
		got = append(got, fmt.Sprint(f.ID, f.Name))
	}
	for _, a := range c.Schema.StructArrays {
		got = append(got, fmt.Sprint(a.ID, a.Name))
		for _, f := range a.Members {
			got = append(got, fmt.Sprint(f.ID, f.Name))
		}
	}
	want := "0RowID 1Timestamp 100id 101age 102small 103name 104flag 105score 106doc 107tags 108at 109vec 110half 111brain 112bits 113tiny 114words 115$meta 116parts 117parts[name] 118parts[vec]"
	if strings.Join(got, " ") != want {
		t.Errorf("%s", got)
	}
	if len(c.Channels) != 2 || !strings.HasSuffix(c.Channels[1], fmt.Sprintf("_%dv1", c.ID)) || !strings.HasPrefix(c.Channels[1], c.PhysicalChannels[1]+"_") {
		t.Error(c.Channels, c.PhysicalChannels)
	}
	again := create(t, w, Spec{Schema: everyType(milvus.TypeVarChar), Shards: 2})
	if again.ID != c.ID {
		t.Error("the same collection was made twice")
	}
	if _, err := w.CreateCollection(t.Context(), Spec{Schema: everyType(milvus.TypeInt64), Shards: 2}); err == nil || !strings.Contains(err.Error(), "create duplicate collection with different parameters") {
		t.Error(err)
	}
}

func TestRowsThatAreRefused(t *testing.T) {
	w := newWorld(t, Config{})
	c := create(t, w, Spec{Schema: everyType(milvus.TypeInt64)})
	nan := float32(math.NaN())
	for what, k := range map[string]struct {
		field string
		value arrow.Array
		want  string
	}{
		"too long":     {"name", fixture.Strings(strings.Repeat("x", 65)), "exceeds max length, row number: 0, length: 65, max length: 64"},
		"no UTF-8":     {"name", fixture.Strings("\xff"), "not UTF-8"},
		"NaN":          {"vec", vectors(4, 1, 2, nan, 4), "is not a number or infinity"},
		"infinite":     {"score", doubles(math.Inf(1)), "is not a number or infinity"},
		"no JSON":      {"doc", fixture.Strings("{"), "is not JSON"},
		"no object":    {"$meta", fixture.Strings("[1]"), "not a JSON object"},
		"long JSON":    {"doc", fixture.Strings(`"` + strings.Repeat("x", 65536) + `"`), "exceeds max length (65536)"},
		"out of range": {"small", int32s(128), "out of range"},
		"other dim":    {"vec", vectors(2, 1, 2), "values are"},
		"other type":   {"age", int64Array([]int64{1}), "values are"},
		"other length": {"age", int32s(1, 2), "is not equal to passed num_rows (1)"},
	} {
		columns := keyedColumns(t, newRand(), c, []int64{1})
		f := fieldNamed(t, &c.Schema, k.field)
		columns[f.ID] = k.value
		_, err := w.Insert(t.Context(), c, "", Rows{Count: 1, Columns: columns})
		if !status.Is(err, status.InvalidParameter) || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s: %v, want %q", what, err, k.want)
		}
	}
	columns := keyedColumns(t, newRand(), c, []int64{1})
	delete(columns, fieldNamed(t, &c.Schema, "name").ID)
	if _, err := w.Insert(t.Context(), c, "", Rows{Count: 1, Columns: columns}); err == nil || !strings.Contains(err.Error(), "fieldSchema(name) has no corresponding fieldData") {
		t.Error(err)
	}
	if _, err := w.Insert(t.Context(), c, "nowhere", Rows{Count: 1, Columns: keyedColumns(t, newRand(), c, []int64{1})}); !status.Is(err, status.PartitionMissing) {
		t.Error(err)
	}
	if got := query(t, w, c, Query{}); len(got) != 0 {
		t.Errorf("%d rows of refused inserts", len(got))
	}
}

// What is left out is filled: automatic keys, defaults, NULL, {}; rows without values of a field added later have its default.
func TestRowsThatAreFilled(t *testing.T) {
	w := newWorld(t, Config{StorageVersion: milvus.StorageV2})
	s := simple(func(s *milvus.Schema) {
		s.EnableDynamic = true
		s.Fields[0].AutoID = true
		s.Fields[1].Default = "none"
	})
	c := create(t, w, Spec{Schema: s})
	r := insert(t, w, c, Rows{Count: 2, Columns: map[milvus.FieldID]arrow.Array{102: vectors(2, 1, 2, 3, 4)}})
	keys := r.IDs.(*array.Int64).Int64Values()
	if len(keys) != 2 || keys[0] == keys[1] || keys[0] == 0 {
		t.Fatal(keys)
	}
	want := func(key int64, vec, rest string) string {
		return fmt.Sprintf("id=%d;name=none;vec=%s;$meta={};%s", key, vec, rest)
	}
	same(t, "growing", query(t, w, c, Query{}), []string{want(keys[0], "[1,2]", ""), want(keys[1], "[3,4]", "")})
	flushed(t, w, c)
	insert(t, w, c, Rows{Count: 1, Columns: map[milvus.FieldID]arrow.Array{102: vectors(2, 5, 6)}})
	fake := w.meta.(*fakeMeta)
	if err := fake.change(c.ID, func(c *metastore.Collection) {
		c.Schema.Fields = append(c.Schema.Fields, milvus.Field{ID: 104, Name: "later", Type: milvus.TypeInt64, Nullable: true, Default: int64(9)})
	}); err != nil {
		t.Fatal(err)
	}
	c, _ = fake.CollectionByID(c.ID)
	got := query(t, w, c, Query{})
	if len(got) != 3 || got[0] != want(keys[0], "[1,2]", "later=9;") || !strings.HasSuffix(got[2], "later=9;") {
		t.Errorf("%q", got)
	}
	insert(t, w, c, Rows{Count: 1, Columns: map[milvus.FieldID]arrow.Array{102: vectors(2, 7, 8), 104: int64Array([]int64{1})}})
	flushed(t, w, c)
	if again := query(t, w, c, Query{}); !slices.Equal(again[:3], got) || !strings.HasSuffix(again[3], "later=1;") {
		t.Errorf("%q", again)
	}
}

// Rows of a partition key lie in the partition of the key's hash, as Milvus computes it.
func TestPartitionKey(t *testing.T) {
	w := newWorld(t, Config{})
	c := create(t, w, Spec{Schema: simple(func(s *milvus.Schema) { s.Fields[1].PartitionKey = true }), Partitions: 4})
	if len(c.Partitions) != 4 || c.Partitions[3].Name != "_default_3" {
		t.Fatal(c.Partitions)
	}
	insert(t, w, c, Rows{Count: 3, Columns: map[milvus.FieldID]arrow.Array{
		100: int64Array([]int64{1, 2, 3}), 101: fixture.Strings("a", "b", "a"), 102: vectors(2, 1, 2, 3, 4, 5, 6),
	}})
	// zlib.crc32(b"a") % 4 == 3, zlib.crc32(b"b") % 4 == 1
	for name, want := range map[string]int{"_default_3": 2, "_default_1": 1, "_default_0": 0} {
		rows, err := w.Query(t.Context(), c, Query{Count: true, Partitions: []string{name}})
		if err != nil || rows.Count != want {
			t.Errorf("%s has %d rows, want %d (%v)", name, rows.Count, want, err)
		}
	}
	if _, err := w.Insert(t.Context(), c, "_default_1", Rows{Count: 1}); !status.Is(err, status.InvalidParameter) {
		t.Error(err)
	}
}

func TestHashes(t *testing.T) {
	// mmh3.hash(struct.pack("<q", v), signed=False) & 0x7fffffff
	for v, want := range map[int64]uint32{0: 1669671676, 1: 1392991556, -1: 1651860712, 42: 1871679806, 442959097209290755: 918963504} {
		if got := murmur64(uint64(v)) & 0x7fffffff; got != want {
			t.Errorf("hash of %d is %d, want %d", v, got, want)
		}
	}
}

func TestKeyList(t *testing.T) {
	values := map[string]any{"k": []any{int64(5), int64(6)}, "t": []string{"x"}}
	for expr, want := range map[string]string{
		"id in [1, 2,-3]": "[1 2 -3]", " id  in[1]": "[1]", "id IN [7]": "[7]", "id == 4": "[4]", "id in {k}": "[5 6]",
		"id in []": "", "id in [1] or true": "", "id in [1.5]": "", "idx in [1]": "", "id in [010]": "", "id not in [1]": "", "id in {t}": "", "id == 4 + 1": "", "id in [1": "",
		"id in [99999999999999999999]": "",
	} {
		got, ok := keyList(milvusKey, expr, values)
		if text := fmt.Sprint(got); ok != (want != "") || ok && text != want {
			t.Errorf("%s: %v %v, want %q", expr, text, ok, want)
		}
	}
	text := milvus.Field{Name: "id", Type: milvus.TypeVarChar}
	for expr, want := range map[string]string{`id in ["a", 'b']`: `["a" "b"]`, `id == "a"`: `["a"]`, `id in ["a\n"]`: "", `id in ["a'b"]`: `["a'b"]`, `id in [a]`: ""} {
		if got, ok := keyList(text, expr, nil); ok != (want != "") || ok && fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v, want %q", expr, got, ok, want)
		}
	}
}

// Writers, queries, flushes and compactions at the same time: a query sees whole writes only, and none is lost.
func TestConcurrency(t *testing.T) {
	const writers, each, batch = 4, 15, 20
	w := newWorld(t, Config{StorageVersion: milvus.StorageV2, FlushBytes: 4 << 10})
	c := create(t, w, Spec{Schema: simple(), Shards: 4})
	var writing, others sync.WaitGroup
	done := make(chan struct{})
	for i := range writers {
		writing.Go(func() {
			for n := range each {
				keys := keyRange(int64(i*1000+n)*batch, int64(i*1000+n+1)*batch)
				rows := Rows{Count: batch, Columns: map[milvus.FieldID]arrow.Array{
					100: int64Array(keys), 101: fixture.Strings(slices.Repeat([]string{"x"}, batch)...), 102: vectors(2, make([]float32, 2*batch)...),
				}}
				if _, err := w.Insert(t.Context(), c, "", rows); err != nil {
					t.Error(err)
				}
			}
		})
	}
	loop := func(f func() error) {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	last := 0
	loop(func() error {
		rows, err := w.Query(t.Context(), c, Query{Count: true})
		if rows.Count%batch != 0 || rows.Count < last {
			t.Errorf("%d rows after %d", rows.Count, last)
		}
		last = rows.Count
		return err
	})
	loop(func() error { _, err := w.Flush(t.Context(), c); return err })
	loop(func() error { return w.Compact(t.Context(), c) })
	writing.Wait()
	close(done)
	others.Wait()
	w.reopen(t)
	if rows, err := w.Query(t.Context(), c, Query{Count: true}); err != nil || rows.Count != writers*each*batch {
		t.Errorf("%d rows (%v)", rows.Count, err)
	}
}

func doubles(v ...float64) arrow.Array {
	b := array.NewFloat64Builder(allocator)
	b.AppendValues(v, nil)
	return b.NewArray()
}

func int32s(v ...int32) arrow.Array {
	b := array.NewInt32Builder(allocator)
	b.AppendValues(v, nil)
	return b.NewArray()
}

package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// Rows that are older than a field have its default, or NULL: in files, in memory, in the log, in segments that are compacted
// with newer ones; and so do rows of clients that do not know of it.
func TestAddField(t *testing.T) {
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3} {
		t.Run(fmt.Sprint("V", version), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{StorageVersion: version}, true)
			schema := simple()
			schema.EnableDynamic = true
			c := create(t, w, Spec{Schema: schema})
			insert(t, w, c, simpleRows(1, 2))
			flushed(t, w, c)
			insert(t, w, c, simpleRows(3, 4))
			add := func(f milvus.Field) milvus.FieldID {
				t.Helper()
				if err := w.AddField(t.Context(), c, f); err != nil {
					t.Fatal(err)
				}
				c, _ = w.meta.CollectionByID(c.ID)
				return fieldNamed(t, &c.Schema, f.Name).ID
			}
			old := *c
			color := add(milvus.Field{Name: "color", Type: milvus.TypeVarChar, MaxLength: 9, Nullable: true})
			count := add(milvus.Field{Name: "count", Type: milvus.TypeInt32, Nullable: true, Default: int32(7)})
			second := add(milvus.Field{Name: "second", Type: milvus.TypeFloatVector, Dim: 2, Nullable: true})
			if color != 104 || second != 106 { // 103 is $meta
				t.Errorf("ids %d to %d", color, second)
			}
			want := func(rows ...string) {
				t.Helper()
				got := make([]string, 0, len(rows))
				for _, text := range query(t, w, c, Query{}) {
					got = append(got, text[:strings.Index(text, ";")]+text[strings.Index(text, "color="):])
				}
				if !slices.Equal(got, rows) {
					t.Fatalf("%q, want %q", got, rows)
				}
			}
			void := "color=(null);count=7;second=(null);"
			want("id=1"+void, "id=2"+void, "id=3"+void, "id=4"+void)
			rows := simpleRows(5, 6)
			rows.Columns[color], rows.Columns[second] = fixture.Strings("red", "blue"), pair(t, c.Schema.Fields[len(c.Schema.Fields)-1])
			rows.Columns[count] = int32s(8, 9)
			insert(t, w, c, rows)
			insert(t, w, &old, simpleRows(7))
			five, six := "id=5color=red;count=8;second=[1,2];", "id=6color=blue;count=9;second=(null);"
			all := []string{"id=1" + void, "id=2" + void, "id=3" + void, "id=4" + void, five, six, "id=7" + void}
			want(all...)
			w.reopen(t)
			want(all...)
			flushed(t, w, c)
			w.reopen(t)
			want(all...)
			if err := w.CreateIndex(t.Context(), c, IndexSpec{Field: second}); err != nil {
				t.Fatal(err)
			}
			hits, err := w.Search(t.Context(), c, Search{Field: second, Vectors: vectors(2, 1, 1), Limit: 5})
			if err != nil || hits[0].IDs.Len() != 1 || hits[0].IDs.(*array.Int64).Value(0) != 5 {
				t.Errorf("%v, %v", hits, err)
			}
			if n, err := w.Query(t.Context(), c, Query{Filter: `count == 7 and color is null`, Count: true}); err != nil || n.Count != 5 {
				t.Errorf("%d rows, %v", n.Count, err)
			}
			remove(t, w, c, `count == 7 and id < 3`)
			flushed(t, w, c)
			if err := w.Compact(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			want(all[2:]...)
		})
	}
}

// pair is a vector, and none.
func pair(t *testing.T, f milvus.Field) arrow.Array {
	t.Helper()
	typ, err := cell.Type(f)
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewBuilder(allocator, typ).(*array.FixedSizeListBuilder)
	b.Append(true)
	b.ValueBuilder().(*array.Float32Builder).AppendValues([]float32{1, 2}, nil)
	b.AppendNull()
	return b.NewArray()
}

// A field that can't come later is refused, and the collection is as it was.
func TestAddFieldRefused(t *testing.T) {
	w := newWorld(t, Config{StorageVersion: milvus.StorageV2}, true)
	c := create(t, w, Spec{Schema: simple()})
	for why, f := range map[string]milvus.Field{
		"must be nullable":             {Name: "x", Type: milvus.TypeInt64},
		"duplicated field name id":     {Name: "id", Type: milvus.TypeInt64, Nullable: true},
		"duplicated field name RowID":  {Name: "RowID", Type: milvus.TypeInt64, Nullable: true},
		"add pk field":                 {Name: "x", Type: milvus.TypeInt64, PrimaryKey: true},
		"add partition key field":      {Name: "x", Type: milvus.TypeInt64, PartitionKey: true, Nullable: true},
		"invalid dimension":            {Name: "x", Type: milvus.TypeFloatVector, Dim: 1, Nullable: true},
		"how type Date is stored":      {Name: "x", Type: milvus.TypeDate, Nullable: true},
		"a keyword":                    {Name: "like", Type: milvus.TypeInt64, Nullable: true},
		"length specified for the fie": {Name: "x", Type: milvus.TypeVarChar, Nullable: true},
	} {
		if err := w.AddField(t.Context(), c, f); !status.Is(err, status.InvalidParameter) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", why, err)
		}
	}
	if now, _ := w.meta.CollectionByID(c.ID); len(now.Schema.Fields) != len(c.Schema.Fields) || now.Updated != c.Updated {
		t.Errorf("%+v", now.Schema)
	}
}

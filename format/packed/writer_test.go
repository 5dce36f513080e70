package packed_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// pyarrow and DuckDB read the same schema (field ids, types, nullability), keys and rows from our files as from the genuine
// ones with the same rows.
func TestOthersRead(t *testing.T) {
	type pair struct {
		Name, Theirs, Ours string
		Plain              []string // columns that are not compressed
	}
	var pairs []pair
	dir := t.TempDir()
	for _, plain := range []bool{false, true} {
		for _, s := range samples(t) {
			groups, files := s.again(t, packed.Writer{PlainVectors: plain})
			for i, f := range files {
				p := pair{Name: fmt.Sprintf("%s, group %d", s.name, groups[i].ID), Theirs: s.files[i], Ours: filepath.Join(dir, fmt.Sprintf("%d.parquet", len(pairs)))}
				if f := groups[i].Fields[0]; plain && f.Type.IsDenseVector() && !f.Nullable {
					p.Plain = append(p.Plain, open(t, files[i].Body).Columns()[0].Name)
				} else if plain {
					continue // no vectors
				}
				if err := os.WriteFile(p.Ours, f.Body, 0o644); err != nil {
					t.Fatal(err)
				}
				pairs = append(pairs, p)
			}
		}
	}
	list, err := json.Marshal(pairs)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "pairs.json")
	if err := os.WriteFile(name, list, 0o644); err != nil {
		t.Fatal(err)
	}
	if out := string(testkit.RunPython(t, filepath.Join("testdata", "compare.py"), name)); out != fmt.Sprintf("%d pairs\n", len(pairs)) || len(pairs) < 60 {
		t.Errorf("%d pairs: %s", len(pairs), out)
	}
}

func TestSplit(t *testing.T) {
	fields := []milvus.Field{
		{ID: 0, Type: milvus.TypeInt64}, {ID: 1, Type: milvus.TypeInt64},
		{ID: 100, Type: milvus.TypeVarChar}, {ID: 101, Type: milvus.TypeInt64, PrimaryKey: true}, {ID: 102, Type: milvus.TypeSparseVector},
		{ID: 103, Type: milvus.TypeText}, {ID: 104, Type: milvus.TypeVarChar, PartitionKey: true}, {ID: 105, Type: milvus.TypeInt8, ClusteringKey: true},
		{ID: 106, Type: milvus.TypeFloatVector, ClusteringKey: true}, {ID: 107, Type: milvus.TypeJSON}, {ID: 109, Type: milvus.TypeArrayOfVector}, {ID: 108, Type: milvus.TypeArray},
	}
	for _, c := range []struct {
		name   string
		policy packed.Policy
		fields []milvus.Field
		want   string
	}{
		{"current", packed.Policy{}, fields, "0:0,1,101,104,105 1:100,107,108 102:102 103:103 106:106 109:109"},
		{"early", packed.Policy{Early: true}, fields, "0:0,1,100,101,104,105,107,108 102:102 103:103 106:106 109:109"},
		{"sampled", packed.Policy{MeanSize: map[milvus.FieldID]int{100: 1023, 107: 1024, 101: 5000}}, fields, "0:0,1,101,104,105 1:100,108 102:102 103:103 106:106 107:107 109:109"},
		{"only system and a vector", packed.Policy{}, []milvus.Field{fields[0], fields[1], fields[3], fields[8]}, "0:0,1,101 106:106"},
	} {
		var got []string
		for _, g := range c.policy.Split(c.fields) {
			var ids []string
			for _, f := range g.Fields {
				ids = append(ids, fmt.Sprint(f.ID))
			}
			got = append(got, fmt.Sprintf("%d:%s", g.ID, strings.Join(ids, ",")))
		}
		if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// Row groups hold as many rows as fit into a MiB in memory, and never none.
func TestRowGroups(t *testing.T) {
	text := milvus.Field{ID: 101, Name: "text", Type: milvus.TypeVarChar, Nullable: true}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for i, n := range []int{10, 2 << 20, 700_000, 700_000, 5} {
		b.Append(strings.Repeat(string(rune('a'+i)), n))
	}
	b.AppendNull()
	in := b.NewArray()
	files, err := packed.Writer{}.Encode([]packed.Group{{ID: 1, Fields: []milvus.Field{text}}}, map[milvus.FieldID]arrow.Array{101: in})
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, files[0].Body)
	want := "19|1|0;2097161|1|1;700009|1|2;700022|3|3"
	if got, _ := f.KeyValue(packed.KeyRowGroups); got != want || files[0].MemorySize != 19+2097161+700009+700022 {
		t.Errorf("row groups %s, %d bytes, want %s", got, files[0].MemorySize, want)
	}
	if !array.Equal(in, values(t, f, text, milvus.StorageV2)) {
		t.Error("other values")
	}
	empty, err := packed.Writer{}.Encode([]packed.Group{{ID: 1, Fields: []milvus.Field{text}}}, map[milvus.FieldID]arrow.Array{101: array.NewSlice(in, 2, 2)})
	if err != nil || open(t, empty[0].Body).NumRows() != 0 {
		t.Errorf("no rows: %v", err)
	}
}

// Arrays with an offset, as slices are, are written from their first row on.
func TestSlices(t *testing.T) {
	s := samples(t)[0]
	for _, f := range s.fields(t) {
		i := slices.IndexFunc(s.groups, func(ids []milvus.FieldID) bool { return slices.Contains(ids, f.ID) })
		checkOne(t, f, array.NewSlice(values(t, open(t, testkit.ReadFile(t, s.files[i])), f, s.version), 37, 201))
	}
}

// Lists of vectors may be NULL, empty and longer than others.
func TestNullableLists(t *testing.T) {
	f := milvus.Field{ID: 105, Name: "v", Type: milvus.TypeArrayOfVector, ElementType: milvus.TypeFloatVector, Dim: 2, Nullable: true}
	dt, err := cell.Type(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`[null, [], [[1,2],[3,4]], null, [[5,6]]]`, `[[], []]`, `[null]`, `[[[1,2]], [[3,4]]]`} {
		a, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		checkOne(t, f, a)
		checkOne(t, f, array.NewSlice(a, 1, int64(a.Len())))
	}
}

// checkOne writes one field and reads it again.
func checkOne(t *testing.T, f milvus.Field, canonical arrow.Array) {
	t.Helper()
	raw, err := cell.Encode(f, canonical)
	if err != nil {
		t.Fatal(err)
	}
	files, err := packed.Writer{}.Encode([]packed.Group{{ID: f.ID, Fields: []milvus.Field{f}}}, map[milvus.FieldID]arrow.Array{f.ID: raw})
	if err != nil {
		t.Fatal(err)
	}
	if got := values(t, open(t, files[0].Body), f, milvus.StorageV2); !array.Equal(canonical, got) {
		t.Errorf("field %d (%v): %v, want %v", f.ID, f.Type, got, canonical)
	}
}

func TestRefuses(t *testing.T) {
	withNull := array.NewInt64Builder(memory.DefaultAllocator)
	withNull.AppendNull()
	bytes := func(v ...string) arrow.Array {
		b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
		for _, x := range v {
			b.Append([]byte(x))
		}
		return b.NewArray()
	}
	narrow := array.NewInt32Builder(memory.DefaultAllocator)
	narrow.Append(128)
	one := longs([]int64{1})
	for _, c := range []struct {
		name    string
		version int64
		field   milvus.Field
		values  arrow.Array
		class   error
	}{
		{"no values", 0, milvus.Field{ID: 102, Type: milvus.TypeInt64}, nil, fault.ErrCorrupt},
		{"other length", 0, milvus.Field{ID: 102, Type: milvus.TypeInt64}, longs([]int64{1, 2}), fault.ErrCorrupt},
		{"NULL", 0, milvus.Field{ID: 102, Type: milvus.TypeInt64}, withNull.NewArray(), fault.ErrCorrupt},
		{"other type", 0, milvus.Field{ID: 102, Type: milvus.TypeVarChar}, one, fault.ErrCorrupt},
		{"an Int8 that is none", 0, milvus.Field{ID: 102, Type: milvus.TypeInt8}, narrow.NewArray(), fault.ErrCorrupt},
		{"a vector of another width", 0, milvus.Field{ID: 102, Type: milvus.TypeFloatVector, Dim: 2, Nullable: true}, bytes("1234"), fault.ErrCorrupt},
		{"a type whose form is not known", 0, milvus.Field{ID: 102, Type: milvus.TypeDate}, one, fault.ErrUnsupported},
		{"a long text", milvus.StorageV3, milvus.Field{ID: 102, Type: milvus.TypeText}, bytes(strings.Repeat("x", 65536)), fault.ErrUnsupported},
	} {
		columns := map[milvus.FieldID]arrow.Array{101: one}
		if c.values != nil {
			columns[102] = c.values
		}
		group := packed.Group{Fields: []milvus.Field{{ID: 101, Type: milvus.TypeInt64}, c.field}}
		if _, err := (packed.Writer{Version: c.version}).Encode([]packed.Group{group}, columns); !errors.Is(err, c.class) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := packed.EncodeDeletes(one, longs(nil)); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("a delete without a time: %v", err)
	}
}

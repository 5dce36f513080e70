package catalog

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
)

func TestFilmsSchema(t *testing.T) {
	s := schemaOf(t, films(), SchemaOptions{Identifier: []string{"id"}})
	b, err := json.MarshalIndent(s.Iceberg, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for k, v := range s.Properties() {
		if k != table.DefaultNameMappingKey {
			lines = append(lines, k+" = "+v)
		}
	}
	slices.Sort(lines)
	golden(t, "films.txt", string(b)+"\n\n"+strings.Join(lines, "\n")+"\n\n"+s.Arrow.String()+"\n")
}

func TestIDsAreThoseOfCreate(t *testing.T) {
	s := schemaOf(t, films(), SchemaOptions{})
	meta, err := table.NewMetadata(s.Iceberg, nil, table.UnsortedSortOrder, "s3://b/t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !meta.CurrentSchema().Equals(s.Iceberg) {
		t.Errorf("create makes\n%s\nof\n%s", meta.CurrentSchema(), s.Iceberg)
	}
}

func TestColumnNames(t *testing.T) {
	f := func(names ...string) *arrow.Schema {
		var fields []arrow.Field
		for _, n := range names {
			fields = append(fields, arrow.Field{Name: n, Type: arrow.PrimitiveTypes.Int64})
		}
		return arrow.NewSchema(fields, nil)
	}
	inner := arrow.NewSchema([]arrow.Field{{Name: "parts", Type: arrow.ListOfField(elem(arrow.StructOf(f("x", "X").Fields()...), false))}}, nil)
	for _, c := range []struct {
		name   string
		schema *arrow.Schema
		says   string
	}{
		{"case", f("Id", "id"), `"Id" and "id"`},
		{"twice", f("a", "a"), `"a" and "a"`},
		{"below a list", inner, `"parts.x" and "parts.X"`},
		{"_file", f("_file"), "_file"}, {"_pos", f("id", "_POS"), "_POS"}, {"_partition", f("_partition"), "_partition"},
		{"_deleted", f("_deleted"), "_deleted"}, {"_spec_id", f("_spec_id"), "_spec_id"},
		{"no name", f(""), "no name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := FromArrow(c.schema, SchemaOptions{})
			var e *fault.Error
			if !errors.As(err, &e) || !errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v", err)
			}
			if c.name != "no name" && e.Hint == "" {
				t.Error("no hint")
			}
		})
	}
	schemaOf(t, f("_meta", "_milvus_ts", "$meta", "file"), SchemaOptions{})
}

func TestRefusedTypes(t *testing.T) {
	for _, typ := range []arrow.DataType{
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Uint32, arrow.FixedWidthTypes.Timestamp_ns, arrow.FixedWidthTypes.Timestamp_us,
		&arrow.TimestampType{Unit: arrow.Microsecond}, arrow.BinaryTypes.LargeString, arrow.FixedWidthTypes.Time64ns,
	} {
		_, err := FromArrow(arrow.NewSchema([]arrow.Field{{Name: "x", Type: typ}}, nil), SchemaOptions{})
		if utc := typ.String() == "timestamp[us, tz=UTC]"; utc != (err == nil) || !utc && !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%s: %v", typ, err)
		}
	}
	if _, err := FromArrow(ids(), SchemaOptions{Identifier: []string{"nope"}}); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("unknown identifier: %v", err)
	}
}

func TestSchemaOfLaterExports(t *testing.T) {
	p := inMemory(t)
	cat, at := p.path(), Ident(p.table("films"))
	s := schemaOf(t, ids(), SchemaOptions{})
	if _, err := Commit(t.Context(), cat, at, Change{ExportID: "1", Schema: s}); err != nil {
		t.Fatal(err)
	}
	tbl, err := Load(t.Context(), cat, at)
	if err != nil {
		t.Fatal(err)
	}
	with := func(f ...arrow.Field) *arrow.Schema { return arrow.NewSchema(append(ids().Fields(), f...), nil) }
	year := milvusField("year", arrow.PrimitiveTypes.Int32, true, "102", "added later")

	later := schemaOf(t, arrow.NewSchema([]arrow.Field{year, ids().Field(1), ids().Field(0)}, nil), SchemaOptions{Table: tbl})
	var got []string
	for _, f := range later.Iceberg.Fields() {
		got = append(got, f.Name, string(rune('0'+f.ID)))
	}
	if want := []string{"year", "4", "vec", "2", "id", "1"}; !slices.Equal(got, want) {
		t.Errorf("ids %v, want %v", got, want)
	}
	if id, _ := later.Arrow.Field(1).Type.(*arrow.FixedSizeListType).ElemField().Metadata.GetValue(FieldIDKey); id != "3" {
		t.Errorf("the vector's element has the id %s", id)
	}

	year.Nullable = false
	wider := milvusField("id", arrow.BinaryTypes.String, false, "100", "key")
	for name, c := range map[string]*arrow.Schema{"required": with(year), "type": arrow.NewSchema([]arrow.Field{wider, ids().Field(1)}, nil)} {
		if _, err := FromArrow(c, SchemaOptions{Table: tbl}); !errors.Is(err, fault.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
		if s := schemaOf(t, c, SchemaOptions{Table: tbl, Replace: true}); s.Iceberg.HighestFieldID() != 4 {
			t.Errorf("%s, replaced: %s", name, s.Iceberg)
		}
	}
}

func TestNullableStays(t *testing.T) {
	have := &Table{Schema: iceberg.NewSchema(0, iceberg.NestedField{ID: 1, Name: "a", Type: iceberg.PrimitiveTypes.Int64}, iceberg.NestedField{ID: 2, Name: "b", Type: iceberg.PrimitiveTypes.Int64, Required: true})}
	meta, err := table.NewMetadata(have.Schema, nil, table.UnsortedSortOrder, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	have.Metadata = meta
	s := schemaOf(t, arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}, {Name: "b", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil), SchemaOptions{Table: have})
	if s.Iceberg.Field(0).Required || s.Iceberg.Field(1).Required || !s.Arrow.Field(0).Nullable {
		t.Errorf("got %s", s.Iceberg)
	}
}

func TestTag(t *testing.T) {
	for in, want := range map[string]string{"main": "milvus-main", "42": "milvus-42", "backup_20240101": "backup_20240101", "": "", "milvus-main": "milvus-main", "4x": "4x"} {
		if got := Tag(in); got != want || Tag(got) != got {
			t.Errorf("Tag(%q) = %q", in, got)
		}
	}
}

package catalog

import (
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
)

// Schema is one schema in both forms, with the same field ids.
type Schema struct {
	Iceberg *iceberg.Schema
	Arrow   *arrow.Schema // FieldIDKey on every field, nested ones included
}

// FormatVersion is the lowest version of Iceberg's format that has the schema's types: 2, or 3 with a variant.
func (s *Schema) FormatVersion() int {
	for _, f := range s.Iceberg.Fields() {
		if _, ok := f.Type.(iceberg.VariantType); ok {
			return 3
		}
	}
	return formatVersion
}

// SchemaOptions refine [FromArrow].
type SchemaOptions struct {
	// Identifier names columns whose values identify a row. They must be required.
	Identifier []string
	// Table is the table that will be added to, nil for a new one: columns keep the ids they have there.
	Table *Table
	// Replace says that nothing of the table's present content stays, so that columns may change their type (under a new id).
	Replace bool
}

// FromArrow gives the Iceberg schema of Arrow data in the exporter's types. The ids are those that creating a table gives
// (1, 2, ... with what is nested in a column right behind it), or the table's own. Names that differ only in case, or
// that engines reserve, are ErrConflict; types without an Iceberg form are ErrUnsupported.
func FromArrow(s *arrow.Schema, opts SchemaOptions) (*Schema, error) {
	if err := checkNames(s.Fields(), ""); err != nil {
		return nil, err
	}
	var fields []iceberg.NestedField
	c := converter{}
	for _, f := range s.Fields() {
		n, err := c.field(f)
		if err != nil {
			return nil, fault.Place(err, f.Name)
		}
		fields = append(fields, n)
	}
	fields, err := assign(fields, opts)
	if err != nil {
		return nil, err
	}
	ids, err := identifiers(fields, opts.Identifier)
	if err != nil {
		return nil, err
	}
	ice := iceberg.NewSchemaWithIdentifiers(0, ids, fields...)
	out := make([]arrow.Field, len(fields))
	for i, f := range s.Fields() {
		out[i] = withIDs(f, fields[i])
	}
	meta := s.Metadata()
	return &Schema{Iceberg: ice, Arrow: arrow.NewSchema(out, &meta)}, nil
}

// fresh numbers the fields as the creation of a table does, of the format version that has all types.
func fresh(fields []iceberg.NestedField) ([]iceberg.NestedField, error) {
	meta, err := table.NewMetadata(iceberg.NewSchema(0, fields...), iceberg.UnpartitionedSpec, table.UnsortedSortOrder, "", iceberg.Properties{table.PropertyFormatVersion: "3"})
	if err != nil {
		return nil, fault.Unsupported("make Iceberg schema", "%w", err)
	}
	return meta.CurrentSchema().Fields(), nil
}

func identifiers(fields []iceberg.NestedField, names []string) ([]int, error) {
	var ids []int
	for _, name := range names {
		id := 0
		for _, f := range fields {
			if f.Name == name && f.Required {
				id = f.ID
			}
		}
		if id == 0 {
			return nil, fault.Unsupported("make Iceberg schema", "identifier column %q is absent or may be NULL", name)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// reserved are the metadata columns of Iceberg and of its Spark procedures.
var reserved = map[string]bool{
	"_file": true, "_pos": true, "_deleted": true, "_spec_id": true, "_partition": true,
	"_row_id": true, "_last_updated_sequence_number": true,
	"_change_type": true, "_change_ordinal": true, "_commit_snapshot_id": true,
}

// checkNames refuses names that engines would confuse: Spark and DuckDB resolve them without regard to case.
func checkNames(fields []arrow.Field, parent string) error {
	seen := make(map[string]string, len(fields))
	for _, f := range fields {
		full, lower := parent+f.Name, strings.ToLower(f.Name)
		if f.Name == "" {
			return fault.Conflict("name columns", "a column below %q has no name", parent)
		}
		if other, dup := seen[lower]; dup {
			return fault.Conflict("name columns", "columns %q and %q have the same name for engines that ignore case", parent+other, full).
				WithHint("export only one of them, or rename the dynamic field's column with --meta-name")
		}
		if parent == "" && reserved[lower] {
			return fault.Conflict("name columns", "Iceberg reserves the name of column %q", full).
				WithHint("leave the field out of the export, or, for the dynamic field, choose another --meta-name")
		}
		seen[lower] = f.Name
		if t, ok := f.Type.(*arrow.StructType); ok {
			if err := checkNames(t.Fields(), full+"."); err != nil {
				return err
			}
		}
		if t, ok := f.Type.(*arrow.ListType); ok {
			if st, ok := t.Elem().(*arrow.StructType); ok {
				if err := checkNames(st.Fields(), full+"."); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// withIDs puts the ids of an Iceberg field into the Arrow field's metadata, at every level.
func withIDs(f arrow.Field, n iceberg.NestedField) arrow.Field {
	keys, values := []string{FieldIDKey}, []string{strconv.Itoa(n.ID)}
	for i, k := range f.Metadata.Keys() {
		if k != FieldIDKey {
			keys, values = append(keys, k), append(values, f.Metadata.Values()[i])
		}
	}
	f.Metadata = arrow.NewMetadata(keys, values)
	f.Nullable = !n.Required
	switch t := f.Type.(type) {
	case *arrow.ListType:
		f.Type = arrow.ListOfField(withIDs(t.ElemField(), element(n)))
	case *arrow.FixedSizeListType:
		f.Type = arrow.FixedSizeListOfField(t.Len(), withIDs(t.ElemField(), element(n)))
	case *arrow.MapType:
		m := n.Type.(*iceberg.MapType)
		key, value := m.KeyField(), m.ValueField()
		f.Type = arrow.MapOfFields(withIDs(t.KeyField(), key), withIDs(t.ItemField(), value))
	case *arrow.StructType:
		st := n.Type.(*iceberg.StructType)
		members := make([]arrow.Field, t.NumFields())
		for i, m := range t.Fields() {
			members[i] = withIDs(m, st.FieldList[i])
		}
		f.Type = arrow.StructOf(members...)
	}
	return f
}

func element(n iceberg.NestedField) iceberg.NestedField {
	return n.Type.(*iceberg.ListType).ElementField()
}

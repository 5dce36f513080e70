package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/form"
	"github.com/snapexport/snapexport/reader"
)

// systemPrefix is that of columns that no field is behind (docs/format/schema-mapping.md 2).
const systemPrefix = "_milvus_"

// columns compares the schema of the table with that of the scan and returns the columns that both sides have.
func (r *Report) columns(scan *reader.Scan, have *iceberg.Schema) []string {
	types := typesOf(scan)
	names := []string{}
	for _, f := range scan.Schema().Fields() {
		if _, ok := f.Metadata.GetValue(metaFieldID); !ok {
			continue
		}
		field, ok := have.FindFieldByName(f.Name)
		if !ok {
			r.differ("the table has no column %q", f.Name)
			continue
		}
		c := Column{Name: f.Name, Type: shape(field.Type), OK: true}
		if want := types[f.Name]; !slices.Contains(want, c.Type) {
			c.OK = false
			r.differ("column %q is %s in the table, not %s", f.Name, c.Type, strings.Join(want, " or "))
		}
		if field.Required && f.Nullable {
			c.OK = false
			r.differ("column %q is required in the table and may be NULL in the snapshot", f.Name)
		}
		if _, ok := field.Type.(iceberg.VariantType); ok {
			r.JSONByValue = append(r.JSONByValue, f.Name)
		}
		names = append(names, f.Name)
		r.Columns = append(r.Columns, c)
	}
	for _, f := range have.Fields() {
		if _, ok := scan.Schema().FieldsByName(f.Name); !ok && !strings.HasPrefix(f.Name, systemPrefix) {
			r.differ("the table has a column %q, which is not selected of the snapshot", f.Name)
		}
	}
	return names
}

// typesOf returns the types that an export may give each column: there are several forms of vectors and of JSON.
func typesOf(scan *reader.Scan) map[string][]string {
	out := map[string][]string{}
	for _, vectors := range []form.Vectors{form.VectorsList, form.VectorsBinary} {
		for _, sparse := range []form.Sparse{form.SparseMap, form.SparseStruct} {
			for _, text := range []form.JSON{form.JSONString, form.JSONVariant} {
				f, err := form.New(&scan.Snapshot().Collection.Schema, scan.Schema(), form.Options{Vectors: vectors, Sparse: sparse, JSON: text})
				if err != nil {
					continue // no export makes it
				}
				schema, err := catalog.FromArrow(f.Schema(), catalog.SchemaOptions{})
				if err != nil {
					continue
				}
				for _, field := range schema.Iceberg.Fields() {
					if s := shape(field.Type); !slices.Contains(out[field.Name], s) {
						out[field.Name] = append(out[field.Name], s)
					}
				}
			}
		}
	}
	return out
}

// shape writes a type without the ids of what is nested in it, and without saying what may be NULL.
func shape(t iceberg.Type) string {
	switch t := t.(type) {
	case *iceberg.ListType:
		return "list<" + shape(t.Element) + ">"
	case *iceberg.MapType:
		return fmt.Sprintf("map<%s, %s>", shape(t.KeyType), shape(t.ValueType))
	case *iceberg.StructType:
		var members []string
		for _, f := range t.FieldList {
			members = append(members, f.Name+" "+shape(f.Type))
		}
		return "struct<" + strings.Join(members, ", ") + ">"
	}
	return t.String()
}

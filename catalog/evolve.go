package catalog

import (
	"github.com/apache/iceberg-go"

	"github.com/snapexport/snapexport/fault"
)

// assign gives the fields of a new schema their ids: those of the table for the columns that it has, fresh ones above all
// that it ever had for the others.
func assign(fields []iceberg.NestedField, opts SchemaOptions) ([]iceberg.NestedField, error) {
	if opts.Table == nil {
		return fresh(fields)
	}
	old := map[string]iceberg.NestedField{}
	for _, f := range opts.Table.Schema.Fields() {
		old[f.Name] = f
	}
	last := opts.Table.Metadata.LastColumnID()
	out := make([]iceberg.NestedField, len(fields))
	var added []int
	for i, f := range fields {
		have, found := old[f.Name]
		same := found && sameType(have.Type, f.Type)
		switch {
		case same:
			f.ID, f.Type = have.ID, have.Type
			f.Required = f.Required && have.Required // a required column may become optional, never the other way round
		case opts.Replace:
			added = append(added, i)
		case found:
			return nil, fault.Conflict(op, "column %q is %s in the table and %s now", f.Name, have.Type, f.Type).WithHint("--replace builds the table anew")
		case f.Required:
			return nil, fault.Conflict(op, "column %q is not in the table, and rows that are there have no value for it", f.Name).WithHint("--replace builds the table anew")
		default:
			added = append(added, i)
		}
		out[i] = f
	}
	return out, number(out, added, last)
}

// number gives the fields at the places given fresh ids above last.
func number(fields []iceberg.NestedField, places []int, last int) error {
	if len(places) == 0 {
		return nil
	}
	var added []iceberg.NestedField
	for _, i := range places {
		added = append(added, fields[i])
	}
	sc, err := iceberg.AssignFreshSchemaIDs(iceberg.NewSchema(0, added...), func() int { last++; return last })
	if err != nil {
		return fault.Unsupported("make Iceberg schema", "%w", err)
	}
	for k, i := range places {
		fields[i] = sc.Field(k)
	}
	return nil
}

// sameType says whether two types are the same but for ids and documentation.
func sameType(a, b iceberg.Type) bool {
	switch a := a.(type) {
	case *iceberg.ListType:
		b, ok := b.(*iceberg.ListType)
		return ok && a.ElementRequired == b.ElementRequired && sameType(a.Element, b.Element)
	case *iceberg.MapType:
		b, ok := b.(*iceberg.MapType)
		return ok && a.ValueRequired == b.ValueRequired && sameType(a.KeyType, b.KeyType) && sameType(a.ValueType, b.ValueType)
	case *iceberg.StructType:
		b, ok := b.(*iceberg.StructType)
		if !ok || len(a.FieldList) != len(b.FieldList) {
			return false
		}
		for i, f := range a.FieldList {
			g := b.FieldList[i]
			if f.Name != g.Name || f.Required != g.Required || !sameType(f.Type, g.Type) {
				return false
			}
		}
		return true
	}
	return a.Equals(b)
}

// checkEvolution refuses a schema whose ids were not made for the table as it is now.
func checkEvolution(have *iceberg.Schema, lastColumnID int, want *iceberg.Schema, replace bool) error {
	old := map[int]iceberg.NestedField{}
	for _, f := range have.Fields() {
		old[f.ID] = f
	}
	for _, f := range want.Fields() {
		o, found := old[f.ID]
		switch {
		case !found && f.ID <= lastColumnID:
			return changed(f.Name, "its id %d belonged to another column", f.ID)
		case !found && f.Required && !replace:
			return changed(f.Name, "rows that are there have no value for it")
		case found && (o.Name != f.Name || !o.Type.Equals(f.Type)):
			return changed(f.Name, "id %d is %q %s in the table", f.ID, o.Name, o.Type)
		case found && f.Required && !o.Required:
			return changed(f.Name, "it may be NULL in the table")
		}
	}
	return nil
}

func changed(name, format string, args ...any) error {
	e := fault.Conflict(op, format, args...).WithHint("the table's schema is not the one that the files were written for: plan the export again")
	e.Detail = "column \"" + name + "\": " + e.Detail
	return e
}

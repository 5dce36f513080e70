package export

import (
	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/form"
	"github.com/snapexport/snapexport/reader"
)

// forms returns the forms of the scan's columns and the version of Iceberg's format that was asked for or is needed, 0 if any
// will do. It refuses what no table can have: names, types, and forms that contradict the format.
func (o Options) forms(scan *reader.Scan) (*form.Form, int, error) {
	f, err := form.New(&scan.Snapshot().Collection.Schema, scan.Schema(), o.Form)
	if err != nil {
		return nil, 0, err
	}
	schema, err := catalog.FromArrow(f.Schema(), catalog.SchemaOptions{})
	if err != nil {
		return nil, 0, err
	}
	if o.Format == FormatParquet {
		if o.IcebergFormat != 0 {
			return nil, 0, fault.Unsupported("plan", "Iceberg format version %d of files without a table", o.IcebergFormat).WithHint("leave one of the two out")
		}
		return f, 0, nil
	}
	if o.Form.Vectors == form.VectorsFixedList {
		return nil, 0, fault.Unsupported("plan", "vectors as fixed-list in an Iceberg table: its lists have no size").
			WithHint("the dimension is in the column's comment; fixed-list is for --format parquet")
	}
	need := schema.FormatVersion()
	switch v := o.IcebergFormat; {
	case v != 0 && v != 2 && v != 3:
		return nil, 0, fault.Unsupported("plan", "Iceberg format version %d", v).WithHint("there are 2 and 3")
	case v != 0 && v < need:
		return nil, 0, fault.Unsupported("plan", "JSON as variant in a table of Iceberg format version %d", v).WithHint("variants came with version 3: ask for it, or for JSON as string")
	case v != 0:
		return f, v, nil
	case need > 2:
		return f, need, nil
	}
	return f, 0, nil
}

// checkVersion refuses a table whose format version is not the plan's. Replacing upgrades a table; nothing downgrades one.
func (r *runner) checkVersion(have *catalog.Table) error {
	if have == nil || r.plan.Iceberg == 0 {
		return nil
	}
	switch now := have.Metadata.Version(); {
	case now < r.plan.Iceberg && !r.opts.Replace:
		return fault.Conflict("export", "the table has Iceberg format version %d, this export needs %d", now, r.plan.Iceberg).On(r.plan.Target).
			WithHint("--replace upgrades it, for good; or choose another table")
	case now > r.plan.Iceberg:
		return fault.Conflict("export", "the table has Iceberg format version %d, which can't become %d", now, r.plan.Iceberg).On(r.plan.Target).
			WithHint("choose another table")
	}
	return nil
}

// sayVersion warns of a table that fewer engines read, where nobody asked for its version.
func (r *runner) sayVersion() {
	if r.plan.Iceberg > 2 && r.opts.IcebergFormat == 0 {
		r.warnings = append(r.warnings, describe.Warning{Kind: "iceberg format",
			Message: "JSON is stored as variant, so the table has Iceberg format version 3: Spark 4.0 and DuckDB 1.5 read it, pyiceberg 0.11 and Spark 3.5 do not"})
	}
}

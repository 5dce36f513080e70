package export

import (
	"context"
	"strings"

	icebergtable "github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/fault"
)

// Destination is a table in a catalog that other tools share.
type Destination struct {
	Catalog  *catalog.Named
	Ident    icebergtable.Identifier
	Location string // where the table is or will be; "" if the catalog's server decides when the table is made
}

// named puts the destination into the plan.
func (p *Plan) named(d *Destination) {
	if d == nil {
		return
	}
	p.Catalog, p.Identifier, p.Target = d.Catalog.Name(), d.Ident, strings.TrimRight(d.Location, "/")
}

// Table is what its users call the table of the plan: namespace.table, or its path or URI.
func (p *Plan) Table() string {
	if p.Catalog == "" {
		return p.Target
	}
	return strings.Join(p.Identifier, ".")
}

// settle finds out where a table in a catalog is to be, and makes what has to be there before its files: the namespace, and,
// where the catalog's server decides about the place, the table without a snapshot.
func (r *runner) settle(ctx context.Context) error {
	d := r.opts.In
	if d == nil {
		return nil
	}
	if len(r.plan.Identifier) == 0 {
		return fault.Conflict("export", "the plan was made for the path %s", r.plan.Target).On(strings.Join(d.Ident, "."))
	}
	if err := d.Catalog.EnsureNamespace(ctx, d.Ident); err != nil {
		return err
	}
	if r.plan.Target != "" {
		return nil
	}
	prep, err := catalog.Prepare(ctx, d.Catalog, d.Ident, r.form.Schema(), catalog.SchemaOptions{}, "", r.properties())
	if err != nil {
		return err
	}
	r.plan.Target = strings.TrimRight(prep.Location, "/")
	return nil
}

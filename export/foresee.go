package export

import (
	"context"
	"errors"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

// Foresee returns the plan as [Run] would carry it out: with what is kept of the table, with what leaves it, and with every file
// of the rest checked. Nothing is written, no vectors are read.
func Foresee(ctx context.Context, scan *reader.Scan, plan *Plan, opts Options, opener *objstore.Opener, budget *reader.Budget, progress *Progress) (*Plan, error) {
	out := *plan
	r := &runner{scan: scan, plan: &out, opts: opts.withDefaults(), progress: progress, budget: budget}
	if out.Format == FormatIceberg {
		if err := r.foresee(ctx, opener); err != nil {
			return nil, err
		}
	}
	checked, err := Preflight(ctx, r.scan, progress)
	if err != nil {
		return nil, err
	}
	out = *r.plan
	out.Checked = &checked
	return &out, nil
}

func (r *runner) foresee(ctx context.Context, opener *objstore.Opener) error {
	r.ident, r.catalog = catalog.Ident(r.plan.Target), catalog.NewPath(opener.Open, catalog.PathOptions{})
	if r.opts.In != nil {
		r.ident, r.catalog = r.opts.In.Ident, r.opts.In.Catalog
	}
	have, err := catalog.Load(ctx, r.catalog, r.ident)
	if errors.Is(err, fault.ErrMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	root, err := objstore.Parse(have.Location)
	if err != nil {
		return err
	}
	store, err := opener.Open(ctx, root.Store)
	if err != nil {
		return err
	}
	r.table = table{store, root}
	if err := errors.Join(r.checkVersion(have), r.once(have)); err != nil {
		return err
	}
	if !r.opts.Replace {
		if err := r.mine(have); err != nil {
			return err
		}
		if done, ok := r.shown(have); ok {
			r.plan.Found = done.ID
			return nil
		}
	}
	if _, err := r.incremental(ctx, have); err != nil {
		return err
	}
	r.plan.Warnings = r.warnings
	if r.opts.Expire > 0 {
		r.plan.Expiry, err = have.PlanExpiry(ctx, oldTags(have, r.opts.Expire, &r.plan.Snapshot))
	}
	return err
}

package catalog

import (
	"context"
	"maps"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
)

// build adds the snapshot and its tag.
func (b *builder) build(ctx context.Context, t *table.Table) error {
	if err := b.check(t.Metadata()); err != nil {
		return err
	}
	base := t
	if !b.staged && len(b.updates) > 0 {
		meta, err := table.UpdateTableMetadata(t.Metadata(), b.updates, "")
		if err != nil {
			return fault.Conflict(op, "%w", err)
		}
		base = table.New(t.Identifier(), meta, t.MetadataLocation(), t.FS, nil)
	}
	from := t
	if b.aside {
		var err error
		if base, err = view(base, b.parent); err != nil {
			return err
		}
		from = base
	}
	tx := base.NewTransaction()
	if err := b.addSnapshot(ctx, from, tx); err != nil {
		return err
	}
	return b.finish(tx)
}

// addSnapshot stages the snapshot of the change: t is the table as it is, tx the transaction on it.
func (b *builder) addSnapshot(ctx context.Context, t *table.Table, tx *table.Transaction) error {
	summary := iceberg.Properties{}
	maps.Copy(summary, b.change.Summary)
	summary[ExportIDProperty] = b.change.ExportID
	add, remove, err := b.difference(ctx, t)
	if err != nil {
		return err
	}
	if b.version(t) > 2 {
		if add, err = withRowIDs(add, t.Metadata().NextRowID()); err != nil {
			return err
		}
	}
	switch {
	case len(remove) > 0:
		err = tx.ReplaceDataFilesWithDataFiles(ctx, remove, add, summary, table.WithoutAutoNameMapping())
	case len(add) > 0:
		err = tx.AddDataFiles(ctx, add, summary, table.WithoutAutoNameMapping())
	default:
		err = tx.AddFiles(ctx, nil, summary, false) // an export without rows is a snapshot, too
	}
	return err
}

// difference gives the data files that come and go.
func (b *builder) difference(ctx context.Context, t *table.Table) (add, remove []iceberg.DataFile, err error) {
	c := b.change
	if t.CurrentSnapshot() == nil || !c.Replace && len(c.Remove) == 0 {
		if len(c.Remove) > 0 {
			return nil, nil, fault.Conflict(op, "the table has no file %s to remove", c.Remove[0])
		}
		return c.Files, nil, nil
	}
	live, _, err := liveFiles(ctx, t, *t.CurrentSnapshot())
	if err != nil {
		return nil, nil, err
	}
	if c.Replace {
		add, remove = split(c.Files, live)
		return add, remove, nil
	}
	byPath := make(map[string]iceberg.DataFile, len(live))
	for _, f := range live {
		byPath[f.FilePath()] = f
	}
	for _, path := range c.Remove {
		f, ok := byPath[path]
		if !ok {
			return nil, nil, fault.Conflict(op, "the table has no file %s to remove", path).WithHint("someone rewrote the table: plan the export again, or --replace what is there")
		}
		remove = append(remove, f)
	}
	return c.Files, remove, nil
}

// split leaves out what is on both sides: a file of the same path is the same file.
func split(want, have []iceberg.DataFile) (add, remove []iceberg.DataFile) {
	wanted, there := map[string]bool{}, map[string]bool{}
	for _, f := range want {
		wanted[f.FilePath()] = true
	}
	for _, f := range have {
		there[f.FilePath()] = true
		if !wanted[f.FilePath()] {
			remove = append(remove, f)
		}
	}
	for _, f := range want {
		if !there[f.FilePath()] {
			add = append(add, f)
		}
	}
	return add, remove
}

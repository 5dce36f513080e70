package catalog

import (
	"slices"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
)

// A snapshot aside is not on main: its tag alone names it. What a reader without a tag sees stays as it is, and so do the
// table's current schema and properties.

// view gives the table as it would be if parent were its current snapshot, so that a snapshot can be built on it.
func view(t *table.Table, parent int64) (*table.Table, error) {
	var update table.Update
	switch now := t.CurrentSnapshot(); {
	case now == nil && parent == NoSnapshot || now != nil && now.SnapshotID == parent:
		return t, nil
	case parent == NoSnapshot:
		update = table.NewRemoveSnapshotRefUpdate(table.MainBranch)
	default:
		update = table.NewSetSnapshotRefUpdate(table.MainBranch, parent, table.BranchRef, 0, 0, 0)
	}
	meta, err := table.UpdateTableMetadata(t.Metadata(), []table.Update{update}, "")
	if err != nil {
		return nil, fault.Conflict(op, "%w", err)
	}
	return table.New(t.Identifier(), meta, t.MetadataLocation(), t.FS, nil), nil
}

// updateAside gives a snapshot aside its schema, which is not the table's.
func (b *builder) updateAside(t *table.Table) error {
	have, want := t.Metadata(), b.change.Schema
	if err := checkEvolution(t.Schema(), have.LastColumnID(), want.Iceberg, b.change.Replace); err != nil {
		return err
	}
	if t.Schema().Equals(want.Iceberg) {
		return nil
	}
	sc := iceberg.NewSchemaWithIdentifiers(t.Schema().ID+1, want.Iceberg.IdentifierFieldIDs, want.Iceberg.Fields()...)
	b.updates = append(b.updates, table.NewAddSchemaUpdate(sc), table.NewSetCurrentSchemaUpdate(-1))
	b.reqs = append(b.reqs, table.AssertCurrentSchemaID(t.Schema().ID), table.AssertLastAssignedFieldID(have.LastColumnID()))
	b.schemaID = &t.Schema().ID
	return nil
}

// beside leaves out of a transaction's updates and requirements what concerns main.
func beside(updates []table.Update, reqs []table.Requirement) ([]table.Update, []table.Requirement) {
	updates = slices.DeleteFunc(slices.Clone(updates), func(u table.Update) bool { return u.Action() == table.UpdateSetSnapshotRef })
	main := table.AssertRefSnapshotID(table.MainBranch, nil).GetType()
	return updates, slices.DeleteFunc(slices.Clone(reqs), func(q table.Requirement) bool { return q.GetType() == main })
}

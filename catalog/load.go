package catalog

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
)

// Table is what a table holds, at the time that it was loaded.
type Table struct {
	Name             string // its identifier with dots, or location
	Location         string // as the metadata has it
	MetadataLocation string
	Schema           *iceberg.Schema // the current one
	Properties       map[string]string
	Snapshots        []Snapshot // oldest first
	Current          *Snapshot  // nil for a table without snapshots
	Metadata         table.Metadata

	raw *table.Table
}

// Snapshot is one state of a table.
type Snapshot struct {
	ID        int64
	Parent    int64 // NoSnapshot if it has none
	Time      time.Time
	Operation string            // "append", "overwrite", "replace", "delete"
	Summary   map[string]string // with what [Change] gave
	Tags      []string          // tags and branches that name it
}

// Load reads a table's metadata. Without a table it is ErrMissing.
func Load(ctx context.Context, cat catalog.Catalog, ident table.Identifier) (*Table, error) {
	t, err := cat.LoadTable(ctx, ident)
	if errors.Is(err, catalog.ErrNoSuchTable) {
		return nil, fault.New(fault.ErrMissing, "load table", "%w", err).On(name(ident))
	}
	if err != nil {
		return nil, fault.Place(classed(err), name(ident))
	}
	return tableOf(ident, t), nil
}

func tableOf(ident table.Identifier, t *table.Table) *Table {
	out := &Table{
		Name: name(ident), Location: t.Location(), MetadataLocation: t.MetadataLocation(),
		Schema: t.Schema(), Properties: t.Properties(), Metadata: t.Metadata(), raw: t,
	}
	refs := map[int64][]string{}
	for ref, s := range t.Metadata().Refs() {
		refs[s.SnapshotID] = append(refs[s.SnapshotID], ref)
	}
	for _, s := range t.Metadata().Snapshots() {
		out.Snapshots = append(out.Snapshots, snapshotOf(s, refs[s.SnapshotID]))
	}
	if s := t.CurrentSnapshot(); s != nil {
		out.Current, _ = out.Snapshot(s.SnapshotID)
	}
	return out
}

func snapshotOf(s table.Snapshot, refs []string) Snapshot {
	out := Snapshot{ID: s.SnapshotID, Parent: NoSnapshot, Time: time.UnixMilli(s.TimestampMs).UTC(), Tags: refs, Summary: map[string]string{}}
	if s.ParentSnapshotID != nil {
		out.Parent = *s.ParentSnapshotID
	}
	if s.Summary != nil {
		out.Operation = string(s.Summary.Operation)
		for k, v := range s.Summary.Properties {
			out.Summary[k] = v
		}
	}
	return out
}

// Snapshot returns the snapshot with the id.
func (t *Table) Snapshot(id int64) (*Snapshot, bool) {
	for i := range t.Snapshots {
		if t.Snapshots[i].ID == id {
			return &t.Snapshots[i], true
		}
	}
	return nil, false
}

// Tagged returns the snapshot that a tag or branch names.
func (t *Table) Tagged(ref string) (*Snapshot, bool) {
	for name, r := range t.Metadata.Refs() {
		if name == ref {
			return t.Snapshot(r.SnapshotID)
		}
	}
	return nil, false
}

// Export returns the snapshot that an export made.
func (t *Table) Export(exportID string) (*Snapshot, bool) {
	for i := range t.Snapshots {
		if t.Snapshots[i].Summary[ExportIDProperty] == exportID {
			return &t.Snapshots[i], true
		}
	}
	return nil, false
}

// Files lists what a snapshot consists of: data files, and delete files if someone added some.
func (t *Table) Files(ctx context.Context, snapshotID int64) (data, deletes []iceberg.DataFile, err error) {
	s := t.Metadata.SnapshotByID(snapshotID)
	if s == nil {
		return nil, nil, fault.Missing("list table files", "the table has no snapshot %d", snapshotID).On(t.Name)
	}
	data, deletes, err = liveFiles(ctx, t.raw, *s)
	return data, deletes, fault.Place(err, t.Name)
}

// SchemaOf gives the schema of a snapshot.
func (t *Table) SchemaOf(snapshotID int64) *iceberg.Schema {
	if s := t.Metadata.SnapshotByID(snapshotID); s != nil && s.SchemaID != nil {
		for _, sc := range t.Metadata.Schemas() {
			if sc.ID == *s.SchemaID {
				return sc
			}
		}
	}
	return t.Schema
}

// liveFiles reads a snapshot's manifests. Whatever damaged ones make of the decoder becomes an error.
func liveFiles(ctx context.Context, t *table.Table, s table.Snapshot) (data, deletes []iceberg.DataFile, err error) {
	defer func() {
		if p := recover(); p != nil {
			data, deletes, err = nil, nil, fault.Corrupt("read manifests", "%v", p).On(s.ManifestList)
		}
	}()
	files, err := t.FS(ctx)
	if err != nil {
		return nil, nil, err
	}
	manifests, err := s.Manifests(files)
	if err != nil {
		return nil, nil, unreadable(err, s.ManifestList)
	}
	for _, m := range manifests {
		for e, err := range m.Entries(files, true) {
			if err != nil {
				return nil, nil, unreadable(err, m.FilePath())
			}
			if e.DataFile().ContentType() == iceberg.EntryContentData {
				data = append(data, e.DataFile())
			} else {
				deletes = append(deletes, e.DataFile())
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
	}
	return data, deletes, nil
}

// unreadable keeps the class of the store's errors and calls all others damage.
func unreadable(err error, object string) error {
	var e *fault.Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fault.Corrupt("read manifests", "ends too early: %w", err).On(object)
	}
	return fault.Corrupt("read manifests", "%w", err).On(object)
}

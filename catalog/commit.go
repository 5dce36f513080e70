package catalog

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// commitTries is how often a commit that others outran is rebuilt on what they wrote.
const commitTries = 20

// Change is one export as a table sees it: what becomes of its files, and what the new snapshot says.
type Change struct {
	ExportID string  // identity of the export; one that is in the table's history is not committed again
	Schema   *Schema // that the files were written with
	Files    []iceberg.DataFile

	// Remove names data files, by path, that the new snapshot no longer has. Replace removes all but Files.
	Remove  []string
	Replace bool
	// Parent is the snapshot that the change was planned on, NoSnapshot for a table that is empty or absent: any other is
	// ErrConflict. nil: whatever is there when the commit comes.
	Parent *int64

	// Aside, if not nil, is asked before each try whether the snapshot goes beside main, where its tag alone names it, and on
	// which parent, which may be NoSnapshot. Replace and Remove are about the parent's files then.
	Aside func(have *Table) (parent int64, aside bool)

	// Check, if not nil, is asked before each try about the table as it is then, if there is one. Its error ends the commit.
	Check func(have *Table) error

	Tag        string            // name of the Milvus snapshot, which [Tag] makes a tag of; "" for none. One in use is ErrConflict, but for Replace, which moves it
	Summary    map[string]string // properties of the snapshot
	Properties map[string]string // properties of the table, beside those of the schema
	Location   string            // of a table that is made in a catalog; "" leaves it to the catalog

	// FormatVersion is the least version of Iceberg's format that the table has afterwards; 0: that which its schema needs.
	FormatVersion int
}

// NoSnapshot is the Parent of a change to a table that has none.
const NoSnapshot int64 = -1

// Result is what a commit did.
type Result struct {
	SnapshotID       int64
	MetadataLocation string // of the metadata after the commit, or, if it was there already, as it is now
	Created          bool   // the table is new
	AlreadyCommitted bool   // an earlier run committed this export; nothing was changed
	Tries            int
}

// Commit makes the change. It may be called again with the same export id after any error, and by several processes at once:
// the export is committed once.
func Commit(ctx context.Context, cat catalog.Catalog, ident table.Identifier, c Change) (Result, error) {
	if c.ExportID == "" || c.Schema == nil {
		return Result{}, fault.Conflict(op, "a change without export id or schema").On(name(ident))
	}
	if c.Replace && c.Remove != nil {
		return Result{}, fault.Conflict(op, "a change that replaces everything names files to remove").On(name(ident))
	}
	c.Tag = Tag(c.Tag)
	for try, unknown := 1, 0; ; try++ {
		r, err := commitOnce(ctx, cat, ident, c)
		r.Tries = try
		if err == nil {
			return r, nil
		}
		failed := errors.Is(err, table.ErrCommitFailed)
		if errors.Is(err, objstore.ErrUnknownOutcome) || !failed && !errors.Is(err, fault.ErrConflict) {
			// The commit may have taken place all the same: what the table says counts.
			if found, ok := lookAgain(ctx, cat, ident, c); ok {
				found.Tries = try
				return found, nil
			}
		}
		if !failed && again(cat, err) && unknown < unknownTries {
			// Whichever of the two commits arrives first, the other finds the table changed.
			unknown++
			if wait := objstore.Sleep(ctx, time.Duration(unknown*unknown)*200*time.Millisecond); wait != nil {
				return Result{}, fault.Place(err, name(ident))
			}
			continue
		}
		if !failed {
			return Result{}, fault.Place(classed(err), name(ident))
		}
		if try == commitTries {
			return Result{}, fault.Conflict(op, "others were faster %d times: %w", try, err).On(name(ident)).WithHint("run it again when fewer write to the table")
		}
		if err := objstore.Sleep(ctx, pause(c.ExportID, try)); err != nil {
			return Result{}, err
		}
	}
}

// unknownTries is how often a commit to a catalog is made again because nobody knows what became of it.
const unknownTries = 4

// again says whether a commit of unknown outcome that the table does not show may be made again. [Path] has tried already.
func again(cat catalog.Catalog, err error) bool {
	_, named := cat.(*Named)
	return named && errors.Is(err, objstore.ErrUnknownOutcome)
}

// pause grows with the tries, and is not the same for two exports.
func pause(exportID string, try int) time.Duration {
	h := fnv.New32a()
	fmt.Fprint(h, exportID, try)
	return time.Duration(try) * time.Duration(5+h.Sum32()%20) * time.Millisecond
}

// classed gives errors of iceberg-go a class.
func classed(err error) error {
	var e *fault.Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fault.New(objstore.ErrFailed, op, "%w", err)
}

func lookAgain(ctx context.Context, cat catalog.Catalog, ident table.Identifier, c Change) (Result, bool) {
	t, err := cat.LoadTable(ctx, ident)
	if err != nil {
		return Result{}, false
	}
	return committed(ctx, cat, t, c.ExportID)
}

// committed looks for the export in the table's history.
func committed(ctx context.Context, cat catalog.Catalog, t *table.Table, exportID string) (Result, bool) {
	for _, s := range t.Metadata().Snapshots() {
		if s.Summary == nil || s.Summary.Properties[ExportIDProperty] != exportID {
			continue
		}
		if p, ok := cat.(*Path); ok {
			p.repair(ctx, t.Identifier())
		}
		return Result{SnapshotID: s.SnapshotID, MetadataLocation: t.MetadataLocation(), AlreadyCommitted: true}, true
	}
	return Result{}, false
}

// commitOnce builds the change on the table as it is and commits it. table.ErrCommitFailed: someone was faster.
func commitOnce(ctx context.Context, cat catalog.Catalog, ident table.Identifier, c Change) (Result, error) {
	t, err := cat.LoadTable(ctx, ident)
	if err != nil && !errors.Is(err, catalog.ErrNoSuchTable) {
		return Result{}, err
	}
	created := err != nil
	if !created {
		if r, ok := committed(ctx, cat, t, c.ExportID); ok {
			return r, nil
		}
		if c.Check != nil {
			if err := c.Check(tableOf(ident, t)); err != nil {
				return Result{}, err
			}
		}
	}
	b := builder{change: c, parent: NoSnapshot}
	if !created && c.Aside != nil && c.Tag != "" {
		b.parent, b.aside = c.Aside(tableOf(ident, t))
	}
	switch {
	case created:
		t, err = b.create(ctx, cat, ident)
	case b.aside:
		err = b.updateAside(t)
	default:
		err = b.updateSchema(t)
	}
	if err != nil {
		return Result{}, err
	}
	if err := b.build(ctx, t); err != nil {
		discard(ctx, cat, t)
		return Result{}, err
	}
	_, location, err := cat.CommitTable(ctx, ident, b.reqs, b.updates)
	if err != nil && !errors.Is(err, objstore.ErrUnknownOutcome) {
		discard(ctx, cat, t)
	}
	if err != nil {
		return Result{}, err
	}
	return Result{SnapshotID: b.snapshot.SnapshotID, MetadataLocation: location, Created: created}, nil
}

func name(ident table.Identifier) string { return strings.Join(ident, ".") }

// version is the format version that the table needs.
func (c Change) version() int { return max(c.FormatVersion, c.Schema.FormatVersion()) }

// builder collects the updates of one try.
type builder struct {
	change   Change
	reqs     []table.Requirement
	updates  []table.Update
	staged   bool // the table comes into being with this commit
	snapshot *table.Snapshot

	aside    bool
	parent   int64 // of a snapshot aside
	schemaID *int  // the table's schema, which a snapshot aside does not change; nil: it was not touched
}

// stager is a catalog in which a table comes into being with its first snapshot.
type stager interface {
	stage(ctx context.Context, ident table.Identifier, sc *iceberg.Schema, props iceberg.Properties, location string) (*table.Table, []table.Update, error)
}

// create makes the table: within the commit where the catalog can, else before it.
func (b *builder) create(ctx context.Context, cat catalog.Catalog, ident table.Identifier) (*table.Table, error) {
	if b.change.Parent != nil && *b.change.Parent != NoSnapshot {
		return nil, fault.Missing(op, "the table is gone that the change was planned on").On(name(ident))
	}
	sc := b.change.Schema.Iceberg
	if s, ok := cat.(stager); ok {
		props := iceberg.Properties(b.change.Schema.Properties())
		maps.Copy(props, b.change.Properties)
		props[table.PropertyFormatVersion] = strconv.Itoa(b.change.version())
		t, updates, err := s.stage(ctx, ident, sc, props, b.change.Location)
		if err != nil {
			return nil, err
		}
		b.staged, b.reqs, b.updates = true, []table.Requirement{table.AssertCreate()}, updates
		return t, sameIDs(sc, t.Schema())
	}
	if err := create(ctx, cat, ident, b.change.Schema, b.change.version(), b.change.Location, b.change.Properties); err != nil {
		return nil, err
	}
	t, err := cat.LoadTable(ctx, ident)
	if err != nil {
		return nil, err
	}
	return t, sameIDs(sc, t.Schema())
}

// sameIDs checks that a catalog numbered the fields as we did: the files have our ids.
func sameIDs(ours, theirs *iceberg.Schema) error {
	if ours.Equals(theirs) {
		return nil
	}
	return fault.Conflict(op, "the catalog gave the columns other ids than the files have: %s instead of %s", theirs, ours).
		WithHint("prepare the table before files are written for it")
}

// updateSchema brings schema and properties of a table that is there to those of the change.
func (b *builder) updateSchema(t *table.Table) error {
	have, want := t.Metadata(), b.change.Schema
	if err := checkEvolution(t.Schema(), have.LastColumnID(), want.Iceberg, b.change.Replace); err != nil {
		return err
	}
	if v := b.version(t); v > have.Version() {
		b.updates = append(b.updates, table.NewUpgradeFormatVersionUpdate(v))
	}
	if !t.Schema().Equals(want.Iceberg) {
		sc := iceberg.NewSchemaWithIdentifiers(t.Schema().ID+1, want.Iceberg.IdentifierFieldIDs, want.Iceberg.Fields()...)
		b.updates = append(b.updates, table.NewAddSchemaUpdate(sc), table.NewSetCurrentSchemaUpdate(-1))
		b.reqs = append(b.reqs, table.AssertCurrentSchemaID(t.Schema().ID), table.AssertLastAssignedFieldID(have.LastColumnID()))
	}
	props := want.Properties()
	maps.Copy(props, b.change.Properties)
	if set := changedProperties(t.Properties(), props); len(set) > 0 {
		b.updates = append(b.updates, table.NewSetPropertiesUpdate(set))
	}
	if _, stale := t.Properties()[EncodingsProperty]; stale && props[EncodingsProperty] == "" {
		b.updates = append(b.updates, table.NewRemovePropertiesUpdate([]string{EncodingsProperty}))
	}
	return nil
}

// version is the format version that the table has after the change.
func (b *builder) version(t *table.Table) int { return max(t.Metadata().Version(), b.change.version()) }

// check holds the table against what the change was planned on.
func (b *builder) check(meta table.Metadata) error {
	now := NoSnapshot
	if s := meta.CurrentSnapshot(); s != nil {
		now = s.SnapshotID
	}
	if p := b.change.Parent; p != nil && *p != now && !b.aside {
		return fault.Conflict(op, "the table's snapshot is %d, the change was planned on %d", now, *p).WithHint("someone wrote to the table: plan the export again, or --replace what is there")
	}
	return b.checkTag(meta)
}

// checkTag makes sure that the tag is free, or may move, and stays so until the commit.
func (b *builder) checkTag(meta table.Metadata) error {
	if b.change.Tag == "" {
		return nil
	}
	var held *int64
	for ref, s := range meta.Refs() {
		if ref != b.change.Tag {
			continue
		}
		if s.SnapshotRefType != table.TagRef {
			return fault.Conflict(op, "the table has a branch %q", ref).WithHint("choose another name for the tag")
		}
		if !b.change.Replace {
			return fault.Conflict(op, "the table has a tag %q already, of another export", ref).WithHint("--replace moves it")
		}
		held = &s.SnapshotID
	}
	if !b.staged {
		b.reqs = append(b.reqs, table.AssertRefSnapshotID(b.change.Tag, held))
	}
	return nil
}

// finish turns the transaction into updates, with the tag of its snapshot.
func (b *builder) finish(tx *table.Transaction) error {
	staged, err := tx.StagedTable()
	if err != nil {
		return err
	}
	done, err := tx.TableCommit()
	if err != nil {
		return err
	}
	if b.snapshot = staged.CurrentSnapshot(); b.snapshot == nil {
		return fault.Corrupt(op, "the change made no snapshot")
	}
	if b.aside {
		done.Updates, done.Requirements = beside(done.Updates, done.Requirements)
	}
	b.updates = append(b.updates, done.Updates...)
	if b.schemaID != nil {
		b.updates = append(b.updates, table.NewSetCurrentSchemaUpdate(*b.schemaID))
	}
	if tag := b.change.Tag; tag != "" {
		b.updates = append(b.updates, table.NewSetSnapshotRefUpdate(tag, b.snapshot.SnapshotID, table.TagRef, 0, 0, 0))
	}
	if !b.staged {
		b.reqs = append(b.reqs, done.Requirements...)
	}
	return nil
}

// discard removes the manifests of a try that failed.
func discard(ctx context.Context, cat catalog.Catalog, t *table.Table) {
	warn := func(error) {}
	if p, ok := cat.(*Path); ok {
		warn = p.opts.Warn
	}
	files, err := t.FS(context.WithoutCancel(ctx))
	if err != nil {
		warn(err)
		return
	}
	ours, ok := files.(interface {
		written() []string
		Remove(name string) error
	})
	if !ok {
		return
	}
	for _, path := range ours.written() {
		if err := ours.Remove(path); err != nil {
			warn(err)
		}
	}
}

package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// createTries is how often a create whose outcome is unknown is looked at and repeated.
const createTries = 5

// formatVersion of new tables that need no other: 2 is what every engine reads.
const formatVersion = 2

// CreateTable makes a table without a snapshot. [Commit] does not need it: there, table and first snapshot come together.
func (p *Path) CreateTable(ctx context.Context, ident table.Identifier, sc *iceberg.Schema, opts ...catalog.CreateTableOpt) (*table.Table, error) {
	cfg := catalog.NewCreateTableCfg()
	for _, o := range opts {
		o(&cfg)
	}
	r, err := p.at(ctx, ident)
	if err != nil {
		return nil, err
	}
	meta, err := table.NewMetadata(sc, cfg.PartitionSpec, cfg.SortOrder, r.loc.String(), cfg.Properties)
	if err != nil {
		return nil, fault.Unsupported("create table", "%w", err).On(r.loc.String())
	}
	_, loc, err := p.CommitTable(ctx, ident, []table.Requirement{table.AssertCreate()}, creation(meta))
	if errors.Is(err, table.ErrCommitFailed) {
		return nil, fault.New(fault.ErrConflict, "create table", "%w", catalog.ErrTableAlreadyExists).On(r.loc.String())
	}
	if err != nil {
		return nil, err
	}
	return p.table(ident, r, meta, loc), nil
}

// creation gives the updates that make a table of nothing.
func creation(meta table.Metadata) []table.Update {
	spec, order := meta.PartitionSpec(), meta.SortOrder()
	updates := []table.Update{
		table.NewAssignUUIDUpdate(meta.TableUUID()),
		table.NewUpgradeFormatVersionUpdate(meta.Version()),
		table.NewAddSchemaUpdate(meta.CurrentSchema()),
		table.NewSetCurrentSchemaUpdate(-1),
		table.NewAddPartitionSpecUpdate(&spec, true),
		table.NewSetDefaultSpecUpdate(-1),
		table.NewAddSortOrderUpdate(&order),
		table.NewSetDefaultSortOrderUpdate(-1),
		table.NewSetLocationUpdate(meta.Location()),
	}
	if props := meta.Properties(); len(props) > 0 {
		updates = append(updates, table.NewSetPropertiesUpdate(props))
	}
	return updates
}

// CommitTable applies the updates to the table, or makes a table of them, as the next version of its metadata.
// table.ErrCommitFailed: nothing was written, load the table and try again. Any other error: nothing was written, or, if
// objstore.ErrUnknownOutcome, nobody knows.
func (p *Path) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	r, err := p.at(ctx, ident)
	if err != nil {
		return nil, "", err
	}
	current, m, err := p.load(ctx, ident, r)
	if err != nil && !errors.Is(err, fault.ErrMissing) {
		return nil, "", err
	}
	meta, err := apply(current, reqs, updates)
	if err != nil {
		return nil, "", err
	}
	if codec := meta.Properties().Get(table.MetadataCompressionKey, "none"); codec != "none" {
		return nil, "", fault.Unsupported(op, "the table asks for metadata compressed with %s", codec).On(r.loc.String()).
			WithHint("unset the property %s", table.MetadataCompressionKey)
	}
	body, err := json.Marshal(meta)
	if err != nil {
		return nil, "", fault.Unsupported(op, "%w", err).On(r.loc.String())
	}
	name := metadataName(m.version + 1)
	if err := p.create(ctx, r, r.at(name), body); err != nil {
		return nil, "", err
	}
	p.publish(ctx, r, m.version+1)
	return meta, r.loc.Join(name).String(), nil
}

// apply checks the requirements and gives the metadata after the updates. current is nil if there is no table.
func apply(current *table.Table, reqs []table.Requirement, updates []table.Update) (table.Metadata, error) {
	var base table.Metadata
	if current != nil {
		base = current.Metadata()
	}
	for _, q := range reqs {
		if err := q.Validate(base); err != nil {
			return nil, fmt.Errorf("%w: %w", table.ErrCommitFailed, err)
		}
	}
	if current != nil {
		meta, err := table.UpdateTableMetadata(base, updates, current.MetadataLocation())
		if err != nil {
			return nil, fault.Conflict(op, "%w", err)
		}
		return meta, nil
	}
	b, err := table.NewMetadataBuilder(formatVersion)
	if err != nil {
		return nil, fault.Unsupported(op, "%w", err)
	}
	for _, u := range updates {
		if err := u.Apply(b); err != nil {
			return nil, fault.Conflict(op, "%w", err)
		}
	}
	meta, err := b.Build()
	if err != nil {
		return nil, fault.Conflict(op, "%w", err)
	}
	return meta, nil
}

// create writes a version of the metadata that must not exist yet. Whether a create that failed was carried out is seen in
// the object itself: metadata holds ids of their own, so equal bytes are our bytes. Repeating it is safe, for an earlier try
// that arrives late finds either itself or another's.
func (p *Path) create(ctx context.Context, r root, key string, body []byte) error {
	for try := 1; ; try++ {
		err := r.store.Create(ctx, key, body)
		if err == nil {
			return nil
		}
		there, _, readErr := r.store.ReadAll(ctx, key, metadataLimit)
		switch {
		case readErr == nil && bytes.Equal(there, body):
			return nil
		case readErr == nil || errors.Is(readErr, fault.ErrLimit):
			return fmt.Errorf("%w: %s is another's", table.ErrCommitFailed, key)
		case refused(err) && try == 1:
			return err
		case try == createTries:
			return fault.New(objstore.ErrUnknownOutcome, op, "%w", err).On(key).WithHint("run the same export again: it finds out")
		}
		if err := p.opts.Sleep(ctx, time.Duration(try*try)*50*time.Millisecond); err != nil {
			return fault.New(objstore.ErrUnknownOutcome, op, "%w", err).On(key).WithHint("run the same export again: it finds out")
		}
	}
}

// refused says whether a create that failed was certainly not carried out. A conflict is no refusal: the object that is in
// the way may be our own, from a try before.
func refused(err error) bool {
	return !errors.Is(err, objstore.ErrUnknownOutcome) && !errors.Is(err, objstore.ErrTransient) && !errors.Is(err, fault.ErrConflict)
}

// publish writes the version hint. Another writer may have gone on meanwhile, and its hint may have come before ours: the
// last to write sees the other's version and says so.
func (p *Path) publish(ctx context.Context, r root, version int) {
	for {
		if err := r.store.Put(ctx, r.at(hintName), []byte(strconv.Itoa(version))); err != nil {
			p.opts.Warn(err)
			return
		}
		_, found, err := r.find(ctx, version+1)
		if err != nil {
			p.opts.Warn(err)
		}
		if !found {
			return
		}
		version++
	}
}

// repair brings the version hint up to date, for tables whose last writer died between commit and hint.
func (p *Path) repair(ctx context.Context, ident table.Identifier) {
	r, err := p.at(ctx, ident)
	if err != nil {
		p.opts.Warn(err)
		return
	}
	m, err := r.latest(ctx)
	switch {
	case err != nil:
		p.opts.Warn(err)
	case r.hint(ctx) != m.version:
		p.publish(ctx, r, m.version)
	}
}

// stage gives the table that does not exist yet, for building its first snapshot.
func (p *Path) stage(ctx context.Context, ident table.Identifier, sc *iceberg.Schema, props iceberg.Properties, _ string) (*table.Table, []table.Update, error) {
	r, err := p.at(ctx, ident)
	if err != nil {
		return nil, nil, err
	}
	withVersion := iceberg.Properties{table.PropertyFormatVersion: strconv.Itoa(formatVersion)}
	for k, v := range props {
		withVersion[k] = v
	}
	meta, err := table.NewMetadata(sc, iceberg.UnpartitionedSpec, table.UnsortedSortOrder, r.loc.String(), withVersion)
	if err != nil {
		return nil, nil, fault.Unsupported(op, "%w", err).On(r.loc.String())
	}
	return p.table(ident, r, meta, ""), creation(meta), nil
}

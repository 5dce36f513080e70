package catalog

import (
	"context"
	"errors"
	"maps"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
)

// Preparation is a table that files may be written for.
type Preparation struct {
	Schema   *Schema
	Table    *Table // nil for a path table that comes into being with its first commit
	Location string // "" for a path table that is not there yet: the location is its name
}

// Prepare finds the schema, with its field ids, that files of an export have to be written with. A path table that does
// not exist needs nothing more, nor does one in a [Named] catalog whose location is given. In other catalogs the table is made now, without a snapshot, because each catalog has its own
// way of numbering fields: the ids are those that it gave. location is where a catalog puts a new table, "" where it likes.
func Prepare(ctx context.Context, cat catalog.Catalog, ident table.Identifier, s *arrow.Schema, opts SchemaOptions, location string, props map[string]string) (*Preparation, error) {
	t, err := Load(ctx, cat, ident)
	if errors.Is(err, catalog.ErrNoSuchTable) {
		opts.Table = nil
		schema, err := FromArrow(s, opts)
		if err != nil {
			return nil, err
		}
		if _, ok := cat.(*Path); ok {
			return &Preparation{Schema: schema}, nil
		}
		if _, ok := cat.(stager); ok && location != "" {
			return &Preparation{Schema: schema, Location: location}, nil
		}
		if err := create(ctx, cat, ident, schema, schema.FormatVersion(), location, props); err != nil {
			return nil, err
		}
		t, err = Load(ctx, cat, ident)
		if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	opts.Table = t
	schema, err := FromArrow(s, opts)
	return &Preparation{Schema: schema, Table: t, Location: t.Location}, err
}

// create makes a table without a snapshot in a catalog that is not ours. That it is there already is fine.
func create(ctx context.Context, cat catalog.Catalog, ident table.Identifier, s *Schema, version int, location string, props map[string]string) error {
	all := iceberg.Properties(s.Properties())
	maps.Copy(all, props)
	all[table.PropertyFormatVersion] = strconv.Itoa(version)
	opts := []catalog.CreateTableOpt{catalog.WithProperties(all)}
	if location != "" {
		opts = append(opts, catalog.WithLocation(location))
	}
	_, err := cat.CreateTable(ctx, ident, s.Iceberg, opts...)
	switch {
	case err == nil || errors.Is(err, catalog.ErrTableAlreadyExists):
		return nil
	case errors.Is(err, catalog.ErrNoSuchNamespace):
		return fault.New(fault.ErrMissing, "create table", "%w", err).On(name(ident)).WithHint("create the namespace first")
	}
	return fault.Place(classed(err), name(ident))
}

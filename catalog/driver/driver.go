// Package driver opens catalogs: SQL databases, REST servers, AWS Glue, the Hive metastore. It is apart from package catalog
// because of what it links.
//
// What an opened catalog says of errors is the contract of [catalog.Named]: a commit failed, was refused, or is of unknown
// outcome. Messages never carry the values of secret properties.
package driver

import (
	"context"
	"errors"

	icebergcatalog "github.com/apache/iceberg-go/catalog"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/catalog/config"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

const op = "ask catalog"

// opened is a catalog of iceberg-go and what there is to know of its kind.
type opened struct {
	catalog icebergcatalog.Catalog
	opts    catalog.NamedOptions
	refused func(error) *fault.Error // the server's no, with a class; nil for everything else
}

// Open connects to a catalog. open gives the stores of its tables' files. Close the catalog after use.
func Open(ctx context.Context, s config.Settings, open func(ctx context.Context, uri string) (objstore.Store, error)) (*catalog.Named, error) {
	kind, err := s.Type()
	if err != nil {
		return nil, err
	}
	o := opened{}
	switch kind {
	case config.REST:
		o, err = openREST(ctx, s)
	case config.SQL:
		o, err = openSQL(s)
	case config.Glue:
		o, err = openGlue(ctx, s)
	case config.Hive:
		o, err = openHive(s)
	}
	if err != nil {
		return nil, fault.Place(o.classed(s, err), s.Name)
	}
	o.opts.Open, o.opts.Warehouse = open, s.Get("warehouse")
	o.opts.Classed = func(err error) error { return o.classed(s, err) }
	o.opts.Settled = func(err error) error {
		if o.refused == nil || o.refused(err) == nil {
			return nil
		}
		return o.classed(s, err)
	}
	return catalog.NewNamed(s.Name, o.catalog, o.opts), nil
}

// classed gives an error the class that its kind of catalog knows for it, and takes secrets out of its text.
func (o opened) classed(s config.Settings, err error) error {
	if o.refused != nil {
		if no := o.refused(err); no != nil {
			err = no
		}
	}
	var e *fault.Error
	if !errors.As(err, &e) && !errors.Is(err, context.Canceled) && !errors.Is(err, icebergcatalog.ErrNoSuchTable) && !errors.Is(err, icebergcatalog.ErrNoSuchNamespace) {
		err = fault.New(objstore.ErrFailed, op, "%w", err).On(s.Name)
	}
	text := err.Error()
	if clean := s.Hide(text); clean != text {
		return cleaned{clean, err}
	}
	return err
}

// cleaned is an error with another text.
type cleaned struct {
	text string
	err  error
}

func (c cleaned) Error() string { return c.text }
func (c cleaned) Unwrap() error { return c.err }

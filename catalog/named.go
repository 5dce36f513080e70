package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// Waits for one answer of a catalog; a server that hangs must not hold an export for ever.
const (
	loadPatience   = time.Minute
	commitPatience = 2 * time.Minute
)

// NamedOptions refine [NewNamed].
type NamedOptions struct {
	// Open gives the stores of the tables' files, for canonical store URIs (objstore.Opener.Open).
	Open func(ctx context.Context, uri string) (objstore.Store, error)
	// Warehouse is where new tables go, <Warehouse>/<namespace>.db/<table>, unless their namespace says otherwise; "": nothing
	// is known.
	Warehouse string
	// ServerPlaces says that the catalog's server decides where tables lie and writes their metadata (REST).
	ServerPlaces bool
	// Scheme is what the locations of new tables must begin with ("s3", for Glue); "" leaves what the user typed.
	Scheme string
	// Settled gives a commit's error its class if the commit did certainly not take place; nil for all others.
	Settled func(error) error
	// Classed gives the error of any call its class, and a text that may be shown. nil leaves errors as they are.
	Classed func(error) error
	// Patience bounds one call; 0 is one minute, two for commits.
	Patience time.Duration
}

// Named is a catalog that many tools share: tables have names there, namespace.table, and the catalog knows where they are. It
// is a catalog of iceberg-go with the files read and written by our stores, and with errors that say what became of a commit:
// table.ErrCommitFailed nothing was committed, objstore.ErrUnknownOutcome nobody knows, any other class that it was refused.
type Named struct {
	catalog.Catalog
	name string
	opts NamedOptions
}

var _ catalog.Catalog = (*Named)(nil)

// NewNamed wraps a catalog that its users call by the name.
func NewNamed(name string, inner catalog.Catalog, opts NamedOptions) *Named {
	useStores()
	return &Named{Catalog: inner, name: name, opts: opts}
}

// Name is what its users call the catalog.
func (n *Named) Name() string { return n.name }

// Close ends connections.
func (n *Named) Close() error {
	if c, ok := n.Catalog.(catalog.Closer); ok {
		return c.Close()
	}
	return nil
}

// ParseIdent splits "namespace.table"; a namespace may have several parts.
func ParseIdent(name string) (table.Identifier, error) {
	ident := table.Identifier(strings.Split(name, "."))
	for _, part := range ident {
		if part == "" || len(ident) < 2 {
			return nil, fault.Unsupported("name table", "%q is not the name of a table in a catalog", name).WithHint("write namespace.table")
		}
	}
	return ident, nil
}

// reach gives the context of one call: with the stores, and with an end.
func (n *Named) reach(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	if n.opts.Patience > 0 {
		patience = n.opts.Patience
	}
	return context.WithTimeout(withStores(ctx, n.opts.Open), patience)
}

// LoadTable returns the table, catalog.ErrNoSuchTable if there is none.
func (n *Named) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	reach, stop := n.reach(ctx, loadPatience)
	defer stop()
	t, err := n.Catalog.LoadTable(reach, ident)
	if errors.Is(err, catalog.ErrNoSuchNamespace) {
		err = errors.Join(catalog.ErrNoSuchTable, err)
	}
	if err != nil {
		return nil, n.classed(err)
	}
	return n.table(ident, t.Metadata(), t.MetadataLocation()), nil
}

// table gives iceberg-go's table of metadata, with the files in our stores.
func (n *Named) table(ident table.Identifier, meta table.Metadata, location string) *table.Table {
	made := &names{}
	files := func(ctx context.Context) (iceio.IO, error) { return storeIO{ctx, n.opts.Open, made}, nil }
	return table.New(ident, meta, location, files, n)
}

// CommitTable commits to the table, or makes one if the requirements say so. See [Named] for the errors.
func (n *Named) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	reach, stop := n.reach(ctx, commitPatience)
	defer stop()
	meta, location, err := n.Catalog.CommitTable(reach, ident, reqs, updates)
	if err == nil {
		return meta, location, nil
	}
	return nil, "", n.outcome(err)
}

// outcome says what became of a commit that gave the error.
func (n *Named) outcome(err error) error {
	switch {
	case errors.Is(err, table.ErrCommitFailed):
		return err
	case errors.Is(err, catalog.ErrTableAlreadyExists), isRequirement(err) && !n.opts.ServerPlaces:
		return fmt.Errorf("%w: %w", table.ErrCommitFailed, err)
	case errors.Is(err, catalog.ErrNoSuchNamespace), errors.Is(err, catalog.ErrNoSuchTable):
		return fault.New(fault.ErrMissing, op, "%w", err)
	}
	if n.opts.Settled != nil {
		if settled := n.opts.Settled(err); settled != nil {
			return settled
		}
	}
	return fault.New(objstore.ErrUnknownOutcome, op, "catalog %s: %w", n.name, n.classed(err)).WithHint("run the same export again: it finds out")
}

// isRequirement recognises iceberg-go's refusals of what a commit requires; it has no error of its own for them. They come
// before anything is written.
func isRequirement(err error) bool {
	return strings.HasPrefix(strings.ToLower(err.Error()), "requirement failed")
}

func (n *Named) classed(err error) error {
	if n.opts.Classed == nil {
		return err
	}
	return n.opts.Classed(err)
}

// CreateTable makes a table without a snapshot.
func (n *Named) CreateTable(ctx context.Context, ident table.Identifier, sc *iceberg.Schema, opts ...catalog.CreateTableOpt) (*table.Table, error) {
	reach, stop := n.reach(ctx, commitPatience)
	defer stop()
	t, err := n.Catalog.CreateTable(reach, ident, sc, opts...)
	if err != nil {
		return nil, n.classed(err)
	}
	return n.table(ident, t.Metadata(), t.MetadataLocation()), nil
}

// Where says where a table is, or, if there is none, where it will be; "" if only the catalog's server knows. Nothing is
// made. wish is the location that the user asked for, "" for none.
func (n *Named) Where(ctx context.Context, ident table.Identifier, wish string) (location string, exists bool, err error) {
	t, err := n.LoadTable(ctx, ident)
	if err == nil {
		return n.own(ident, t.Location(), wish)
	}
	if !errors.Is(err, catalog.ErrNoSuchTable) {
		return "", false, fault.Place(classed(err), name(ident))
	}
	if location, err = n.place(ctx, ident, wish); err != nil || location == "" {
		return "", false, err
	}
	loc, err := objstore.Parse(location)
	if err != nil {
		return "", false, err
	}
	if n.opts.Scheme != "" && strings.HasPrefix(loc.Scheme, "s3") {
		loc.Scheme = n.opts.Scheme
	}
	return loc.String(), false, nil
}

func (n *Named) own(ident table.Identifier, have, wish string) (string, bool, error) {
	if wish != "" && !sameLocation(have, wish) {
		return "", true, fault.Conflict("open table", "the table is at %s", have).On(name(ident)).WithHint("a table does not move: leave the location out")
	}
	if _, err := objstore.Parse(have); err != nil {
		return "", true, fault.Place(err, name(ident))
	}
	return strings.TrimRight(have, "/"), true, nil
}

func sameLocation(a, b string) bool {
	x, err := objstore.Parse(a)
	y, other := objstore.Parse(b)
	return err == nil && other == nil && x.Store == y.Store && x.Key == y.Key
}

// place is where a new table goes: as asked, in its namespace's location, in the warehouse.
func (n *Named) place(ctx context.Context, ident table.Identifier, wish string) (string, error) {
	if wish != "" {
		return wish, nil
	}
	last := len(ident) - 1
	reach, stop := n.reach(ctx, loadPatience)
	defer stop()
	props, err := n.Catalog.LoadNamespaceProperties(reach, ident[:last])
	switch {
	case err == nil && props["location"] != "":
		return url.JoinPath(props["location"], ident[last])
	case err != nil && !errors.Is(err, catalog.ErrNoSuchNamespace):
		return "", fault.Place(classed(n.classed(err)), name(ident[:last]))
	case n.opts.ServerPlaces:
		return "", nil
	case n.opts.Warehouse == "":
		return "", fault.Missing("place table", "catalog %s has no warehouse, and the namespace no location", n.name).On(name(ident)).
			WithHint("set the catalog's warehouse, or give the table's place with --location")
	}
	return url.JoinPath(n.opts.Warehouse, name(ident[:last])+".db", ident[last])
}

// EnsureNamespace makes the namespace of a table, and those above it, if they are not there.
func (n *Named) EnsureNamespace(ctx context.Context, ident table.Identifier) error {
	for i := 1; i < len(ident); i++ {
		if err := n.ensure(ctx, ident[:i]); err != nil {
			return fault.Place(classed(n.classed(err)), name(ident[:i]))
		}
	}
	return nil
}

func (n *Named) ensure(ctx context.Context, namespace table.Identifier) error {
	reach, stop := n.reach(ctx, loadPatience)
	defer stop()
	found, err := n.CheckNamespaceExists(reach, namespace)
	if err != nil || found {
		return err
	}
	err = n.CreateNamespace(reach, namespace, nil)
	if errors.Is(err, catalog.ErrNamespaceAlreadyExists) {
		return nil
	}
	if err != nil {
		if found, again := n.CheckNamespaceExists(reach, namespace); again == nil && found {
			return nil // someone else was faster, in words of their own
		}
	}
	return err
}

// stage gives the table that does not exist yet, for building its first snapshot, and the updates that make it. Without a
// location there is nothing to stage: the server must place the table first.
func (n *Named) stage(_ context.Context, ident table.Identifier, sc *iceberg.Schema, props iceberg.Properties, location string) (*table.Table, []table.Update, error) {
	if location == "" {
		return nil, nil, fault.Missing(op, "nobody said where the table goes").On(name(ident))
	}
	all := iceberg.Properties{table.PropertyFormatVersion: strconv.Itoa(formatVersion)}
	maps.Copy(all, props)
	meta, err := table.NewMetadata(sc, iceberg.UnpartitionedSpec, table.UnsortedSortOrder, location, all)
	if err != nil {
		return nil, nil, fault.Unsupported(op, "%w", err).On(name(ident))
	}
	updates := creation(meta)
	if !n.opts.ServerPlaces {
		// iceberg-go's own catalogs begin with an empty schema 0, to which ours is added as schema 1
		base, err := table.NewMetadata(iceberg.NewSchema(0), nil, table.UnsortedSortOrder, "", nil)
		if err != nil {
			return nil, nil, fault.Unsupported(op, "%w", err).On(name(ident))
		}
		updates = append(updates, table.NewRemoveSchemasUpdate([]int{0}))
		if meta, err = table.UpdateTableMetadata(base, updates, ""); err != nil {
			return nil, nil, fault.Unsupported(op, "%w", err).On(name(ident))
		}
	}
	return n.table(ident, meta, ""), updates, nil
}

// Tables lists the names of all tables, namespace by namespace.
func (n *Named) Tables(ctx context.Context) ([]table.Identifier, error) {
	reach, stop := n.reach(ctx, loadPatience)
	defer stop()
	out, err := n.tablesBelow(reach, nil)
	if err != nil {
		return nil, classed(n.classed(err))
	}
	return out, nil
}

func (n *Named) tablesBelow(ctx context.Context, parent table.Identifier) ([]table.Identifier, error) {
	spaces, err := n.ListNamespaces(ctx, parent)
	if err != nil {
		return nil, err
	}
	var out []table.Identifier
	for _, space := range spaces {
		if len(space) <= len(parent) { // some catalogs list the namespace itself, or know one level only
			continue
		}
		for t, err := range n.ListTables(ctx, space) {
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		}
		if n.CatalogType() == catalog.Glue || n.CatalogType() == catalog.Hive || len(space) != len(parent)+1 {
			continue
		}
		below, err := n.tablesBelow(ctx, space)
		if err != nil {
			return nil, err
		}
		out = append(out, below...)
	}
	return out, nil
}

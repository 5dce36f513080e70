package catalog

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"iter"
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

const (
	metadataLimit = 256 << 20 // bytes of one metadata file, unpacked
	hintLimit     = 64        // bytes of version-hint.text
	hintName      = "metadata/version-hint.text"
)

// PathType is the catalog type of [Path].
const PathType catalog.Type = "path"

// PathOptions refine [NewPath].
type PathOptions struct {
	// Warn hears of failures that change nothing of a commit that succeeded: the version hint could not be written, or files
	// of a lost race could not be removed. nil: nobody listens.
	Warn func(error)
	// Sleep waits between two tries of a create whose outcome is unknown; nil: objstore.Sleep.
	Sleep func(context.Context, time.Duration) error
}

// Path is the catalog of tables that are a directory. It is safe for concurrent use, also by several processes.
type Path struct {
	open func(ctx context.Context, uri string) (objstore.Store, error)
	opts PathOptions
}

var _ catalog.Catalog = (*Path)(nil)

// NewPath returns the catalog over the stores that open gives for canonical store URIs (objstore.Opener.Open).
func NewPath(open func(ctx context.Context, uri string) (objstore.Store, error), opts PathOptions) *Path {
	if opts.Sleep == nil {
		opts.Sleep = objstore.Sleep
	}
	if opts.Warn == nil {
		opts.Warn = func(error) {}
	}
	return &Path{open: open, opts: opts}
}

// Ident gives the identifier, for [Path], of the table at a location (a path or URI).
func Ident(location string) table.Identifier { return table.Identifier{location} }

// CatalogType returns PathType.
func (p *Path) CatalogType() catalog.Type { return PathType }

// at opens the directory of a table.
func (p *Path) at(ctx context.Context, ident table.Identifier) (root, error) {
	if len(ident) != 1 {
		return root{}, fault.Unsupported("open table", "a path table is named by its location, not by %q", strings.Join(ident, "."))
	}
	loc, err := objstore.Parse(ident[0])
	if err != nil {
		return root{}, err
	}
	if u, err := url.Parse(loc.String()); err != nil || u.JoinPath("x").String() != loc.Join("x").String() {
		return root{}, fault.Unsupported("open table", "the location has characters that engines would write as %%XX").On(loc.String()).
			WithHint("use letters, digits and _ = . / - only")
	}
	store, err := p.open(ctx, loc.Store)
	return root{loc: loc, store: store}, err
}

// metadataFile is one version of a table's metadata.
type metadataFile struct {
	version int
	name    string // below the table
}

func metadataName(version int) string {
	return "metadata/v" + strconv.Itoa(version) + ".metadata.json"
}

// find looks the version up in the store, packed or not.
func (r root) find(ctx context.Context, version int) (metadataFile, bool, error) {
	plain := metadataName(version)
	for _, name := range []string{plain, strings.Replace(plain, ".metadata", ".gz.metadata", 1)} {
		_, err := r.store.Stat(ctx, r.at(name))
		if err == nil {
			return metadataFile{version, name}, true, nil
		}
		if !errors.Is(err, fault.ErrMissing) {
			return metadataFile{}, false, err
		}
	}
	return metadataFile{}, false, nil
}

// latest finds the current metadata: from the hint onwards, or by listing if the hint does not help. It is ErrMissing if there
// is no table.
func (r root) latest(ctx context.Context) (metadataFile, error) {
	var last metadataFile
	if hint := r.hint(ctx); hint > 0 {
		var err error
		if last, _, err = r.find(ctx, hint); err != nil {
			return last, err
		}
	}
	if last.version == 0 {
		var err error
		if last, err = r.list(ctx); err != nil {
			return last, err
		}
	}
	for {
		next, found, err := r.find(ctx, last.version+1)
		if err != nil || !found {
			return last, err
		}
		last = next
	}
}

// hint reads the version hint; 0 if there is none that makes sense. It is a hint: nothing fails for want of it.
func (r root) hint(ctx context.Context) int {
	b, _, err := r.store.ReadAll(ctx, r.at(hintName), hintLimit)
	if err != nil {
		return 0
	}
	v, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 32)
	if err != nil || v < 0 {
		return 0
	}
	return int(v)
}

// list finds the highest version among the metadata files.
func (r root) list(ctx context.Context) (metadataFile, error) {
	var last metadataFile
	foreign := ""
	prefix := r.at("metadata") + "/"
	for o, err := range r.store.List(ctx, prefix) {
		if errors.Is(err, fault.ErrMissing) {
			break
		}
		if err != nil {
			return last, err
		}
		name := strings.TrimPrefix(o.Key, prefix)
		v, ok := versionOf(name)
		switch {
		case ok && v > last.version:
			last = metadataFile{v, "metadata/" + name}
		case !ok && strings.HasSuffix(name, ".metadata.json"):
			foreign = o.Key
		}
	}
	if last.version > 0 {
		return last, nil
	}
	if foreign != "" {
		return last, fault.Unsupported("open table", "the directory belongs to a table of a catalog").On(foreign).WithHint("name the table as the catalog does, with --catalog")
	}
	return last, fault.New(fault.ErrMissing, "open table", "%w", catalog.ErrNoSuchTable).On(r.loc.String())
}

// versionOf reads the N of vN.metadata.json and vN.gz.metadata.json.
func versionOf(name string) (int, bool) {
	base, ok := strings.CutSuffix(name, ".metadata.json")
	if !ok {
		return 0, false
	}
	number, ok := strings.CutPrefix(strings.TrimSuffix(base, ".gz"), "v")
	if !ok || strings.HasPrefix(number, "+") {
		return 0, false
	}
	v, err := strconv.ParseInt(number, 10, 32)
	return int(v), err == nil && v > 0
}

// read parses a metadata file and checks that it is of this directory.
func (r root) read(ctx context.Context, m metadataFile) (table.Metadata, error) {
	key := r.at(m.name)
	b, _, err := r.store.ReadAll(ctx, key, metadataLimit)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(m.name, ".gz.metadata.json") {
		if b, err = unpack(b); err != nil {
			return nil, fault.Place(err, key)
		}
	}
	meta, err := parse(b)
	if err != nil {
		return nil, fault.Place(err, key)
	}
	if l, err := objstore.Parse(meta.Location()); err != nil || l.Store != r.loc.Store || l.Key != r.loc.Key {
		return nil, fault.Unsupported("open table", "the metadata says that the table is at %s", meta.Location()).On(key).
			WithHint("a table that was moved or copied has to be registered anew where it is now")
	}
	return meta, nil
}

func unpack(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fault.Corrupt("read table metadata", "%w", err)
	}
	out, err := io.ReadAll(io.LimitReader(z, metadataLimit+1))
	if err != nil {
		return nil, fault.Corrupt("read table metadata", "%w", err)
	}
	if len(out) > metadataLimit {
		return nil, fault.Limit("read table metadata", "more than %d bytes", metadataLimit)
	}
	return out, nil
}

// parse is table.ParseMetadataBytes; whatever it makes of damaged bytes becomes an error.
func parse(b []byte) (meta table.Metadata, err error) {
	defer func() {
		if p := recover(); p != nil {
			meta, err = nil, fault.Corrupt("read table metadata", "%v", p)
		}
	}()
	meta, err = table.ParseMetadataBytes(b)
	if err != nil {
		return nil, fault.Corrupt("read table metadata", "%w", err)
	}
	return meta, nil
}

// LoadTable returns the table at a location, catalog.ErrNoSuchTable (also fault.ErrMissing) if there is none.
func (p *Path) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	r, err := p.at(ctx, ident)
	if err != nil {
		return nil, err
	}
	t, _, err := p.load(ctx, ident, r)
	return t, err
}

func (p *Path) load(ctx context.Context, ident table.Identifier, r root) (*table.Table, metadataFile, error) {
	m, err := r.latest(ctx)
	if err != nil {
		return nil, m, err
	}
	meta, err := r.read(ctx, m)
	if err != nil {
		return nil, m, err
	}
	return p.table(ident, r, meta, r.loc.Join(m.name).String()), m, nil
}

// table gives iceberg-go's table of metadata.
func (p *Path) table(ident table.Identifier, r root, meta table.Metadata, location string) *table.Table {
	made := &names{}
	files := func(ctx context.Context) (iceio.IO, error) { return fileIO{ctx, r, made}, nil }
	return table.New(ident, meta, location, files, p)
}

// CheckTableExists says whether there is a table at a location.
func (p *Path) CheckTableExists(ctx context.Context, ident table.Identifier) (bool, error) {
	r, err := p.at(ctx, ident)
	if err != nil {
		return false, err
	}
	_, err = r.latest(ctx)
	if errors.Is(err, fault.ErrMissing) {
		return false, nil
	}
	return err == nil, err
}

func (p *Path) no(what string) error {
	return fault.Unsupported(what, "a path table has no catalog")
}

// ListTables is not supported: nothing knows where path tables are. So are the methods below.
func (p *Path) ListTables(context.Context, table.Identifier) iter.Seq2[table.Identifier, error] {
	return func(yield func(table.Identifier, error) bool) { yield(nil, p.no("list tables")) }
}

// DropTable is not supported.
func (p *Path) DropTable(context.Context, table.Identifier) error { return p.no("drop table") }

// RenameTable is not supported.
func (p *Path) RenameTable(context.Context, table.Identifier, table.Identifier) (*table.Table, error) {
	return nil, p.no("rename table")
}

// ListNamespaces is not supported.
func (p *Path) ListNamespaces(context.Context, table.Identifier) ([]table.Identifier, error) {
	return nil, p.no("list namespaces")
}

// CreateNamespace is not supported.
func (p *Path) CreateNamespace(context.Context, table.Identifier, iceberg.Properties) error {
	return p.no("create namespace")
}

// DropNamespace is not supported.
func (p *Path) DropNamespace(context.Context, table.Identifier) error { return p.no("drop namespace") }

// CheckNamespaceExists is not supported.
func (p *Path) CheckNamespaceExists(context.Context, table.Identifier) (bool, error) {
	return false, p.no("look for namespace")
}

// LoadNamespaceProperties is not supported.
func (p *Path) LoadNamespaceProperties(context.Context, table.Identifier) (iceberg.Properties, error) {
	return nil, p.no("load namespace")
}

// UpdateNamespaceProperties is not supported.
func (p *Path) UpdateNamespaceProperties(context.Context, table.Identifier, []string, iceberg.Properties) (catalog.PropertiesUpdateSummary, error) {
	return catalog.PropertiesUpdateSummary{}, p.no("update namespace")
}

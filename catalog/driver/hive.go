package driver

import (
	"context"
	"iter"
	"sync"

	"github.com/apache/iceberg-go"
	icebergcatalog "github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/hive"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/catalog/config"
	"github.com/snapexport/snapexport/fault"
)

func openHive(s config.Settings) (opened, error) {
	if v := s.Get("hive.kerberos-authentication"); v != "" && v != "false" {
		return opened{}, fault.Unsupported(op, "a Hive metastore with Kerberos")
	}
	cat, err := hive.NewCatalog(iceberg.Properties(s.All()))
	if err != nil {
		return opened{}, err
	}
	return opened{catalog: &oneAtATime{Catalog: cat}}, nil
}

// oneAtATime is for Hive's connection, on which answers come in the order of the questions.
type oneAtATime struct {
	icebergcatalog.Catalog
	mu sync.Mutex
}

// Close ends the connection.
func (o *oneAtATime) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c, ok := o.Catalog.(icebergcatalog.Closer); ok {
		return c.Close()
	}
	return nil
}

// LoadTable and the methods below are the catalog's, one at a time.
func (o *oneAtATime) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Catalog.LoadTable(ctx, ident)
}

// CommitTable is the catalog's.
func (o *oneAtATime) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Catalog.CommitTable(ctx, ident, reqs, updates)
}

// CheckNamespaceExists is the catalog's.
func (o *oneAtATime) CheckNamespaceExists(ctx context.Context, ns table.Identifier) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Catalog.CheckNamespaceExists(ctx, ns)
}

// CreateNamespace is the catalog's.
func (o *oneAtATime) CreateNamespace(ctx context.Context, ns table.Identifier, props iceberg.Properties) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Catalog.CreateNamespace(ctx, ns, props)
}

// LoadNamespaceProperties is the catalog's.
func (o *oneAtATime) LoadNamespaceProperties(ctx context.Context, ns table.Identifier) (iceberg.Properties, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Catalog.LoadNamespaceProperties(ctx, ns)
}

// ListNamespaces is the catalog's.
func (o *oneAtATime) ListNamespaces(ctx context.Context, parent table.Identifier) ([]table.Identifier, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Catalog.ListNamespaces(ctx, parent)
}

// ListTables is the catalog's.
func (o *oneAtATime) ListTables(ctx context.Context, ns table.Identifier) iter.Seq2[table.Identifier, error] {
	return func(yield func(table.Identifier, error) bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.Catalog.ListTables(ctx, ns)(yield)
	}
}

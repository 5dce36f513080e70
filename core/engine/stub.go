package engine

import (
	"context"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
)

var errSoon = status.New(status.Unexpected, "not there yet")

type cache struct{}

func newCache(int64) *cache { return &cache{} }

type share struct{}

func (s *share) close() error { return nil }

func (e *Engine) replay(ctx context.Context) error { return errSoon }

// CreateCollection checks the spec by Milvus's rules, gives ids to fields from 100, adds the system fields and $meta, and makes
// the collection with its partitions and channels. A collection of the same name is status.DuplicateCollection.
func (e *Engine) CreateCollection(ctx context.Context, spec Spec) (*metastore.Collection, error) {
	return nil, errSoon
}

// DropCollection removes the collection and its growing rows.
func (e *Engine) DropCollection(ctx context.Context, c *metastore.Collection) error { return errSoon }

// DropPartition removes a partition and its rows. The default partition and those of a partition key stay.
func (e *Engine) DropPartition(ctx context.Context, c *metastore.Collection, name string) error {
	return errSoon
}

// Insert adds rows to the partition ("" is the default one; collections with a partition key take no name). Absent columns are
// filled: auto ids, defaults, NULL, and "{}" of the dynamic field.
func (e *Engine) Insert(ctx context.Context, c *metastore.Collection, partition string, rows Rows) (Result, error) {
	return Result{}, errSoon
}

// Upsert is Insert, and older rows of the same keys die in the same instant.
func (e *Engine) Upsert(ctx context.Context, c *metastore.Collection, partition string, rows Rows) (Result, error) {
	return Result{}, errSoon
}

// Delete deletes the rows that the filter selects ("" is an error), in one partition or ("") in all. values are those of template
// variables.
func (e *Engine) Delete(ctx context.Context, c *metastore.Collection, partition, expr string, values map[string]any) (Result, error) {
	return Result{}, errSoon
}

// Flush puts everything that was written before into files.
func (e *Engine) Flush(ctx context.Context, c *metastore.Collection) (Flushed, error) {
	return Flushed{}, errSoon
}

// Query returns live rows in the order of their keys.
func (e *Engine) Query(ctx context.Context, c *metastore.Collection, q Query) (Rows, error) {
	return Rows{}, errSoon
}

// Search compares every live row with the vectors and returns, for each of these, the nearest.
func (e *Engine) Search(ctx context.Context, c *metastore.Collection, s Search) ([]Hits, error) {
	return nil, errSoon
}

// Stats returns the rows of the collection, deleted ones that are still stored included.
func (e *Engine) Stats(c *metastore.Collection) (rows int64) { return 0 }

// Compact rewrites small segments and those with deleted rows, and drops L0 segments whose deletes are applied everywhere.
func (e *Engine) Compact(ctx context.Context, c *metastore.Collection) error { return errSoon }

// CreateIndex records an index and writes its files for all flushed segments. The same index again is no error.
func (e *Engine) CreateIndex(ctx context.Context, c *metastore.Collection, spec IndexSpec) error {
	return errSoon
}

// DropIndex removes an index by its name or its field's name.
func (e *Engine) DropIndex(ctx context.Context, c *metastore.Collection, name string) error {
	return errSoon
}

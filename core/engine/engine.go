package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// Engine is the rows of all collections. Safe for concurrent use.
type Engine struct {
	store  metadata
	files  objstore.Store
	config Config
	cache  *cache

	mu     sync.Mutex
	shares map[milvus.CollectionID]*share
	closed bool
}

// metadata is the part of metastore.Store that the engine uses.
type metadata interface {
	ID() string
	Timestamp() (milvus.Timestamp, error)
	IDs(n int) (int64, error)
	Database(name string) (metastore.Database, error)
	Collection(db, nameOrAlias string) (*metastore.Collection, error)
	CollectionByID(id milvus.CollectionID) (*metastore.Collection, bool)
	CreateCollection(ctx context.Context, c *metastore.Collection) error
	DropCollection(ctx context.Context, id milvus.CollectionID) error
	AlterCollection(ctx context.Context, id milvus.CollectionID, change func(*metastore.Collection) error) error
	CreatePartition(ctx context.Context, id milvus.CollectionID, name string) (milvus.Partition, error)
	DropPartition(ctx context.Context, id milvus.CollectionID, name string) error
	SetIndex(ctx context.Context, c milvus.CollectionID, x milvus.Index) error
	DropIndex(ctx context.Context, c milvus.CollectionID, id milvus.IndexID) error
	Segments(c milvus.CollectionID) []*metastore.Segment
	Segment(id milvus.SegmentID) (*metastore.Segment, bool)
	Checkpoint(channel string) milvus.Position
	Commit(ctx context.Context, c metastore.Change) error
	Refresh(ctx context.Context) error
}

// Defaults of Config.
const (
	defaultRoot         = "files"
	defaultFlushBytes   = 64 << 20
	defaultCacheBytes   = 256 << 20
	defaultSegmentBytes = 256 << 20
	defaultResultBytes  = 100 << 20
)

func (c Config) withDefaults() Config {
	if c.Root == "" {
		c.Root = defaultRoot
	}
	if c.FlushBytes <= 0 {
		c.FlushBytes = defaultFlushBytes
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = defaultCacheBytes
	}
	if c.SegmentBytes <= 0 {
		c.SegmentBytes = defaultSegmentBytes
	}
	if c.ResultBytes <= 0 {
		c.ResultBytes = defaultResultBytes
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Open starts the engine on its stores and replays the logs of all collections, as far as they are newer than the collections'
// checkpoints. Logs of collections that are gone are removed; those of other metadata are fault.ErrConflict. A damaged log is fault.ErrCorrupt; a record that a crash cut off
// at a log's end is left out: its write never returned.
func Open(ctx context.Context, store *metastore.Store, files objstore.Store, c Config) (*Engine, error) {
	return open(ctx, store, files, c)
}

func open(ctx context.Context, store metadata, files objstore.Store, c Config) (*Engine, error) {
	e := &Engine{store: store, files: files, config: c.withDefaults(), shares: map[milvus.CollectionID]*share{}}
	e.cache = newCache(e.config.CacheBytes)
	if err := e.own(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err := e.replay(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Close closes the logs. What is growing stays in them. Writes that are under way fail or end first.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	var errs []error
	for _, s := range e.shares {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// fault asks the crash tests.
func (e *Engine) fault(point string) error {
	if e.config.Fault == nil {
		return nil
	}
	return e.config.Fault(point)
}

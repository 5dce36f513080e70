package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

const (
	channelPrefix = "by-dev-rootcoord-dml_"
	channels      = 16 // physical ones, which all collections share
)

// CreateCollection checks the spec by Milvus's rules, gives ids to fields from 100, adds the system fields and $meta, and makes
// the collection with its partitions and channels. The same collection again is returned as it is; another of its name is
// status.DuplicateCollection.
func (e *Engine) CreateCollection(ctx context.Context, spec Spec) (*metastore.Collection, error) {
	if err := checkName("collection", spec.Schema.Name); err != nil {
		return nil, err
	}
	db, err := e.store.Database(spec.Database)
	if err != nil {
		return nil, err
	}
	c := &metastore.Collection{DatabaseID: db.ID, State: pb.CollectionState_CollectionCreated}
	if c.Schema, err = complete(spec.Schema); err != nil {
		return nil, err
	}
	c.Database, c.Schema.Database = db.Name, db.Name
	c.ConsistencyLevel, c.Properties = spec.ConsistencyLevel, slices.Clone(spec.Properties)
	if err := CheckTTL(c); err != nil {
		return nil, err
	}
	if c.Shards, err = bounded("shards", spec.Shards, 1, maxShards); err != nil {
		return nil, err
	}
	if err := e.checkWritable(&c.Schema); err != nil {
		return nil, err
	}
	names, err := partitionNames(&c.Schema, spec.Partitions)
	if err != nil {
		return nil, err
	}
	if have, err := e.store.Collection(db.Name, spec.Schema.Name); err == nil && have.Schema.Name == spec.Schema.Name {
		if !alike(have, c, len(names)) {
			return nil, status.DuplicateCollection(spec.Schema.Name)
		}
		return have, nil
	}
	if err := e.identify(c, names); err != nil {
		return nil, err
	}
	if err := e.store.CreateCollection(ctx, c); err != nil {
		return nil, err
	}
	return c, nil
}

// checkWritable refuses types that the storage version has no known form of, by writing a row: no insert may be taken that a flush
// can't store.
func (e *Engine) checkWritable(s *milvus.Schema) error {
	row := flush.Chunk{}
	for _, f := range append(flush.SystemFields(), fieldsOf(s)...) {
		t, err := cell.Type(f)
		if err != nil {
			return status.Invalid("field %s: %w", f.Name, err)
		}
		b := array.NewBuilder(allocator, t)
		b.AppendEmptyValue()
		row[f.ID] = b.NewArray()
		b.Release()
	}
	row[milvus.TimestampField] = int64Array([]int64{1})
	w := flush.Writer{Root: e.config.Root, Schema: s, Version: e.config.StorageVersion, NextLogID: func() milvus.LogID { return 2 }}
	if _, err := w.Insert(&milvus.Segment{ID: 1, Partition: 1, Collection: 1}, 1, row); err != nil {
		return status.Invalid("the schema can't be stored: %w", err)
	}
	return nil
}

// bounded returns n, or def if it is 0; an error if it is out of range.
func bounded(what string, n, def, most int) (int, error) {
	if n == 0 {
		n = def
	}
	if n < 0 || n > most {
		return 0, status.Invalid("maximum %s's number should be limited to %d, got %d", what, most, n)
	}
	return n, nil
}

// partitionNames returns the partitions that a collection begins with.
func partitionNames(s *milvus.Schema, n int) ([]string, error) {
	if _, ok := partitionKey(s); !ok {
		if n > 1 {
			return nil, status.Invalid("num_partitions should only be specified with partition key field enabled")
		}
		return []string{defaultPartition}, nil
	}
	n, err := bounded("partition", n, keyPartitions, maxPartitions)
	names := make([]string, n)
	for i := range names {
		names[i] = defaultPartition + "_" + strconv.Itoa(i)
	}
	return names, err
}

func partitionKey(s *milvus.Schema) (milvus.Field, bool) {
	i := slices.IndexFunc(s.Fields, func(f milvus.Field) bool { return f.PartitionKey })
	if i < 0 {
		return milvus.Field{}, false
	}
	return s.Fields[i], true
}

// identify gives ids to the collection and its partitions, and names its channels.
func (e *Engine) identify(c *metastore.Collection, partitions []string) error {
	first, err := e.store.IDs(1 + len(partitions))
	if err != nil {
		return err
	}
	c.ID = milvus.CollectionID(first)
	for i, name := range partitions {
		c.Partitions = append(c.Partitions, milvus.Partition{ID: milvus.PartitionID(first + 1 + int64(i)), Name: name})
	}
	for i := range c.Shards {
		physical := channelPrefix + strconv.FormatInt((first+int64(i))%channels, 10)
		c.PhysicalChannels = append(c.PhysicalChannels, physical)
		c.Channels = append(c.Channels, fmt.Sprintf("%s_%dv%d", physical, c.ID, i))
	}
	c.Created, err = e.store.Timestamp()
	c.Updated = c.Created
	return err
}

// alike reports whether creating b, with so many partitions, asks for what a is.
func alike(a, b *metastore.Collection, partitions int) bool {
	text := func(c *metastore.Collection) string {
		out := fmt.Sprint(c.Shards, c.ConsistencyLevel, c.Schema.Description, c.Schema.EnableDynamic)
		for _, f := range fieldsOf(&c.Schema) {
			out += fmt.Sprintln(f.ID, f.Name, f.Description, f.Type, f.ElementType, f.Dim, f.MaxLength, f.MaxCapacity,
				f.PrimaryKey, f.AutoID, f.PartitionKey, f.ClusteringKey, f.Nullable, f.Default)
		}
		return out
	}
	_, byKey := partitionKey(&a.Schema)
	return text(a) == text(b) && (!byKey || len(a.Partitions) == partitions)
}

// DropCollection removes the collection and its growing rows.
func (e *Engine) DropCollection(ctx context.Context, c *metastore.Collection) error {
	s, err := e.share(c.ID)
	if err != nil {
		return err
	}
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	s.gate.Lock()
	defer s.gate.Unlock()
	segments := e.store.Segments(c.ID)
	if err := e.store.DropCollection(ctx, c.ID); err != nil {
		return err
	}
	s.stop(status.CollectionNotFound(c.Database, c.Schema.Name))
	s.mu.Lock()
	s.growing = newBuffer()
	s.mu.Unlock()
	for _, seg := range segments {
		e.cache.forget(seg.ID)
	}
	e.mu.Lock()
	delete(e.shares, c.ID)
	e.mu.Unlock()
	if err := s.log.remove(); err != nil { // the next start removes it
		e.config.Log.Warn("the log of a dropped collection stays", "collection", int64(c.ID), "error", err)
	}
	return nil
}

// CreatePartition adds a partition. The same name again is no error.
func (e *Engine) CreatePartition(ctx context.Context, c *metastore.Collection, name string) (milvus.Partition, error) {
	now, err := e.current(c)
	if err != nil {
		return milvus.Partition{}, err
	}
	if err := checkName("partition", name); err != nil {
		return milvus.Partition{}, err
	}
	if i := slices.IndexFunc(now.Partitions, func(p milvus.Partition) bool { return p.Name == name }); i >= 0 {
		return now.Partitions[i], nil
	}
	if _, byKey := partitionKey(&now.Schema); byKey {
		return milvus.Partition{}, status.Invalid("disable create partition if partition key mode is used")
	}
	if len(now.Partitions) >= maxPartitions {
		return milvus.Partition{}, status.Invalid("partition number (%d) exceeds max configuration (%d), collection: %s", len(now.Partitions), maxPartitions, now.Schema.Name)
	}
	return e.store.CreatePartition(ctx, c.ID, name)
}

// DropPartition removes a partition and its rows. The default partition and those of a partition key stay.
func (e *Engine) DropPartition(ctx context.Context, c *metastore.Collection, name string) error {
	if _, byKey := partitionKey(&c.Schema); byKey {
		return status.Invalid("disable drop partition if partition key mode is used")
	}
	if name == defaultPartition {
		return status.Invalid("default partition cannot be deleted")
	}
	s, err := e.share(c.ID)
	if err != nil {
		return err
	}
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	if err := e.settle(ctx, s); err != nil {
		return err
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	now, err := e.current(c)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(now.Partitions, func(p milvus.Partition) bool { return p.Name == name })
	if i < 0 {
		return status.PartitionNotFound(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := e.store.DropPartition(ctx, c.ID, name); err != nil {
		return err
	}
	s.growing.dropPartition(now.Partitions[i].ID)
	return nil
}

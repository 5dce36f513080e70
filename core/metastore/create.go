package metastore

import (
	"bytes"
	"context"
	"slices"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// CreateCollection makes a collection whose ids are allocated: in state Created, or Creating for a restore. Its name must be
// free in its database, which is the one of DatabaseID or, where that is 0, of Database. Created 0 becomes the time of the
// call; the channels' checkpoints are at Created.
func (s *Store) CreateCollection(ctx context.Context, c *Collection) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		sh, err := s.prepare(c)
		if err != nil {
			return err
		}
		rows, err := etcdmeta.CollectionRows(s.keys, sh.info, sh.partitions)
		if err != nil {
			return err
		}
		var children, last batch
		children.putAll(rows[:len(rows)-1], nil)
		for _, x := range sh.indexes {
			children.put(etcdmeta.IndexRow(s.keys, x))
		}
		positions := sh.value.checkpoints()
		for _, p := range positions {
			last.put(etcdmeta.CheckpointRow(s.keys, p))
		}
		last.put(rows[len(rows)-1], nil)
		if err := s.commitAfter(ctx, "create-collection", &children, &last); err != nil {
			return err
		}
		s.show(func(v *view) {
			v.setShelf(sh)
			for _, p := range positions {
				v.checkpoints[p.Channel] = p
			}
		})
		return nil
	})
}

// commitAfter writes all in one transaction where that is possible; else what comes before in several ones.
func (s *Store) commitAfter(ctx context.Context, action string, before, last *batch) error {
	if before.fits(last) {
		return s.commit(ctx, action+":commit", before, last)
	}
	if err := s.spread(ctx, action+":stage", before); err != nil {
		return err
	}
	return s.commit(ctx, action+":commit", last)
}

// checkpoints are where the channels of a new collection begin.
func (c *Collection) checkpoints() (out []milvus.Position) {
	for _, channel := range c.Channels {
		out = append(out, milvus.Position{Channel: channel, Timestamp: c.Created})
	}
	return out
}

// prepare checks a new collection and makes its messages.
func (s *Store) prepare(in *Collection) (*shelf, error) {
	c := *in
	d, err := s.databaseOf(&c)
	if err != nil {
		return nil, err
	}
	c.DatabaseID, c.Database = d.ID, d.Name
	if err := s.free(c.DatabaseID, c.Schema.Name); err != nil {
		return nil, err
	}
	if c.Created == 0 {
		if c.Created, err = s.Timestamp(); err != nil {
			return nil, err
		}
	}
	if _, taken := s.CollectionByID(c.ID); taken || c.ID <= 0 || len(c.Partitions) == 0 || len(c.Aliases) > 0 ||
		c.State != pb.CollectionState_CollectionCreated && c.State != pb.CollectionState_CollectionCreating {
		return nil, fault.Conflict(op, "collection %d %q can't be made: it needs an id of its own, a partition, no aliases, and the state Created or Creating", c.ID, c.Schema.Name)
	}
	var partitions []*pb.PartitionInfo
	for _, p := range c.Partitions {
		partitions = append(partitions, c.partition(p, c.Created))
	}
	var indexes []*pb.FieldIndex
	for i := range c.Indexes {
		indexes = append(indexes, &pb.FieldIndex{IndexInfo: pb.FromIndex(&c.Indexes[i], c.ID), CreateTime: uint64(c.Created)})
	}
	sh, err := newShelf(c.message(&pb.CollectionInfo{}), c.Database, nil, partitions, indexes)
	if err != nil {
		return nil, err
	}
	return sh.with(func(*shelf, *[]string) {}) // sorted
}

func (c *Collection) partition(p milvus.Partition, created milvus.Timestamp) *pb.PartitionInfo {
	return &pb.PartitionInfo{PartitionID: int64(p.ID), PartitionName: p.Name, PartitionCreatedTimestamp: uint64(created), CollectionId: int64(c.ID)}
}

// databaseOf returns the database that a collection names by id or name.
func (s *Store) databaseOf(c *Collection) (Database, error) {
	if c.DatabaseID == 0 {
		return s.Database(c.Database)
	}
	for _, d := range s.Databases() {
		if d.ID == c.DatabaseID {
			return d, nil
		}
	}
	return Database{}, status.DatabaseNotFound(c.Database)
}

// free refuses a collection's name that is taken.
func (s *Store) free(db milvus.DatabaseID, collection string) (err error) {
	s.see(func(v *view) {
		if _, taken := v.names[name{db, collection}]; taken {
			err = status.DuplicateCollection(collection)
		} else if _, taken := v.aliases[name{db, collection}]; taken {
			err = status.AliasConflict(collection)
		}
	})
	return err
}

// AlterCollection changes a collection's schema, properties, consistency level, name or database. change gets a copy whose
// lists it may replace, but not what they point to; what else it changes (partitions, aliases, indexes, state) has no effect.
func (s *Store) AlterCollection(ctx context.Context, id milvus.CollectionID, change func(*Collection) error) error {
	return s.mutate(ctx, func(ctx context.Context) error {
		old, err := s.shelf(id)
		if err != nil {
			return err
		}
		c, err := s.altered(old, change)
		if err != nil {
			return err
		}
		sh, err := newShelf(c.message(old.info), c.Database, old.value.Aliases, old.partitions, old.indexes)
		if err != nil {
			return err
		}
		b, err := s.difference(old, sh)
		if err != nil {
			return err
		}
		if !b.fits() {
			return fault.Limit(op, "the change of collection %d has %d rows, more than one transaction takes", id, len(b.ops))
		}
		if err := s.commit(ctx, "alter-collection:commit", b); err != nil {
			return err
		}
		sh.segments = old.segments
		s.show(func(v *view) { v.setShelf(sh) })
		return nil
	})
}

// altered returns the changed value, checked.
func (s *Store) altered(old *shelf, change func(*Collection) error) (*Collection, error) {
	c := old.value.copy()
	if err := change(c); err != nil {
		return nil, err
	}
	was := old.value
	if c.DatabaseID == was.DatabaseID && c.Database != was.Database {
		c.DatabaseID = 0
	}
	d, err := s.databaseOf(c)
	if err != nil {
		return nil, err
	}
	moved := d.ID != was.DatabaseID
	if moved && len(was.Aliases) > 0 {
		return nil, status.New(status.Unexpected, "fail to rename db name, must drop all aliases of collection %s before rename", was.Schema.Name)
	}
	if moved || c.Schema.Name != was.Schema.Name {
		if err := s.free(d.ID, c.Schema.Name); err != nil {
			return nil, err
		}
	}
	c.ID, c.DatabaseID, c.Database, c.State, c.Created = was.ID, d.ID, d.Name, was.State, was.Created
	c.Updated, err = s.Timestamp()
	return c, err
}

// copy returns a value whose lists are its own.
func (c *Collection) copy() *Collection {
	out := *c
	out.Channels, out.PhysicalChannels = slices.Clone(c.Channels), slices.Clone(c.PhysicalChannels)
	out.Properties, out.Partitions = slices.Clone(c.Properties), slices.Clone(c.Partitions)
	out.Aliases, out.Indexes = slices.Clone(c.Aliases), slices.Clone(c.Indexes)
	out.Schema.Fields, out.Schema.Functions = slices.Clone(c.Schema.Fields), slices.Clone(c.Schema.Functions)
	out.Schema.StructArrays, out.Schema.Properties = slices.Clone(c.Schema.StructArrays), slices.Clone(c.Schema.Properties)
	return &out
}

// difference is what turns the rows of one into those of the other.
func (s *Store) difference(old, next *shelf) (*batch, error) {
	was, err := etcdmeta.CollectionRows(s.keys, old.info, old.partitions)
	if err != nil {
		return nil, err
	}
	rows, err := etcdmeta.CollectionRows(s.keys, next.info, next.partitions)
	if err != nil {
		return nil, err
	}
	return differ(was, rows), nil
}

// differ removes rows that are gone and puts those that are new or other.
func differ(was, rows []etcdmeta.KV) *batch {
	have := make(map[string][]byte, len(was))
	for _, kv := range was {
		have[kv.Key] = kv.Value
	}
	b := &batch{}
	for _, kv := range rows {
		old, ok := have[kv.Key]
		delete(have, kv.Key)
		if !ok || !bytes.Equal(old, kv.Value) {
			b.put(kv, nil)
		}
	}
	for _, kv := range was {
		if _, gone := have[kv.Key]; gone {
			b.remove(kv.Key)
		}
	}
	return b
}

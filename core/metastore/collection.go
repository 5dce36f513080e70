package metastore

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// Collection is a collection with all that is not its rows. Values that the store handed out are never changed. Properties of
// the schema are among the collection's own.
type Collection struct {
	milvus.Collection
	DatabaseID       milvus.DatabaseID
	Aliases          []string // sorted
	Created, Updated milvus.Timestamp
	PhysicalChannels []string
	State            pb.CollectionState // Created, or Creating: its name is taken, but no lookup by name sees it
	Indexes          []milvus.Index     // by id
}

// shelf is a collection with the messages of its rows, which may hold more than the value does.
type shelf struct {
	value      *Collection
	info       *pb.CollectionInfo  // with the complete schema
	partitions []*pb.PartitionInfo // in use, by id
	indexes    []*pb.FieldIndex    // not dropped, by id
	segments   []*Segment          // visible, by id
}

// newShelf makes the value of the messages.
func newShelf(info *pb.CollectionInfo, database string, aliases []string, partitions []*pb.PartitionInfo, indexes []*pb.FieldIndex) (*shelf, error) {
	sh := &shelf{info: info, partitions: partitions, indexes: indexes}
	var list []milvus.Partition
	for _, p := range partitions {
		list = append(list, milvus.Partition{ID: milvus.PartitionID(p.PartitionID), Name: p.PartitionName})
	}
	c, err := etcdmeta.ToCollection(info, database, list)
	if err != nil {
		return nil, err
	}
	sh.value = &Collection{
		Collection: c, DatabaseID: milvus.DatabaseID(info.DbId), Aliases: aliases, Created: milvus.Timestamp(info.CreateTime),
		Updated: milvus.Timestamp(info.UpdateTimestamp), PhysicalChannels: slices.Clone(info.PhysicalChannelNames), State: info.State,
	}
	for _, x := range indexes {
		sh.value.Indexes = append(sh.value.Indexes, pb.ToIndex(x.IndexInfo))
	}
	return sh, nil
}

// with returns the collection with other messages and the same segments.
func (sh *shelf) with(change func(*shelf, *[]string)) (*shelf, error) {
	next, aliases := *sh, slices.Clone(sh.value.Aliases)
	next.partitions, next.indexes = slices.Clone(sh.partitions), slices.Clone(sh.indexes)
	change(&next, &aliases)
	slices.Sort(aliases)
	slices.SortFunc(next.partitions, func(a, b *pb.PartitionInfo) int { return cmp.Compare(a.PartitionID, b.PartitionID) })
	slices.SortFunc(next.indexes, func(a, b *pb.FieldIndex) int { return cmp.Compare(a.IndexInfo.IndexID, b.IndexInfo.IndexID) })
	out, err := newShelf(next.info, sh.value.Database, aliases, next.partitions, next.indexes)
	if err == nil {
		out.segments = sh.segments
	}
	return out, err
}

// index returns the declaration of an index, nil if there is none.
func (sh *shelf) index(id milvus.IndexID) *pb.IndexInfo {
	for _, x := range sh.indexes {
		if x.IndexInfo.IndexID == int64(id) {
			return x.IndexInfo
		}
	}
	return nil
}

// message returns the collection's row with the complete schema; what base holds beyond the value stays.
func (c *Collection) message(base *pb.CollectionInfo) *pb.CollectionInfo {
	out := proto.CloneOf(base)
	schema := pb.FromSchema(&c.Schema)
	schema.DbName, schema.Properties = c.Database, nil
	if old := base.GetSchema(); old != nil {
		keepFields(schema, old)
		schema.ExternalSpec, schema.DoPhysicalBackfill = old.ExternalSpec, old.DoPhysicalBackfill
		schema.FileResourceIds, schema.EnableNamespace = old.FileResourceIds, old.EnableNamespace
	}
	out.ID, out.DbId, out.Schema, out.State = int64(c.ID), int64(c.DatabaseID), schema, c.State
	out.CreateTime, out.UpdateTimestamp = uint64(c.Created), uint64(c.Updated)
	out.VirtualChannelNames, out.PhysicalChannelNames = slices.Clone(c.Channels), slices.Clone(c.PhysicalChannels)
	out.ShardsNum, out.ConsistencyLevel = int32(c.Shards), pb.ConsistencyLevel(c.ConsistencyLevel)
	properties := slices.Clone(c.Properties)
	for _, p := range c.Schema.Properties {
		if _, own := milvus.Lookup(properties, p.Key); !own {
			properties = append(properties, p)
		}
	}
	out.Properties = pb.FromKeyValues(properties)
	return out
}

// keepFields puts the messages of fields that did not change back into place: they may hold more.
func keepFields(schema, old *pb.CollectionSchema) {
	for i, f := range schema.Fields {
		for _, o := range old.Fields {
			if v, err := pb.ToField(o); err == nil && o.FieldID == f.FieldID && proto.Equal(pb.FromField(&v), f) {
				schema.Fields[i] = o
			}
		}
	}
}

// Collection returns the collection with the name or alias in the database ("" is the default one).
func (s *Store) Collection(db, nameOrAlias string) (out *Collection, err error) {
	s.see(func(v *view) { out, err = v.find(db, nameOrAlias) })
	return out, err
}

func (v *view) find(db, nameOrAlias string) (*Collection, error) {
	d, err := v.database(db)
	if err != nil {
		return nil, err
	}
	id, ok := v.names[name{d.ID, nameOrAlias}]
	if !ok {
		id = v.aliases[name{d.ID, nameOrAlias}]
	}
	if sh := v.shelves[id]; sh != nil && sh.value.State == pb.CollectionState_CollectionCreated {
		return sh.value, nil
	}
	return nil, status.CollectionNotFound(d.Name, nameOrAlias)
}

// CollectionByID returns a collection in any state but dropped.
func (s *Store) CollectionByID(id milvus.CollectionID) (out *Collection, ok bool) {
	s.see(func(v *view) {
		if sh := v.shelves[id]; sh != nil {
			out, ok = sh.value, true
		}
	})
	return out, ok
}

// Collections returns the collections of a database ("" is the default one, "*" are all) in use, by database and name.
func (s *Store) Collections(db string) (out []*Collection, err error) {
	s.see(func(v *view) {
		var d Database
		if db != "*" {
			if d, err = v.database(db); err != nil {
				return
			}
		}
		for _, sh := range v.shelves {
			if sh.value.State == pb.CollectionState_CollectionCreated && (db == "*" || sh.value.DatabaseID == d.ID) {
				out = append(out, sh.value)
			}
		}
	})
	slices.SortFunc(out, func(a, b *Collection) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.Schema.Name, b.Schema.Name))
	})
	return out, err
}

// shelf returns a collection in any state for a mutation.
func (s *Store) shelf(id milvus.CollectionID) (sh *shelf, err error) {
	s.see(func(v *view) { sh = v.shelves[id] })
	if sh == nil {
		return nil, status.New(status.CollectionMissing, "collection not found[collection=%d]", id)
	}
	return sh, nil
}

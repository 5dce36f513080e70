package pb

import (
	"cmp"
	"maps"
	"slices"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// DefaultDatabase is the name of the database of collections that do not say.
const DefaultDatabase = "default"

func fromInts[T ~int64](in []int64) []T {
	if len(in) == 0 {
		return nil
	}
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = T(v)
	}
	return out
}

func toInts[T ~int64](in []T) []int64 {
	if len(in) == 0 {
		return nil
	}
	out := make([]int64, len(in))
	for i, v := range in {
		out[i] = int64(v)
	}
	return out
}

// ToIDs and FromIDs convert lists of ids; empty lists become nil.
func ToIDs[T ~int64](in []int64) []T   { return fromInts[T](in) }
func FromIDs[T ~int64](in []T) []int64 { return toInts(in) }

// ToKeyValues converts pairs, in order.
func ToKeyValues(in []*KeyValuePair) []milvus.KeyValue {
	var out []milvus.KeyValue
	for _, p := range in {
		out = append(out, milvus.KeyValue{Key: p.GetKey(), Value: p.GetValue()})
	}
	return out
}

// FromKeyValues converts pairs back.
func FromKeyValues(in []milvus.KeyValue) []*KeyValuePair {
	var out []*KeyValuePair
	for _, p := range in {
		out = append(out, &KeyValuePair{Key: p.Key, Value: p.Value})
	}
	return out
}

// ToPosition converts a position; an absent one becomes the zero Position.
func ToPosition(p *MsgPosition) milvus.Position {
	return milvus.Position{
		Channel: p.GetChannelName(), MessageID: p.GetMsgID(), Group: p.GetMsgGroup(),
		Timestamp: milvus.Timestamp(p.GetTimestamp()), WAL: int32(p.GetWALName()),
	}
}

// FromPosition converts a position back; the zero Position becomes nil.
func FromPosition(p milvus.Position) *MsgPosition {
	if p.Channel == "" && len(p.MessageID) == 0 && p.Group == "" && p.Timestamp == 0 && p.WAL == 0 {
		return nil
	}
	return &MsgPosition{
		ChannelName: p.Channel, MsgID: p.MessageID, MsgGroup: p.Group, Timestamp: uint64(p.Timestamp), WALName: WALName(p.WAL),
	}
}

// ToIndex converts an index's declaration.
func ToIndex(x *IndexInfo) milvus.Index {
	return milvus.Index{
		ID: milvus.IndexID(x.GetIndexID()), Field: milvus.FieldID(x.GetFieldID()), Name: x.GetIndexName(),
		TypeParams: ToKeyValues(x.GetTypeParams()), Params: ToKeyValues(x.GetIndexParams()),
		UserParams: ToKeyValues(x.GetUserIndexParams()), Automatic: x.GetIsAutoIndex(),
	}
}

// FromIndex converts an index's declaration back.
func FromIndex(x *milvus.Index, c milvus.CollectionID) *IndexInfo {
	return &IndexInfo{
		CollectionID: int64(c), FieldID: int64(x.Field), IndexName: x.Name, IndexID: int64(x.ID), IsAutoIndex: x.Automatic,
		TypeParams: FromKeyValues(x.TypeParams), IndexParams: FromKeyValues(x.Params), UserIndexParams: FromKeyValues(x.UserParams),
	}
}

// ToCollection converts what a snapshot says of its collection. Partitions are sorted by id, which must be unique.
func ToCollection(d *CollectionDescription, id milvus.CollectionID) (milvus.Collection, error) {
	schema, err := ToSchema(d.GetSchema())
	if err != nil {
		return milvus.Collection{}, err
	}
	partitions, err := ToPartitions(d.GetPartitions())
	if err != nil {
		return milvus.Collection{}, err
	}
	if schema.Database == "" {
		schema.Database = DefaultDatabase
	}
	return milvus.Collection{
		ID: id, Database: schema.Database, Schema: schema, Partitions: partitions,
		Channels: slices.Clone(d.GetVirtualChannelNames()), Shards: int(d.GetNumShards()),
		ConsistencyLevel: int32(d.GetConsistencyLevel()), Properties: ToKeyValues(d.GetProperties()),
	}, nil
}

// ToPartitions converts a map of names to ids.
func ToPartitions(in map[string]int64) ([]milvus.Partition, error) {
	var out []milvus.Partition
	for _, name := range slices.Sorted(maps.Keys(in)) {
		out = append(out, milvus.Partition{ID: milvus.PartitionID(in[name]), Name: name})
	}
	slices.SortStableFunc(out, func(a, b milvus.Partition) int { return cmp.Compare(a.ID, b.ID) })
	for i := 1; i < len(out); i++ {
		if out[i].ID == out[i-1].ID {
			return nil, fault.Corrupt(opSchema, "partitions %q and %q have the same id %d", out[i-1].Name, out[i].Name, out[i].ID)
		}
	}
	return out, nil
}

// FromCollection converts a collection back to what a snapshot says of it.
func FromCollection(c *milvus.Collection) *CollectionDescription {
	schema := c.Schema
	if schema.Database == "" {
		schema.Database = c.Database
	}
	out := &CollectionDescription{
		Schema: FromSchema(&schema), NumPartitions: int64(len(c.Partitions)), NumShards: int64(c.Shards),
		ConsistencyLevel: ConsistencyLevel(c.ConsistencyLevel), Properties: FromKeyValues(c.Properties),
		VirtualChannelNames: slices.Clone(c.Channels),
	}
	for _, p := range c.Partitions {
		if out.Partitions == nil {
			out.Partitions = map[string]int64{}
		}
		out.Partitions[p.Name] = int64(p.ID)
	}
	return out
}

package restore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
)

// ids gives out consecutive ids.
type ids struct{ next int64 }

func (i *ids) take() int64 {
	i.next++
	return i.next - 1
}

// target returns the collection that a snapshot becomes: all that the source's was, with ids of its own.
func target(m *snapfile.Metadata, r Request, db string, id milvus.CollectionID, next *ids) *metastore.Collection {
	out := &metastore.Collection{Collection: m.Collection, State: pb.CollectionState_CollectionCreating}
	out.ID, out.Database = id, db
	out.Schema.Name, out.Schema.Database = r.Target, db
	if r.Description != nil {
		out.Schema.Description = *r.Description
	}
	out.Properties = properties(&m.Collection, r.Properties)
	out.Partitions = nil
	for _, p := range m.Collection.Partitions {
		out.Partitions = append(out.Partitions, milvus.Partition{ID: milvus.PartitionID(next.take()), Name: p.Name})
	}
	out.Channels = nil
	for i, c := range m.Collection.Channels {
		physical := physicalChannel(c, m.Collection.ID)
		out.PhysicalChannels = append(out.PhysicalChannels, physical)
		out.Channels = append(out.Channels, fmt.Sprintf("%s_%dv%d", physical, id, i))
	}
	if !r.SkipIndex {
		for _, x := range m.Indexes {
			x.ID = milvus.IndexID(next.take())
			out.Indexes = append(out.Indexes, x)
		}
	}
	return out
}

// physicalChannel takes the collection's part off a virtual channel: "by-dev-rootcoord-dml_3_{collection}v0".
func physicalChannel(channel string, c milvus.CollectionID) string {
	if i := strings.LastIndex(channel, fmt.Sprintf("_%dv", c)); i > 0 {
		return channel[:i]
	}
	return channel
}

// properties are the collection's with others put over them. Releases before May 2026 kept them in the schema, the consistency level among
// them.
func properties(c *milvus.Collection, over []milvus.KeyValue) []milvus.KeyValue {
	out := slices.Clone(c.Properties)
	if len(out) == 0 {
		out = slices.DeleteFunc(slices.Clone(c.Schema.Properties), func(p milvus.KeyValue) bool { return p.Key == "consistency_level" })
	}
	for _, p := range over {
		out = slices.DeleteFunc(out, func(have milvus.KeyValue) bool { return have.Key == p.Key })
		out = append(out, p)
	}
	return out
}

// channelMap says what each channel of the source becomes: both lists sorted by shard.
func channelMap(source, target []string) map[string]string {
	from, to := slices.Clone(source), slices.Clone(target)
	slices.SortFunc(from, cmp.Compare[string])
	slices.SortFunc(to, cmp.Compare[string])
	out := make(map[string]string, len(from))
	for i := range min(len(from), len(to)) {
		out[from[i]] = to[i]
	}
	return out
}

// partitionMap says what each partition becomes, by name.
func partitionMap(source, target []milvus.Partition) map[milvus.PartitionID]milvus.PartitionID {
	out := map[milvus.PartitionID]milvus.PartitionID{milvus.AllPartitions: milvus.AllPartitions}
	for _, p := range source {
		for _, t := range target {
			if t.Name == p.Name {
				out[p.ID] = t.ID
			}
		}
	}
	return out
}

package etcdmeta

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// Stored is what the rows of one collection hold, whatever their states: for who writes metadata, while [Catalog.Collection]
// is for who reads it.
type Stored struct {
	Info       *pb.CollectionInfo // with the complete schema; nil where a collection's row is missing beside its children
	DatabaseID milvus.DatabaseID
	Legacy     bool     // the row is of a form that is not written any more
	Aliases    []string // sorted

	Partitions     []*pb.PartitionInfo // by id
	Indexes        []*pb.FieldIndex    // by id; those with Deleted included
	Segments       []*pb.SegmentInfo   // by partition and id, with their logs as stored: see [ToSegment]
	SegmentIndexes []*pb.SegmentIndex  // by partition, segment and build
	Snapshots      []*pb.SnapshotInfo  // by id
}

// StoredCollections lists the collections of which there is any row, by id.
func (c *Catalog) StoredCollections() []milvus.CollectionID {
	return slices.Sorted(maps.Keys(c.collections))
}

// Stored decodes all rows of a collection; the result is empty if there is none.
func (c *Catalog) Stored(id milvus.CollectionID) (*Stored, error) {
	s := c.collections[id]
	if s == nil {
		return &Stored{}, nil
	}
	out := &Stored{DatabaseID: milvus.DatabaseID(s.db), Legacy: s.legacy, Aliases: s.aliases}
	var err error
	if s.info != nil {
		if out.Info, err = s.completeInfo(); err != nil {
			return nil, err
		}
	}
	if out.Partitions, err = decodeAll(s.rows[kindPartition], fresh[pb.PartitionInfo]); err != nil {
		return nil, err
	}
	if out.Indexes, err = decodeAll(s.rows[kindIndex], fresh[pb.FieldIndex]); err != nil {
		return nil, err
	}
	if out.SegmentIndexes, err = decodeAll(s.rows[kindSegmentIndex], fresh[pb.SegmentIndex]); err != nil {
		return nil, err
	}
	if out.Snapshots, err = decodeAll(s.rows[kindSnapshot], fresh[pb.SnapshotInfo]); err != nil {
		return nil, err
	}
	infos, err := c.SegmentInfos(id)
	if err != nil {
		return nil, err
	}
	for _, segment := range slices.Sorted(maps.Keys(infos)) {
		out.Segments = append(out.Segments, infos[segment])
	}
	return out, nil
}

// fresh returns an empty message.
func fresh[T any]() *T { return new(T) }

// completeInfo returns a copy of the collection's row with the schema's parts of their own rows.
func (s *shelf) completeInfo() (*pb.CollectionInfo, error) {
	info := proto.CloneOf(s.info)
	if info.Schema == nil {
		info.Schema = &pb.CollectionSchema{}
	}
	return info, s.completeSchema(info)
}

// Checkpoints returns the rows of all channels, also of those that no collection has.
func (c *Catalog) Checkpoints() (map[string]milvus.Position, error) {
	out := make(map[string]milvus.Position, len(c.checkpoints))
	for channel, value := range c.checkpoints {
		m := &pb.MsgPosition{}
		if err := unmarshal(value, m); err != nil {
			return nil, fault.Place(err, Keys{c.opts.Root}.Checkpoint(channel))
		}
		p := pb.ToPosition(m)
		p.Channel = channel // the name in the message may be wrong
		out[channel] = p
	}
	return out, nil
}

// ToCollection converts a collection's row with its complete schema. Only partitions in use are taken.
func ToCollection(info *pb.CollectionInfo, database string, partitions []milvus.Partition) (milvus.Collection, error) {
	schema, err := pb.ToSchema(info.GetSchema())
	if err != nil {
		return milvus.Collection{}, err
	}
	schema.Database = database // the schema's own may be stale
	out := milvus.Collection{
		ID: milvus.CollectionID(info.ID), Database: database, Schema: schema, Partitions: partitions,
		Channels: slices.Clone(info.VirtualChannelNames), Shards: int(info.ShardsNum),
		ConsistencyLevel: int32(info.ConsistencyLevel), Properties: pb.ToKeyValues(info.Properties),
	}
	if out.Shards == 0 {
		out.Shards = len(out.Channels)
	}
	return out, nil
}

// ToSegment converts a segment's message and completes its paths below storage. With a manifest, logs that the manifest
// lists keep an empty key.
func ToSegment(storage string, info *pb.SegmentInfo) (*milvus.Segment, error) {
	seg, err := pb.ToSegment(info)
	if err != nil {
		return nil, err
	}
	id := segmentID{info.CollectionID, info.PartitionID, info.ID}
	for _, k := range logKinds {
		if inManifest(k.kind, seg.StorageVersion, seg.ManifestPath) {
			continue
		}
		if err := id.fillPaths(storage, k.kind, *k.dest(seg)); err != nil {
			return nil, err
		}
	}
	for i := range seg.TextIndexes {
		under(id.statsDir(storage, &seg.TextIndexes[i], false), seg.TextIndexes[i].Files)
	}
	for i := range seg.JSONStats {
		under(id.statsDir(storage, &seg.JSONStats[i], true), seg.JSONStats[i].Files)
	}
	return seg, nil
}

// inManifest tells logs whose rows are placeholders: deletes of a segment with a manifest, everything of one of V3.
func inManifest(kd kind, version int64, manifest string) bool {
	return manifest != "" && (kd == kindDeltalog || version == milvus.StorageV3)
}

// ToIndexFiles converts a segment's index, with complete paths below storage; info may be nil where the index is gone.
func ToIndexFiles(storage string, x *pb.SegmentIndex, info *pb.IndexInfo) milvus.IndexFiles {
	files := pb.ToIndexFiles(x, info)
	under(segmentID{x.CollectionID, x.PartitionID, x.SegmentID}.indexDir(storage, &files), files.Files)
	return files
}

// Declared reports whether there are fields, struct arrays or functions of the collection, whatever its own row says.
func (c *Catalog) Declared(id milvus.CollectionID) bool {
	s := c.collections[id]
	return s != nil && len(s.rows[kindField])+len(s.rows[kindStruct])+len(s.rows[kindFunction]) > 0
}

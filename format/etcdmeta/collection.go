package etcdmeta

import (
	"math"
	"slices"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// Collection is a live collection with all that belongs to it.
type Collection struct {
	milvus.Collection
	DatabaseID milvus.DatabaseID
	Aliases    []string
	Created    milvus.Timestamp

	// Info is the collection's row, with the fields, functions and struct arrays of their own rows in its schema.
	Info *pb.CollectionInfo

	Indexes []milvus.Index

	// Segments are those that hold the collection's rows and deletes, by id, with complete paths.
	Segments []milvus.Segment

	// Growing are live segments that may hold rows which are in no file: what they have in files is in Segments, if any.
	Growing []milvus.SegmentID

	// Hidden are segments that are not to be read although they were not dropped: being imported, or the output of a
	// compaction that is not finished, or of a partition that is not there.
	Hidden []milvus.SegmentID

	// Replaced maps inputs of compactions that looked live beside their output to that output. Reading the metadata again
	// should leave none.
	Replaced map[milvus.SegmentID]milvus.SegmentID

	// Checkpoints are the positions up to which everything of each channel is in files; channels without one are absent.
	Checkpoints []milvus.Position

	// Snapshots are the collection's snapshot rows in any state, by id; only committed ones are whole.
	Snapshots []*pb.SnapshotInfo
}

// Collection decodes a live collection. Errors name the row; see the package's contract for [ErrTorn].
func (c *Catalog) Collection(id milvus.CollectionID) (*Collection, error) {
	s := c.collections[id]
	if s == nil {
		return nil, fault.Missing(opRead, "there is no collection %d", id)
	}
	sum, live := c.summary(id, s)
	if !live {
		return nil, fault.Missing(opRead, "collection %d is not in use: it is being created or was dropped", id)
	}
	out, err := s.describe(sum)
	if err != nil {
		return nil, fault.Place(err, "collection "+sum.Database+"."+sum.Name)
	}
	if err := c.readSegments(out, s); err != nil {
		return nil, fault.Place(err, "collection "+sum.Database+"."+sum.Name)
	}
	if err := c.readCheckpoints(out); err != nil {
		return nil, err
	}
	out.Snapshots, err = decodeAll(s.rows[kindSnapshot], func() *pb.SnapshotInfo { return &pb.SnapshotInfo{} })
	return out, err
}

// describe decodes everything but segments.
func (s *shelf) describe(sum Summary) (*Collection, error) {
	info, err := s.completeInfo()
	if err != nil {
		return nil, err
	}
	partitions, err := s.partitions(info)
	if err != nil {
		return nil, err
	}
	collection, err := ToCollection(info, sum.Database, partitions)
	if err != nil {
		return nil, err
	}
	out := &Collection{
		Collection: collection, DatabaseID: sum.DatabaseID, Aliases: sum.Aliases, Created: sum.Created, Info: info,
		Replaced: map[milvus.SegmentID]milvus.SegmentID{},
	}
	indexes, err := s.indexes()
	for _, x := range indexes {
		out.Indexes = append(out.Indexes, pb.ToIndex(x.IndexInfo))
	}
	return out, err
}

// completeSchema adds the fields, functions and struct arrays of their own rows, unless the collection's row has fields,
// as very old ones do. Ids are those of the keys: the one of field 0 is absent from its message.
func (s *shelf) completeSchema(info *pb.CollectionInfo) error {
	if len(info.Schema.Fields) > 0 {
		return nil
	}
	var err error
	if info.Schema.Fields, err = decodeAll(s.rows[kindField], func() *pb.FieldSchema { return &pb.FieldSchema{} }); err != nil {
		return err
	}
	if info.Schema.StructArrayFields, err = decodeAll(s.rows[kindStruct], func() *pb.StructArrayFieldSchema { return &pb.StructArrayFieldSchema{} }); err != nil {
		return err
	}
	if info.Schema.Functions, err = decodeAll(s.rows[kindFunction], func() *pb.FunctionSchema { return &pb.FunctionSchema{} }); err != nil {
		return err
	}
	fields, _ := byID(s.rows[kindField])
	for i, f := range info.Schema.Fields {
		if err := sameID("field", fields[i].ids[1], &f.FieldID); err != nil {
			return err
		}
	}
	arrays, _ := byID(s.rows[kindStruct])
	for i, f := range info.Schema.StructArrayFields {
		if err := sameID("struct array", arrays[i].ids[1], &f.FieldID); err != nil {
			return err
		}
	}
	return nil
}

// sameID sets an id that a message leaves out, and refuses one that is not its key's.
func sameID(what string, key int64, id *int64) error {
	if *id == 0 {
		*id = key
	}
	if *id != key {
		return fault.Corrupt(opRead, "the row of %s %d is of %d", what, key, *id)
	}
	return nil
}

// partitions returns those in use.
func (s *shelf) partitions(info *pb.CollectionInfo) ([]milvus.Partition, error) {
	live := map[string]int64{}
	if len(info.PartitionIDs) > 0 {
		if len(info.PartitionIDs) != len(info.PartitionNames) {
			return nil, fault.Corrupt(opRead, "%d ids and %d names of partitions", len(info.PartitionIDs), len(info.PartitionNames))
		}
		for i, id := range info.PartitionIDs {
			live[info.PartitionNames[i]] = id
		}
		return pb.ToPartitions(live)
	}
	rows, err := byID(s.rows[kindPartition])
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		p := &pb.PartitionInfo{}
		if err := unmarshal(r.value, p); err != nil {
			return nil, err
		}
		if err := sameID("partition", r.ids[1], &p.PartitionID); err != nil {
			return nil, err
		}
		if p.State != pb.PartitionState_PartitionCreated {
			continue
		}
		if other, dup := live[p.PartitionName]; dup {
			return nil, fault.Corrupt(opRead, "partitions %d and %d have the same name %q", other, p.PartitionID, p.PartitionName)
		}
		live[p.PartitionName] = p.PartitionID
	}
	return pb.ToPartitions(live)
}

// indexes returns the declarations that were not deleted.
func (s *shelf) indexes() ([]*pb.FieldIndex, error) {
	all, err := decodeAll(s.rows[kindIndex], func() *pb.FieldIndex { return &pb.FieldIndex{} })
	return slices.DeleteFunc(all, func(x *pb.FieldIndex) bool { return x.Deleted || x.IndexInfo == nil }), err
}

// readCheckpoints follows the collection's channels: rows of dropped ones stay behind. The channel is the key's, the name
// in the message may be wrong.
func (c *Catalog) readCheckpoints(out *Collection) error {
	for _, channel := range out.Channels {
		value, ok := c.checkpoints[channel]
		if !ok {
			continue
		}
		m := &pb.MsgPosition{}
		if err := unmarshal(value, m); err != nil {
			return fault.Place(err, Keys{c.opts.Root}.Checkpoint(channel))
		}
		p := pb.ToPosition(m)
		if p.Channel = channel; p.Timestamp == math.MaxUint64 {
			continue // marks a dropped channel
		}
		out.Checkpoints = append(out.Checkpoints, p)
	}
	slices.SortFunc(out.Checkpoints, func(a, b milvus.Position) int { return strings.Compare(a.Channel, b.Channel) })
	return nil
}

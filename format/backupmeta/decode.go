package backupmeta

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

const op = "decode backup metadata"

// Backup is what a backup's meta folder says.
type Backup struct {
	ID            string
	Name          string
	MilvusVersion string
	Start, End    int64 // Unix milliseconds
	Collections   []Collection
}

// Collection is a collection in a backup. It was read while the cluster went on: there is no instant that it shows.
type Collection struct {
	milvus.Collection
	Timestamp milvus.Timestamp // about when it was backed up
	Indexes   []milvus.Index
	Segments  []Segment // by id; those whose deletes are for all partitions included
}

// Segment is a segment in a backup, with the paths that its files had in the cluster.
type Segment struct {
	milvus.Segment
	Group int64
}

func unmarshal(b []byte, m proto.Message) error {
	limits := pb.JSONLimits{Bytes: MaxBytes, Depth: MaxDepth, Objects: 4 << 20, Values: 32 << 20}
	return pb.UnmarshalJSON(op, b, m, limits)
}

// Decode decodes meta/full_meta.json.
func Decode(b []byte) (*Backup, error) {
	raw := &pb.BackupInfo{}
	if err := unmarshal(b, raw); err != nil {
		return nil, err
	}
	return fromRaw(raw)
}

// DecodeLevels decodes meta/backup_meta.json, collection_meta.json, partition_meta.json and segment_meta.json.
func DecodeLevels(backup, collections, partitions, segments []byte) (*Backup, error) {
	raw, cs, ps, ss := &pb.BackupInfo{}, &pb.BackupCollections{}, &pb.BackupPartitions{}, &pb.BackupSegments{}
	for _, level := range []struct {
		name string
		b    []byte
		m    proto.Message
	}{{"backup_meta.json", backup, raw}, {"collection_meta.json", collections, cs}, {"partition_meta.json", partitions, ps}, {"segment_meta.json", segments, ss}} {
		if err := unmarshal(level.b, level.m); err != nil {
			return nil, fault.Place(err, level.name)
		}
	}
	raw.CollectionBackups = cs.Infos
	if err := join(cs.Infos, ps.Infos, ss.Infos); err != nil {
		return nil, err
	}
	return fromRaw(raw)
}

// join puts segments into partitions and those into collections.
func join(collections []*pb.BackupCollection, partitions []*pb.BackupPartition, segments []*pb.BackupSegment) error {
	type key struct{ collection, partition int64 }
	byID, byKey := map[int64]*pb.BackupCollection{}, map[key]*pb.BackupPartition{}
	for _, c := range collections {
		byID[c.CollectionId] = c
	}
	for _, p := range partitions {
		c := byID[p.CollectionId]
		if c == nil {
			return fault.Corrupt(op, "partition %d is of collection %d, which is not there", p.PartitionId, p.CollectionId)
		}
		c.PartitionBackups = append(c.PartitionBackups, p)
		byKey[key{p.CollectionId, p.PartitionId}] = p
	}
	for _, s := range segments {
		c, p := byID[s.CollectionId], byKey[key{s.CollectionId, s.PartitionId}]
		switch {
		case p != nil:
			p.SegmentBackups = append(p.SegmentBackups, s)
		case c != nil && s.PartitionId == int64(milvus.AllPartitions):
			c.L0Segments = append(c.L0Segments, s)
		default:
			return fault.Corrupt(op, "segment %d is of partition %d of collection %d, which is not there", s.SegmentId, s.PartitionId, s.CollectionId)
		}
	}
	return nil
}

func fromRaw(raw *pb.BackupInfo) (*Backup, error) {
	switch raw.StateCode {
	case pb.BackupState_BACKUP_SUCCESS, pb.BackupState_BACKUP_INITIAL: // newer releases do not say
	default:
		return nil, fault.Corrupt(op, "the backup did not finish: its state is %s", raw.StateCode)
	}
	if raw.Format != "" && raw.Format != "binlog" {
		return nil, fault.Unsupported(op, "the backup has the format %q", raw.Format).
			WithHint("a backup that holds snapshots: export the snapshot in it by its metadata file")
	}
	out := &Backup{ID: raw.Id, Name: raw.Name, MilvusVersion: raw.MilvusVersion, Start: raw.StartTime, End: raw.EndTime}
	seen := map[int64]bool{}
	for _, c := range raw.CollectionBackups {
		if c.CollectionId <= 0 || seen[c.CollectionId] {
			return nil, fault.Corrupt(op, "collection %q has the id %d, which is not positive or another's", c.CollectionName, c.CollectionId)
		}
		seen[c.CollectionId] = true
		col, err := toCollection(c)
		if err != nil {
			return nil, fault.Place(err, "collection "+cmp.Or(c.DbName, pb.DefaultDatabase)+"."+c.CollectionName)
		}
		out.Collections = append(out.Collections, *col)
	}
	return out, nil
}

// Find returns the collection with the name; database "" is the default one. If there is none the error is
// fault.ErrMissing and its hint says which there are.
func (b *Backup) Find(database, name string) (*Collection, error) {
	database = cmp.Or(database, pb.DefaultDatabase)
	var names []string
	for i := range b.Collections {
		c := &b.Collections[i]
		if c.Database == database && c.Schema.Name == name {
			return c, nil
		}
		if len(names) < 20 {
			names = append(names, c.Database+"."+c.Schema.Name)
		}
	}
	return nil, fault.Missing(op, "there is no collection %q of database %q in the backup", name, database).
		WithHint("there are: %s", strings.Join(names, ", "))
}

func toCollection(c *pb.BackupCollection) (*Collection, error) {
	schema, err := toSchema(c.GetSchema())
	if err != nil {
		return nil, err
	}
	schema.Name, schema.Database = cmp.Or(c.CollectionName, schema.Name), cmp.Or(c.DbName, pb.DefaultDatabase)
	out := &Collection{
		Collection: milvus.Collection{
			ID: milvus.CollectionID(c.CollectionId), Database: schema.Database, Schema: schema, Shards: int(c.ShardsNum),
			ConsistencyLevel: int32(c.ConsistencyLevel), Properties: pb.ToKeyValues(c.Properties), Channels: slices.Clone(c.VirtualChannelNames),
		},
		Timestamp: milvus.Timestamp(c.BackupTimestamp),
	}
	if out.Partitions, err = toPartitions(c.PartitionBackups); err != nil {
		return nil, err
	}
	for _, x := range c.IndexInfos {
		out.Indexes = append(out.Indexes, toIndex(x, &schema))
	}
	for _, p := range c.PartitionBackups {
		if err := out.add(p.SegmentBackups, p.PartitionId); err != nil {
			return nil, err
		}
	}
	if err := out.add(c.L0Segments, int64(milvus.AllPartitions)); err != nil {
		return nil, err
	}
	return out, out.settle()
}

func toPartitions(in []*pb.BackupPartition) ([]milvus.Partition, error) {
	ids := map[string]int64{}
	for _, p := range in {
		if p.PartitionId == int64(milvus.AllPartitions) {
			continue
		}
		if other, dup := ids[p.PartitionName]; dup {
			return nil, fault.Corrupt(op, "partitions %d and %d have the same name %q", other, p.PartitionId, p.PartitionName)
		}
		ids[p.PartitionName] = p.PartitionId
	}
	return pb.ToPartitions(ids)
}

func (c *Collection) add(in []*pb.BackupSegment, partition int64) error {
	for _, s := range in {
		if s.CollectionId != int64(c.ID) || s.PartitionId != partition {
			return fault.Corrupt(op, "segment %d of partition %d of collection %d is listed for partition %d of collection %d",
				s.SegmentId, s.PartitionId, s.CollectionId, partition, c.ID)
		}
		seg, err := toSegment(s)
		if err != nil {
			return err
		}
		c.Segments = append(c.Segments, seg)
	}
	return nil
}

// settle sorts segments and, where the collection's channels are not recorded, takes those of the segments.
func (c *Collection) settle() error {
	slices.SortFunc(c.Segments, func(a, b Segment) int { return cmp.Compare(a.ID, b.ID) })
	known := len(c.Channels) > 0
	for i, s := range c.Segments {
		if i > 0 && s.ID == c.Segments[i-1].ID {
			return fault.Corrupt(op, "segment %d is there twice", s.ID)
		}
		if !known && s.Channel != "" && !slices.Contains(c.Channels, s.Channel) {
			c.Channels = append(c.Channels, s.Channel)
		}
	}
	slices.Sort(c.Channels)
	return nil
}

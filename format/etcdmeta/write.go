package etcdmeta

import (
	"encoding/binary"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

const opWrite = "write cluster metadata"

// Row encodes a message as the value of a key. The bytes are the same every time.
func Row(key string, m proto.Message) (KV, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return KV{}, fault.Corrupt(opWrite, "%s", tidy(err)).On(key)
	}
	return KV{Key: key, Value: b}, nil
}

// rowList collects rows until the first error.
type rowList struct {
	rows []KV
	err  error
}

func (l *rowList) add(key string, m proto.Message) {
	if l.err != nil {
		return
	}
	var kv KV
	if kv, l.err = Row(key, m); l.err == nil {
		l.rows = append(l.rows, kv)
	}
}

// CollectionRows returns the rows of a collection whose info has the complete schema, with its partitions. They must be
// put in this order: the last row, the collection's own, is the commit point. Fields, struct arrays, functions and
// properties go out of the stored schema; the collection's properties are info.Properties. info is not changed.
func CollectionRows(k Keys, info *pb.CollectionInfo, partitions []*pb.PartitionInfo) ([]KV, error) {
	if info.ID <= 0 || info.DbId <= 0 || info.GetSchema().GetName() == "" {
		return nil, fault.Corrupt(opWrite, "collection %d %q of database %d: ids and a name are needed", info.ID, info.GetSchema().GetName(), info.DbId)
	}
	id := milvus.CollectionID(info.ID)
	var l rowList
	for _, p := range partitions {
		l.add(k.Partition(id, milvus.PartitionID(p.PartitionID)), p)
	}
	for _, f := range info.Schema.Fields {
		l.add(k.Field(id, milvus.FieldID(f.FieldID)), f)
	}
	for _, f := range info.Schema.StructArrayFields {
		l.add(k.StructArray(id, milvus.FieldID(f.FieldID)), f)
	}
	for _, f := range info.Schema.Functions {
		l.add(k.Function(id, f.Id), f)
	}
	bare := proto.CloneOf(info)
	bare.Schema.Fields, bare.Schema.StructArrayFields, bare.Schema.Functions, bare.Schema.Properties = nil, nil, nil, nil
	l.add(k.Collection(milvus.DatabaseID(info.DbId), id), bare)
	return l.rows, l.err
}

// NormalSegment returns the segment's message as its rows hold it, logs included: paths become log ids, and deltalogs one
// list. A path that is not where its template below storage puts it is fault.ErrCorrupt, since etcd could not hold it; of logs
// that a manifest lists, it is left out. [ToSegment] completes the paths again. info is not changed, its unknown fields stay.
func NormalSegment(storage string, info *pb.SegmentInfo) (*pb.SegmentInfo, error) {
	own := proto.CloneOf(info)
	id := segmentID{own.CollectionID, own.PartitionID, own.ID}
	for _, kd := range logKinds {
		list := kd.list(own)
		if inManifest(kd.kind, own.StorageVersion, own.ManifestPath) {
			forgetPaths(*list)
		} else if err := id.shorten(storage, kd.kind, *list); err != nil {
			return nil, err
		}
		*list = mergeDeltas(kd.kind, *list)
	}
	for field, t := range own.TextStatsLogs {
		stats := milvus.FieldStats{Field: milvus.FieldID(field), Build: milvus.BuildID(t.BuildID), Version: t.Version}
		t.Files = shortenFiles(id.statsDir(storage, &stats, false), t.Files)
	}
	for field, j := range own.JsonKeyStats {
		stats := milvus.FieldStats{Field: milvus.FieldID(field), Build: milvus.BuildID(j.BuildID), Version: j.Version, JSONFormat: j.JsonKeyStatsDataFormat}
		j.Files = shortenFiles(id.statsDir(storage, &stats, true), j.Files)
	}
	return own, nil
}

// SegmentRows returns the rows of a segment whose message has its logs: the logs' rows, then the segment's own without
// them, in the order in which they must be put. They hold what [NormalSegment] returns.
func SegmentRows(k Keys, storage string, info *pb.SegmentInfo) ([]KV, error) {
	own, err := NormalSegment(storage, info)
	if err != nil {
		return nil, err
	}
	id := segmentID{own.CollectionID, own.PartitionID, own.ID}
	var l rowList
	for _, kd := range logKinds {
		list := kd.list(own)
		for _, f := range *list {
			l.add(k.log(kd.kind, &id, f.FieldID), f)
		}
		*list = nil
	}
	l.add(k.Segment(milvus.CollectionID(id.collection), milvus.PartitionID(id.partition), milvus.SegmentID(id.segment)), own)
	return l.rows, l.err
}

func forgetPaths(lists []*pb.FieldBinlog) {
	for _, f := range lists {
		for _, b := range f.Binlogs {
			b.LogPath = ""
		}
	}
}

// mergeDeltas puts all deltalogs into one list with field 0, the key that Milvus uses: the field of a deltalog means
// nothing, and two lists may have the same one.
func mergeDeltas(kd kind, lists []*pb.FieldBinlog) []*pb.FieldBinlog {
	if kd != kindDeltalog || len(lists) == 0 {
		return lists
	}
	one := lists[0]
	one.FieldID = 0
	for _, f := range lists[1:] {
		one.Binlogs = append(one.Binlogs, f.Binlogs...)
	}
	return []*pb.FieldBinlog{one}
}

// SegmentIndexRow returns the row of a segment's index; file keys lose their folder.
func SegmentIndexRow(k Keys, storage string, x *pb.SegmentIndex) (KV, error) {
	own := proto.CloneOf(x)
	files := milvus.IndexFiles{Build: milvus.BuildID(x.BuildID), Version: x.IndexVersion, StorePathVersion: int32(x.IndexStorePathVersion)}
	own.IndexFileKeys = shortenFiles(segmentID{x.CollectionID, x.PartitionID, x.SegmentID}.indexDir(storage, &files), x.IndexFileKeys)
	return Row(k.SegmentIndex(milvus.CollectionID(x.CollectionID), milvus.PartitionID(x.PartitionID), milvus.SegmentID(x.SegmentID), milvus.BuildID(x.BuildID)), own)
}

// IndexRow returns the row of an index's declaration.
func IndexRow(k Keys, x *pb.FieldIndex) (KV, error) {
	return Row(k.Index(milvus.CollectionID(x.GetIndexInfo().GetCollectionID()), milvus.IndexID(x.GetIndexInfo().GetIndexID())), x)
}

// SnapshotRow, CopyJobRow and CopyTaskRow return the rows of those messages.
func SnapshotRow(k Keys, s *pb.SnapshotInfo) (KV, error) {
	return Row(k.Snapshot(milvus.CollectionID(s.GetCollectionId()), milvus.SnapshotID(s.GetId())), s)
}
func CopyJobRow(k Keys, j *pb.CopySegmentJob) (KV, error)   { return Row(k.CopyJob(j.GetJobId()), j) }
func CopyTaskRow(k Keys, t *pb.CopySegmentTask) (KV, error) { return Row(k.CopyTask(t.GetTaskId()), t) }

// DatabaseRow, PartitionRow and AliasRow return the rows of those messages.
func DatabaseRow(k Keys, d *pb.DatabaseInfo) (KV, error) {
	return Row(k.Database(milvus.DatabaseID(d.GetId())), d)
}
func PartitionRow(k Keys, p *pb.PartitionInfo) (KV, error) {
	return Row(k.Partition(milvus.CollectionID(p.GetCollectionId()), milvus.PartitionID(p.GetPartitionID())), p)
}
func AliasRow(k Keys, a *pb.AliasInfo) (KV, error) {
	return Row(k.Alias(milvus.DatabaseID(a.GetDbId()), a.GetAliasName()), a)
}

// CheckpointRow returns the row of a channel's checkpoint.
func CheckpointRow(k Keys, p milvus.Position) (KV, error) {
	return Row(k.Checkpoint(p.Channel), pb.FromPosition(p))
}

// MarkRow returns the row of an allocator's mark: everything that was issued has a physical part before it
// (docs/format/etcd.md 9).
func MarkRow(key string, mark time.Time) KV {
	return KV{Key: key, Value: binary.BigEndian.AppendUint64(nil, uint64(mark.UnixNano()))}
}

// ReadMark decodes an allocator's mark.
func ReadMark(kv KV) (time.Time, error) {
	if len(kv.Value) != 8 {
		return time.Time{}, fault.Corrupt(opRead, "an allocator's mark has %d bytes, not 8", len(kv.Value)).On(kv.Key)
	}
	ns := binary.BigEndian.Uint64(kv.Value)
	if ns > math.MaxInt64 {
		return time.Time{}, fault.Corrupt(opRead, "an allocator's mark is %d", ns).On(kv.Key)
	}
	return time.Unix(0, int64(ns)).UTC(), nil
}

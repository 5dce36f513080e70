package snapfile

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

const opMetadata = "decode snapshot metadata"

// Layout says where a snapshot's data files are.
type Layout int32

// The layouts. A file that does not say is LayoutReferenced.
const (
	LayoutReferenced    Layout = 1 // in the cluster's own tree
	LayoutSelfContained Layout = 2 // below the snapshot's own directory
)

// Info is what a snapshot says of itself. State is not to be relied on: the file is written while the snapshot is still
// pending and never again.
type Info struct {
	Name        string
	ID          milvus.SnapshotID
	Description string
	Collection  milvus.CollectionID
	Partitions  []milvus.PartitionID
	CreateTS    milvus.Timestamp
	Location    string // in bundles the metadata's own URI when it was written; else mostly empty
	State       pb.SnapshotState

	PendingStart     int64  // Unix milliseconds
	CompactionExpire uint64 // Unix seconds; 0 = none

	Pins          []int64
	PinExpiry     map[int64]int64 // pin to Unix milliseconds; 0 = never
	SeekPositions []milvus.Position
	SkipIndex     bool
}

// Metadata is a snapshot's metadata JSON.
type Metadata struct {
	FormatVersion int // 1 to 5; a file without one is 1
	Info          Info
	Collection    milvus.Collection
	Indexes       []milvus.Index

	// ManifestList has the path of each segment's manifest, as recorded.
	ManifestList []string
	// Manifests has the manifest path (milvus.Segment.ManifestPath) of segments that have one.
	Manifests  map[milvus.SegmentID]string
	SegmentIDs []milvus.SegmentID // empty: the file does not say
	BuildIDs   []milvus.BuildID
	Layout     Layout

	raw *pb.SnapshotMetadata
}

// Raw returns the message that the metadata was decoded from, nil if it was not; it holds more of the schema than
// Collection does. It must not be changed.
func (m *Metadata) Raw() *pb.SnapshotMetadata { return m.raw }

// DecodeMetadata decodes a metadata JSON of any format version: names in snake_case or camelCase, 64-bit integers as
// strings or numbers, enums as names or numbers, unknown fields and nulls ignored. See pb.UnmarshalJSON for the errors;
// a format version above 5 or below 0, and an unknown layout or data type are fault.ErrUnsupported.
func DecodeMetadata(b []byte) (*Metadata, error) {
	limits := pb.DefaultJSONLimits
	limits.Bytes, limits.Depth = MaxMetadataBytes, MaxDepth
	raw := &pb.SnapshotMetadata{}
	if err := pb.UnmarshalJSON(opMetadata, b, raw, limits); err != nil {
		return nil, err
	}
	return fromRaw(raw)
}

func checkVersion(op string, v int) (int, error) {
	switch {
	case v > NewestVersion:
		return 0, fault.Unsupported(op, "the snapshot has format version %d", v).
			WithHint("versions up to %d are read; a newer Milvus wrote this, look for a newer snapexport", NewestVersion)
	case v < 0:
		return 0, fault.Unsupported(op, "the snapshot has format version %d", v)
	}
	return max(v, OldestVersion), nil
}

func fromRaw(raw *pb.SnapshotMetadata) (*Metadata, error) {
	version, err := checkVersion(opMetadata, int(raw.GetFormatVersion()))
	if err != nil {
		return nil, err
	}
	if raw.SnapshotInfo == nil || raw.Collection == nil || raw.Collection.Schema == nil {
		return nil, fault.Corrupt(opMetadata, "snapshot_info, collection or its schema is missing")
	}
	m := &Metadata{
		FormatVersion: version, raw: raw,
		ManifestList: slices.Clone(raw.ManifestList),
		SegmentIDs:   pb.ToIDs[milvus.SegmentID](raw.SegmentIds),
		BuildIDs:     pb.ToIDs[milvus.BuildID](raw.BuildIds),
	}
	if m.Layout, err = toLayout(raw.Layout); err != nil {
		return nil, err
	}
	if m.Info, err = toInfo(raw.SnapshotInfo); err != nil {
		return nil, err
	}
	if m.Collection, err = pb.ToCollection(raw.Collection, m.Info.Collection); err != nil {
		return nil, err
	}
	for _, x := range raw.Indexes {
		m.Indexes = append(m.Indexes, pb.ToIndex(x))
	}
	if m.Manifests, err = toManifests(raw.Storagev2ManifestList); err != nil {
		return nil, err
	}
	if err := distinct("manifest_list", m.ManifestList); err != nil {
		return nil, err
	}
	return m, distinct("segment_ids", m.SegmentIDs)
}

func toLayout(l pb.SnapshotLayout) (Layout, error) {
	switch l {
	case pb.SnapshotLayout_SnapshotLayoutUnknown, pb.SnapshotLayout_SnapshotLayoutReferenced:
		return LayoutReferenced, nil
	case pb.SnapshotLayout_SnapshotLayoutSelfContained:
		return LayoutSelfContained, nil
	}
	return 0, fault.Unsupported(opMetadata, "the snapshot has the unknown layout %d", l)
}

func toInfo(raw *pb.SnapshotInfo) (Info, error) {
	if raw.Id <= 0 || raw.CollectionId <= 0 {
		return Info{}, fault.Corrupt(opMetadata, "snapshot id %d, collection id %d: they must be positive", raw.Id, raw.CollectionId)
	}
	if raw.CreateTs < 0 {
		return Info{}, fault.Corrupt(opMetadata, "create_ts is %d", raw.CreateTs)
	}
	info := Info{
		Name: raw.Name, ID: milvus.SnapshotID(raw.Id), Description: raw.Description,
		Collection: milvus.CollectionID(raw.CollectionId), Partitions: pb.ToIDs[milvus.PartitionID](raw.PartitionIds),
		CreateTS: milvus.Timestamp(raw.CreateTs), Location: raw.S3Location, State: raw.State,
		PendingStart: raw.PendingStartTime, CompactionExpire: raw.CompactionExpireTime,
		Pins: raw.PinIds, PinExpiry: raw.PinExpireAtMs, SkipIndex: raw.SkipIndex,
	}
	for _, p := range raw.ChannelSeekPositions {
		info.SeekPositions = append(info.SeekPositions, pb.ToPosition(p))
	}
	return info, nil
}

func toManifests(list []*pb.StorageV2SegmentManifest) (map[milvus.SegmentID]string, error) {
	out := make(map[milvus.SegmentID]string, len(list))
	for _, e := range list {
		id := milvus.SegmentID(e.GetSegmentId())
		if e.GetManifest() == "" {
			return nil, fault.Corrupt(opMetadata, "storagev2_manifest_list: segment %d has an empty manifest", id)
		}
		if _, dup := out[id]; dup {
			return nil, fault.Corrupt(opMetadata, "storagev2_manifest_list: segment %d is listed twice", id)
		}
		out[id] = e.GetManifest()
	}
	return out, nil
}

// distinct refuses lists with equal or zero elements.
func distinct[T comparable](name string, list []T) error {
	var zero T
	seen := make(map[T]struct{}, len(list))
	for _, v := range list {
		if v == zero {
			return fault.Corrupt(opMetadata, "%s has an empty element", name)
		}
		if _, dup := seen[v]; dup {
			return fault.Corrupt(opMetadata, "%s has %v twice", name, v)
		}
		seen[v] = struct{}{}
	}
	return nil
}

// EncodeMetadata encodes a snapshot's metadata as Milvus does. Metadata that was decoded keeps what only its message
// holds; its Collection is written from that message, so that changes to the schema are not. FormatVersion 0 is 5.
func EncodeMetadata(m *Metadata) ([]byte, error) {
	out := &pb.SnapshotMetadata{}
	if m.raw != nil {
		out = proto.CloneOf(m.raw)
	}
	if out.FormatVersion = int32(m.FormatVersion); m.FormatVersion == 0 {
		out.FormatVersion = NewestVersion
	}
	if m.Info.ID <= 0 || m.Info.Collection <= 0 {
		return nil, fault.Corrupt("encode snapshot metadata", "snapshot id %d, collection id %d: they must be positive", m.Info.ID, m.Info.Collection)
	}
	out.SnapshotInfo = FromInfo(&m.Info)
	if out.Collection == nil {
		out.Collection = pb.FromCollection(&m.Collection)
	}
	if m.raw == nil {
		for i := range m.Indexes {
			out.Indexes = append(out.Indexes, pb.FromIndex(&m.Indexes[i], m.Info.Collection))
		}
	}
	out.ManifestList = m.ManifestList
	out.SegmentIds, out.BuildIds = pb.FromIDs(m.SegmentIDs), pb.FromIDs(m.BuildIDs)
	out.Storagev2ManifestList = fromManifests(m)
	if out.Layout = pb.SnapshotLayout(m.Layout); m.Layout == 0 {
		out.Layout = pb.SnapshotLayout_SnapshotLayoutReferenced
	}
	return pb.MarshalJSON("encode snapshot metadata", out)
}

// FromInfo converts a snapshot's description of itself to the message that etcd holds, too.
func FromInfo(i *Info) *pb.SnapshotInfo {
	out := &pb.SnapshotInfo{
		Name: i.Name, Id: int64(i.ID), Description: i.Description, CollectionId: int64(i.Collection),
		PartitionIds: pb.FromIDs(i.Partitions), CreateTs: int64(i.CreateTS), S3Location: i.Location, State: i.State,
		PendingStartTime: i.PendingStart, CompactionExpireTime: i.CompactionExpire,
		PinIds: i.Pins, PinExpireAtMs: i.PinExpiry, SkipIndex: i.SkipIndex,
	}
	for _, p := range i.SeekPositions {
		out.ChannelSeekPositions = append(out.ChannelSeekPositions, pb.FromPosition(p))
	}
	return out
}

// ToInfo is the inverse of [FromInfo].
func ToInfo(raw *pb.SnapshotInfo) (Info, error) { return toInfo(raw) }

// fromManifests lists manifest paths in the order of SegmentIDs, then by id.
func fromManifests(m *Metadata) []*pb.StorageV2SegmentManifest {
	var ids, rest []milvus.SegmentID
	listed := map[milvus.SegmentID]bool{}
	for _, id := range m.SegmentIDs {
		if _, ok := m.Manifests[id]; ok {
			ids = append(ids, id)
		}
		listed[id] = true
	}
	for id := range m.Manifests {
		if !listed[id] {
			rest = append(rest, id)
		}
	}
	slices.Sort(rest)
	var out []*pb.StorageV2SegmentManifest
	for _, id := range append(ids, rest...) {
		out = append(out, &pb.StorageV2SegmentManifest{SegmentId: int64(id), Manifest: m.Manifests[id]})
	}
	return out
}

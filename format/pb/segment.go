package pb

import (
	"cmp"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const opSegment = "read segment"

// ToBinlogs converts lists of logs as they are: a log's key is its recorded path, "" where only its id was recorded.
// Lists without logs are left out; negative counts and sizes are fault.ErrCorrupt.
func ToBinlogs(in []*FieldBinlog) ([]milvus.FieldBinlog, error) {
	var out []milvus.FieldBinlog
	for _, fb := range in {
		if len(fb.GetBinlogs()) == 0 {
			continue
		}
		f := milvus.FieldBinlog{
			Field: milvus.FieldID(fb.GetFieldID()), ChildFields: fromInts[milvus.FieldID](fb.GetChildFields()), Format: fb.GetFormat(),
			Binlogs: make([]milvus.Binlog, len(fb.Binlogs)),
		}
		for i, b := range fb.Binlogs {
			f.Binlogs[i] = milvus.Binlog{
				File: milvus.FileRef{Key: b.GetLogPath()}, LogID: milvus.LogID(b.GetLogID()), Entries: b.GetEntriesNum(),
				From: milvus.Timestamp(b.GetTimestampFrom()), To: milvus.Timestamp(b.GetTimestampTo()),
				Size: b.GetLogSize(), MemorySize: b.GetMemorySize(),
			}
		}
		if err := CheckBinlogs(&f); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// CheckBinlogs refuses negative counts and sizes.
func CheckBinlogs(f *milvus.FieldBinlog) error {
	for i, b := range f.Binlogs {
		if b.Entries < 0 || b.Size < 0 || b.MemorySize < 0 {
			return fault.Corrupt(opSegment, "log %d of field %d has %d entries, %d bytes, %d bytes in memory", i, f.Field, b.Entries, b.Size, b.MemorySize)
		}
	}
	return nil
}

// FromBinlogs converts lists of logs back, with their keys as paths.
func FromBinlogs(in []milvus.FieldBinlog) []*FieldBinlog {
	var out []*FieldBinlog
	for _, f := range in {
		fb := &FieldBinlog{FieldID: int64(f.Field), ChildFields: toInts(f.ChildFields), Format: f.Format}
		for _, b := range f.Binlogs {
			fb.Binlogs = append(fb.Binlogs, &Binlog{
				EntriesNum: b.Entries, TimestampFrom: uint64(b.From), TimestampTo: uint64(b.To),
				LogPath: b.File.Key, LogSize: b.Size, LogID: int64(b.LogID), MemorySize: b.MemorySize,
			})
		}
		out = append(out, fb)
	}
	return out
}

// CheckSegment refuses levels and storage versions that are not known, and negative row counts.
func CheckSegment(s *milvus.Segment) error {
	if s.Level < milvus.LevelLegacy || s.Level > milvus.LevelL2 {
		return fault.Unsupported(opSegment, "segment %d has the unknown level %d", s.ID, s.Level)
	}
	switch s.StorageVersion {
	case milvus.StorageV1, milvus.StorageV2, milvus.StorageV3:
	default:
		return fault.Unsupported(opSegment, "segment %d has the unknown storage version %d", s.ID, s.StorageVersion).
			WithHint("versions 0, 2 and 3 are read")
	}
	if s.Rows < 0 {
		return fault.Corrupt(opSegment, "segment %d has %d rows", s.ID, s.Rows)
	}
	return nil
}

// ToSegment converts a segment with the logs that the message holds; index files are not part of it. Paths are those
// recorded, see [ToBinlogs].
func ToSegment(s *SegmentInfo) (*milvus.Segment, error) {
	out := &milvus.Segment{
		ID: milvus.SegmentID(s.GetID()), Collection: milvus.CollectionID(s.GetCollectionID()), Partition: milvus.PartitionID(s.GetPartitionID()),
		Level: milvus.SegmentLevel(s.GetLevel()), Channel: s.GetInsertChannel(), Rows: s.GetNumOfRows(),
		StorageVersion: s.GetStorageVersion(), Sorted: s.GetIsSorted(),
		Start: ToPosition(s.GetStartPosition()), DML: ToPosition(s.GetDmlPosition()),
		CommitTimestamp: milvus.Timestamp(s.GetCommitTimestamp()), DeleteApplyStart: milvus.Timestamp(DeleteApplyStart(s)),
		ManifestPath: s.GetManifestPath(), TextIndexes: toTextIndexes(s.GetTextStatsLogs()), JSONStats: toJSONStats(s.GetJsonKeyStats()),
	}
	if err := CheckSegment(out); err != nil {
		return nil, err
	}
	lists := []struct {
		from []*FieldBinlog
		to   *[]milvus.FieldBinlog
	}{
		{s.GetBinlogs(), &out.Binlogs}, {s.GetDeltalogs(), &out.Deltalogs},
		{s.GetStatslogs(), &out.Statslogs}, {s.GetBm25Statslogs(), &out.BM25logs},
	}
	for _, l := range lists {
		var err error
		if *l.to, err = ToBinlogs(l.from); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// FromSegment converts a segment back, in state Flushed. Index files go to rows of their own, see [FromIndexFiles].
func FromSegment(s *milvus.Segment) *SegmentInfo {
	out := &SegmentInfo{
		ID: int64(s.ID), CollectionID: int64(s.Collection), PartitionID: int64(s.Partition), Level: SegmentLevel(s.Level),
		InsertChannel: s.Channel, NumOfRows: s.Rows, StorageVersion: s.StorageVersion, IsSorted: s.Sorted,
		StartPosition: FromPosition(s.Start), DmlPosition: FromPosition(s.DML), State: SegmentState_Flushed,
		CommitTimestamp: uint64(s.CommitTimestamp), ManifestPath: s.ManifestPath,
		Binlogs: FromBinlogs(s.Binlogs), Deltalogs: FromBinlogs(s.Deltalogs),
		Statslogs: FromBinlogs(s.Statslogs), Bm25Statslogs: FromBinlogs(s.BM25logs),
	}
	for _, t := range s.TextIndexes {
		if out.TextStatsLogs == nil {
			out.TextStatsLogs = map[int64]*TextIndexStats{}
		}
		out.TextStatsLogs[int64(t.Field)] = &TextIndexStats{
			FieldID: int64(t.Field), Version: t.Version, Files: fromFiles(t.Files), LogSize: t.LogSize, MemorySize: t.MemorySize, BuildID: int64(t.Build),
		}
	}
	for _, j := range s.JSONStats {
		if out.JsonKeyStats == nil {
			out.JsonKeyStats = map[int64]*JsonKeyStats{}
		}
		out.JsonKeyStats[int64(j.Field)] = &JsonKeyStats{
			FieldID: int64(j.Field), Version: j.Version, Files: fromFiles(j.Files), LogSize: j.LogSize, MemorySize: j.MemorySize,
			BuildID: int64(j.Build), JsonKeyStatsDataFormat: j.JSONFormat,
		}
	}
	if s.DeleteApplyStart != 0 {
		setDeleteApplyStart(out, uint64(s.DeleteApplyStart))
	}
	return out
}

const deleteApplyStartNumber = 37

// DeleteApplyStart returns delete_apply_start_after_timetick, a TSO that shares its number with a list of strings
// (docs/format/etcd.md 5): the generated code puts it among the unknown fields. 0 if the segment has none.
func DeleteApplyStart(s *SegmentInfo) uint64 {
	if s == nil {
		return 0
	}
	var out uint64
	for b := s.ProtoReflect().GetUnknown(); len(b) > 0; {
		num, typ, tag := protowire.ConsumeTag(b)
		_, _, n := protowire.ConsumeField(b)
		if n < 0 {
			return out
		}
		if num == deleteApplyStartNumber && typ == protowire.VarintType {
			out, _ = protowire.ConsumeVarint(b[tag:])
		}
		b = b[n:]
	}
	return out
}

func setDeleteApplyStart(s *SegmentInfo, ts uint64) {
	m := s.ProtoReflect()
	b := protowire.AppendTag(slices.Clone(m.GetUnknown()), deleteApplyStartNumber, protowire.VarintType)
	m.SetUnknown(protowire.AppendVarint(b, ts))
}

func toFiles(in []string) []milvus.FileRef {
	var out []milvus.FileRef
	for _, f := range in {
		out = append(out, milvus.FileRef{Key: f})
	}
	return out
}

func fromFiles(in []milvus.FileRef) []string {
	var out []string
	for _, f := range in {
		out = append(out, f.Key)
	}
	return out
}

func toTextIndexes(in map[int64]*TextIndexStats) []milvus.FieldStats {
	var out []milvus.FieldStats
	for _, id := range slices.Sorted(maps.Keys(in)) {
		t := in[id]
		out = append(out, milvus.FieldStats{
			Field: milvus.FieldID(id), Version: t.GetVersion(), Files: toFiles(t.GetFiles()), LogSize: t.GetLogSize(),
			MemorySize: t.GetMemorySize(), Build: milvus.BuildID(t.GetBuildID()),
		})
	}
	return out
}

func toJSONStats(in map[int64]*JsonKeyStats) []milvus.FieldStats {
	var out []milvus.FieldStats
	for _, id := range slices.Sorted(maps.Keys(in)) {
		j := in[id]
		out = append(out, milvus.FieldStats{
			Field: milvus.FieldID(id), Version: j.GetVersion(), Files: toFiles(j.GetFiles()), LogSize: j.GetLogSize(),
			MemorySize: j.GetMemorySize(), Build: milvus.BuildID(j.GetBuildID()), JSONFormat: j.GetJsonKeyStatsDataFormat(),
		})
	}
	return out
}

// ToIndexFiles converts a segment's index; its files are the recorded keys, which in etcd are base names.
func ToIndexFiles(x *SegmentIndex, info *IndexInfo) milvus.IndexFiles {
	return milvus.IndexFiles{
		Field: milvus.FieldID(info.GetFieldID()), Index: milvus.IndexID(x.GetIndexID()), Build: milvus.BuildID(x.GetBuildID()),
		Name: info.GetIndexName(), Params: ToKeyValues(info.GetIndexParams()), Files: toFiles(x.GetIndexFileKeys()),
		SerializedSize: int64(x.GetSerializeSize()), Version: x.GetIndexVersion(), Rows: x.GetNumRows(),
		CurrentVersion: x.GetCurrentIndexVersion(), MemorySize: int64(x.GetMemSize()),
		ScalarVersion: x.GetCurrentScalarIndexVersion(), StorePathVersion: int32(x.GetIndexStorePathVersion()),
	}
}

// FromIndexFiles converts a segment's index back, in state Finished.
func FromIndexFiles(x *milvus.IndexFiles, s *milvus.Segment) *SegmentIndex {
	return &SegmentIndex{
		CollectionID: int64(s.Collection), PartitionID: int64(s.Partition), SegmentID: int64(s.ID), NumRows: x.Rows,
		IndexID: int64(x.Index), BuildID: int64(x.Build), IndexVersion: x.Version, State: IndexState_Finished,
		IndexFileKeys: fromFiles(x.Files), SerializeSize: uint64(x.SerializedSize), CurrentIndexVersion: x.CurrentVersion,
		MemSize: uint64(x.MemorySize), CurrentScalarIndexVersion: x.ScalarVersion,
		IndexStorePathVersion: IndexStorePathVersion(x.StorePathVersion),
	}
}

// SortSegments orders segments by id.
func SortSegments(s []milvus.Segment) {
	slices.SortFunc(s, func(a, b milvus.Segment) int { return cmp.Compare(a.ID, b.ID) })
}

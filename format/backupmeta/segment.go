package backupmeta

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

func toSegment(s *pb.BackupSegment) (Segment, error) {
	out := Segment{Group: s.GroupId, Segment: milvus.Segment{
		ID: milvus.SegmentID(s.SegmentId), Collection: milvus.CollectionID(s.CollectionId), Partition: milvus.PartitionID(s.PartitionId),
		Rows: s.NumOfRows, Channel: s.VChannel, StorageVersion: s.StorageVersion, ManifestPath: s.ManifestPath,
	}}
	if s.IsL0 {
		out.Level = milvus.LevelL0
	}
	if s.SegmentId <= 0 || s.GroupId < 0 {
		return Segment{}, fault.Corrupt(op, "a segment has the id %d and the group %d", s.SegmentId, s.GroupId)
	}
	if err := pb.CheckSegment(&out.Segment); err != nil {
		return Segment{}, err
	}
	for _, l := range []struct {
		from []*pb.BackupFieldBinlog
		to   *[]milvus.FieldBinlog
	}{{s.Binlogs, &out.Binlogs}, {s.Deltalogs, &out.Deltalogs}, {s.Statslogs, &out.Statslogs}} {
		var err error
		if *l.to, err = toBinlogs(l.from); err != nil {
			return Segment{}, err
		}
	}
	return out, nil
}

func toBinlogs(in []*pb.BackupFieldBinlog) ([]milvus.FieldBinlog, error) {
	var out []milvus.FieldBinlog
	for _, fb := range in {
		if len(fb.Binlogs) == 0 {
			continue // a segment without deletes has one empty list
		}
		f := milvus.FieldBinlog{Field: milvus.FieldID(fb.FieldID)}
		for _, b := range fb.Binlogs {
			id, err := logID(b)
			if err != nil {
				return nil, err
			}
			f.Binlogs = append(f.Binlogs, milvus.Binlog{
				File: milvus.FileRef{Key: b.LogPath}, LogID: id, Entries: b.EntriesNum, Size: b.LogSize,
				From: milvus.Timestamp(b.TimestampFrom), To: milvus.Timestamp(b.TimestampTo),
			})
		}
		if err := pb.CheckBinlogs(&f); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// logID is recorded since 2024; before, the path has it.
func logID(b *pb.BackupBinlog) (milvus.LogID, error) {
	if b.LogId > 0 {
		return milvus.LogID(b.LogId), nil
	}
	n, err := strconv.ParseInt(path.Base(b.LogPath), 10, 64)
	if err != nil || n <= 0 {
		return 0, fault.Corrupt(op, "the log %q has no id", b.LogPath)
	}
	return milvus.LogID(n), nil
}

// InBackup returns the segment with the keys that its files have below the backup's directory ("binlogs/insert_log/...").
func (s *Segment) InBackup() milvus.Segment {
	out := s.Segment
	out.Binlogs = s.moved("insert_log", s.Binlogs, true)
	out.Statslogs = s.moved("stats_log", s.Statslogs, true)
	out.Deltalogs = s.moved("delta_log", s.Deltalogs, false)
	return out
}

// moved rebuilds paths. A group's level is there if it has a number, but never for deletes of all partitions.
func (s *Segment) moved(folder string, lists []milvus.FieldBinlog, withField bool) []milvus.FieldBinlog {
	parts := []string{"binlogs", folder, decimal(s.Collection), decimal(s.Partition)}
	if s.Group != 0 && s.Partition != milvus.AllPartitions {
		parts = append(parts, decimal(s.Group))
	}
	dir := strings.Join(append(parts, decimal(s.ID)), "/")
	out := slices.Clone(lists)
	for i := range out {
		f := &out[i]
		f.Binlogs = slices.Clone(f.Binlogs)
		below := dir
		if withField {
			below += "/" + decimal(f.Field)
		}
		for j := range f.Binlogs {
			f.Binlogs[j].File.Key = below + "/" + decimal(f.Binlogs[j].LogID)
		}
	}
	return out
}

func decimal[T ~int64](n T) string { return strconv.FormatInt(int64(n), 10) }

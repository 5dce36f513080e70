package etcdmeta

import (
	"slices"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// logKinds are the tables of logs with where their rows belong in a segment's message.
var logKinds = []struct {
	kind kind
	list func(*pb.SegmentInfo) *[]*pb.FieldBinlog
	dest func(*milvus.Segment) *[]milvus.FieldBinlog
}{
	{kindBinlog, func(s *pb.SegmentInfo) *[]*pb.FieldBinlog { return &s.Binlogs }, func(s *milvus.Segment) *[]milvus.FieldBinlog { return &s.Binlogs }},
	{kindDeltalog, func(s *pb.SegmentInfo) *[]*pb.FieldBinlog { return &s.Deltalogs }, func(s *milvus.Segment) *[]milvus.FieldBinlog { return &s.Deltalogs }},
	{kindStatslog, func(s *pb.SegmentInfo) *[]*pb.FieldBinlog { return &s.Statslogs }, func(s *milvus.Segment) *[]milvus.FieldBinlog { return &s.Statslogs }},
	{kindBM25log, func(s *pb.SegmentInfo) *[]*pb.FieldBinlog { return &s.Bm25Statslogs }, func(s *milvus.Segment) *[]milvus.FieldBinlog { return &s.BM25logs }},
}

// liveSegment is a segment that counts, with its message.
type liveSegment struct {
	milvus.Segment
	info *pb.SegmentInfo
}

// SegmentInfos returns the messages of all of a collection's segments, live or not, with their logs as stored: paths are
// not rebuilt. Who changes a segment's rows begins with its message, see [SegmentRows].
func (c *Catalog) SegmentInfos(collection milvus.CollectionID) (map[milvus.SegmentID]*pb.SegmentInfo, error) {
	s := c.collections[collection]
	if s == nil {
		return nil, nil
	}
	infos := map[int64]*pb.SegmentInfo{}
	for _, r := range s.rows[kindSegment] {
		info, err := decodeSegment(r)
		if err != nil {
			return nil, err
		}
		infos[info.ID] = info
	}
	if err := s.addLogs(infos); err != nil {
		return nil, err
	}
	out := make(map[milvus.SegmentID]*pb.SegmentInfo, len(infos))
	for id, info := range infos {
		out[milvus.SegmentID(id)] = info
	}
	return out, nil
}

func decodeSegment(r row) (*pb.SegmentInfo, error) {
	info := &pb.SegmentInfo{}
	if err := unmarshal(r.value, info); err != nil {
		return nil, err
	}
	if info.CollectionID != r.ids[0] || info.PartitionID != r.ids[1] || info.ID != r.ids[2] {
		return nil, fault.Corrupt(opRead, "the row of segment %d, partition %d is of segment %d, partition %d, collection %d",
			r.ids[2], r.ids[1], info.ID, info.PartitionID, info.CollectionID)
	}
	return info, nil
}

// addLogs gives segments the logs of their own rows. Logs in the segment's row itself, which very old releases wrote,
// win.
func (s *shelf) addLogs(infos map[int64]*pb.SegmentInfo) error {
	for _, k := range logKinds {
		own := map[int64]bool{}
		for id, info := range infos {
			own[id] = len(*k.list(info)) > 0
		}
		rows, err := byID(s.rows[k.kind])
		if err != nil {
			return err
		}
		for _, r := range rows {
			info := infos[r.ids[2]]
			if info == nil || own[r.ids[2]] || len(r.value) == 0 { // no value: no deletes
				continue
			}
			if r.ids[1] != info.PartitionID {
				return fault.Corrupt(opRead, "segment %d of partition %d has logs in partition %d", info.ID, info.PartitionID, r.ids[1])
			}
			fb := &pb.FieldBinlog{}
			if err := unmarshal(r.value, fb); err != nil {
				return err
			}
			if k.kind != kindDeltalog { // a deltalog's field means nothing
				if err := sameID("logs of field", r.ids[3], &fb.FieldID); err != nil {
					return err
				}
			}
			*k.list(info) = append(*k.list(info), fb)
		}
	}
	return nil
}

// readSegments applies the rules of docs/format/etcd.md 7.
func (c *Catalog) readSegments(out *Collection, s *shelf) error {
	rows, err := byID(s.rows[kindSegment])
	if err != nil {
		return err
	}
	infos := map[int64]*pb.SegmentInfo{}
	for _, r := range rows {
		info, err := decodeSegment(r)
		if err != nil {
			return err
		}
		if _, dup := infos[info.ID]; dup {
			return fault.Corrupt(opRead, "segment %d is in two partitions", info.ID)
		}
		keep, hidden, err := counts(info, out)
		if err != nil {
			return err
		}
		if hidden {
			out.Hidden = append(out.Hidden, milvus.SegmentID(info.ID))
		}
		if keep {
			infos[info.ID] = info
		}
	}
	if err := s.addLogs(infos); err != nil {
		return err
	}
	var live []*liveSegment
	for _, r := range rows {
		info := infos[r.ids[2]]
		if info == nil {
			continue
		}
		seg, err := c.toLive(info)
		if err != nil {
			return err
		}
		live = append(live, seg)
	}
	live, err = dropInputs(live, out)
	if err != nil {
		return err
	}
	if err := finish(live, out); err != nil {
		return err
	}
	return c.addIndexes(out, s)
}

// counts decides by a segment's row alone whether it counts. hidden tells those that do not count and yet exist.
func counts(info *pb.SegmentInfo, c *Collection) (keep, hidden bool, err error) {
	switch info.State {
	case pb.SegmentState_SegmentStateNone, pb.SegmentState_NotExist, pb.SegmentState_Dropped:
		return false, false, nil
	case pb.SegmentState_Importing:
		return false, true, nil
	case pb.SegmentState_Growing, pb.SegmentState_Sealed, pb.SegmentState_Flushed, pb.SegmentState_Flushing:
	default:
		return false, false, fault.Unsupported(opRead, "segment %d is in the unknown state %d", info.ID, info.State)
	}
	if info.IsImporting || info.IsInvisible && info.CreatedByCompaction {
		return false, true, nil
	}
	id := milvus.PartitionID(info.PartitionID)
	known := id == milvus.AllPartitions || slices.ContainsFunc(c.Partitions, func(p milvus.Partition) bool { return p.ID == id })
	return known, !known, nil
}

// toLive converts a segment and completes its paths.
func (c *Catalog) toLive(info *pb.SegmentInfo) (*liveSegment, error) {
	seg, err := ToSegment(c.opts.Storage, info)
	if err != nil {
		return nil, err
	}
	return &liveSegment{*seg, info}, nil
}

// dropInputs takes out inputs of compactions whose output is live, too: the compaction's end was half applied. The
// output must be whole.
func dropInputs(live []*liveSegment, out *Collection) ([]*liveSegment, error) {
	byID := make(map[int64]*liveSegment, len(live))
	for _, s := range live {
		byID[s.info.ID] = s
	}
	for _, s := range live {
		for _, from := range s.info.CompactionFrom {
			if byID[from] == nil || from == s.info.ID {
				continue
			}
			if s.info.State != pb.SegmentState_Flushed || s.checkRows() != nil {
				return nil, fault.Corrupt(opRead, "segment %d was compacted into %d, and neither is whole: %w", from, s.ID, ErrTorn).WithHint(tornHint)
			}
			out.Replaced[milvus.SegmentID(from)] = s.ID
		}
	}
	return slices.DeleteFunc(live, func(s *liveSegment) bool {
		_, gone := out.Replaced[s.ID]
		return gone
	}), nil
}

// finish checks row counts and tells growing segments.
func finish(live []*liveSegment, out *Collection) error {
	for _, s := range live {
		if s.info.State == pb.SegmentState_Flushed {
			if err := s.checkRows(); err != nil {
				return err
			}
		} else {
			out.Growing = append(out.Growing, s.ID)
			if !s.hasData() {
				continue
			}
			if s.ManifestPath == "" {
				s.Rows = s.loggedRows() // the row's own count is absent or runs ahead
			}
		}
		out.Segments = append(out.Segments, s.Segment)
	}
	pb.SortSegments(out.Segments) // keys are sorted by partition first
	slices.Sort(out.Growing)
	slices.Sort(out.Hidden)
	return nil
}

func (s *liveSegment) hasData() bool {
	return s.ManifestPath != "" || len(s.Binlogs) > 0 || len(s.Deltalogs) > 0
}

// loggedRows is the number of rows in the logs of the row ids; without them, of the field or group with the most.
func (s *liveSegment) loggedRows() int64 {
	var most int64
	for _, f := range s.Binlogs {
		n := entries(f)
		if f.Field == milvus.RowIDField && s.StorageVersion == milvus.StorageV1 {
			return n
		}
		most = max(most, n)
	}
	return most
}

func entries(f milvus.FieldBinlog) int64 {
	var n int64
	for _, b := range f.Binlogs {
		n += b.Entries
	}
	return n
}

// checkRows compares the declared rows with those in the logs (docs/format/etcd.md 5): the log rows and the segment's row
// are not always written together.
func (s *liveSegment) checkRows() error {
	if s.ManifestPath != "" || s.IsL0() {
		return nil
	}
	if logged := s.loggedRows(); logged != s.Rows {
		return fault.Corrupt(opRead, "segment %d has %d rows, its logs have %d: %w", s.ID, s.Rows, logged, ErrTorn).WithHint(tornHint)
	}
	if s.StorageVersion == milvus.StorageV1 {
		return s.checkChunks()
	}
	return nil
}

// checkChunks compares the fields chunk by chunk. Fields that were added later have fewer, the last ones
// (docs/format/binlog-v1.md 3.4).
func (s *liveSegment) checkChunks() error {
	i := slices.IndexFunc(s.Binlogs, func(f milvus.FieldBinlog) bool { return f.Field == milvus.RowIDField })
	if i < 0 {
		return nil
	}
	all := s.Binlogs[i].Binlogs
	for _, f := range s.Binlogs {
		missing := len(all) - len(f.Binlogs)
		if missing < 0 {
			return fault.Corrupt(opRead, "segment %d: field %d has %d logs, field 0 has %d: %w", s.ID, f.Field, len(f.Binlogs), len(all), ErrTorn).WithHint(tornHint)
		}
		for j, b := range f.Binlogs {
			if want := all[missing+j].Entries; b.Entries != want {
				return fault.Corrupt(opRead, "segment %d: log %d of field %d has %d rows, that of field 0 has %d: %w", s.ID, b.LogID, f.Field, b.Entries, want, ErrTorn).WithHint(tornHint)
			}
		}
	}
	return nil
}

// addIndexes gives segments the index files that are finished, of indexes that were not deleted.
func (c *Catalog) addIndexes(out *Collection, s *shelf) error {
	declared, err := s.indexes()
	if err != nil {
		return err
	}
	infos := map[int64]*pb.IndexInfo{}
	for _, x := range declared {
		infos[x.IndexInfo.IndexID] = x.IndexInfo
	}
	segments := map[int64]*milvus.Segment{}
	for i := range out.Segments {
		segments[int64(out.Segments[i].ID)] = &out.Segments[i]
	}
	rows, err := byID(s.rows[kindSegmentIndex])
	if err != nil {
		return err
	}
	for _, r := range rows {
		seg := segments[r.ids[2]]
		if seg == nil {
			continue
		}
		x := &pb.SegmentIndex{}
		if err := unmarshal(r.value, x); err != nil {
			return err
		}
		info := infos[x.IndexID]
		if info == nil || x.Deleted || x.State != pb.IndexState_Finished || len(x.IndexFileKeys) == 0 {
			continue
		}
		seg.Indexes = append(seg.Indexes, ToIndexFiles(c.opts.Storage, x, info))
	}
	return nil
}

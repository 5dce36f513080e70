package describe

import (
	"context"
	"fmt"
	"math"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// finish reads the manifests of V3 segments, checks the snapshot, whose segments are complete then, and collects its warnings.
func (s *Snapshot) finish(ctx context.Context, object string, opts Options) error {
	if ext := s.Collection.Schema.ExternalSource; ext != "" {
		return fault.Unsupported(opSegment, "the collection is external: Milvus has no files of its rows").On(object)
	}
	if err := s.readLoon(ctx, opts); err != nil {
		return fault.Place(err, object)
	}
	known := s.fieldIDs()
	files := make(map[milvus.FileRef]listing, insertLogs(s.Segments))
	for i := range s.Segments {
		seg := &s.Segments[i]
		if err := CheckSegment(seg, opts.Vortex); err != nil {
			return fault.Place(err, object)
		}
		if err := checkTwice(files, seg); err != nil {
			return fault.Place(err, object)
		}
		if err := s.warnSegment(seg, known); err != nil {
			return fault.Place(err, object)
		}
	}
	return nil
}

func (s *Snapshot) fieldIDs() map[milvus.FieldID]bool {
	known := map[milvus.FieldID]bool{milvus.RowIDField: true, milvus.TimestampField: true}
	for _, f := range s.Collection.Schema.Fields {
		known[f.ID] = true
	}
	for _, a := range s.Collection.Schema.StructArrays {
		for _, f := range a.Members {
			known[f.ID] = true
		}
	}
	return known
}

func insertLogs(segments []milvus.Segment) (n int) {
	for i := range segments {
		for _, log := range segments[i].Binlogs {
			n += len(log.Binlogs)
		}
	}
	return n
}

// listing is where an insert log was listed last.
type listing struct {
	segment milvus.SegmentID
	end     int64 // the row after the last
}

// checkTwice refuses an insert log that is listed twice: its rows would count twice. Ranges of rows of one file, which manifests
// of V3 may list, are another matter if they come in order. Other logs may be listed twice: a compound statistics log is, and
// so are the deletes of segments that were compacted.
func checkTwice(files map[milvus.FileRef]listing, seg *milvus.Segment) error {
	for i := range seg.Binlogs {
		for _, b := range seg.Binlogs[i].Binlogs {
			if b.File.Key == "" {
				continue
			}
			first, twice := files[b.File]
			if twice && b.First < first.end {
				return fault.Corrupt(opSegment, "insert log %q is listed twice, in segments %d and %d", b.File.Key, first.segment, seg.ID)
			}
			end := int64(math.MaxInt64)
			if seg.StorageVersion == milvus.StorageV3 {
				end = b.First + b.Entries
			}
			files[b.File] = listing{seg.ID, end}
		}
	}
	return nil
}

func (s *Snapshot) warn(kind string, seg milvus.SegmentID, format string, args ...any) {
	s.Warnings = append(s.Warnings, Warning{Kind: kind, Segment: seg, Message: fmt.Sprintf(format, args...)})
}

func (s *Snapshot) warnSegment(seg *milvus.Segment, known map[milvus.FieldID]bool) error {
	if err := s.warnEmpty(seg); err != nil {
		return err
	}
	if seg.Partition != milvus.AllPartitions && s.Collection.PartitionName(seg.Partition) == "" {
		s.warn(WarnUnknownPartition, seg.ID, "segment %d is of partition %d, which the collection does not name", seg.ID, seg.Partition)
	}
	for i := range seg.Binlogs {
		log := &seg.Binlogs[i]
		fields := log.ChildFields
		if seg.StorageVersion == milvus.StorageV1 {
			fields = []milvus.FieldID{log.Field}
		}
		for _, f := range fields {
			if !known[f] {
				s.warn(WarnUnknownField, seg.ID, "segment %d has %d files of field %d, which the schema does not have", seg.ID, len(log.Binlogs), f)
			}
		}
	}
	return nil
}

// warnEmpty tells of segments without rows, and refuses a placeholder that claims to have some.
func (s *Snapshot) warnEmpty(seg *milvus.Segment) error {
	if seg.StorageVersion == milvus.StorageV3 {
		m, err := s.Manifest(seg)
		if err != nil {
			return err
		}
		if m.Version == 0 {
			if seg.Rows > 0 {
				return fault.Corrupt(opSegment, "segment %d declares %d rows, and manifest version 0: nothing was committed", seg.ID, seg.Rows)
			}
			s.warn(WarnEmptySegment, seg.ID, "segment %d has manifest version 0: nothing was committed to it", seg.ID)
			return nil
		}
	}
	if seg.Rows == 0 && !seg.IsL0() {
		s.warn(WarnEmptySegment, seg.ID, "segment %d has no rows", seg.ID)
	}
	if seg.IsL0() && !hasFiles(seg.Deltalogs) && seg.StorageVersion != milvus.StorageV3 {
		s.warn(WarnEmptySegment, seg.ID, "L0 segment %d has no deletes", seg.ID)
	}
	return nil
}

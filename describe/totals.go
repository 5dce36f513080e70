package describe

import (
	"slices"

	"github.com/snapexport/snapexport/milvus"
)

// Estimate is what reading a snapshot's rows would take, from metadata alone. Compare it between snapshots and columns
// rather than take it for a promise: see [Totals] for what recorded sizes are.
type Estimate struct {
	Rows          int64 `json:"rows"`           // to read; deleted ones included
	DeleteEntries int64 `json:"delete_entries"` // to hold in memory, at most, at once
	Files         int64 `json:"files"`          // to read; those of V3 manifests are not known yet
	Bytes         int64 `json:"bytes"`          // of those files, as recorded
}

// Estimate returns the cost of reading the given fields; nil means all. The key, the timestamps and all deletes are
// always read. Column groups (V2) that hold none of the fields are left out where metadata tells.
func (s *Snapshot) Estimate(fields []milvus.FieldID) Estimate {
	var wanted map[milvus.FieldID]bool
	if fields != nil {
		wanted = map[milvus.FieldID]bool{milvus.TimestampField: true}
		if pk, ok := s.Collection.Schema.PrimaryKey(); ok {
			wanted[pk.ID] = true
		}
		for _, f := range fields {
			wanted[f] = true
		}
	}
	var e Estimate
	for i := range s.Segments {
		e.add(&s.Segments[i], wanted)
	}
	return e
}

func (e *Estimate) add(seg *milvus.Segment, wanted map[milvus.FieldID]bool) {
	e.Rows += seg.Rows
	e.DeleteEntries += deleteEntries(seg)
	for i := range seg.Binlogs {
		if reads(&seg.Binlogs[i], wanted) {
			e.count(sizeOf(seg.Binlogs[i : i+1]))
		}
	}
	e.count(sizeOf(seg.Deltalogs))
}

func (e *Estimate) count(k KindSize) {
	e.Files += k.Files
	e.Bytes += k.Bytes
}

// reads reports whether the files of a field or group are needed. RowID never is.
func reads(log *milvus.FieldBinlog, wanted map[milvus.FieldID]bool) bool {
	fields := log.ChildFields
	if len(fields) == 0 && log.Format == "" {
		fields = []milvus.FieldID{log.Field}
	}
	if wanted == nil || len(fields) == 0 {
		return len(fields) != 1 || fields[0] != milvus.RowIDField
	}
	return slices.ContainsFunc(fields, func(f milvus.FieldID) bool { return wanted[f] })
}

// sizes counts a segment's files by kind.
func sizes(seg *milvus.Segment) map[FileKind]KindSize {
	stats, bm25 := sizeOf(seg.Statslogs), sizeOf(seg.BM25logs)
	return map[FileKind]KindSize{
		FileInsert: sizeOf(seg.Binlogs),
		FileDelete: sizeOf(seg.Deltalogs),
		FileStats:  {Files: stats.Files + bm25.Files, Bytes: stats.Bytes + bm25.Bytes},
		FileIndex:  indexSize(seg),
	}
}

// sizeOf counts the files that have a path; V3's placeholders have none.
func sizeOf(logs []milvus.FieldBinlog) (k KindSize) {
	for i := range logs {
		for j := range logs[i].Binlogs {
			b := &logs[i].Binlogs[j]
			if b.File.Key != "" {
				k.Files++
				k.Bytes += b.Size
			}
		}
	}
	return k
}

func indexSize(seg *milvus.Segment) (k KindSize) {
	for i := range seg.Indexes {
		k.Files += int64(len(seg.Indexes[i].Files))
		k.Bytes += seg.Indexes[i].SerializedSize
	}
	for _, stats := range [][]milvus.FieldStats{seg.TextIndexes, seg.JSONStats} {
		for i := range stats {
			k.Files += int64(len(stats[i].Files))
			k.Bytes += stats[i].LogSize
		}
	}
	return k
}

func deleteEntries(seg *milvus.Segment) (n int64) {
	for i := range seg.Deltalogs {
		for j := range seg.Deltalogs[i].Binlogs {
			n += seg.Deltalogs[i].Binlogs[j].Entries
		}
	}
	return n
}

// uncounted returns the number of files of deletes whose entries are not recorded, as in backups.
func uncounted(seg *milvus.Segment) (n int64) {
	for i := range seg.Deltalogs {
		for j := range seg.Deltalogs[i].Binlogs {
			if seg.Deltalogs[i].Binlogs[j].Entries == 0 {
				n++
			}
		}
	}
	return n
}

func storageVersions(s *Snapshot) []int64 {
	out := []int64{}
	for i := range s.Segments {
		if v := s.Segments[i].StorageVersion; !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

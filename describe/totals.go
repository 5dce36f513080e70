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
	var e Estimate
	wanted := wanted(&s.Collection.Schema, fields)
	for i := range s.Segments {
		e.add(&s.Segments[i], wanted)
	}
	return e
}

// wanted returns the fields and those that are always read; nil, for all, if fields is nil.
func wanted(schema *milvus.Schema, fields []milvus.FieldID) map[milvus.FieldID]bool {
	if fields == nil {
		return nil
	}
	out := map[milvus.FieldID]bool{milvus.TimestampField: true}
	if pk, ok := schema.PrimaryKey(); ok {
		out[pk.ID] = true
	}
	for _, f := range fields {
		out[f] = true
	}
	return out
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

// ColumnCost is what reading one column takes beyond the key, the timestamps and the deletes. The key's is zero.
type ColumnCost struct {
	Name  string `json:"name"`
	Files int64  `json:"files"`
	Bytes int64  `json:"bytes"`
}

// columnCosts returns the costs of all columns, the members of struct arrays under their array's name.
func (s *Snapshot) columnCosts() []ColumnCost {
	out := []ColumnCost{}
	column := map[milvus.FieldID]int{}
	for _, f := range s.Collection.Schema.UserFields() {
		column[f.ID] = len(out)
		out = append(out, ColumnCost{Name: f.Name})
	}
	for _, a := range s.Collection.Schema.StructArrays {
		column[a.ID] = len(out)
		for _, f := range a.Members {
			column[f.ID] = len(out)
		}
		out = append(out, ColumnCost{Name: a.Name})
	}
	always := wanted(&s.Collection.Schema, []milvus.FieldID{})
	for i := range s.Segments {
		logs := s.Segments[i].Binlogs
		for j := range logs {
			if reads(&logs[j], always) {
				continue
			}
			size := sizeOf(logs[j : j+1])
			seen := -1 // members of one array may share a file
			for _, f := range logFields(&logs[j]) {
				if c, ok := column[f]; ok && c != seen {
					out[c].Files += size.Files
					out[c].Bytes += size.Bytes
					seen = c
				}
			}
		}
	}
	return out
}

func (e *Estimate) count(k KindSize) {
	e.Files += k.Files
	e.Bytes += k.Bytes
}

// reads reports whether the files of a field or group are needed. RowID never is.
func reads(log *milvus.FieldBinlog, wanted map[milvus.FieldID]bool) bool {
	fields := logFields(log)
	if wanted == nil || len(fields) == 0 {
		return len(fields) != 1 || fields[0] != milvus.RowIDField
	}
	return slices.ContainsFunc(fields, func(f milvus.FieldID) bool { return wanted[f] })
}

// logFields returns the fields in the files, none where metadata does not tell.
func logFields(log *milvus.FieldBinlog) []milvus.FieldID {
	if len(log.ChildFields) == 0 && log.Format == "" {
		return []milvus.FieldID{log.Field}
	}
	return log.ChildFields
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

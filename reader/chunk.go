package reader

import (
	"cmp"
	"path"
	"slices"
	"strconv"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// chunk is the files of one flush, by field. A field that was added later has none in the earliest chunks.
type chunk struct {
	rows  int64 // entries of the timestamp file; 0: not recorded
	files map[milvus.FieldID]milvus.Binlog
}

// bytes returns the sum of the files' recorded sizes.
func (c chunk) bytes() (n int64) {
	for _, b := range c.files {
		n += b.Size
	}
	return n
}

// reads returns the fields that any batch needs, by id, each once.
func (s *Scan) reads() []milvus.Field {
	fields := []milvus.Field{timestampField, s.key}
	for i := range s.cols {
		fields = append(fields, s.cols[i].reads()...)
	}
	if s.opts.Where != nil {
		for _, id := range s.opts.Where.Fields() {
			f, _ := s.snap.Collection.Schema.Field(id)
			fields = append(fields, f)
		}
	}
	if expires(s.rule) {
		fields = append(fields, *s.expiry)
	}
	slices.SortFunc(fields, func(a, b milvus.Field) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(fields, func(a, b milvus.Field) bool { return a.ID == b.ID })
}

// chunks pairs the files of a V1 segment (docs/format/binlog-v1.md 3.4): per field by log id, aligned from the right.
// It checks that nothing needed is missing and that recorded row counts agree.
func (s *Scan) chunks(seg *milvus.Segment) ([]chunk, error) {
	files := map[milvus.FieldID][]milvus.Binlog{}
	n := 0
	for _, fb := range seg.Binlogs {
		logs := append(files[fb.Field], fb.Binlogs...)
		files[fb.Field] = logs
		n = max(n, len(logs))
	}
	for _, logs := range files {
		slices.SortStableFunc(logs, func(a, b milvus.Binlog) int { return cmp.Compare(logID(a), logID(b)) })
	}
	out := make([]chunk, n)
	for i := range out {
		out[i].files = map[milvus.FieldID]milvus.Binlog{}
	}
	for _, f := range s.reads() {
		missing := n - len(files[f.ID])
		if missing > 0 && !replaceable(f) {
			return nil, fault.Missing("pair binlogs", "field %s (%d) has files for %d of %d chunks, no default, and is not nullable", f.Name, f.ID, n-missing, n)
		}
		for i, b := range files[f.ID] {
			out[missing+i].files[f.ID] = b
		}
	}
	return out, countRows(seg, out)
}

// replaceable reports whether rows without a file of the field have a value all the same.
func replaceable(f milvus.Field) bool {
	return f.ID >= milvus.FirstUserField && !f.PrimaryKey && (f.Nullable || f.Default != nil || f.Dynamic)
}

// countRows compares what metadata says: per chunk over the fields, and in sum with the segment.
func countRows(seg *milvus.Segment, chunks []chunk) error {
	var sum int64
	for i := range chunks {
		c := &chunks[i]
		c.rows = c.files[milvus.TimestampField].Entries
		sum += c.rows
		for id, b := range c.files {
			if b.Entries > 0 && c.rows > 0 && b.Entries != c.rows {
				return fault.Corrupt("pair binlogs", "field %d has %d rows in chunk %d, field 1 has %d", id, b.Entries, i, c.rows).On(b.File.String())
			}
		}
	}
	if sum > 0 && seg.Rows > 0 && sum != seg.Rows {
		return fault.Corrupt("pair binlogs", "the files hold %d rows, num_of_rows is %d", sum, seg.Rows)
	}
	if seg.Rows > 0 && len(chunks) == 0 {
		return fault.Missing("pair binlogs", "num_of_rows is %d, but there are no binlogs", seg.Rows)
	}
	return nil
}

// logID returns the file's log id, from its key where metadata does not carry it.
func logID(b milvus.Binlog) milvus.LogID {
	if b.LogID != 0 {
		return b.LogID
	}
	n, _ := strconv.ParseInt(path.Base(b.File.Key), 10, 64)
	return milvus.LogID(n)
}

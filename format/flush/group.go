package flush

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/milvus"
)

// insertGroups writes a file of every column group and the statistics; nothing for a chunk without rows.
func (w *Writer) insertGroups(seg *milvus.Segment, h binlog.Header, fields []milvus.Field, chunk Chunk) ([]Object, error) {
	if chunk[milvus.TimestampField].Len() == 0 {
		return nil, nil
	}
	groups, err := w.split(seg, fields)
	if err != nil {
		return nil, err
	}
	columns := make(map[milvus.FieldID]arrow.Array, len(fields))
	for _, f := range fields {
		if columns[f.ID], err = cell.Encode(f, chunk[f.ID]); err != nil {
			return nil, err
		}
	}
	out, err := w.storeGroups(seg, h, groups, columns)
	if err != nil {
		return nil, err
	}
	pk, _ := w.Schema.PrimaryKey()
	stats, err := w.addStats(seg, h, pk, chunk[pk.ID])
	return append(out, stats), err
}

// storeGroups writes and records a file of every group; of V3 the manifest that lists them, too.
func (w *Writer) storeGroups(seg *milvus.Segment, h binlog.Header, groups []packed.Group, columns map[milvus.FieldID]arrow.Array) ([]Object, error) {
	files, err := packed.Writer{Version: seg.StorageVersion, PlainVectors: w.PlainVectors, RowGroupBytes: w.RowGroupBytes}.Encode(groups, columns)
	if err != nil {
		return nil, err
	}
	rows := columns[groups[0].Fields[0].ID].Len()
	if seg.StorageVersion == milvus.StorageV2 {
		return w.addGroups(seg, h, groups, files, rows), nil
	}
	m, err := w.loaded(seg)
	if err != nil {
		return nil, err
	}
	out := w.addGroups(seg, h, groups, files, rows)
	w.listFiles(m, seg, groups, files)
	manifest, err := w.commit(seg, m)
	return append(out, manifest), err
}

// Backfill encodes the values of a field of which seg, of V2 or V3, has none yet: a column group of its own with one file for
// all rows, however many files the others have. Nothing comes of a segment without rows.
func (w *Writer) Backfill(seg *milvus.Segment, written milvus.Timestamp, id milvus.FieldID, values arrow.Array) ([]Object, error) {
	known := w.known()
	at := slices.IndexFunc(known, func(f milvus.Field) bool { return f.ID == id })
	switch {
	case seg.StorageVersion != milvus.StorageV2 && seg.StorageVersion != milvus.StorageV3:
		return nil, fault.Unsupported(op, "a field of its own for all rows is not written for storage version %d", seg.StorageVersion)
	case at < 0 || int64(values.Len()) != seg.Rows:
		return nil, fault.Corrupt(op, "%d values of field %d for %d rows, or the schema does not have it", values.Len(), id, seg.Rows)
	case slices.ContainsFunc(seg.Binlogs, func(fb milvus.FieldBinlog) bool { return slices.Contains(fb.ChildFields, id) }):
		return nil, fault.Corrupt(op, "the segment has field %d already", id)
	case seg.Rows == 0:
		return nil, nil
	case len(seg.Binlogs) == 0:
		return nil, fault.Corrupt(op, "the segment has %d rows and no files of them", seg.Rows)
	}
	f := known[at]
	raw, err := cell.Encode(f, values)
	if err != nil {
		return nil, err
	}
	h := w.header(seg, written)
	for i, b := range seg.Binlogs[0].Binlogs {
		if h.To = max(h.To, b.To); i == 0 || b.From < h.From {
			h.From = b.From
		}
	}
	f.Name = strconv.FormatInt(int64(id), 10) // of V2, too (docs/format/storage-v2-v3.md 1.4)
	return w.storeGroups(seg, h, []packed.Group{{ID: id, Fields: []milvus.Field{f}}}, map[milvus.FieldID]arrow.Array{id: raw})
}

// split returns the groups of the segment's first chunk, which every later one has too.
func (w *Writer) split(seg *milvus.Segment, fields []milvus.Field) ([]packed.Group, error) {
	if len(seg.Binlogs) == 0 {
		return w.Groups.Split(fields), nil
	}
	var out []packed.Group
	n := 0
	for _, fb := range seg.Binlogs {
		g := packed.Group{ID: fb.Field}
		for _, id := range fb.ChildFields {
			i := slices.IndexFunc(fields, func(f milvus.Field) bool { return f.ID == id })
			if i < 0 {
				return nil, fault.Corrupt(op, "field %d of the segment's first chunk is not in a later one", id)
			}
			g.Fields = append(g.Fields, fields[i])
			n++
		}
		out = append(out, g)
	}
	if n != len(fields) {
		return nil, fault.Corrupt(op, "a later chunk has %d fields, the segment's first one %d", len(fields), n)
	}
	return out, nil
}

// addGroups records one file of every group.
func (w *Writer) addGroups(seg *milvus.Segment, h binlog.Header, groups []packed.Group, files []packed.Encoded, rows int) []Object {
	var out []Object
	for i, g := range groups {
		at := groupOf(seg, g.ID)
		entry := milvus.FieldBinlog{Field: g.ID}
		for _, f := range g.Fields {
			entry.ChildFields = append(entry.ChildFields, f.ID)
		}
		id := w.NextLogID()
		key := w.key("insert_log", seg, g.ID, id)
		if seg.StorageVersion == milvus.StorageV3 {
			entry.Format = loon.FormatParquet
			key = w.base(seg) + "/" + string(loon.SectionData) + "/" + dataName(at, key)
		}
		record(&seg.Binlogs, entry, milvus.Binlog{
			File: milvus.FileRef{Key: key}, LogID: id, Entries: int64(rows), From: h.From, To: h.To,
			Size: int64(len(files[i].Body)), MemorySize: files[i].MemorySize,
		})
		out = append(out, Object{Key: key, Body: files[i].Body})
	}
	return out
}

// groupOf returns the position of a group in the segment's list, its end for a new one.
func groupOf(seg *milvus.Segment, id milvus.FieldID) int {
	for i, fb := range seg.Binlogs {
		if fb.Field == id {
			return i
		}
	}
	return len(seg.Binlogs)
}

// dataName names a data file of V3: the position of its group and a UUID, here one made from a key that is never the same twice.
func dataName(index int, key string) string {
	u := sha256.Sum256([]byte(key))
	u[6], u[8] = u[6]&0x0F|0x80, u[8]&0x3F|0x80 // version 8, of one's own making
	return fmt.Sprintf("%d_%x-%x-%x-%x-%x.parquet", index, u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

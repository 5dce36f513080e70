// Package flush encodes what flushes of segments leave in storage, under Milvus's keys: for each chunk the columns and a
// statistics file, deltalogs, and the compound statistics of a sealed segment. It stores nothing itself: it returns objects,
// and records them in the segment.
//
//	V1  a binlog of every field (docs/format/binlog-v1.md 7)
//	V2  a Parquet file of every column group (docs/format/storage-v2-v3.md 1); deltalogs and statistics are those of V1
//	V3  such files, packed deltalogs and a manifest that lists them, below the segment's own folder (the same, 2)
//
// Glossary: see package milvus; a chunk is what one flush writes, files of all fields with equal row counts.
package flush

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/milvus"
)

const op = "write segment"

// Object is a file to store.
type Object struct {
	Key  string // below the bucket
	Body []byte
}

// Chunk are the rows of one flush: canonical arrays (cell.Type) of equal length by field id, the system fields RowID and
// Timestamp included. Fields that were added to the schema later are absent.
type Chunk map[milvus.FieldID]arrow.Array

// Writer encodes the files of one collection's segments. It is used by one goroutine at a time. A segment keeps the storage
// version of its first file, and a V3 segment the Writer that wrote that.
type Writer struct {
	Root      string // key prefix, without slashes at its ends: "files"
	Schema    *milvus.Schema
	Version   int64           // storage version of new segments: milvus.StorageV1, StorageV2 or StorageV3
	Binlogs   binlog.Writer   // V1
	Deltalogs deltalog.Writer // V1 and V2
	Groups    packed.Policy   // V2 and V3
	// PlainVectors leaves dense vectors of V2 and V3 uncompressed, as the newest releases do.
	PlainVectors bool
	// RowGroupBytes is the size in memory at which row groups of V2 and V3 are cut; 0 is that of Milvus, 1 MiB.
	RowGroupBytes int64
	Filter        binlog.FilterKind   // of the statistics
	NextLogID     func() milvus.LogID // never the same twice, above binlog.CompoundLogID

	manifests map[milvus.SegmentID]*loon.Manifest
}

// SystemFields are RowID and Timestamp, which every segment has beside its schema's fields.
func SystemFields() []milvus.Field {
	return []milvus.Field{
		{ID: milvus.RowIDField, Name: "RowID", Type: milvus.TypeInt64},
		{ID: milvus.TimestampField, Name: "Timestamp", Type: milvus.TypeInt64},
	}
}

// Start gives a segment without files the storage version of the Writer, and a V3 segment the manifest of one without commits.
// L0 segments of a V3 collection have V1's. Insert and Delete call it.
func (w *Writer) Start(seg *milvus.Segment) {
	if len(seg.Binlogs) > 0 || len(seg.Deltalogs) > 0 || seg.ManifestPath != "" {
		return
	}
	seg.StorageVersion = w.Version
	switch {
	case w.Version != milvus.StorageV3:
	case seg.IsL0():
		seg.StorageVersion = milvus.StorageV1
	default:
		seg.ManifestPath = manifestPath{Base: w.base(seg)}.String()
	}
}

// Insert encodes one more chunk of seg (ids, partition and collection set by the caller) and adds its files and rows to seg.
// All chunks of a V2 or V3 segment have the same fields.
func (w *Writer) Insert(seg *milvus.Segment, written milvus.Timestamp, chunk Chunk) ([]Object, error) {
	w.Start(seg)
	fields, rows, err := w.fields(chunk)
	if err != nil {
		return nil, err
	}
	h := w.header(seg, written)
	times := chunk[milvus.TimestampField].(*array.Int64).Int64Values()
	if len(times) > 0 {
		h.From, h.To = milvus.Timestamp(slices.Min(times)), milvus.Timestamp(slices.Max(times))
	}
	var out []Object
	switch seg.StorageVersion {
	case milvus.StorageV1:
		out, err = w.insertFields(seg, h, fields, chunk)
	case milvus.StorageV2, milvus.StorageV3:
		out, err = w.insertGroups(seg, h, fields, chunk)
	default:
		err = fault.Unsupported(op, "storage version %d is not written", seg.StorageVersion)
	}
	if err != nil {
		return nil, err
	}
	seg.Rows += int64(rows)
	return out, nil
}

// insertFields writes a binlog of every field, and the statistics after that of the key.
func (w *Writer) insertFields(seg *milvus.Segment, h binlog.Header, fields []milvus.Field, chunk Chunk) (out []Object, err error) {
	slices.SortFunc(fields, func(a, b milvus.Field) int { return cmp.Compare(a.ID, b.ID) })
	for _, f := range fields {
		raw, err := cell.Encode(f, chunk[f.ID])
		if err != nil {
			return nil, err
		}
		body, err := w.Binlogs.Encode(h, f, raw)
		if err != nil {
			return nil, err
		}
		out = append(out, w.add(&seg.Binlogs, "insert_log", seg, f.ID, body, h, raw.Len()))
		if f.PrimaryKey {
			object, err := w.addStats(seg, h, f, chunk[f.ID])
			if err != nil {
				return nil, err
			}
			out = append(out, object)
		}
	}
	return out, nil
}

func (w *Writer) addStats(seg *milvus.Segment, h binlog.Header, pk milvus.Field, keys arrow.Array) (Object, error) {
	body, err := binlog.EncodeStats(w.stats(pk, keys))
	if err != nil {
		return Object{}, err
	}
	return w.add(&seg.Statslogs, "stats_log", seg, pk.ID, body, h, keys.Len()), nil
}

// Delete encodes one more deltalog of seg and adds it to seg.
func (w *Writer) Delete(seg *milvus.Segment, written milvus.Timestamp, d *deltalog.Deletes) ([]Object, error) {
	w.Start(seg)
	h := w.header(seg, written)
	if d.Len() > 0 {
		h.From, h.To = milvus.Timestamp(slices.Min(d.TS)), milvus.Timestamp(slices.Max(d.TS))
	}
	if seg.StorageVersion == milvus.StorageV3 {
		return w.deletePacked(seg, h, d)
	}
	body, err := w.Deltalogs.Encode(h, d)
	if err != nil {
		return nil, err
	}
	return []Object{w.add(&seg.Deltalogs, "delta_log", seg, deltaField, body, h, d.Len())}, nil
}

// Seal returns the compound statistics file of seg, which has all of chunks, and makes it the only one in seg.
func (w *Writer) Seal(seg *milvus.Segment, chunks ...Chunk) (Object, error) {
	pk, ok := w.Schema.PrimaryKey()
	if !ok {
		return Object{}, fault.Corrupt(op, "the schema has no primary key")
	}
	all := make([]binlog.Stats, 0, len(chunks))
	for _, c := range chunks {
		all = append(all, w.stats(pk, c[pk.ID]))
	}
	body, err := binlog.EncodeCompoundStats(all)
	if err != nil {
		return Object{}, err
	}
	key := w.key("stats_log", seg, pk.ID, binlog.CompoundLogID)
	seg.Statslogs = []milvus.FieldBinlog{{Field: pk.ID, Binlogs: []milvus.Binlog{{
		File: milvus.FileRef{Key: key}, LogID: binlog.CompoundLogID, Entries: seg.Rows, Size: int64(len(body)), MemorySize: int64(len(body)),
	}}}}
	return Object{Key: key, Body: body}, nil
}

func (w *Writer) header(seg *milvus.Segment, written milvus.Timestamp) binlog.Header {
	return binlog.Header{Collection: seg.Collection, Partition: seg.Partition, Segment: seg.ID, Written: written, From: 1, To: 1}
}

// known returns the fields that have columns, in the schema's order.
func (w *Writer) known() []milvus.Field {
	out := append(SystemFields(), w.Schema.UserFields()...)
	for _, s := range w.Schema.StructArrays {
		out = append(out, s.Members...)
	}
	return out
}

// fields returns the fields of the chunk, in the schema's order, and its number of rows.
func (w *Writer) fields(chunk Chunk) ([]milvus.Field, int, error) {
	known := slices.DeleteFunc(w.known(), func(f milvus.Field) bool { return chunk[f.ID] == nil })
	if len(known) != len(chunk) {
		return nil, 0, fault.Corrupt(op, "%d columns, of which the schema has %d", len(chunk), len(known))
	}
	if len(known) < 2 || known[1].ID != milvus.TimestampField {
		return nil, 0, fault.Corrupt(op, "columns without RowID and Timestamp")
	}
	rows := chunk[milvus.TimestampField].Len()
	for _, f := range known {
		if n := chunk[f.ID].Len(); n != rows {
			return nil, 0, fault.Corrupt(op, "field %d has %d rows, Timestamp %d", f.ID, n, rows)
		}
	}
	if pk, ok := w.Schema.PrimaryKey(); !ok || chunk[pk.ID] == nil {
		return nil, 0, fault.Corrupt(op, "columns without the primary key")
	}
	return known, rows, nil
}

// deltaField is the field of deltalogs in metadata; nobody reads it.
const deltaField milvus.FieldID = 0

// add records a file in one of seg's lists and returns the object.
func (w *Writer) add(list *[]milvus.FieldBinlog, kind string, seg *milvus.Segment, f milvus.FieldID, body []byte, h binlog.Header, rows int) Object {
	id := w.NextLogID()
	key := w.key(kind, seg, f, id)
	memory := int64(len(body))
	if d, err := binlog.OpenDescriptor(body); err == nil {
		memory, _ = d.Extras.OriginalSize()
	}
	record(list, milvus.FieldBinlog{Field: f}, milvus.Binlog{
		File: milvus.FileRef{Key: key}, LogID: id, Entries: int64(rows), From: h.From, To: h.To, Size: int64(len(body)), MemorySize: memory,
	})
	return Object{Key: key, Body: body}
}

// record adds a file to the field or group of a list; entry is what the field or group is recorded as if it is new.
func record(list *[]milvus.FieldBinlog, entry milvus.FieldBinlog, b milvus.Binlog) {
	i := slices.IndexFunc(*list, func(have milvus.FieldBinlog) bool { return have.Field == entry.Field })
	if i < 0 {
		*list = append(*list, entry)
		i = len(*list) - 1
	}
	(*list)[i].Binlogs = append((*list)[i].Binlogs, b)
}

// key builds the object key; deltalogs have no level for the field, statistics of V3 lie in the segment's own folder.
func (w *Writer) key(kind string, seg *milvus.Segment, f milvus.FieldID, id milvus.LogID) string {
	if kind == "stats_log" && seg.StorageVersion == milvus.StorageV3 {
		return fmt.Sprintf("%s/_stats/bloom_filter.%d/%d", w.base(seg), f, id)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s/%d/%d/%d", w.Root, kind, seg.Collection, seg.Partition, seg.ID)
	if kind != "delta_log" {
		fmt.Fprintf(&b, "/%d", f)
	}
	fmt.Fprintf(&b, "/%d", id)
	return b.String()
}

// stats summarises a chunk's primary keys.
func (w *Writer) stats(pk milvus.Field, keys arrow.Array) binlog.Stats {
	s := binlog.Stats{Field: pk.ID, PKType: pk.Type, Filter: binlog.NewFilter(w.Filter, keys.Len())}
	switch a := keys.(type) {
	case *array.Int64:
		s.Min, s.Max = bounds(a.Int64Values())
		for _, v := range a.Int64Values() {
			s.Filter.AddInt64(v)
		}
	case *array.String:
		all := make([]string, a.Len())
		for i := range all {
			all[i] = a.Value(i)
			s.Filter.AddString(all[i])
		}
		s.Min, s.Max = bounds(all)
	}
	return s
}

func bounds[T cmp.Ordered](v []T) (least, most binlog.Key) {
	if len(v) == 0 {
		var zero T
		return zero, zero
	}
	return slices.Min(v), slices.Max(v)
}

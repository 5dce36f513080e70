package binlog

import (
	"maps"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// Dialect is which of Milvus's two writers a file follows (docs/format/binlog-v1.md 2). Both live in one cluster.
type Dialect int

const (
	// Codec is the writer of flush and import, and of everything up to 2.3: headers bound the timestamps, column "val".
	Codec Dialect = iota
	// Stream is the writer of compaction and sorting, and of deltalogs since 2.5: constant header timestamps, positions -1,
	// columns named by field id and always OPTIONAL.
	Stream
)

// Header is what a file says of itself beside its rows.
type Header struct {
	Collection milvus.CollectionID
	Partition  milvus.PartitionID
	Segment    milvus.SegmentID
	Written    milvus.Timestamp // when the file is written; informational
	From, To   milvus.Timestamp // bounds of the timestamps of rows or deletes, both > 0; the Stream dialect does not store them
}

// Writer makes binlogs. The zero value writes the Codec dialect of current releases.
type Writer struct {
	Dialect Dialect
	// Before25 writes as releases before 2.5 did: no "nullable" in the extras, and a dictionary for primary keys too.
	Before25 bool
}

// Encode returns an insert log with the values of raw for the field: one event, one row group. raw has the storage form, as
// cell.Encode gives it: bool, int8 to int64 (int32 also for narrower fields), float32, float64, binary or utf8,
// fixed_size_binary for dense vectors, list of fixed_size_binary for ArrayOfVector; NULLs only in a nullable field.
func (w Writer) Encode(h Header, f milvus.Field, raw arrow.Array) ([]byte, error) {
	column, err := w.column(f, raw)
	if err != nil {
		return nil, err
	}
	payload, err := Parquet(column)
	if err != nil {
		return nil, err
	}
	extras := Extras{}
	if !w.Before25 {
		extras[extraNullable] = f.Nullable
	}
	return w.Wrap(h, File{
		Descriptor: Descriptor{Field: f.ID, DataType: f.Type, Extras: extras},
		Events:     []Event{{Type: EventInsert, Payload: payload}},
	}, OriginalSize(w.Dialect, f.Type, column.Values))
}

// Wrap completes a file of one event, whose descriptor has field, data type and extras, and whose event has type and
// payload: ids and timestamps come from h and the dialect, originalSize (bytes) goes into the extras.
func (w Writer) Wrap(h Header, f File, originalSize int64) ([]byte, error) {
	if len(f.Events) != 1 {
		return nil, fault.Corrupt(opEncode, "%d events, a file has exactly one", len(f.Events))
	}
	d, e := f.Descriptor, f.Events[0]
	d.Collection, d.Partition, d.Segment, d.Timestamp, e.Timestamp = h.Collection, h.Partition, h.Segment, h.Written, h.Written
	extras := Extras{}
	maps.Copy(extras, d.Extras)
	extras[extraOriginalSize] = strconv.FormatInt(originalSize, 10)
	d.Extras = extras
	text, err := extras.encode()
	if err != nil {
		return nil, err
	}
	first := extrasAt + len(text)
	d.NextPosition = int32(first)
	switch w.Dialect {
	case Stream:
		e.Start, e.End, e.NextPosition = 1, 1, -1
	default:
		if h.From == 0 || h.To < h.From {
			return nil, fault.Corrupt(opEncode, "timestamps from %d to %d, want bounds above 0", h.From, h.To)
		}
		d.Start, d.End, e.Start, e.End = h.From, h.To, h.From, h.To
		e.NextPosition = int32(first + minEvent + len(e.Payload))
	}
	return Assemble(d, []Event{e})
}

// column decides name, repetition, encoding and Arrow metadata of the field's Parquet column.
func (w Writer) column(f milvus.Field, raw arrow.Array) (ParquetColumn, error) {
	if raw.NullN() > 0 && !f.Nullable {
		return ParquetColumn{}, fault.Corrupt(opEncode, "field %d has %d NULLs and is not nullable", f.ID, raw.NullN())
	}
	values, err := storage(f, raw)
	if err != nil {
		return ParquetColumn{}, err
	}
	c := ParquetColumn{
		Name: "val", Values: values, Optional: f.Nullable, FieldID: -1,
		Zstd: true, Dictionary: (w.Before25 || !f.PrimaryKey) && !pages.NaNsDiffer(values),
	}
	if w.Dialect == Stream {
		c.Name, c.Optional = strconv.FormatInt(int64(f.ID), 10), true
	}
	switch {
	case f.Type == milvus.TypeArrayOfVector:
		c.Metadata = arrow.NewMetadata([]string{"elementType", "dim"}, []string{strconv.Itoa(int(f.ElementType)), strconv.Itoa(f.Dim)})
	case f.Type.IsDenseVector() && f.Nullable && w.Dialect == Codec:
		c.Metadata = arrow.NewMetadata([]string{"dim"}, []string{strconv.Itoa(f.Dim)})
	}
	return c, nil
}

package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

// write is one insert, upsert or delete: what it adds, at one timestamp.
type write struct {
	ts      milvus.Timestamp
	rows    []placedRows
	deletes []placedKeys
}

type placedRows struct {
	place
	block *block
}

type placedKeys struct {
	place
	keys  arrow.Array
	times []uint64
}

// stamp gives the write its timestamp.
func (w *write) stamp(ts milvus.Timestamp) {
	w.ts = ts
	for _, p := range w.rows {
		stamps := times(ts, p.block.rows)
		p.block.columns[milvus.TimestampField] = int64Array(arrow.Int64Traits.CastFromBytes(arrow.Uint64Traits.CastToBytes(stamps)))
	}
	for i := range w.deletes {
		w.deletes[i].times = times(ts, w.deletes[i].keys.Len())
	}
}

func times(ts milvus.Timestamp, n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = uint64(ts)
	}
	return out
}

// A record is a version, the timestamp, the number of parts, and the parts: kind, partition, shard, length, and an Arrow IPC
// stream of one batch, its columns named by field id. Timestamps are not among the columns.
const (
	recordVersion = 1
	stampAt       = 1 // offset of the timestamp
	recordHeader  = 13
	partHeader    = 21
	partRows      = 1
	partDeletes   = 2
)

// encode returns the record; the timestamp can be set later with setStamp.
func (w *write) encode() ([]byte, error) {
	out := binary.LittleEndian.AppendUint64([]byte{recordVersion}, uint64(w.ts))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(w.rows)+len(w.deletes)))
	var err error
	for _, p := range w.rows {
		if out, err = appendPart(out, partRows, p.place, p.block.columns, p.block.rows); err != nil {
			return nil, err
		}
	}
	for _, d := range w.deletes {
		if out, err = appendPart(out, partDeletes, d.place, flush.Chunk{0: d.keys}, d.keys.Len()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func setStamp(record []byte, ts milvus.Timestamp) {
	binary.LittleEndian.PutUint64(record[stampAt:], uint64(ts))
}

func appendPart(out []byte, kind byte, at place, columns flush.Chunk, rows int) ([]byte, error) {
	var fields []arrow.Field
	var arrays []arrow.Array
	for id, a := range columns {
		if id != milvus.TimestampField {
			fields = append(fields, arrow.Field{Name: strconv.FormatInt(int64(id), 10), Type: a.DataType(), Nullable: true})
			arrays = append(arrays, a)
		}
	}
	schema := arrow.NewSchema(fields, nil)
	var body bytes.Buffer
	w := ipc.NewWriter(&body, ipc.WithSchema(schema))
	err := w.Write(array.NewRecordBatch(schema, arrays, int64(rows)))
	if err = firstError(err, w.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", opLog, err)
	}
	out = append(out, kind)
	out = binary.LittleEndian.AppendUint64(out, uint64(at.partition))
	out = binary.LittleEndian.AppendUint32(out, uint32(at.shard))
	out = binary.LittleEndian.AppendUint64(out, uint64(body.Len()))
	return append(out, body.Bytes()...), nil
}

// stampOf returns the timestamp of a record.
func stampOf(record []byte) (milvus.Timestamp, error) {
	if len(record) < recordHeader {
		return 0, fault.Corrupt(opLog, "a record of %d bytes", len(record))
	}
	if record[0] != recordVersion {
		return 0, fault.Unsupported(opLog, "a record has version %d, %d is known", record[0], recordVersion)
	}
	return milvus.Timestamp(binary.LittleEndian.Uint64(record[stampAt:])), nil
}

// decodeWrite is the inverse of encode. Nothing of record is kept.
func decodeWrite(record []byte) (*write, error) {
	ts, err := stampOf(record)
	if err != nil {
		return nil, err
	}
	w := &write{}
	parts := binary.LittleEndian.Uint32(record[9:])
	rest := record[recordHeader:]
	for range parts {
		if len(rest) < partHeader {
			return nil, fault.Corrupt(opLog, "a record ends within a part")
		}
		at := place{milvus.PartitionID(binary.LittleEndian.Uint64(rest[1:])), int(binary.LittleEndian.Uint32(rest[9:]))}
		n := binary.LittleEndian.Uint64(rest[13:])
		if n > uint64(len(rest)-partHeader) {
			return nil, fault.Corrupt(opLog, "a record ends within a part")
		}
		columns, err := decodeColumns(rest[partHeader : partHeader+n])
		if err != nil {
			return nil, err
		}
		switch rest[0] {
		case partRows:
			if columns[milvus.RowIDField] == nil {
				return nil, fault.Corrupt(opLog, "rows without ids")
			}
			columns[milvus.TimestampField] = columns[milvus.RowIDField] // replaced by stamp; for the number of rows
			w.rows = append(w.rows, placedRows{at, newBlock(columns)})
		case partDeletes:
			if columns[0] == nil {
				return nil, fault.Corrupt(opLog, "deletes without keys")
			}
			w.deletes = append(w.deletes, placedKeys{place: at, keys: columns[0]})
		default:
			return nil, fault.Unsupported(opLog, "a part of kind %d", rest[0])
		}
		rest = rest[partHeader+n:]
	}
	if len(rest) > 0 {
		return nil, fault.Corrupt(opLog, "%d bytes after a record's parts", len(rest))
	}
	w.stamp(ts)
	return w, nil
}

// decodeColumns reads a stream of one batch. The library panics on what it does not expect.
func decodeColumns(body []byte) (_ flush.Chunk, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault.Corrupt(opLog, "columns: %v", r)
		}
	}()
	r, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fault.Corrupt(opLog, "columns: %w", err)
	}
	defer r.Release()
	if !r.Next() {
		return nil, fault.Corrupt(opLog, "columns: no rows (%v)", r.Err())
	}
	batch := r.RecordBatch()
	out := flush.Chunk{}
	for i, f := range batch.Schema().Fields() {
		id, err := strconv.ParseInt(f.Name, 10, 64)
		if err != nil {
			return nil, fault.Corrupt(opLog, "a column is called %q", f.Name)
		}
		c := batch.Column(i)
		c.Retain()
		out[milvus.FieldID(id)] = c
	}
	return out, nil
}

func int64Array(v []int64) *array.Int64 {
	return array.NewInt64Data(array.NewData(arrow.PrimitiveTypes.Int64, len(v), buffersOf(arrow.Int64Traits.CastToBytes(v)), nil, 0, 0))
}

func buffersOf(values []byte) []*memory.Buffer {
	return []*memory.Buffer{nil, memory.NewBufferBytes(values)}
}

package datafile

import (
	"encoding/binary"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// magic begins and ends a Parquet file.
const magic = "PAR1"

// body is a Parquet file as it is written.
type body struct {
	out     *counter
	opts    Options
	schema  []format.SchemaElement
	columns []column
	rows    int64 // of the row group
	groups  []groupMeta
	indexes [][]indexes // of each chunk
}

func newBody(out *counter, schema *arrow.Schema, ls []leaf, elements []format.SchemaElement, o Options) (*body, error) {
	columns, err := newColumns(schema, ls, o)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(out, magic)
	return &body{out: out, opts: o, schema: elements, columns: columns}, err
}

// write appends rows. A row group that is large enough ends first.
func (b *body) write(batch arrow.RecordBatch) error {
	if b.buffered() >= b.opts.RowGroupBytes {
		if err := b.endGroup(); err != nil {
			return err
		}
	}
	for i, c := range b.columns {
		if err := c.write(batch.Column(i)); err != nil {
			return err
		}
	}
	b.rows += batch.NumRows()
	return nil
}

func (b *body) buffered() int64 {
	n := int64(0)
	for _, c := range b.columns {
		n += c.buffered()
	}
	return n
}

// endGroup writes the row group, if it has rows.
func (b *body) endGroup() error {
	if b.rows == 0 {
		return nil
	}
	g := groupMeta{Rows: b.rows, Offset: b.out.n, Ordinal: thrift.New(int16(len(b.groups)))}
	var x []indexes
	for _, c := range b.columns {
		if err := c.end(); err != nil {
			return err
		}
		for _, chunk := range c.chunks() {
			meta, index, err := chunk.writeTo(b.out, b.out.n)
			if err != nil {
				return err
			}
			g.Chunks, x = append(g.Chunks, chunkMeta{Meta: meta}), append(x, index)
			g.Bytes += meta.Uncompressed
			g.Compressed += meta.Compressed
		}
		c.begin()
	}
	b.groups, b.indexes, b.rows = append(b.groups, g), append(b.indexes, x), 0
	return nil
}

// close ends the file with its page indexes and footer.
func (b *body) close(rows int64) error {
	if err := b.endGroup(); err != nil {
		return err
	}
	if err := b.writeIndexes(); err != nil {
		return err
	}
	m := fileMeta{Version: 2, Schema: b.schema, Rows: rows, RowGroups: b.groups, CreatedBy: b.opts.CreatedBy}
	if m.RowGroups == nil {
		m.RowGroups = []groupMeta{}
	}
	for _, kv := range b.opts.KeyValues {
		m.KeyValues = append(m.KeyValues, format.KeyValue{Key: kv.Key, Value: kv.Value})
	}
	for _, c := range b.columns {
		for range c.chunks() { // without orders nobody trusts the bounds
			m.Orders = append(m.Orders, format.ColumnOrder{Value: &format.TypeDefinedOrder{}})
		}
	}
	footer := marshal(m)
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	_, err := b.out.Write(append(footer, magic...))
	return err
}

// writeIndexes writes the column indexes of all chunks, then their offset indexes.
func (b *body) writeIndexes() error {
	for g := range b.groups {
		for i, x := range b.indexes[g] {
			if x.column == nil {
				continue
			}
			at, n, err := b.message(*x.column)
			if err != nil {
				return err
			}
			c := &b.groups[g].Chunks[i]
			c.ColumnIndexOffset, c.ColumnIndexLength = at, n
		}
	}
	for g := range b.groups {
		for i, x := range b.indexes[g] {
			at, n, err := b.message(x.offset)
			if err != nil {
				return err
			}
			c := &b.groups[g].Chunks[i]
			c.OffsetIndexOffset, c.OffsetIndexLength = at, n
		}
	}
	return nil
}

// message writes a message and returns where it is.
func (b *body) message(m any) (at int64, n int32, err error) {
	at = b.out.n
	k, err := b.out.Write(marshal(m))
	return at, int32(k), err
}

package binlog

import (
	"bytes"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/snapexport/snapexport/fault"
)

var parquetMagic = []byte("PAR1")

// zstdLevel is the level that Milvus's Go writers use.
const zstdLevel = 3

// ParquetColumn is one column of a payload.
type ParquetColumn struct {
	Name       string
	Values     arrow.Array
	Optional   bool           // REQUIRED otherwise
	FieldID    int32          // PARQUET:field_id; -1 = none, as in V1 files
	Zstd       bool           // uncompressed otherwise
	Dictionary bool           // PLAIN from the start otherwise
	Metadata   arrow.Metadata // not empty: the payload carries the Arrow schema, with this in the column's field
}

// Parquet returns columns of equal length as a complete Parquet file: one row group, data pages of version 1
// (docs/format/binlog-v1.md 2.1).
func Parquet(columns ...ParquetColumn) ([]byte, error) {
	fields, chunks, rows := make([]arrow.Field, len(columns)), make([]arrow.Column, len(columns)), 0
	props := []parquet.WriterProperty{parquet.WithMaxRowGroupLength(math.MaxInt32), parquet.WithDataPageVersion(parquet.DataPageV1)}
	arrowProps := []pqarrow.WriterOption{}
	for i, c := range columns {
		rows = c.Values.Len()
		meta := c.Metadata
		if meta.Len() > 0 {
			arrowProps = []pqarrow.WriterOption{pqarrow.WithStoreSchema()}
		}
		if c.FieldID >= 0 {
			meta = arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{strconv.Itoa(int(c.FieldID))})
		}
		fields[i] = arrow.Field{Name: c.Name, Type: c.Values.DataType(), Nullable: c.Optional, Metadata: meta}
		chunked := arrow.NewChunked(c.Values.DataType(), []arrow.Array{c.Values})
		chunks[i] = *arrow.NewColumn(fields[i], chunked)
		codec := compress.Codecs.Uncompressed
		if c.Zstd {
			codec = compress.Codecs.Zstd
			props = append(props, parquet.WithCompressionLevelFor(c.Name, zstdLevel), parquet.WithCompressionLevel(zstdLevel))
		}
		props = append(props, parquet.WithCompressionFor(c.Name, codec), parquet.WithDictionaryFor(c.Name, c.Dictionary))
		if len(columns) == 1 { // paths of nested columns differ from their names
			props = append(props, parquet.WithCompression(codec), parquet.WithDictionaryDefault(c.Dictionary))
		}
	}
	table := array.NewTable(arrow.NewSchema(fields, nil), chunks, int64(rows))
	defer table.Release()
	var buf bytes.Buffer
	err := pqarrow.WriteTable(table, &buf, math.MaxInt32, parquet.NewWriterProperties(props...), pqarrow.NewArrowWriterProperties(arrowProps...))
	if err != nil {
		return nil, fault.Corrupt(opEncode, "Parquet payload: %w", err)
	}
	return buf.Bytes(), nil
}

package datafile

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/metadata"
)

// batchValues is how many values the encoder takes between two looks at the page size. With vectors it is as many as fill a
// page: then a page's buffer is allocated once instead of growing step by step. No column gets more than a chunk at a time.
func batchValues(ls []leaf, o Options) int64 {
	if slices.ContainsFunc(ls, func(l leaf) bool { return l.vector && l.nested }) {
		return max(4096, o.PageBytes/4)
	}
	return 4096
}

// writerProperties chooses codec, encoding and statistics of each leaf.
func writerProperties(ls []leaf, o Options) *parquet.WriterProperties {
	props := []parquet.WriterProperty{
		parquet.WithCreatedBy(o.CreatedBy),
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithDataPageVersion(parquet.DataPageV2), // pages begin and end with rows, vectors too
		parquet.WithDataPageSize(o.PageBytes),
		parquet.WithDictionaryPageSizeLimit(o.PageBytes),
		parquet.WithBatchSize(batchValues(ls, o)),
		parquet.WithMaxRowGroupLength(1 << 40), // row groups end by bytes
		parquet.WithDictionaryDefault(false),
		parquet.WithEncoding(parquet.Encodings.Plain), // BYTE_STREAM_SPLIT and DELTA_* are not read everywhere
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(o.CompressionLevel),
	}
	for _, l := range ls {
		switch {
		case l.vector:
			props = append(props, parquet.WithCompressionFor(l.path, compress.Codecs.Uncompressed), parquet.WithStatsFor(l.path, false))
		case l.typ.ID() == arrow.STRING && !slices.Contains(o.Keys, l.path), l.names:
			props = append(props, parquet.WithDictionaryFor(l.path, true), parquet.WithDictionaryCostFallbackFor(l.path, true))
		}
		if l.nested {
			props = append(props, parquet.WithStatsFor(l.path, false))
		}
	}
	return parquet.NewWriterProperties(props...)
}

// chunkStart is where a column chunk's first page begins.
func chunkStart(c *metadata.ColumnChunkMetaData) int64 {
	if c.HasDictionaryPage() && c.DictionaryPageOffset() > 0 {
		return min(c.DictionaryPageOffset(), c.DataPageOffset())
	}
	return c.DataPageOffset()
}

// rowsPerChunk is how many rows of the batch make about chunkBytes.
func rowsPerChunk(batch arrow.RecordBatch) int64 {
	bytes := int64(0)
	for _, c := range batch.Columns() {
		bytes += arrayBytes(c)
	}
	if bytes <= chunkBytes {
		return max(batch.NumRows(), 1)
	}
	return max(batch.NumRows()*chunkBytes/bytes, 1)
}

// arrayBytes is about how large the array's values are.
func arrayBytes(a arrow.Array) int64 {
	n := int64(a.Len())
	switch v := a.(type) {
	case *array.String:
		return n*4 + int64(len(v.ValueBytes()))
	case *array.Binary:
		return n*4 + int64(len(v.ValueBytes()))
	case *array.FixedSizeList:
		return rangeBytes(v.ListValues(), n*int64(v.DataType().(*arrow.FixedSizeListType).Len()))
	case *array.Map:
		return n*4 + listBytes(v.List)
	case *array.List:
		return n*4 + listBytes(v)
	case *array.Struct:
		total := int64(0)
		for i := range v.NumField() {
			total += arrayBytes(v.Field(i))
		}
		return total
	}
	if v, ok := a.(array.ExtensionArray); ok {
		return arrayBytes(v.Storage())
	}
	if f, ok := a.DataType().(arrow.FixedWidthDataType); ok {
		return n * int64(f.BitWidth()) / 8
	}
	return n
}

func listBytes(v *array.List) int64 {
	if v.Len() == 0 {
		return 0
	}
	offsets := v.Offsets()[v.Data().Offset():]
	return rangeBytes(v.ListValues(), int64(offsets[v.Len()]-offsets[0]))
}

// rangeBytes is about how large n of the array's values are.
func rangeBytes(a arrow.Array, n int64) int64 {
	if a.Len() == 0 {
		return 0
	}
	return arrayBytes(a) * n / int64(a.Len())
}

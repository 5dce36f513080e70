package datafile

import "github.com/snapexport/snapexport/milvus"

// Defaults of [Options].
const (
	DefaultRowGroupBytes    = 128 << 20
	DefaultPageBytes        = 1 << 20
	DefaultCompressionLevel = 1 // of zstd
	DefaultCreatedBy        = "snapexport version 0.0.0 (build unknown)"
)

// Options says how a file is written. The zero value is what exports use.
type Options struct {
	RowGroupBytes int64             // encoded bytes after which a row group ends; 0 = DefaultRowGroupBytes
	PageBytes     int64             // bytes of values after which a page ends; 0 = DefaultPageBytes
	Scalars       Codec             // of everything but vectors; by default zstd at DefaultCompressionLevel
	Vectors       Codec             // of vectors; by default none
	Keys          []string          // columns of distinct values (the primary key): no dictionary
	KeyValues     []milvus.KeyValue // footer key-values, in this order
	ArrowSchema   bool              // add ARROW:schema, in which vectors are fixed_size_list: for readers of plain Parquet
	Buffers       *Buffers          // shared with files that were written before; nil is the file's own
	CreatedBy     string            // "NAME version X.Y.Z (build B)", the form that other readers parse
}

func (o Options) withDefaults() Options {
	if o.RowGroupBytes <= 0 {
		o.RowGroupBytes = DefaultRowGroupBytes
	}
	if o.PageBytes <= 0 {
		o.PageBytes = DefaultPageBytes
	}
	if o.Scalars.Name == "" {
		o.Scalars = Codec{Name: CodecZstd, Level: DefaultCompressionLevel}
	}
	if o.Vectors.Name == "" {
		o.Vectors.Name = CodecNone
	}
	if o.CreatedBy == "" {
		o.CreatedBy = DefaultCreatedBy
	}
	return o
}

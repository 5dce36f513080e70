// Package pages reads Parquet files of untrusted origin, column by column and page by page, into Arrow arrays.
//
// It is a page walker of its own: it starts no goroutine, bounds every allocation by bytes that are really there or by a
// limit ([Limits]), and turns any malformation into a typed error. What Milvus stores is covered (docs/format/binlog-v1.md
// 2.1 and 3, docs/format/storage-v2-v3.md 1.3 to 1.7): flat columns of every physical type but INT96, and three-level LIST
// columns of fixed-width elements; data pages v1 and v2; codecs uncompressed, snappy, gzip, zstd, lz4_raw, brotli; encodings
// PLAIN, PLAIN_DICTIONARY, RLE_DICTIONARY, RLE (booleans), DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY,
// BYTE_STREAM_SPLIT. Page indexes and bloom filters are not read.
//
// Arrays hold physical types: what a BYTE_ARRAY means is decided by format/cell, from the collection's schema. Errors are
// *fault.Error with the byte offset in the file, without a name; callers add it with fault.Place.
//
// Glossary:
//
//	leaf         a column as stored: a path in the schema tree that ends in a physical type
//	row group    a horizontal slice of the file; files of one segment need not cut at the same rows
//	chunk        the pages of one leaf in one row group
//	levels       per value: how deep it is defined (NULL or not) and whether it starts a new row
//	spaced       values with a gap at every NULL, as Arrow wants them; Parquet stores them without gaps
package pages

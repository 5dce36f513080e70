// Package cell turns the values of a field as Milvus stores them into canonical Arrow arrays, and back.
//
// The storage form of a field is what format/pages yields: physical Parquet types, whatever the file says that they mean.
// What they mean is decided by the collection's schema alone (docs/format/binlog-v1.md 3 to 5, docs/format/storage-v2-v3.md
// 1.5 and 1.6). The canonical form is what the rest of the project computes with and exports; see [Type].
//
// Decoding checks every value: UTF-8, widths, ranges, protobuf, order of sparse indices, NULLs. Nothing is repaired or
// skipped: a value that does not fit is an error that names its row, or becomes NULL where the caller says so.
//
// Glossary:
//
//	raw          an array in the storage form
//	canonical    an array of type [Type]
//	cell         one value of one row
//	width        bytes of a dense vector
package cell

// Package datafile writes Arrow record batches into one Parquet data file of an Iceberg table, and says what is in it.
//
// A [Writer] takes batches of one schema, in the in-memory types of the exporter, and writes them in the forms that every
// lakehouse engine reads:
//
//	in memory                       in the file
//	bool, int32, int64, float32,    the same
//	float64, utf8, binary, date32,
//	time64[us], timestamp[us,UTC]
//	fixed_size_list<T>, list<T>     3-level LIST, the element required unless its field is nullable
//	fixed_size_binary               BYTE_ARRAY
//	map<K,V>                        MAP, the value required unless its field is nullable
//	struct                          group
//	extension variant               group annotated VARIANT
//
// A NULL vector is a NULL list, and an empty array is an empty list: they stay apart. Vectors are PLAIN, without
// dictionary and statistics, and not compressed unless asked to; everything else is zstd where that saves a part of the page,
// with a dictionary where values repeat.
// Row groups and pages are cut by bytes. Pages are of version 2, begin with rows, and have checksums; every chunk has an offset
// index, and those of top-level scalars a column index, unless there is NaN among them. No file carries ARROW:schema unless
// asked to, so a reader sees the Iceberg types and nothing else; with it, readers that know Arrow see vectors as
// fixed_size_list, though they are stored as above.
//
// Every field, nested ones included, carries the Iceberg field id in its metadata under [FieldIDKey]: readers resolve columns
// by it, and a column without id reads as NULL in some of them.
//
// Glossary. Column: a top-level field. Leaf: a field with values of its own; the element of a vector is a leaf. Bound: the
// least or greatest value of a leaf in the file, in Iceberg's single-value form, possibly cut short. Chunk: the pages of a
// leaf in one row group. Levels: how deep each value is defined, and where lists begin.
package datafile

// FieldIDKey is the metadata key of the Iceberg field id (decimal) on every Arrow field that is written.
const FieldIDKey = "PARQUET:field_id"

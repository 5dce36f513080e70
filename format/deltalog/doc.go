// Package deltalog reads and writes files of deletes: primary key and timestamp (docs/format/binlog-v1.md 8).
//
// The form is decided per file, by content alone, for one segment may have files of every form:
//
//	[JSON]        V1 envelope, one text column, each cell a JSON object
//	[Text]        V1 envelope, one text column, each cell "pk,ts" (2.0 and 2.1); decided per cell
//	[MultiField]  V1 envelope with version MULTI_FIELD, two columns
//	[Bare]        bare Parquet of V3 segments, two columns with field ids 0 and 1
//
// Deletes are columns, not objects: a file of ten million deletes is two slices. A timestamp of 0 is returned as it is.
// Errors are fault.Error: ErrCorrupt for cells that are no delete (with the row number), ErrUnsupported for encryption,
// ErrLimit where texts exceed 2 GiB.
package deltalog

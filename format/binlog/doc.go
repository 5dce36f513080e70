// Package binlog reads and writes Milvus's event-framed files of storage V1 (docs/format/binlog-v1.md): a descriptor, then
// events whose payload is a Parquet file of one column. It also has the JSON of statistics files.
//
// [Open] checks a whole file's frame before anything of it is believed: every length against the bytes that are there,
// event types, the extras; what it returns points into the given bytes. [File.Column] then decodes an insert log's one
// column. [Writer] makes such files, in both of the forms that Milvus's own writers have.
//
// All integers are little-endian. The bytes are untrusted: a bad file gives a fault.Error, never a panic, and nothing is
// allocated by a length that has not been checked (see limits.go).
//
// Glossary:
//
//	envelope    everything around the payloads: magic, descriptor, event headers
//	descriptor  the first event: ids, field, data type, extras
//	extras      the descriptor's JSON object of further properties
//	payload     the bytes of an event after its fixed part; a Parquet file in insert and delete logs
//	dialect     which of Milvus's two writers a file's header follows, see [Dialect]
package binlog

// Package loon reads and writes the manifests of storage V3 segments (docs/format/storage-v2-v3.md 2): which column groups a
// segment has, in which files, and which files hold its deletes.
//
// [Decode] takes both encodings, told apart by their first bytes: the Avro object container, decoded by the schema that it
// carries and by the names of fields, and the raw "MILV" form of early 2026. What it does not understand and what could
// change which rows live is fault.ErrUnsupported; bytes that contradict themselves are fault.ErrCorrupt. Nothing is allocated
// by a count that the remaining bytes can't hold.
//
// Glossary:
//
//	column group  the columns that lie together in the same files; every group covers all rows of the segment
//	version       number of a manifest; each commit writes the next one
package loon

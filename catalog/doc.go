// Package catalog makes Iceberg tables of exported files: the schema, the commit, and what a table holds already.
//
// [FromArrow] turns the schema of an export into an Iceberg schema and gives every field its id. [Commit] adds finished data
// files to a table of any catalog of iceberg-go, with the snapshot's tag, in one step; it may be repeated at will, because a
// [Change] carries the id of its export and an export is committed once. [Load] says what a table holds.
//
// [Path] is the catalog of tables that are a directory and nothing else (s3://bucket/table, /data/table), over any objstore
// whose creates are create-once. A table's identifier is its location: [Ident]. Its metadata are metadata/v1.metadata.json,
// v2 and so on; metadata/version-hint.text names a recent one. A commit is the create of the next number: of several
// writers one succeeds, and the others start again from what it wrote. The hint comes afterwards, so readers look for N+1
// beyond it. A reader sees the table of before or the whole new one, never something between.
//
// Errors are those of package fault: ErrConflict if the table is not what the change was made for (another snapshot, another
// schema, a tag in use), ErrMissing if there is no table, ErrUnsupported for tables that this package must not touch. After
// an error that is not ErrConflict the outcome of Commit may be unknown: repeat it with the same export id.
//
// Glossary, all of it Iceberg's: data file, manifest (lists data files), snapshot (names manifests), tag (a lasting name
// of a snapshot), metadata file (names snapshots). "Export id" is ours: the identity of what was exported and how.
package catalog

import "github.com/snapexport/snapexport/datafile"

// FieldIDKey is the metadata key of the Iceberg field id on an Arrow field.
const FieldIDKey = datafile.FieldIDKey

// Metadata keys of the Arrow fields that [FromArrow] reads.
const (
	MilvusIDKey  = "milvus.field_id" // decimal; system columns have none
	MilvusDocKey = "milvus.doc"      // becomes the column's comment

	EncodingKey = "milvus.encoding" // of vectors that are bytes: how to decode them, as JSON
)

// Properties of tables and of snapshot summaries.
const (
	ExportIDProperty = "snapexport.export-id" // of a snapshot: what makes Commit repeatable
	MappingProperty  = "snapexport.mapping"   // of a snapshot: location of the object that says which rows its files hold
	FieldIDsProperty = "milvus.field-ids"     // of a table: a JSON object, column name to Milvus field id

	EncodingsProperty = "milvus.vector-encodings" // of a table with vectors that are bytes: a JSON object, column name to encoding
)

const op = "commit to table"

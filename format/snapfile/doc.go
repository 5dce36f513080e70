// Package snapfile reads and writes a snapshot's files: one metadata JSON, and one Avro record for each segment.
// It does no I/O.
//
// A snapshot is read in three steps: [DecodeMetadata] for the JSON, [DecodeSegment] for every path of its ManifestList
// with its FormatVersion, and [Assemble] to check that they belong together.
//
// Contract:
//   - Both decoders take untrusted bytes: they never panic, and what they allocate is bounded by a small multiple of the
//     input. Errors are of package fault and carry the offset; callers add the object's name with fault.Place.
//   - Every byte must be accounted for. An Avro record has neither a header nor its schema: read with the wrong version it
//     may look right and leave bytes over.
//   - Paths are handed out as recorded. They are not checked here; package describe does.
//   - What is decoded can be encoded again without loss, but for unknown JSON fields.
//
// Glossary:
//
//	format version  chooses the Avro schema: 1 to 5; the JSON has it
//	manifest        the Avro file of one segment
//	layout          where data files lie: in the cluster's tree, or below the snapshot's own directory (a bundle)
//	pin             a promise that the snapshot is in use and must not be dropped
//
// Source of the format facts: docs/format/snapshot.md.
package snapfile

import "path"

// Limits.
const (
	MaxMetadataBytes = 64 << 20 // of a metadata JSON
	MaxManifestBytes = 16 << 20 // of a segment's manifest
	MaxDepth         = 64       // of nested JSON
)

// Format versions.
const (
	OldestVersion = 1
	NewestVersion = 5
)

// MetadataKey returns the key of a snapshot's metadata JSON below root, ManifestKey that of a segment's manifest
// (docs/format/snapshot.md 1).
func MetadataKey(root string, collection, snapshot int64) string {
	return path.Join(root, "snapshots", decimal(collection), "metadata", decimal(snapshot)+".json")
}

// ManifestKey returns the key of a segment's manifest below root.
func ManifestKey(root string, collection, snapshot, segment int64) string {
	return path.Join(root, "snapshots", decimal(collection), "manifests", decimal(snapshot), decimal(segment)+".avro")
}

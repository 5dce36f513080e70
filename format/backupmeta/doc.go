// Package backupmeta reads the JSON that milvus-backup keeps in a backup's meta folder. It does no I/O.
//
// A backup has meta/full_meta.json ([Decode]); the same is in four files, one for each level, where the complete one is
// missing ([DecodeLevels]). Data files lie below binlogs/ of the backup's directory.
//
// Contract: input is untrusted. Errors are of package fault: what is not such JSON is fault.ErrCorrupt, a backup of another
// kind or a data type that is not known fault.ErrUnsupported.
//
// Quirks of the format, all of which are met in the wild:
//   - Values that are zero are left out: the first list of logs belongs to field 0 and does not say so, a segment without
//     deletes has one empty list.
//   - The field of a deltalog's list may be anything, the log's id included.
//   - Paths are those of the cluster that was backed up, see [Segment.InBackup].
//   - Row counts of single logs are not recorded, and system fields are not in the schema.
//   - A field's default is written in one of three ways.
//
// Glossary:
//
//	group  a number between partition and segment in a backup's paths; 0 = there is none
package backupmeta

// Limits.
const (
	MaxBytes = 256 << 20 // of one JSON file
	MaxDepth = 64
)

// Package gc removes files that nothing needs any more: of dropped segments and indexes, of snapshots that were abandoned, and
// what a crash left in the bucket.
//
// Contract:
//   - Nothing goes before a grace time: since the drop, or since the file was written where no drop is known. Who reads a list of
//     segments and then their files needs that time.
//   - Nothing goes that a snapshot needs: its segments' files and its index builds. Files are found first and snapshots asked
//     then; while not everything that they need is known, nothing of their collection goes.
//   - Of files that no metadata names, only those below insert_log, delta_log, stats_log, bm25_stats, index_files, text_log,
//     json_key_index_log and json_stats go, and only those whose keys have the form that Milvus gives them (docs/format/binlog-v1.md 7, docs/format/storage-v2-v3.md, docs/format/snapshot.md). Anything else is
//     somebody else's, but for temporary files that a killed process left in a local directory, and files that an export left
//     beside a snapshot's own table a day ago.
//   - Such files go only where the bucket's root belongs to this metadata: the first sweep marks a root in which there is
//     nothing that the metadata does not know. With metadata that was lost and begun anew, or beside a Milvus's own files,
//     nothing that is unknown is touched.
//   - Files go before the rows that name them, so that a crash loses neither. A dry run changes nothing.
//
// Glossary:
//
//	orphan  a file of a segment or of an index build that the metadata does not know
//	owner   the object that says to which metadata the files below the root belong
package gc

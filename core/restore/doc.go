// Package restore makes a new collection from a snapshot by copying files, byte for byte.
//
// [Service.Start] checks everything that a caller can be told at once, makes the target collection in state Creating (its
// name is taken, nobody sees it) and leaves a job. [Service.Run] works jobs off, also those that a former process left:
//
//	preparing (state None) -> Pending -> Executing -> Completed
//	                                  \-> Executing with a reason -> Failed
//
// Contract:
//   - The target is published whole, in one transaction that also makes the job Completed, or it is gone: the collection, its
//     rows, and every file that was copied for it.
//   - It equals the source in all but its name, aliases (it has none) and ids: new ones of the collection, partitions, segments,
//     indexes and index builds; ids of fields and of logs are kept.
//   - Every object is copied by the store and compared with its source by size and checksum (objstore.CopyChecked), and its
//     size with the one that metadata records, where that is known. Local files may instead share their blocks with the source or
//     be hard links to it ([Config].Means): then there are no bytes to compare. Links are safe within a store, as Milvus's
//     files are never written in place, and removing one name leaves the other.
//   - The files of a task are durable before it is recorded as done, and so before the target is published.
//   - The snapshot is pinned while a job needs it. Pins have a time to live and are renewed; the pin is gone before the job is
//     reported as ended.
//   - Progress never goes back, not even over a restart. Jobs can be asked for until three hours after their end.
//
// Where files go (docs/format/snapshot.md 4): logs keep the tail of their keys below the new ids; index files and statistics get a
// new build for each one of the source; of a V3 segment everything below its base path is copied but manifests newer than the
// snapshot's. Manifests name files relative to the base, so they are copied as they are, but for those of early 2026 that
// name deletes and statistics in full: these are written anew with the same content and relative paths (loon.Relative). Files of
// long texts, which the V3 segments of a partition share, go beside the new base once.
//
// Glossary:
//
//	task    up to 100 segments of a job: what is recorded as copied
//	plan    what the segments of a snapshot become, and which objects must be copied for it
package restore

// Package snapshot makes, lists, pins and drops snapshots of collections.
//
// A snapshot is metadata alone: which segments a collection has at one moment, and its schema. Making one writes a manifest
// for each segment and one JSON (format/snapfile), and copies no row:
//
//	create: row PENDING  -> manifests, JSON -> row COMMITTED
//	drop:   row DELETING -> files           -> row gone
//
// Contract:
//   - A snapshot exists if and only if its row is COMMITTED; every file of it is durable by then. The JSON says Pending for
//     ever, as Milvus's does.
//   - What a crash leaves (rows PENDING or DELETING, with some files) is seen by no one, and removed by [Service.Recover] or,
//     where files could not be removed, by whoever calls [Service.RemoveAbandoned].
//   - The segments and index builds of a snapshot are known to [Service.References] from before its first file is written,
//     and whoever removes files asks there. Until they are known after a start, the answer is that nothing may be removed.
//   - Names are unique within a collection. All methods may be called concurrently; equal names wait for each other.
//
// Times: create_ts is a TSO, compaction_expire_time Unix seconds, pin_expire_at_ms and pending_start_time Unix milliseconds
// (docs/format/snapshot.md 2).
//
// Glossary:
//
//	pin         a promise that someone uses a snapshot: it can't be dropped until the pin goes or expires
//	protection  until a moment, compaction leaves the snapshot's segments alone, so that they are not stored twice
//	abandoned   a snapshot that is not COMMITTED and that no one is working on
package snapshot

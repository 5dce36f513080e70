// Package engine keeps the rows of collections: it takes inserts, upserts and deletes into a log, flushes them into segments
// in Milvus's own formats, and answers queries and exact searches over all of them.
//
// Contract:
//   - A write is in the log, synced unless Config.NoFsync, before it returns, and is there wholly or not at all after a crash.
//   - [Engine.Flush] takes one timestamp for all shards and partitions of a collection. Everything at or before it is in files
//     when it returns, and all channels' checkpoints are that timestamp. Files are stored before one metastore.Commit
//     publishes them.
//   - Queries see every write that returned before they began, and never half of a write or of a flush. They return every live
//     row; where plain inserts gave one key several rows, all of these.
//   - Of a flushed segment nothing is read but its statistics where these say that no row has a key that a filter asks for.
//   - Arrays handed in and out are canonical (cell.Type) and never changed afterwards by either side.
//
// Errors that a client caused are status.Error; bad files are fault.Error.
//
// Glossary:
//
//	growing  rows in the log and in memory that no flush has put into files yet
//	block    rows of one partition and one shard: columns of equal length with their timestamps
//	shard    the rows whose key has one hash; it has a virtual channel
//	L0       a segment that holds nothing but deletes, for all segments of its channel and partition
package engine

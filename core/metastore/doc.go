// Package metastore keeps the core's metadata in etcd, embedded or a cluster's, in Milvus's own keys and messages
// (docs/format/etcd.md), with a copy in memory. It allocates ids and timestamps.
//
// Contract:
//   - There is one writer. [Open] refuses a directory that another process has, and a cluster in which a session of a server
//     lives; every transaction compares that this store's own session is still there. Metadata that something else than this
//     package began is refused: see [Config].
//   - Readers get immutable values from memory and never wait for etcd. Nobody changes a value that the store handed out, or
//     one that was handed to it.
//   - A mutation goes to etcd first, then into memory, at once. It is there whole after a crash at any point, or not at all:
//     what one transaction does not hold (128 operations, 1.5 MB) is written as rows that no reader counts, then one key decides.
//     [Open] finishes what was decided and removes what was not.
//   - Contexts are looked at before a mutation and between the transactions that prepare it. A decision is not interrupted.
//   - After an error of etcd the outcome of a mutation is unknown; the next one reads everything again first.
//   - Errors that clients see are package status's; all others are package fault's.
//
// Glossary:
//
//	shelf     a collection in memory, with its rows' messages and its visible segments
//	staged    written, but counted by no reader: a segment in state Importing, an index in state InProgress
//	record    the one key of a large change, which lists what was staged for it (docs/format/etcd.md 10)
//	mark      what an allocator stays below until it has written a greater one
package metastore

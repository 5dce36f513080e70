// Package etcdmeta reads and writes a Milvus cluster's metadata as it lies in etcd: keys and protobuf values. It does no
// I/O: rows come in from an iterator, which a live etcd (at one revision) or [ReadDump] feeds.
//
// Reading: [Load] sorts rows by collection without decoding most of them; [Catalog.Collection] decodes one collection with
// its live segments. Writing: [Keys] builds keys, [CollectionRows] and [SegmentRows] build rows in the order in which they
// must be put.
//
// Contract:
//   - Only live rows are shown, by the rules of docs/format/etcd.md 7: collections and partitions in state Created,
//     segments that are neither dropped nor importing nor the unpublished output of a compaction.
//   - A row that contradicts another one is fault.ErrCorrupt. A cluster changes its metadata in several transactions, so a
//     read may catch it between two of them: such errors are also [ErrTorn], and reading again at a newer revision helps.
//   - Paths of files are rebuilt from log ids unless they are recorded. With a manifest path, deletes are in the manifest
//     and their logs keep an empty key.
//   - Rows below credential/ and session/ are never decoded, and [Prefixes] does not name them: do not read them.
//   - Values are retained: an iterator must not reuse them.
//
// Glossary:
//
//	row        a key with its value
//	twin       a copy of a root-coord row below snapshots/, with a timestamp in its key; ignored
//	tombstone  a value of three bytes that stands for "deleted"
//	growing    a segment that may hold rows which are in no file yet
//	root       what every key of one cluster's metadata begins with: "by-dev/meta"
package etcdmeta

import "errors"

// DefaultRoot is the root of a cluster with default settings. Helm installations have the release's name in place of
// "by-dev".
const DefaultRoot = "by-dev/meta"

// MaxRowBytes bounds a row's value. etcd itself takes 1.5 MiB unless told otherwise.
const MaxRowBytes = 4 << 20

// ErrTorn is the cause of errors that reading again may cure: a change was seen half applied.
var ErrTorn = errors.New("read in the middle of a change")

const tornHint = "read the metadata again, at a newer revision"

// KV is a row.
type KV struct {
	Key   string
	Value []byte
}

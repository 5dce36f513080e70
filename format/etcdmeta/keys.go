package etcdmeta

import (
	"path"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/milvus"
)

// kind is a table of rows.
type kind int

const (
	kindDatabase kind = iota
	kindCollection
	kindLegacyCollection
	kindField
	kindFunction
	kindStruct
	kindPartition
	kindAlias
	kindLegacyAlias
	kindOldestAlias
	kindSegment
	kindBinlog
	kindDeltalog
	kindStatslog
	kindBM25log
	kindCheckpoint
	kindIndex
	kindSegmentIndex
	kindSnapshot
	kindCopyJob
	kindCopyTask
)

// table says what a kind's keys look like after the root: the prefix, ids, and perhaps a name (docs/format/etcd.md 2).
type table struct {
	prefix string
	ids    int
	named  bool
}

var tables = [...]table{
	kindDatabase:         {"root-coord/database/db-info/", 1, false},
	kindCollection:       {"root-coord/database/collection-info/", 2, false},
	kindLegacyCollection: {"root-coord/collection/", 1, false},
	kindField:            {"root-coord/fields/", 2, false},
	kindFunction:         {"root-coord/functions/", 2, false},
	kindStruct:           {"root-coord/struct-array-fields/", 2, false},
	kindPartition:        {"root-coord/partitions/", 2, false},
	kindAlias:            {"root-coord/database/aliases/", 1, true},
	kindLegacyAlias:      {"root-coord/aliases/", 0, true},
	kindOldestAlias:      {"root-coord/collection-alias/", 0, true},
	kindSegment:          {"datacoord-meta/s/", 3, false},
	kindBinlog:           {"datacoord-meta/binlog/", 4, false},
	kindDeltalog:         {"datacoord-meta/deltalog/", 4, false},
	kindStatslog:         {"datacoord-meta/statslog/", 4, false},
	kindBM25log:          {"datacoord-meta/bm25log/", 4, false},
	kindCheckpoint:       {"datacoord-meta/channel-cp/", 0, true},
	kindIndex:            {"field-index/", 2, false},
	kindSegmentIndex:     {"segment-index/", 4, false},
	kindSnapshot:         {"datacoord-meta/snapshot/", 2, false},
	kindCopyJob:          {"datacoord-meta/copy-segment-job/", 1, false},
	kindCopyTask:         {"datacoord-meta/copy-segment-task/", 1, false},
}

// Prefixes returns the key prefixes that hold what [Load] reads, in the order in which a live cluster should be read: all
// at the same revision. There is nothing below them that should not be read.
func Prefixes(root string) []string {
	out := make([]string, len(tables))
	for i, t := range tables {
		out[i] = root + "/" + t.prefix
	}
	return out
}

// address is a key taken apart.
type address struct {
	kind kind
	ids  [4]int64
	name string
}

// parse takes apart a key without its root. known is false for tables that are not read; ok is false if the rest of the
// key is not what the table's keys have.
func parse(rel string) (a address, known, ok bool) {
	for k, t := range tables {
		rest, found := strings.CutPrefix(rel, t.prefix)
		if !found {
			continue
		}
		a.kind = kind(k)
		for i := range t.ids {
			part, tail, more := strings.Cut(rest, "/")
			id, err := strconv.ParseInt(part, 10, 64)
			last := i == t.ids-1 && !t.named
			if err != nil || more == last {
				return a, true, false
			}
			a.ids[i], rest = id, tail
		}
		a.name = rest
		return a, true, t.named == (rest != "")
	}
	return a, false, false
}

// forbidden tells rows with secrets and leases, whose values are never looked at.
func forbidden(key string) bool {
	return strings.Contains(key, "/credential/") || strings.Contains(key, "/privilege-group/") || strings.Contains(key, "/session/")
}

// Keys builds keys below a root.
type Keys struct{ Root string }

func (k Keys) build(kd kind, parts ...any) string {
	var b strings.Builder
	b.WriteString(k.Root)
	b.WriteByte('/')
	b.WriteString(strings.TrimSuffix(tables[kd].prefix, "/"))
	for _, p := range parts {
		b.WriteByte('/')
		switch p := p.(type) {
		case int64:
			b.WriteString(strconv.FormatInt(p, 10))
		case string:
			b.WriteString(p)
		}
	}
	return b.String()
}

// The keys of rows of root-coord.
func (k Keys) Database(id milvus.DatabaseID) string { return k.build(kindDatabase, int64(id)) }
func (k Keys) Collection(db milvus.DatabaseID, c milvus.CollectionID) string {
	return k.build(kindCollection, int64(db), int64(c))
}
func (k Keys) Field(c milvus.CollectionID, f milvus.FieldID) string {
	return k.build(kindField, int64(c), int64(f))
}
func (k Keys) Function(c milvus.CollectionID, id int64) string {
	return k.build(kindFunction, int64(c), id)
}
func (k Keys) StructArray(c milvus.CollectionID, f milvus.FieldID) string {
	return k.build(kindStruct, int64(c), int64(f))
}
func (k Keys) Partition(c milvus.CollectionID, p milvus.PartitionID) string {
	return k.build(kindPartition, int64(c), int64(p))
}
func (k Keys) Alias(db milvus.DatabaseID, alias string) string {
	return k.build(kindAlias, int64(db), alias)
}

// The keys of rows of data-coord.
func (k Keys) Segment(c milvus.CollectionID, p milvus.PartitionID, s milvus.SegmentID) string {
	return k.build(kindSegment, int64(c), int64(p), int64(s))
}
func (k Keys) log(kd kind, s *segmentID, f int64) string {
	return k.build(kd, s.collection, s.partition, s.segment, f)
}
func (k Keys) Checkpoint(channel string) string { return k.build(kindCheckpoint, channel) }
func (k Keys) Index(c milvus.CollectionID, id milvus.IndexID) string {
	return k.build(kindIndex, int64(c), int64(id))
}
func (k Keys) SegmentIndex(c milvus.CollectionID, p milvus.PartitionID, s milvus.SegmentID, b milvus.BuildID) string {
	return k.build(kindSegmentIndex, int64(c), int64(p), int64(s), int64(b))
}
func (k Keys) Snapshot(c milvus.CollectionID, id milvus.SnapshotID) string {
	return k.build(kindSnapshot, int64(c), int64(id))
}
func (k Keys) CopyJob(id int64) string  { return k.build(kindCopyJob, id) }
func (k Keys) CopyTask(id int64) string { return k.build(kindCopyTask, id) }

// Snapshots is the prefix of a collection's snapshot rows, CopyJobs and CopyTasks those of all jobs and tasks.
func (k Keys) Snapshots(c milvus.CollectionID) string {
	return k.build(kindSnapshot, int64(c)) + "/"
}
func (k Keys) CopyJobs() string  { return k.build(kindCopyJob) + "/" }
func (k Keys) CopyTasks() string { return k.build(kindCopyTask) + "/" }

// Sessions is the prefix of keys that exist only while a server runs; who writes must refuse where there are any.
func (k Keys) Sessions() string { return k.Root + "/session/" }

// cluster is what the keys of one cluster begin with, of which the root is a part.
func (k Keys) cluster() string {
	if dir := path.Dir(k.Root); dir != "." {
		return dir + "/"
	}
	return ""
}

// TimestampMark and IDMark are the keys of the allocators' marks, which lie beside the root (docs/format/etcd.md 9).
func (k Keys) TimestampMark() string { return k.cluster() + "kv/gid/timestamp" }
func (k Keys) IDMark() string        { return k.cluster() + "kv/gid/idTimestamp" }

// Own is the prefix of keys that Milvus does not know, beside the root as well.
func (k Keys) Own() string { return k.cluster() + "snapexport/" }

// SegmentLogs are the prefixes of the rows of one segment's logs, of every kind. Its own row and index rows are not
// among them.
func (k Keys) SegmentLogs(c milvus.CollectionID, p milvus.PartitionID, s milvus.SegmentID) []string {
	var out []string
	for _, kd := range []kind{kindBinlog, kindDeltalog, kindStatslog, kindBM25log} {
		out = append(out, k.build(kd, int64(c), int64(p), int64(s))+"/")
	}
	return out
}

// SegmentIndexes is the prefix of the rows of one segment's indexes.
func (k Keys) SegmentIndexes(c milvus.CollectionID, p milvus.PartitionID, s milvus.SegmentID) string {
	return k.build(kindSegmentIndex, int64(c), int64(p), int64(s)) + "/"
}

// Declarations are the prefixes of what says what a collection is, but for its own row: partitions, fields, struct arrays,
// functions and indexes.
func (k Keys) Declarations(c milvus.CollectionID) []string {
	var out []string
	for _, kd := range []kind{kindPartition, kindField, kindStruct, kindFunction, kindIndex} {
		out = append(out, k.build(kd, int64(c))+"/")
	}
	return out
}

// Children are the prefixes of everything that belongs to a collection, but for its own row, its aliases, its checkpoints
// and its snapshots. Who drops a collection deletes them first.
func (k Keys) Children(c milvus.CollectionID) []string {
	var out []string
	for _, kd := range []kind{kindPartition, kindField, kindStruct, kindFunction, kindBinlog, kindDeltalog, kindStatslog,
		kindBM25log, kindSegmentIndex, kindSegment, kindIndex} {
		out = append(out, k.build(kd, int64(c))+"/")
	}
	return out
}

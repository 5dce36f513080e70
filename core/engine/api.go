package engine

import (
	"log/slog"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/milvus"
)

// Config is what an engine needs beside its stores.
type Config struct {
	Dir            string // the log lies below Dir/wal
	Root           string // key prefix of files, without slashes at its ends; "" is "files"
	StorageVersion int64  // of new segments: milvus.StorageV1, StorageV2 or StorageV3
	NoFsync        bool   // the log is not synced: a crash of the machine may lose writes, one of the process does not
	FlushBytes     int64  // growing rows of a collection that are flushed without being asked; 0 is 64 MiB
	CacheBytes     int64  // decoded rows of flushed segments that are kept; 0 is 256 MiB
	ResultBytes    int64  // the rows of one answer, in memory; 0 is 100 MiB, Milvus's default
	SegmentBytes   int64  // the size in memory up to which compaction merges segments; 0 is 256 MiB

	Now func() time.Time // required
	Log *slog.Logger     // nil: nothing is logged
	// Fault is asked at each point of a write that a crash could split ("wal:append", "flush:files", ...); its error ends the
	// operation there. nil in production.
	Fault func(point string) error
	// Protected reports whether compaction must leave a segment alone. nil: none is.
	Protected func(milvus.SegmentID) bool
}

// Spec says what collection to create.
type Spec struct {
	Database string // "" is "default"
	// Schema is as the user declared it: without ids, system fields and $meta. EnableDynamic asks for the dynamic field.
	Schema           milvus.Schema
	Shards           int // 0 is 1
	Partitions       int // of a collection with a partition key; 0 is 16
	ConsistencyLevel int32
	Properties       []milvus.KeyValue
}

// Rows are rows of a collection as columns.
type Rows struct {
	Count   int
	Columns map[milvus.FieldID]arrow.Array // canonical arrays of Count rows; members of struct arrays under their own ids
}

// Result is what a write did.
type Result struct {
	IDs       arrow.Array // Int64 or String: keys of the rows that were inserted, in order; of a delete, the keys if it named them, else nil
	Count     int64       // rows inserted; of a delete, keys that were named or rows that matched
	Deleted   int64       // of an upsert: keys whose older rows, if any, it replaced
	Timestamp milvus.Timestamp
}

// Flushed is what a flush did.
type Flushed struct {
	Timestamp milvus.Timestamp   // everything at or before it is in files
	Segments  []milvus.SegmentID // new ones, L0 included; none if nothing was growing
}

// Query asks for live rows.
type Query struct {
	Filter     string         // "" selects all
	Values     map[string]any // of template variables in Filter, see filter.Options
	Partitions []string       // names; nil: all
	Fields     []milvus.FieldID
	Limit      int64 // 0: no limit
	Offset     int64
	Count      bool // only Rows.Count is wanted; Limit and Offset do not count then
}

// Search asks for the live rows nearest to each of some vectors.
type Search struct {
	Field   milvus.FieldID
	Vectors arrow.Array // canonical array of the field's type: one row per query vector
	// Metric is L2, IP, COSINE, HAMMING or JACCARD; "" is that of the field's index, else the type's usual one.
	Metric     string
	Filter     string
	Values     map[string]any
	Partitions []string
	Fields     []milvus.FieldID // of Hits.Rows
	Limit      int64            // hits per vector, at least 1
	Offset     int64
	// Radius and RangeFilter bound the scores, as Milvus's range search does: hits are beyond Radius' better side (exclusive) and
	// not better than RangeFilter (inclusive). nil: no bound.
	Radius, RangeFilter *float64
}

// Hits are the rows nearest to one vector, nearest first. Scores are Milvus's: L2 squared, IP, cosine, differing bits, or the
// Jaccard distance.
type Hits struct {
	IDs    arrow.Array // Int64 or String
	Scores []float32
	Rows   Rows
}

// IndexSpec says what index to create.
type IndexSpec struct {
	Field      milvus.FieldID
	Name       string // "" is the field's name
	UserParams []milvus.KeyValue
}

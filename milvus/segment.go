package milvus

// SegmentLevel tells delete-only segments from those with rows.
type SegmentLevel int32

const (
	LevelLegacy SegmentLevel = 0 // before levels existed; as L1
	LevelL0     SegmentLevel = 1 // deletes only
	LevelL1     SegmentLevel = 2
	LevelL2     SegmentLevel = 3
)

// Storage versions of a segment (SegmentInfo.storage_version). 1 was never written.
const (
	StorageV1 = 0 // one event-framed binlog per field and flush
	StorageV2 = 2 // packed Parquet column groups
	StorageV3 = 3 // a manifest (Loon)
)

// FileRef names one object. As read from metadata, Bucket is empty and Key is the path as recorded there, in any of its
// forms; describe resolves it: Bucket becomes the URI of a store ("s3://name", "file:///dir") and Key the object's key in it.
type FileRef struct {
	Bucket string
	Key    string
}

// String returns the URI of a resolved reference, or the path as recorded.
func (r FileRef) String() string {
	if r.Bucket == "" {
		return r.Key
	}
	return r.Bucket + "/" + r.Key
}

// Binlog is one file of a field, a column group, deletes or statistics.
type Binlog struct {
	File       FileRef
	LogID      LogID
	Entries    int64     // rows or deletes; 0 may mean unknown for statistics
	First      int64     // V3: rows of the file that come before the Entries that belong to the segment
	From, To   Timestamp // bounds of the entries' timestamps; 0 means unknown
	Size       int64     // bytes as recorded; releases up to 2.3 recorded the size in memory
	MemorySize int64     // bytes; 0 means unknown
}

// FieldBinlog lists the files of one field (V1), one column group (V2), or of a segment's deletes.
type FieldBinlog struct {
	Field       FieldID   // field or group id; meaningless for deletes
	ChildFields []FieldID // V2: the columns of the group; empty in the oldest metadata
	Format      string    // V2: "parquet" or empty; V1: empty
	Binlogs     []Binlog
}

// Position is a place in a channel's message stream.
type Position struct {
	Channel   string
	MessageID []byte
	Group     string
	Timestamp Timestamp
	WAL       int32
}

// IndexFiles are the files of one index over one segment.
type IndexFiles struct {
	Field            FieldID
	Index            IndexID
	Build            BuildID
	Name             string
	Params           []KeyValue
	Files            []FileRef
	SerializedSize   int64
	Version          int64
	Rows             int64
	CurrentVersion   int32
	MemorySize       int64
	ScalarVersion    int32
	StorePathVersion int32
}

// TextIndex and JSON key statistics of one field of a segment; JSONFormat is 0 for text.
type FieldStats struct {
	Field      FieldID
	Version    int64
	Files      []FileRef
	LogSize    int64
	MemorySize int64
	Build      BuildID
	JSONFormat int64
}

// LOBFile is a file of long texts, of which the values of a V3 TEXT field are references.
type LOBFile struct {
	Field FieldID
	File  FileRef
	Rows  int64 // texts in it that are in use; those of other segments of the partition may be among them
	Total int64 // rows of the file
}

// Segment is one segment with all of its files.
type Segment struct {
	ID             SegmentID
	Collection     CollectionID
	Partition      PartitionID // AllPartitions for some L0 segments
	Level          SegmentLevel
	Channel        string // virtual channel; "" if the source does not say
	Rows           int64  // deleted rows included
	StorageVersion int64
	Sorted         bool // by primary key
	Start, DML     Position

	// CommitTimestamp, if not 0, is when all rows of an imported segment came into being, whatever their own timestamps say.
	CommitTimestamp Timestamp
	// DeleteApplyStart: L0 deletes at or before it do not apply to this segment.
	DeleteApplyStart Timestamp

	Binlogs   []FieldBinlog
	Deltalogs []FieldBinlog
	Statslogs []FieldBinlog
	BM25logs  []FieldBinlog

	Indexes     []IndexFiles
	TextIndexes []FieldStats
	JSONStats   []FieldStats

	// LOBs are the files of long texts that a V3 manifest lists. Older ones list none: then LOBsListed is false.
	LOBs       []LOBFile
	LOBsListed bool

	// ManifestPath is a plain path (V2, optional) or JSON text {"ver":N,"base_path":...} (V3); "" if there is none.
	ManifestPath string
}

// IsL0 reports whether the segment holds nothing but deletes.
func (s *Segment) IsL0() bool { return s.Level == LevelL0 }

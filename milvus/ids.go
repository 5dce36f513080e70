package milvus

// Ids are types, so that a column position can't be taken for a field id.
type (
	DatabaseID   int64
	CollectionID int64
	PartitionID  int64
	SegmentID    int64
	FieldID      int64
	LogID        int64
	SnapshotID   int64
	IndexID      int64
	BuildID      int64
)

// AllPartitions is the partition of an L0 segment whose deletes apply to every partition.
const AllPartitions PartitionID = -1

// System fields, present in every segment, and the first id of a user's field.
const (
	RowIDField     FieldID = 0
	TimestampField FieldID = 1
	FirstUserField FieldID = 100
)

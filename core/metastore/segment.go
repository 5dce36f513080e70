package metastore

import (
	"time"

	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// Segment is a segment with the state that its row gives it. Values that the store handed out are never changed.
type Segment struct {
	milvus.Segment
	State          pb.SegmentState // Flushed, Dropped, Importing (seen by nobody)
	CompactionFrom []milvus.SegmentID
	DroppedAt      time.Time // zero unless Dropped
}

// Change becomes visible all at once, in memory and after a crash.
type Change struct {
	Collection  milvus.CollectionID
	Add         []*Segment         // new segments with all of their files and indexes; they become Flushed
	Drop        []milvus.SegmentID // visible segments that become Dropped: a compaction's inputs
	Checkpoints []milvus.Position  // of channels of the collection
	Indexes     map[milvus.SegmentID][]milvus.IndexFiles
}

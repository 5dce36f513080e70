package describe

import (
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
)

// Kind says what a snapshot was read from.
type Kind string

// The kinds of sources.
const (
	KindSnapshot Kind = "snapshot" // a snapshot's metadata JSON and manifests
	KindEtcd     Kind = "etcd"     // a cluster's metadata, live or dumped
	KindBackup   Kind = "backup"   // a directory written by milvus-backup
)

// Layout says where a snapshot's data files are.
type Layout = snapfile.Layout

// Location is where a source's metadata was found.
type Location struct {
	Bucket string // URI of the store: "s3://name", "file:///dir"; of an etcd source, the URI of its storage
	Key    string // key of the metadata JSON or of the backup's directory; "" for etcd
	URI    string // what to show: the complete address
}

// Snapshot is a consistent set of segments with the collection they belong to.
type Snapshot struct {
	Source      string // as the user named it, without secrets
	Kind        Kind
	Name        string // "" where the source has none (etcd)
	ID          milvus.SnapshotID
	Description string

	// CreateTS is the instant that the snapshot shows; 0 where the source has none (etcd, backup).
	CreateTS milvus.Timestamp

	Collection milvus.Collection
	Location   Location

	// Root is the key prefix, without a slash at its end, below which the snapshot's own files lie; "" is the whole store.
	Root string

	FormatVersion int // of a snapshot's files, 1 to 5; 0 for other kinds
	Layout        Layout

	// Segments are sorted by id. Every FileRef is resolved: Bucket is a store's URI, Key a key in it, and the path was
	// checked; V3's placeholders have empty ones. ManifestPath is as recorded: ask [Snapshot.Manifest].
	Segments []milvus.Segment

	Indexes []milvus.Index

	// Growing are segments whose rows are not, or not all, in files (etcd only).
	Growing []milvus.SegmentID

	Warnings []Warning

	paths *Resolver
}

// Segment returns the segment with the id.
func (s *Snapshot) Segment(id milvus.SegmentID) (*milvus.Segment, bool) {
	for i := range s.Segments {
		if s.Segments[i].ID == id {
			return &s.Segments[i], true
		}
	}
	return nil, false
}

// The kinds of warnings that describe gives. Readers and exports add their own.
const (
	WarnEmptySegment = "empty segment"       // a segment without rows
	WarnUnknownField = "field not in schema" // a segment has files of a field that was dropped
	WarnGrowing      = "growing segment"     // rows that are not in files are left out

	WarnUnreadable       = "unreadable metadata" // a file among others that does not parse
	WarnCompaction       = "compaction pair"     // input and output of a compaction were both live; the input was left out
	WarnHidden           = "hidden segment"      // being imported, or the output of a compaction that is not finished
	WarnLatestManifest   = "latest manifest"     // metadata names no version of a V3 segment's manifest
	WarnUnknownPartition = "unknown partition"   // a segment of a partition that has no name
)

// Warning is something that a reader of the report should know and that does not stop an export.
type Warning struct {
	Kind    string           `json:"kind"`
	Segment milvus.SegmentID `json:"segment,omitempty"`
	Message string           `json:"message"`
}

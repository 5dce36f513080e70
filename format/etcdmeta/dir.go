package etcdmeta

import "github.com/snapexport/snapexport/milvus"

func idOf(s *milvus.Segment) segmentID {
	return segmentID{int64(s.Collection), int64(s.Partition), int64(s.ID)}
}

// IndexDir returns the folder, below a root path, of the files of a segment's index.
func IndexDir(root string, s *milvus.Segment, x *milvus.IndexFiles) string {
	return idOf(s).indexDir(root, x)
}

// StatsDir returns the folder, below a root path, of a text index (json false) or of the JSON key statistics of one field of
// a segment.
func StatsDir(root string, s *milvus.Segment, f *milvus.FieldStats, json bool) string {
	return idOf(s).statsDir(root, f, json)
}

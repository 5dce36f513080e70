package etcdmeta

import (
	"path"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// segmentID is what the keys and paths of a segment have in common.
type segmentID struct{ collection, partition, segment int64 }

func decimals(ids ...int64) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.FormatInt(id, 10)
	}
	return out
}

func join(root, folder string, ids ...int64) string {
	return path.Join(append([]string{root, folder}, decimals(ids...)...)...)
}

var logFolders = map[kind]string{
	kindBinlog: "insert_log", kindDeltalog: "delta_log", kindStatslog: "stats_log", kindBM25log: "bm25_stats",
}

// logDir is the folder of a field's logs (docs/format/binlog-v1.md 7). Deltalogs have no field.
func (s segmentID) logDir(root string, kd kind, field int64) string {
	if kd == kindDeltalog {
		return join(root, logFolders[kd], s.collection, s.partition, s.segment)
	}
	return join(root, logFolders[kd], s.collection, s.partition, s.segment, field)
}

// indexDir is the folder of an index's files; the newer form begins with the collection.
func (s segmentID) indexDir(root string, x *milvus.IndexFiles) string {
	if x.StorePathVersion == int32(pb.IndexStorePathVersion_INDEX_STORE_PATH_VERSION_COLLECTION) {
		return join(root, "index_files", s.collection, s.partition, s.segment, int64(x.Build), x.Version)
	}
	return join(root, "index_files", int64(x.Build), x.Version, s.partition, s.segment)
}

// statsDir is the folder of a text index (json false) or of JSON key statistics (docs/format/snapshot.md 4).
func (s segmentID) statsDir(root string, f *milvus.FieldStats, json bool) string {
	tail := []int64{int64(f.Build), f.Version, s.collection, s.partition, s.segment, int64(f.Field)}
	switch {
	case !json:
		return join(root, "text_log", tail...)
	case f.JSONFormat < 2:
		return join(root, "json_key_index_log", tail...)
	}
	return join(root, "json_stats", append([]int64{f.JSONFormat}, tail...)...)
}

// fillPaths gives every log without a path the one of its template.
func (s segmentID) fillPaths(root string, kd kind, list []milvus.FieldBinlog) error {
	for i := range list {
		f := &list[i]
		dir := s.logDir(root, kd, int64(f.Field))
		for j := range f.Binlogs {
			b := &f.Binlogs[j]
			if b.File.Key != "" {
				continue
			}
			if b.LogID <= 0 {
				return fault.Corrupt(opRead, "segment %d: log %d of field %d has neither a path nor an id", s.segment, j, f.Field)
			}
			b.File.Key = dir + "/" + strconv.FormatInt(int64(b.LogID), 10)
		}
	}
	return nil
}

// under puts the folder before file names that lack it.
func under(dir string, files []milvus.FileRef) {
	for i := range files {
		if !strings.HasPrefix(files[i].Key, dir+"/") {
			files[i].Key = dir + "/" + files[i].Key
		}
	}
}

// shorten is the inverse of fillPaths for a message: etcd holds ids, not paths.
func (s segmentID) shorten(root string, kd kind, list []*pb.FieldBinlog) error {
	for _, f := range list {
		dir := s.logDir(root, kd, f.GetFieldID())
		for _, b := range f.GetBinlogs() {
			if b.LogPath == "" {
				continue
			}
			id, ok := strings.CutPrefix(b.LogPath, dir+"/")
			n, err := strconv.ParseInt(id, 10, 64)
			if !ok || err != nil || n <= 0 || b.LogID != 0 && b.LogID != n {
				return fault.Corrupt(opWrite, "segment %d: the path %q is not below %q with the log's id %d", s.segment, b.LogPath, dir, b.LogID)
			}
			b.LogID, b.LogPath = n, ""
		}
	}
	return nil
}

func shortenFiles(dir string, files []string) []string {
	out := make([]string, len(files))
	for i, f := range files {
		out[i] = strings.TrimPrefix(f, dir+"/")
	}
	return out
}

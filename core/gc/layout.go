package gc

import (
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/milvus"
)

// folders are those in which orphans are looked for.
var folders = []string{"insert_log", "delta_log", "stats_log", "bm25_stats", "index_files", "text_log", "json_key_index_log", "json_stats"}

// place is what a file's key says. A file of an index may be read in two ways: as of either form of keys.
type place struct {
	collection milvus.CollectionID // 0: not in the key
	partition  milvus.PartitionID
	segments   []milvus.SegmentID // whose file it may be
	builds     []milvus.BuildID   // of indexes
	stays      bool               // with its segment as well as with its build
	lob        bool               // a file of long texts, which a partition's segments share
}

// parse takes a key below a folder apart (docs/format/binlog-v1.md 7, docs/format/storage-v2-v3.md 1). ok is false for names that are not Milvus's.
func parse(folder, rest string) (p place, ok bool) {
	parts := strings.Split(rest, "/")
	switch folder {
	case "index_files":
		return parseIndex(parts)
	case "text_log", "json_key_index_log":
		return parseStats(parts)
	case "json_stats": // below the number of their format
		format, rest := leading(parts, 1)
		if len(format) == 0 {
			return p, false
		}
		return parseStats(rest)
	}
	ids, tail := leading(parts, 3)
	if folder == "insert_log" && len(ids) == 2 && len(tail) == 4 && tail[0] == "lobs" && tail[2] == "_data" {
		_, err := strconv.ParseInt(tail[1], 10, 64)
		return place{collection: milvus.CollectionID(ids[0]), partition: milvus.PartitionID(ids[1]), lob: true}, err == nil
	}
	if len(ids) < 3 || len(tail) == 0 {
		return p, false
	}
	p = place{collection: milvus.CollectionID(ids[0]), partition: milvus.PartitionID(ids[1]), segments: []milvus.SegmentID{milvus.SegmentID(ids[2])}}
	if folder == "insert_log" && sections[tail[0]] && len(tail) > 1 { // V3
		return p, true
	}
	want := 2 // field, log
	if folder == "delta_log" {
		want = 1
	}
	logs, more := leading(tail, want)
	return p, len(logs) == want && len(more) == 0
}

// sections are the folders below the base of a V3 segment.
var sections = map[string]bool{"_data": true, "_delta": true, "_stats": true, "_index": true, "_metadata": true}

// parseIndex reads build/version/partition/segment/file and collection/partition/segment/build/version/file.
func parseIndex(parts []string) (p place, ok bool) {
	ids, tail := leading(parts, 5)
	if len(ids) < 4 || len(parts) < 5 || len(parts) > 6 || len(ids)+len(tail) != len(parts) {
		return p, false
	}
	if len(parts) == 5 {
		return place{builds: []milvus.BuildID{milvus.BuildID(ids[0])}, segments: []milvus.SegmentID{milvus.SegmentID(ids[3])}}, true
	}
	if len(ids) < 5 {
		return p, false
	}
	return place{
		collection: milvus.CollectionID(ids[0]), builds: []milvus.BuildID{milvus.BuildID(ids[0]), milvus.BuildID(ids[3])},
		segments: []milvus.SegmentID{milvus.SegmentID(ids[2]), milvus.SegmentID(ids[3])},
	}, true
}

// parseStats reads build/version/collection/partition/segment/field/file of an index over text or JSON; files may lie in folders.
func parseStats(parts []string) (p place, ok bool) {
	ids, tail := leading(parts, 6)
	if len(ids) < 6 || len(tail) == 0 {
		return p, false
	}
	return place{
		collection: milvus.CollectionID(ids[2]), partition: milvus.PartitionID(ids[3]), stays: true,
		builds: []milvus.BuildID{milvus.BuildID(ids[0])}, segments: []milvus.SegmentID{milvus.SegmentID(ids[4])},
	}, true
}

// leading reads up to n ids at the beginning; only a partition's may be negative.
func leading(parts []string, n int) (ids []int64, tail []string) {
	for len(parts) > 0 && len(ids) < n {
		id, err := strconv.ParseInt(parts[0], 10, 64)
		if err != nil || id < -1 || strconv.FormatInt(id, 10) != parts[0] {
			break
		}
		ids, parts = append(ids, id), parts[1:]
	}
	return ids, parts
}

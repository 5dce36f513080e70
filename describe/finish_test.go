package describe

import (
	"errors"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// No row of an insert log counts twice. Ranges of one file are not the same rows.
func TestListedTwice(t *testing.T) {
	log := func(key string, first, rows int64) milvus.Binlog {
		return milvus.Binlog{File: milvus.FileRef{Bucket: "b", Key: key}, First: first, Entries: rows}
	}
	segment := func(version int64, logs ...milvus.Binlog) *milvus.Segment {
		return &milvus.Segment{ID: 1, StorageVersion: version, Binlogs: []milvus.FieldBinlog{{Field: 0, Binlogs: logs}}}
	}
	for _, c := range []struct {
		name  string
		twice bool
		segs  []*milvus.Segment
	}{
		{"two files", false, []*milvus.Segment{segment(milvus.StorageV2, log("a", 0, 5), log("b", 0, 5))}},
		{"one file of V1", true, []*milvus.Segment{segment(milvus.StorageV1, log("a", 0, 0), log("a", 0, 0))}},
		{"one file of V2", true, []*milvus.Segment{segment(milvus.StorageV2, log("a", 0, 5), log("a", 0, 5))}},
		{"ranges", false, []*milvus.Segment{segment(milvus.StorageV3, log("a", 0, 5), log("b", 0, 9), log("a", 5, 5))}},
		{"ranges with a row in common", true, []*milvus.Segment{segment(milvus.StorageV3, log("a", 0, 6), log("a", 5, 5))}},
		{"one file of V3", true, []*milvus.Segment{segment(milvus.StorageV3, log("a", 0, 5), log("a", 0, 5))}},
		{"two segments", true, []*milvus.Segment{segment(milvus.StorageV3, log("a", 0, 5)), segment(milvus.StorageV2, log("a", 0, 5))}},
		{"placeholders", false, []*milvus.Segment{segment(milvus.StorageV3, log("", 0, 5), log("", 0, 5))}},
	} {
		files := map[milvus.FileRef]listing{}
		var err error
		for _, s := range c.segs {
			err = errors.Join(err, checkTwice(files, s))
		}
		if errors.Is(err, fault.ErrCorrupt) != c.twice {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

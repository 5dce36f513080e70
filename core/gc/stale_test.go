package gc

import (
	"errors"
	"testing"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/milvus"
)

// TestUnknownOutcome keeps the files of a change that etcd took although its answer was lost: memory does not show it before
// everything was read again.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost := errors.New("the answer was lost")
	w.fault = func(point string) error {
		if point == "change:after-commit" {
			return lost
		}
		return nil
	}
	key := w.write("files/insert_log/100/201/1001/100/7")
	seg := milvus.Segment{
		ID: 1001, Collection: 100, Partition: 201, Level: milvus.LevelL1, Channel: "dml_0_100v0", Rows: 1,
		Binlogs: []milvus.FieldBinlog{{Field: 100, Binlogs: []milvus.Binlog{{File: milvus.FileRef{Key: key}, LogID: 7, Size: 1}}}},
	}
	if err := w.store.Commit(ctx, metastore.Change{Collection: 100, Add: []*metastore.Segment{{Segment: seg}}}); !errors.Is(err, lost) {
		t.Fatalf("Commit: %v", err)
	}
	w.fault = nil
	w.later()
	w.sweep(Report{Owned: true})
	if n := len(w.store.Segments(100)); n != 1 {
		t.Errorf("%d segments", n)
	}
}

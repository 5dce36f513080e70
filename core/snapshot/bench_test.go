package snapshot

import (
	"fmt"
	"testing"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// BenchmarkCreate makes snapshots of collections with many segments of ten fields each. None is dropped before the end: ext4
// passes over the inodes of files that were removed in the last minutes, one by one, whenever it makes a new one.
func BenchmarkCreate(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 10_000} {
		w := newWorld(b)
		_, c := w.documents(fixture.Shape{Segments: 1, Rows: 4})
		w.addSegments(b, c, n-1)
		for _, sync := range []bool{false, true} {
			// The bare store: faults are not for benchmarks.
			s := New(w.store, objstore.Local(w.bucket()), Config{Root: "files", NoFsync: !sync, Now: w.clock, Random: w.chance})
			b.Run(fmt.Sprintf("segments=%d/fsync=%v", n, sync), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					if _, err := s.Create(b.Context(), c, Request{Name: fmt.Sprintf("s_%v_%d", sync, i)}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/segment")
			})
		}
	}
}

// addSegments adds segments without files: making a snapshot does not look at them.
func (w *world) addSegments(b *testing.B, c *metastore.Collection, n int) {
	change := metastore.Change{Collection: c.ID}
	for i := range n {
		s := &metastore.Segment{Segment: milvus.Segment{
			ID: milvus.SegmentID(1000 + i), Collection: c.ID, Partition: fixture.DocumentsPartition, Level: milvus.LevelL1, Channel: fixture.DocumentsChannel, Rows: 8192,
		}}
		for field := range milvus.FieldID(10) {
			id := milvus.LogID(1 + 10*i + int(field))
			key := fmt.Sprintf("files/insert_log/%d/%d/%d/%d/%d", c.ID, s.Partition, s.ID, field, id)
			s.Binlogs = append(s.Binlogs, milvus.FieldBinlog{Field: field, Binlogs: []milvus.Binlog{{LogID: id, Entries: 8192, Size: 1 << 16, MemorySize: 1 << 17, File: milvus.FileRef{Key: key}}}})
		}
		change.Add = append(change.Add, s)
	}
	check(b, w.store.Commit(b.Context(), change))
}

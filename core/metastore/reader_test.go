package metastore

import (
	"fmt"
	"testing"

	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/milvus"
)

// compareWithReader reads the rows as those of any Milvus, and compares.
func compareWithReader(t *testing.T, s *Store) {
	t.Helper()
	catalog, err := etcdmeta.Load(s.scan(ctx, etcdmeta.Prefixes(s.keys.Root)...), etcdmeta.Options{Root: s.keys.Root, Storage: "files"})
	check(t, err)
	want, err := s.Collections("*")
	check(t, err)
	if got := catalog.Collections(); len(got) != len(want) {
		t.Fatalf("%d collections, want %d", len(got), len(want))
	}
	for _, c := range want {
		got, err := catalog.Collection(c.ID)
		check(t, err)
		if a, b := fmt.Sprintf("%+v %v %v", got.Collection, got.Aliases, got.Indexes), fmt.Sprintf("%+v %v %v", c.Collection, c.Aliases, c.Indexes); a != b {
			t.Errorf("collection %d reads as\n%s\nwant\n%s", c.ID, a, b)
		}
		var segments []milvus.Segment
		for _, seg := range s.Segments(c.ID) {
			segments = append(segments, seg.Segment)
		}
		if a, b := fmt.Sprintf("%+v", got.Segments), fmt.Sprintf("%+v", segments); a != b {
			t.Errorf("segments read as\n%s\nwant\n%s", a, b)
		}
		for _, p := range got.Checkpoints {
			if w := s.Checkpoint(p.Channel); fmt.Sprint(p) != fmt.Sprint(w) {
				t.Errorf("checkpoint %v, want %v", p, w)
			}
		}
		if a, b := fmt.Sprint(got.Snapshots), fmt.Sprint(s.Snapshots(c.ID)); a != b || len(got.Growing)+len(got.Hidden)+len(got.Replaced) > 0 {
			t.Errorf("snapshots %s, want %s; growing %v, hidden %v, replaced %v", a, b, got.Growing, got.Hidden, got.Replaced)
		}
	}
	jobs, err := catalog.CopyJobs()
	check(t, err)
	if fmt.Sprint(jobs) != fmt.Sprint(s.CopyJobs()) {
		t.Errorf("jobs %v, want %v", jobs, s.CopyJobs())
	}
}

package metastore

import (
	"fmt"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// TestLargeChange commits 500 segments of 20 fields, of which etcd, with its default limits, takes no single transaction.
func TestLargeChange(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := sample(100, "c")
	check(t, s.CreateCollection(ctx, c))
	check(t, s.Commit(ctx, Change{Collection: 100, Add: segmentsOf(c, 1000, 500, 20)}))
	var inputs []milvus.SegmentID
	for _, seg := range s.Segments(100) {
		inputs = append(inputs, seg.ID)
	}
	check(t, s.Commit(ctx, Change{Collection: 100, Add: segmentsOf(c, 2000, 2, 20), Drop: inputs}))
	if v, d := len(s.Segments(100)), len(s.DroppedSegments()); v != 2 || d != 500 {
		t.Fatalf("%d visible, %d dropped", v, d)
	}
	want := stateOf(s).String()
	s = reopened(t, s)
	if stateOf(s).String() != want {
		t.Error("another state after a restart")
	}
	compareWithReader(t, s)
	check(t, s.ForgetSegments(ctx, inputs...))
	n := 0
	for kv, err := range s.scan(ctx, s.keys.Own(), s.keys.Root+"/datacoord-meta/", s.keys.Root+"/segment-index/") {
		check(t, err)
		if kv.Key != s.formatKey() {
			n++
		}
	}
	if want := 2*(20+4) + 2; n != want { // two segments, two checkpoints
		t.Errorf("%d rows are left, want %d", n, want)
	}
}

// TestRestoreOfTenThousand stages and publishes 10,000 segments.
func TestRestoreOfTenThousand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("80,000 rows")
	}
	s := open(t, t.TempDir())
	c := sample(100, "c")
	c.State = pb.CollectionState_CollectionCreating
	check(t, s.CreateCollection(ctx, c))
	job := &pb.CopySegmentJob{JobId: 9, CollectionId: 100, State: pb.CopySegmentJobState_CopySegmentJobExecuting}
	check(t, s.PutCopyJob(ctx, job))
	const n = 10_000
	segs := segmentsOf(c, 1, n, 3)
	var bare []*Segment
	for _, seg := range segs {
		b := *seg
		b.Binlogs, b.Statslogs, b.Deltalogs, b.Indexes = nil, nil, nil, nil
		bare = append(bare, &b)
	}
	check(t, s.StageSegments(ctx, bare))
	if got := len(s.Segments(100)); got != 0 {
		t.Fatalf("%d segments are visible before they are published", got)
	}
	if err := s.PublishRestore(ctx, job, 100, segs[1:]); err == nil {
		t.Fatal("published without one of the staged segments")
	}
	check(t, s.PublishRestore(ctx, job, 100, segs))
	if got := len(s.Segments(100)); got != n {
		t.Fatalf("%d segments are visible", got)
	}
	want := stateOf(s).String()
	s = reopened(t, s)
	if stateOf(s).String() != want {
		t.Error("another state after a restart")
	}
	if got := s.CopyJobs()[0]; got.State != pb.CopySegmentJobState_CopySegmentJobCompleted || got.CompleteTs == 0 {
		t.Errorf("job %v", got)
	}
	compareWithReader(t, s)
}

// BenchmarkCommit commits one segment of 20 fields, with fsync, beside 10,000 others.
func BenchmarkCommit(b *testing.B) {
	s := open(b, b.TempDir(), func(c *Config) { c.NoFsync = false })
	c := sample(100, "c")
	check(b, s.CreateCollection(ctx, c))
	fill(b, s, c, 10_000)
	next := milvus.SegmentID(1_000_000)
	for b.Loop() {
		next++
		check(b, s.Commit(ctx, Change{Collection: 100, Add: []*Segment{segmentOf(c, 101, next, 20)}}))
	}
}

// BenchmarkOpen opens a store of 10,000 segments of 3 fields.
func BenchmarkOpen(b *testing.B) {
	s := open(b, b.TempDir())
	c := sample(100, "c")
	check(b, s.CreateCollection(ctx, c))
	fill(b, s, c, 10_000)
	for b.Loop() {
		s = reopened(b, s)
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "segments/s")
}

// BenchmarkSegments reads the list of 10,000 segments.
func BenchmarkSegments(b *testing.B) {
	s := open(b, b.TempDir())
	c := sample(100, "c")
	check(b, s.CreateCollection(ctx, c))
	fill(b, s, c, 10_000)
	for b.Loop() {
		if len(s.Segments(100)) < 10_000 {
			b.Fatal("too few")
		}
	}
}

func fill(t testing.TB, s *Store, c *Collection, n int) {
	t.Helper()
	check(t, s.Commit(ctx, Change{Collection: c.ID, Add: segmentsOf(c, 1, n, 3)}))
}

// TestRowTooLarge refuses what etcd would refuse, before anything is written.
func TestRowTooLarge(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := sample(100, "c")
	c.Properties = []milvus.KeyValue{{Key: "k", Value: fmt.Sprintf("%02000000d", 0)}}
	if err := s.CreateCollection(ctx, c); err == nil {
		t.Fatal("a row of 2 MB went to etcd")
	}
	check(t, s.CreateCollection(ctx, sample(100, "c")))
}

// TestBatches keeps within the limits of one request.
func TestBatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rows, size, want int }{{1, 10, 1}, {64, 10, 1}, {65, 10, 2}, {200, 10, 4}, {3, 600 << 10, 3}, {10, 300 << 10, 4}} {
		s := open(t, t.TempDir())
		n := 0
		s.config.Fault = func(point string) error {
			if point == "x:before-y" {
				n++
			}
			return nil
		}
		var b batch
		for i := range c.rows {
			b.put(etcdmeta.KV{Key: fmt.Sprint("k", i), Value: make([]byte, c.size)}, nil)
		}
		check(t, s.spread(ctx, "x:y", &b))
		all, err := s.client.Get(ctx, "k", clientv3.WithPrefix(), clientv3.WithCountOnly())
		check(t, err)
		if n != c.want || all.Count != int64(c.rows) {
			t.Errorf("%d rows of %d bytes: %d transactions, %d rows in etcd; want %d", c.rows, c.size, n, all.Count, c.want)
		}
		check(t, s.Close())
	}
}

package export_test

import (
	"path/filepath"
	"testing"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
)

// The second snapshot has one segment more: the first one's file stays.
func TestSecondSnapshotAddsItsSegment(t *testing.T) {
	t.Parallel()
	src, a := newSource(t), newAgain(t)
	first := a.must(resolve(t, a.opener, src.first), reader.Options{}, export.Options{})
	both := a.must(resolve(t, a.opener, src.both), reader.Options{}, export.Options{})
	full := newAgain(t).must(resolve(t, a.opener, src.both), reader.Options{}, export.Options{})
	if both.Reuse == nil || both.Reuse.FilesKept != 1 || both.Reuse.BytesKept != first.BytesWritten || both.FilesWritten != 1 || both.RowsWritten != full.RowsWritten || both.ContentHash != full.ContentHash {
		t.Errorf("%+v, reuse %+v; in full %+v", both, both.Reuse, full)
	}
}

// twins is a collection of two partitions with a segment each, and so with two data files: keys 0 to 99 in the first, 1000 to
// 1099 in the second. Row k was inserted in second 1000+k, and first is the snapshot of second 2000.
type twins struct {
	*fixture.Collection
	t *testing.T
	a *again
}

const (
	twinChannel               = "by-dev-rootcoord-dml_0_99v0"
	leftSegment, rightSegment = milvus.SegmentID(501), milvus.SegmentID(502)
	left, right               = milvus.PartitionID(11), milvus.PartitionID(12)
)

func second(n int64) milvus.Timestamp { return milvus.NewTimestamp(1_700_000_000_000+n*1000, 0) }

func newTwins(t *testing.T, version int64) twins {
	c := fixture.New(t.TempDir(), milvus.Collection{
		ID: 99, Database: "default", Partitions: []milvus.Partition{{ID: left, Name: "left"}, {ID: right, Name: "right"}},
		Schema: milvus.Schema{Name: "twins", Fields: []milvus.Field{
			{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
			{ID: 101, Name: "embedding", Type: milvus.TypeFloatVector, Dim: 4, TypeParams: []milvus.KeyValue{{Key: "dim", Value: "4"}}},
		}},
	})
	c.Files.Version = version
	w := twins{c, t, newAgain(t)}
	w.segment(leftSegment, left, 0, 100, 1000)
	w.segment(rightSegment, right, 1000, 100, 1000)
	return w
}

// segment adds rows of consecutive keys, a second between two.
func (w twins) segment(id milvus.SegmentID, partition milvus.PartitionID, key, rows int, from int64) {
	w.t.Helper()
	keys, times, vectors := make([]int64, rows), make([]int64, rows), make([]float32, 4*rows)
	for i := range rows {
		keys[i], times[i], vectors[4*i] = int64(key+i), int64(second(from+int64(i))), float32(key+i)
	}
	w.Add(w.t, fixture.Segment{ID: id, Partition: partition, Level: milvus.LevelL1, Channel: twinChannel, Chunks: []flush.Chunk{{
		milvus.TimestampField: fixture.Int64s(times...), 100: fixture.Int64s(keys...), 101: fixture.FloatVectors(4, vectors...)}}})
}

func (w twins) l0(id milvus.SegmentID, partition milvus.PartitionID, ts int64, keys ...int64) {
	w.t.Helper()
	w.Add(w.t, fixture.Segment{ID: id, Partition: partition, Level: milvus.LevelL0, Channel: twinChannel, Deletes: []*deltalog.Deletes{fixture.Int64Deletes(second(ts), keys...)}})
}

func (w twins) snapshot(name string, id milvus.SnapshotID, ts int64) *describe.Snapshot {
	w.t.Helper()
	return resolve(w.t, w.a.opener, filepath.Join(w.Dir, w.SnapshotAt(w.t, name, id, second(ts), nil)))
}

// first is exported, then change happens, and the second snapshot is exported to the same table and to one of its own.
func (w twins) exportTwice(at int64, first, ropts reader.Options, change func()) (second, full *export.Result) {
	w.t.Helper()
	w.a.must(w.snapshot("first", 1, 2000), first, export.Options{})
	change()
	snap := w.snapshot("second", 2, at)
	second = w.a.must(snap, ropts, export.Options{})
	other := newAgain(w.t)
	full = other.must(snap, ropts, export.Options{})
	w.verify(snap, ropts)
	return second, full
}

// Each condition on which a file stays, changed on its own: decision and rows.
func TestEveryConditionOfReuse(t *testing.T) {
	t.Parallel()
	nothing := func(twins) {}
	addField := func(f milvus.Field) func(twins) {
		return func(w twins) {
			w.Collection.Collection.Schema.Fields = append(w.Collection.Collection.Schema.Fields, f)
		}
	}
	ttl := func(seconds string) func(twins) {
		return func(w twins) {
			w.Collection.Collection.Properties = []milvus.KeyValue{{Key: "collection.ttl.seconds", Value: seconds}}
		}
	}
	for name, c := range map[string]struct {
		before, change func(twins)
		at             int64
		kept           int            // of two files
		why            map[string]int // of those that are not
		probed         bool
		ropts          func(*describe.Snapshot) reader.Options
	}{
		"nothing":                    {change: nothing, kept: 2},
		"a segment more":             {change: func(w twins) { w.segment(503, left, 5000, 10, 2100) }, kept: 2},
		"rows after the old cut":     {before: func(w twins) { w.segment(503, 13, 5000, 10, 1995) }, change: nothing, kept: 2, why: map[string]int{"rows were after the cut": 1}},
		"rows expire":                {before: ttl("3000"), change: nothing, at: 4050, kept: 0, why: map[string]int{"rows were deleted or expired": 2}, probed: true},
		"no row expires yet":         {before: ttl("3000"), change: nothing, at: 3999, kept: 2},
		"a shorter time to live":     {before: ttl("3000"), change: ttl("2500"), at: 3550, kept: 0, why: map[string]int{"rows were deleted or expired": 2}, probed: true},
		"expired rows come back":     {before: ttl("950"), change: ttl("3000"), at: 2100, kept: 0, why: map[string]int{"rows were deleted or expired": 2}, probed: true},
		"a delete through L0":        {change: func(w twins) { w.l0(601, left, 2050, 7) }, kept: 1, why: map[string]int{"rows were deleted or expired": 1}, probed: true},
		"L0 of all partitions":       {change: func(w twins) { w.l0(601, milvus.AllPartitions, 2050, 1007) }, kept: 1, why: map[string]int{"rows were deleted or expired": 1}, probed: true},
		"a delete of no key here":    {change: func(w twins) { w.l0(601, left, 2050, 500) }, kept: 2, probed: true},
		"an old delete, late":        {change: func(w twins) { w.l0(601, left, 1000, 50) }, kept: 2, probed: true},
		"a delete of the segment":    {change: func(w twins) { w.Delete(w.t, rightSegment, fixture.Int64Deletes(second(2050), 1001)) }, kept: 1, why: map[string]int{"rows were deleted or expired": 1}, probed: true},
		"a delete after the old cut": {before: func(w twins) { w.l0(601, left, 2050, 7) }, change: nothing, kept: 1, why: map[string]int{"rows were deleted or expired": 1}, probed: true},
		"a delete after the new cut": {change: func(w twins) { w.l0(601, left, 9000, 7) }, kept: 2, probed: true},
		"deletes of before": {before: func(w twins) {
			w.Delete(w.t, leftSegment, fixture.Int64Deletes(second(1500), 7))
			w.l0(601, right, 1500, 1007)
		}, change: nothing, kept: 2},
		"L0 is compacted": {before: func(w twins) { w.l0(601, left, 1500, 7) }, change: func(w twins) {
			w.Collection.Segments = w.Collection.Segments[:2]
			w.Delete(w.t, leftSegment, fixture.Int64Deletes(second(1500), 7))
		}, kept: 2, probed: true},
		"deletes are lost": {before: func(w twins) { w.l0(601, left, 1500, 7) }, change: func(w twins) { w.Collection.Segments = w.Collection.Segments[:2] },
			kept: 1, why: map[string]int{"rows were deleted or expired": 1}, probed: true},
		"a segment is compacted": {change: func(w twins) {
			w.Collection.Segments = w.Collection.Segments[1:]
			w.segment(503, left, 0, 100, 1000)
		}, kept: 1, why: map[string]int{"its segment is gone": 1}},
		"imported now":     {change: func(w twins) { w.Collection.Segments[0].CommitTimestamp = second(1990) }, kept: 1, why: map[string]int{"its segment has other files": 1}},
		"a nullable field": {change: addField(milvus.Field{ID: 102, Name: "note", Type: milvus.TypeVarChar, MaxLength: 9, Nullable: true, TypeParams: []milvus.KeyValue{{Key: "max_length", Value: "9"}}}), kept: 2},
		"a field with a default": {change: addField(milvus.Field{ID: 102, Name: "note", Type: milvus.TypeInt64, Nullable: true, Default: int64(5)}), kept: 0,
			why: map[string]int{"the columns are others": 2}},
		"other options": {change: nothing, kept: 0, why: map[string]int{"the options are others": 2}, ropts: func(s *describe.Snapshot) reader.Options {
			return reader.Options{Where: where(t, s, "id < 1050")}
		}},
		"no cut any more": {change: func(w twins) { w.l0(601, left, 9000, 7) }, kept: 1, why: map[string]int{"rows were deleted or expired": 1}, probed: true,
			ropts: func(*describe.Snapshot) reader.Options { return reader.Options{AsOf: new(milvus.Timestamp)} }},
	} {
		for version, of := range map[string]int64{"V1": milvus.StorageV1, "V2": milvus.StorageV2, "V3": milvus.StorageV3} {
			t.Run(name+"/"+version, func(t *testing.T) {
				w := newTwins(t, of)
				w.Collection.Collection.Partitions = append(w.Collection.Collection.Partitions, milvus.Partition{ID: 13, Name: "third"})
				if c.before != nil {
					c.before(w)
				}
				if c.at == 0 {
					c.at = 3000
				}
				ropts := reader.Options{}
				if c.ropts != nil {
					ropts = c.ropts(w.snapshot("other", 3, 2000))
				}
				got, full := w.exportTwice(c.at, reader.Options{}, ropts, func() { c.change(w) })
				r := got.Reuse
				if r == nil {
					t.Fatalf("nothing is kept: %+v", got.Warnings)
				}
				if got.ContentHash != full.ContentHash || got.RowsWritten != full.RowsWritten || got.RowsDeleted+got.RowsExpired+got.RowsAfterCut != full.RowsDeleted+full.RowsExpired+full.RowsAfterCut {
					t.Errorf("%+v, in full %+v", got, full)
				}
				if r.FilesKept != c.kept || len(r.Rewritten) != len(c.why) || r.BytesProbed > 0 != c.probed {
					t.Errorf("kept %d, want %d; probed %d bytes; rewritten %v, want %v", r.FilesKept, c.kept, r.BytesProbed, r.Rewritten, c.why)
				}
				for why, n := range c.why {
					if r.Rewritten[why] != n {
						t.Errorf("rewritten %v, want %v", r.Rewritten, c.why)
					}
				}
			})
		}
	}
}

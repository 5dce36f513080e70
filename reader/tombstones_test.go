package reader_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

const (
	keyID     milvus.FieldID = 100
	channelA                 = "by-dev-rootcoord-dml_0_1v0"
	channelB                 = "by-dev-rootcoord-dml_1_1v1"
	partition                = milvus.PartitionID(11)
)

// keyed lays out a collection of keys alone.
func keyed(t testing.TB, key milvus.DataType) *fixture.Collection {
	f := milvus.Field{ID: keyID, Name: "id", Type: key, PrimaryKey: true}
	if key == milvus.TypeVarChar {
		f.MaxLength, f.TypeParams = 65535, []milvus.KeyValue{{Key: "max_length", Value: "65535"}}
	}
	return fixture.New(t.TempDir(), milvus.Collection{
		ID: 1, Database: "default", Partitions: []milvus.Partition{{ID: partition, Name: "a"}, {ID: partition + 1, Name: "b"}},
		Schema: milvus.Schema{Name: "keys", Fields: []milvus.Field{f}},
	})
}

func resolved(t testing.TB, c *fixture.Collection) (*describe.Snapshot, *objstore.Opener) {
	t.Helper()
	opener := objstore.NewOpener(objstore.Config{})
	snap, err := describe.Resolve(context.Background(), c.Dir+"/"+c.Snapshot(t, "s", 1, nil), describe.Options{Opener: opener})
	if err != nil {
		t.Fatal(err)
	}
	return snap, opener
}

// textKeys are keys that are easily taken for one another: empty, long, with one prefix, with bytes of zero.
func textKeys(rnd *rand.Rand) string {
	switch rnd.IntN(6) {
	case 0:
		return ""
	case 1:
		return strings.Repeat("k", rnd.IntN(5)*15000) + fmt.Sprint(rnd.IntN(3))
	case 2:
		return strings.Repeat("\x00", rnd.IntN(4))
	}
	return fmt.Sprint("key-", rnd.IntN(40))
}

// Text keys, in all scopes, with timestamps that are often equal: the same rows live whether deletes are in memory or spilled, and
// they are those that the rule gives row by row.
func TestSpilledTextKeys(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		c := keyed(t, milvus.TypeVarChar)
		type record struct {
			key       string
			ts        uint64
			partition milvus.PartitionID
			channel   string
			segment   milvus.SegmentID // of the row, or of a delete of a segment's own
		}
		at := func() uint64 { return uint64(fixture.DocumentsTime) + rnd.Uint64N(8) }
		var rows, deletes []record
		place := func(l0 bool) (milvus.PartitionID, string) {
			p := partition + milvus.PartitionID(rnd.IntN(2))
			if l0 && rnd.IntN(3) == 0 {
				p = milvus.AllPartitions
			}
			return p, []string{channelA, channelB}[rnd.IntN(2)]
		}
		draw := func(n int, id milvus.SegmentID, p milvus.PartitionID, ch string) (texts []string, times []int64, out []record) {
			for range n {
				r := record{textKeys(rnd), at(), p, ch, id}
				texts, times, out = append(texts, r.key), append(times, int64(r.ts)), append(out, r)
			}
			return
		}
		toDeletes := func(texts []string, times []int64) *deltalog.Deletes {
			d := &deltalog.Deletes{PKType: milvus.TypeVarChar, Strings: fixture.Strings(texts...)}
			for _, ts := range times {
				d.TS = append(d.TS, uint64(ts))
			}
			return d
		}
		for id := milvus.SegmentID(1); id <= 4; id++ {
			p, ch := place(false)
			texts, times, more := draw(60, id, p, ch)
			rows = append(rows, more...)
			seg := fixture.Segment{ID: id, Partition: p, Level: milvus.LevelL1, Channel: ch,
				Chunks: []flush.Chunk{{milvus.TimestampField: fixture.Int64s(times...), keyID: fixture.Strings(texts...)}}}
			dTexts, dTimes, own := draw(10, id, p, ch)
			deletes = append(deletes, own...)
			seg.Deletes = []*deltalog.Deletes{toDeletes(dTexts, dTimes)}
			c.Add(t, seg)
		}
		for id := milvus.SegmentID(101); id <= 104; id++ {
			p, ch := place(true)
			texts, times, more := draw(15, 0, p, ch)
			deletes = append(deletes, more...)
			c.Add(t, fixture.Segment{ID: id, Partition: p, Level: milvus.LevelL0, Channel: ch, Deletes: []*deltalog.Deletes{toDeletes(texts, times)}})
		}
		var want []string
		for _, r := range rows {
			dead := slices.ContainsFunc(deletes, func(d record) bool {
				inScope := d.segment == r.segment || d.segment == 0 && d.channel == r.channel && (d.partition == r.partition || d.partition == milvus.AllPartitions)
				return inScope && d.key == r.key && d.ts > r.ts
			})
			if !dead {
				want = append(want, fmt.Sprint(r.segment, r.ts, " ", r.key))
			}
		}
		slices.Sort(want)
		snap, opener := resolved(t, c)
		for _, after := range []int64{0, 1000} {
			dir := t.TempDir()
			opts := reader.Options{Opener: opener, With: []reader.System{reader.SystemTS, reader.SystemSegment}, TempDir: dir, SpillAfter: after, MaxBatchRows: 7}
			scan, err := reader.Open(snap, opts)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, seg := range scan.Segments() {
				_, err := scan.Read(t.Context(), seg, func(b arrow.RecordBatch) error {
					col := func(name string) arrow.Array { return b.Column(b.Schema().FieldIndices(name)[0]) }
					for i := range int(b.NumRows()) {
						got = append(got, fmt.Sprint(col("_milvus_segment").(*array.Int64).Value(i), col("_milvus_ts").(*array.Int64).Value(i), " ", col("id").(*array.String).Value(i)))
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("seed %d, in memory up to %d bytes: %d rows live, the rule says %d", seed, after, len(got), len(want))
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("temporary files %v, %v", left, err)
			}
			if spilled := scan.Spilled(); (spilled > 0) != (after > 0) {
				t.Errorf("in memory up to %d bytes, %d spilled", after, spilled)
			}
		}
	}
}

// A reader that is cut off leaves no file, and the budget as it was.
func TestSpillEndsWithTheContext(t *testing.T) {
	t.Parallel()
	snap, opener := tombstones(t, milvus.TypeInt64, deltalog.Writer{}, 50_000)
	dir := t.TempDir()
	budget := reader.NewBudget(64 << 20)
	scan, err := reader.Open(snap, reader.Options{Opener: opener, TempDir: dir, SpillAfter: 1, Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := scan.Read(ctx, scan.Segments()[0], func(arrow.RecordBatch) error { return nil }); err == nil {
		t.Skip("the machine was faster than the clock")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("temporary files %v, %v", left, err)
	}
	if budget.Total() != 64<<20 {
		t.Errorf("%d bytes are left of the budget", budget.Total())
	}
	if err := budget.Acquire(t.Context(), 64<<20); err != nil {
		t.Error(err)
	}
}

// Deletes that no metadata counts, and that turn out to be too many for memory, are joined all the same.
func TestUncountedDeletesSpill(t *testing.T) {
	t.Parallel()
	snap, opener := tombstones(t, milvus.TypeInt64, deltalog.Writer{Form: deltalog.MultiField}, 1_000_000)
	for i := range snap.Segments {
		for _, fb := range snap.Segments[i].Deltalogs {
			for k := range fb.Binlogs {
				fb.Binlogs[k].Entries, fb.Binlogs[k].Size = 0, 1
			}
		}
	}
	budget := reader.NewBudget(28 << 20)
	scan, err := reader.Open(snap, reader.Options{Opener: opener, TempDir: t.TempDir(), Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	checkTombstones(t, scan, 1_000_000)
	if kept := 28<<20 - budget.Total(); kept > tombstoneRows {
		t.Errorf("%d bytes are kept", kept)
	}
}

// tombstones lays out rows 0, 1, 2 ... of which the odd ones are deleted, and so many deletes, ten files of them.
func tombstones(t testing.TB, key milvus.DataType, w deltalog.Writer, deletes int) (*describe.Snapshot, *objstore.Opener) {
	t.Helper()
	c := keyed(t, key)
	c.Files.Deltalogs = w
	array := func(from, to, step int) arrow.Array {
		ints, texts := make([]int64, 0, to-from), []string{}
		for i := from; i < to; i += step {
			ints = append(ints, int64(i)*7)
			if key == milvus.TypeVarChar {
				texts = append(texts, fmt.Sprintf("document-%09d", i*7))
			}
		}
		if key == milvus.TypeVarChar {
			return fixture.Strings(texts...)
		}
		return fixture.Int64s(ints...)
	}
	times := make([]int64, tombstoneRows)
	for i := range times {
		times[i] = int64(fixture.DocumentsTime)
	}
	c.Add(t, fixture.Segment{ID: 1, Partition: partition, Level: milvus.LevelL1, Channel: channelA,
		Chunks: []flush.Chunk{{milvus.TimestampField: fixture.Int64s(times...), keyID: array(0, tombstoneRows, 1)}}})
	for n := range 10 {
		d := &deltalog.Deletes{PKType: key}
		set(d, array(1+2*n*deletes/10, 1+2*(n+1)*deletes/10, 2))
		for range deletes / 10 {
			d.TS = append(d.TS, uint64(fixture.DocumentsTime)+1+uint64(n))
		}
		c.Add(t, fixture.Segment{ID: milvus.SegmentID(100 + n), Partition: milvus.AllPartitions, Level: milvus.LevelL0, Channel: channelA, Deletes: []*deltalog.Deletes{d}})
	}
	return resolved(t, c)
}

const tombstoneRows = 100_000

func set(d *deltalog.Deletes, keys arrow.Array) {
	switch k := keys.(type) {
	case *array.Int64:
		d.Int64 = k.Int64Values()
	case *array.String:
		d.Strings = k
	}
}

func checkTombstones(t testing.TB, scan *reader.Scan, deletes int64) {
	t.Helper()
	counts, err := scan.Read(context.Background(), scan.Segments()[0], func(arrow.RecordBatch) error { return nil })
	n, _ := scan.Deletes()
	if err != nil || counts.Deleted != min(deletes, tombstoneRows/2) || counts.Rows != tombstoneRows || n != deletes {
		t.Fatalf("%+v, %d deletes, %v", counts, n, err)
	}
}

// BenchmarkTombstones reads deletes of L0 segments and applies them: decoding and all else, in deletes per second of processor
// time, and the bytes that are kept for each.
func BenchmarkTombstones(b *testing.B) {
	const deletes = 2_000_000
	for _, form := range []struct {
		name string
		w    deltalog.Writer
	}{{"json", deltalog.Writer{}}, {"parquet", deltalog.Writer{Form: deltalog.MultiField}}} {
		for _, key := range []milvus.DataType{milvus.TypeInt64, milvus.TypeVarChar} {
			snap, opener := tombstones(b, key, form.w, deletes)
			for _, spilled := range []bool{false, true} {
				name := "memory"
				if spilled {
					name = "spilled"
				}
				b.Run(fmt.Sprint(form.name, "/", key, "/", name), func(b *testing.B) {
					b.ReportAllocs()
					var kept int64
					start := processor()
					for b.Loop() {
						budget := reader.NewBudget(1 << 30)
						opts := reader.Options{Opener: opener, Budget: budget, TempDir: b.TempDir()}
						if spilled {
							opts.SpillAfter = 1 << 20
						}
						scan, err := reader.Open(snap, opts)
						if err != nil {
							b.Fatal(err)
						}
						checkTombstones(b, scan, deletes)
						kept = 1<<30 - budget.Total()
					}
					b.ReportMetric(deletes*float64(b.N)/(processor()-start).Seconds()/1e6, "Mdeletes/cpu-s")
					b.ReportMetric(float64(kept)/deletes, "B/delete")
				})
			}
		}
	}
}

// processor is the processor time that the process took.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

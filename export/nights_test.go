package export_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/verify"
)

// verify compares the table's snapshot with the tag to the Milvus snapshot, row by row.
func (w twins) verify(snap *describe.Snapshot, ropts reader.Options) {
	w.t.Helper()
	ropts.Opener, ropts.Budget = w.a.opener, reader.NewBudget(reader.DefaultMemory)
	scan, err := reader.Open(snap, ropts)
	if err != nil {
		w.t.Fatal(err)
	}
	report, err := verify.Table(w.t.Context(), scan, catalog.NewPath(w.a.opener.Open, catalog.PathOptions{}), catalog.Ident(w.a.target), verify.Options{})
	if err != nil || !report.OK() {
		w.t.Errorf("%s: %v, %+v", snap.Name, err, report)
	}
}

// nights is a collection to which things happen between one snapshot and the next.
type nights struct {
	twins
	*rand.Rand
	rows    map[milvus.SegmentID][]night // of the segments that there are
	deletes []night
	clock   int64 // seconds
	texts   bool  // keys are VarChar
	next    milvus.SegmentID
}

type night struct{ key, ts int64 }

func newNights(t *testing.T, seed uint64) *nights {
	w := newTwins(t, milvus.StorageV1)
	w.Collection.Segments = nil
	n := &nights{twins: w, Rand: rand.New(rand.NewPCG(seed, 1)), rows: map[milvus.SegmentID][]night{}, clock: 10_000, next: 1000, texts: seed%2 == 1}
	c := &w.Collection.Collection
	if n.texts {
		c.Schema.Fields[0].Type, c.Schema.Fields[0].MaxLength = milvus.TypeVarChar, 9
		c.Schema.Fields[0].TypeParams = []milvus.KeyValue{{Key: "max_length", Value: "9"}}
	}
	if seed%3 == 1 {
		c.Properties = []milvus.KeyValue{{Key: "collection.ttl.seconds", Value: "6500"}} // of six nights and a half
	}
	return n
}

func (n *nights) add(level milvus.SegmentLevel, rows []night, deletes ...[]night) milvus.SegmentID {
	n.t.Helper()
	n.next++
	n.Files.Version = []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3}[n.IntN(3)]
	s := fixture.Segment{ID: n.next, Partition: left, Level: level, Channel: twinChannel}
	if len(rows) > 0 {
		keys, times, vectors := make([]int64, len(rows)), make([]int64, len(rows)), make([]float32, 4*len(rows))
		for i, r := range rows {
			keys[i], times[i], vectors[4*i] = r.key, int64(second(r.ts)), float32(r.ts)
		}
		chunk := flush.Chunk{milvus.TimestampField: fixture.Int64s(times...), 100: fixture.Int64s(keys...), 101: fixture.FloatVectors(4, vectors...)}
		if n.texts {
			chunk[100] = fixture.Strings(texts(keys)...)
		}
		s.Chunks = []flush.Chunk{chunk}
		n.rows[n.next] = rows
	}
	for _, d := range deletes {
		s.Deletes = append(s.Deletes, n.deletesOf(d))
	}
	n.Add(n.t, s)
	return n.next
}

func (n *nights) deletesOf(list []night) *deltalog.Deletes {
	d := &deltalog.Deletes{PKType: milvus.TypeInt64}
	for _, x := range list {
		d.Int64, d.TS = append(d.Int64, x.key), append(d.TS, uint64(second(x.ts)))
	}
	if n.texts {
		d.PKType, d.Int64, d.Strings = milvus.TypeVarChar, nil, fixture.Strings(texts(d.Int64)...)
	}
	return d
}

func texts(keys []int64) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = fmt.Sprintf("key %d", k)
	}
	return out
}

// pass lets a night go by: rows come and go, a few of them after the snapshot's time; L0 segments and others are compacted.
func (n *nights) pass() {
	period := int64(1000)
	when := func() int64 { return n.clock + 1 + n.Int64N(period+period/20) }
	for range n.IntN(3) {
		var rows []night
		for range 1 + n.IntN(60) {
			rows = append(rows, night{n.Int64N(400), when()})
		}
		slices.SortFunc(rows, func(a, b night) int { return int(a.ts - b.ts) })
		n.add(milvus.LevelL1, rows)
	}
	var gone []night
	for range n.IntN(12) * n.IntN(2) {
		gone = append(gone, night{n.Int64N(400), when()})
	}
	n.deletes = append(n.deletes, gone...)
	switch {
	case len(gone) == 0:
	case n.IntN(2) == 0:
		n.add(milvus.LevelL0, nil, gone)
	default:
		for id := range n.rows {
			n.Delete(n.t, id, n.deletesOf(gone))
		}
	}
	n.clock += period
	if n.IntN(4) == 0 {
		n.compactL0()
	}
	if n.IntN(4) == 0 {
		n.compact()
	}
}

// compactL0 gives every segment the deletes of the L0 segments, which go.
func (n *nights) compactL0() {
	n.Collection.Segments = slices.DeleteFunc(n.Collection.Segments, func(s milvus.Segment) bool { return s.IsL0() })
	for id, rows := range n.rows {
		var mine []night
		for _, d := range n.deletes {
			if slices.ContainsFunc(rows, func(r night) bool { return r.key == d.key }) {
				mine = append(mine, d)
			}
		}
		if len(mine) > 0 {
			n.Delete(n.t, id, n.deletesOf(mine))
		}
	}
}

// compact makes one segment of two, without rows that are deleted by now.
func (n *nights) compact() {
	var ids []milvus.SegmentID
	for id := range n.rows {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) < 2 {
		return
	}
	n.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	var rows, later []night
	for _, id := range ids[:2] {
		for _, r := range n.rows[id] {
			if !slices.ContainsFunc(n.deletes, func(d night) bool { return d.key == r.key && d.ts > r.ts && d.ts <= n.clock }) {
				rows = append(rows, r)
			}
		}
		delete(n.rows, id)
	}
	for _, d := range n.deletes {
		if d.ts > n.clock {
			later = append(later, d)
		}
	}
	n.Collection.Segments = slices.DeleteFunc(n.Collection.Segments, func(s milvus.Segment) bool { return slices.Contains(ids[:2], s.ID) })
	if len(rows) > 0 {
		n.add(milvus.LevelL1, rows, later)
	}
}

// Ten snapshots with writes, deletes and compactions between: after ten incremental exports each tag holds what an export of that
// snapshot alone does.
func TestTenNights(t *testing.T) {
	t.Parallel()
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			n := newNights(t, seed)
			var snaps []*describe.Snapshot
			var kept int
			var written, inFull int64
			for i := range 10 {
				n.pass()
				snap := resolve(t, n.a.opener, filepath.Join(n.Dir, n.SnapshotAt(t, fmt.Sprint("night", i), milvus.SnapshotID(100+i), second(n.clock), nil)))
				snaps = append(snaps, snap)
				opts := export.Options{}
				if seed%3 == 2 {
					opts.IcebergFormat = 3
				}
				got := n.a.must(snap, reader.Options{}, opts)
				full := newAgain(t).must(snap, reader.Options{}, opts)
				if got.ContentHash != full.ContentHash || got.RowsWritten != full.RowsWritten || got.RowsRead != full.RowsRead {
					t.Errorf("night %d: %+v, %+v, in full %+v", i, got, got.Reuse, full)
				}
				written, inFull = written+got.BytesWritten, inFull+full.BytesWritten
				if got.Reuse != nil {
					kept += got.Reuse.FilesKept
				} else if i > 0 {
					t.Errorf("night %d: %+v", i, got.Warnings)
				}
			}
			for _, snap := range snaps {
				n.verify(snap, reader.Options{})
			}
			t.Logf("%d bytes written, %d in full", written, inFull)
			if kept == 0 || written >= inFull {
				t.Errorf("%d files were kept, %d bytes written, %d in full", kept, written, inFull)
			}
		})
	}
}

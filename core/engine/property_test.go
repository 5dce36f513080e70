package engine

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

// Whatever was written, flushed, compacted and opened again, queries return what a map would, and so do the files when they are
// read as an export reads them.
func TestRowsAreThoseOfAMap(t *testing.T) {
	for seed := range uint64(6) {
		version := []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3}[seed%3]
		key := []milvus.DataType{milvus.TypeInt64, milvus.TypeVarChar}[seed%2]
		t.Run(fmt.Sprintf("%d-V%d-%v", seed, version, key), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			config := Config{StorageVersion: version, CacheBytes: 1 << (10 + r.IntN(12)), SegmentBytes: 1 << (12 + r.IntN(12))}
			w := newWorld(t, config)
			if seed >= 3 {
				w = newWorld(t, config, true)
			}
			c := create(t, w, Spec{Schema: everyType(key), Shards: 1 + r.IntN(4)})
			walk(t, w, c, r)
		})
	}
}

func walk(t *testing.T, w *world, c *metastore.Collection, r *rand.Rand) {
	if _, err := w.CreatePartition(t.Context(), c, "other"); err != nil {
		t.Fatal(err)
	}
	m, next := model{}, int64(0)
	partitions := []string{"_default", "other"}
	for step := range 40 {
		partition := partitions[r.IntN(2)]
		switch op := r.IntN(12); {
		case op < 4:
			keys := make([]int64, 1+r.IntN(20))
			for i := range keys {
				keys[i] = next
				next++
			}
			r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			m.put(t, w, c, r, partition, keys, false)
		case op < 6:
			m.put(t, w, c, r, partition, m.some(r, next, partition), true)
		case op < 8:
			m.deleteSome(t, w, c, r, next, partition)
		case op < 9:
			m.deleteByAge(t, w, c, r, partition)
		case op < 10:
			flushed, err := w.Flush(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			same(t, fmt.Sprint("files after step ", step), exported(t, w, c, flushed.Timestamp), m.exported())
		case op < 11:
			if err := w.Compact(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		default:
			w.reopen(t)
		}
		m.check(t, w, c, r, step)
		m.checkKeys(t, w, c, r, step)
	}
}

// some returns keys of the partition, or of no rows.
func (m model) some(r *rand.Rand, next int64, partition string) (out []int64) {
	for range 1 + r.IntN(10) {
		k := r.Int64N(max(next, 1))
		if row, ok := m[k]; next > 0 && (!ok || row.partition == partition) && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	if len(out) == 0 {
		out = append(out, 1<<20+r.Int64N(1<<60)) // of no row
	}
	return out
}

func (m model) deleteSome(t *testing.T, w *world, c *metastore.Collection, r *rand.Rand, next int64, partition string) {
	key, _ := c.Schema.PrimaryKey()
	keys := m.some(r, next, partition)
	if r.IntN(2) == 0 {
		partition = ""
	}
	res, err := w.Delete(t.Context(), c, partition, filterOf(key, keys...), nil)
	if err != nil || res.Count != int64(len(keys)) {
		t.Fatal(res, err)
	}
	for _, k := range keys {
		delete(m, k)
	}
}

func (m model) deleteByAge(t *testing.T, w *world, c *metastore.Collection, r *rand.Rand, partition string) {
	age := r.IntN(100)
	res, err := w.Delete(t.Context(), c, partition, "age == {age}", map[string]any{"age": age})
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	for k, row := range m {
		if row.age == strconv.Itoa(age) && row.partition == partition {
			delete(m, k)
			n++
		}
	}
	if res.Count != n {
		t.Fatalf("%d rows of age %d deleted, want %d", res.Count, age, n)
	}
}

func (m model) check(t *testing.T, w *world, c *metastore.Collection, r *rand.Rand, step int) {
	t.Helper()
	at := fmt.Sprint("step ", step)
	all := m.texts(nil)
	same(t, at, query(t, w, c, Query{}), all)
	n, err := w.Query(t.Context(), c, Query{Count: true, Filter: "age >= 50"})
	want := m.texts(func(_ int64, row modelRow) bool { age, err := strconv.Atoi(row.age); return err == nil && age >= 50 })
	if err != nil || n.Count != len(want) {
		t.Fatalf("%s: %d rows of age 50 and more, want %d (%v)", at, n.Count, len(want), err)
	}
	same(t, at+" filtered", query(t, w, c, Query{Filter: "age >= 50"}), want)
	same(t, at+" of a partition", query(t, w, c, Query{Partitions: []string{"other"}}), m.texts(func(_ int64, row modelRow) bool { return row.partition == "other" }))
	offset, limit := r.IntN(len(all)+1), 1+r.IntN(10)
	same(t, at+" page", query(t, w, c, Query{Offset: int64(offset), Limit: int64(limit)}), all[offset:min(len(all), offset+limit)])
}

// exported reads the flushed segments as a snapshot's: through its files, describe and reader.
func exported(t *testing.T, w *world, c *metastore.Collection, at milvus.Timestamp) (out []string) {
	t.Helper()
	now, _ := w.meta.CollectionByID(c.ID)
	f := fixture.New(w.bucket(), now.Collection)
	for _, s := range w.meta.Segments(c.ID) {
		f.Segments = append(f.Segments, s.Segment)
	}
	key := f.Snapshot(t, "now", 7, nil)
	opener := objstore.NewOpener(objstore.Config{})
	snap, err := describe.Resolve(t.Context(), filepath.Join(w.bucket(), key), describe.Options{Opener: opener})
	if err != nil {
		t.Fatal(err)
	}
	scan, err := reader.Open(snap, reader.Options{Opener: opener, AsOf: &at, With: []reader.System{reader.SystemPartition}})
	if err != nil {
		t.Fatal(err)
	}
	for _, seg := range scan.Segments() {
		_, err := scan.Read(t.Context(), seg, func(b arrow.RecordBatch) error {
			for i := range int(b.NumRows()) {
				out = append(out, exportedText(b, i))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(out)
	return out
}

// plain are the columns that the exporter and the engine show alike: all but the struct array and $meta.
var plain = []string{"id", "age", "small", "name", "flag", "score", "doc", "tags", "at", "vec", "half", "brain", "bits", "tiny", "words"}

func exportedText(b arrow.RecordBatch, row int) (out string) {
	for _, name := range plain {
		out += name + "=" + b.Column(b.Schema().FieldIndices(name)[0]).ValueStr(row) + ";"
	}
	return out + b.Column(b.Schema().FieldIndices("_milvus_partition")[0]).ValueStr(row)
}

// exported returns the rows as exportedText shows them.
func (m model) exported() (out []string) {
	for _, row := range m {
		out = append(out, row.plain()+row.partition)
	}
	slices.Sort(out)
	return out
}

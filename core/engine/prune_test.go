package engine

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
)

// reads are the keys of objects that the engine read since the last look.
type reads struct {
	mu   sync.Mutex
	keys []string
}

func watchReads(w *world) *reads {
	r := &reads{}
	w.files = faultstore.New(w.files, faultstore.Rule{
		When: faultstore.On(faultstore.ReadAll, faultstore.ReadRange),
		Do: faultstore.Effect{After: func(c faultstore.Call) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.keys = append(r.keys, c.Key)
			return nil
		}},
	})
	return r
}

// of returns the segments of which something was read, and of which more than statistics.
func (r *reads) of(segments []milvus.SegmentID) (summaries, rows []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, id := range segments {
		mine := func(stats bool) bool {
			return slices.ContainsFunc(r.keys, func(key string) bool {
				isStats := strings.Contains(key, "stats_log") || strings.Contains(key, "/_stats/")
				return strings.Contains(key, fmt.Sprintf("/%d/", id)) && isStats == stats
			})
		}
		if mine(true) {
			summaries = append(summaries, i)
		}
		if mine(false) {
			rows = append(rows, i)
		}
	}
	r.keys = nil
	return summaries, rows
}

// Of segments whose statistics say that no row matches, nothing else is read, whatever the storage version, also after a restart.
func TestSegmentsWithoutTheKeyAreNotRead(t *testing.T) {
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3} {
		for _, typ := range []milvus.DataType{milvus.TypeInt64, milvus.TypeVarChar} {
			t.Run(fmt.Sprintf("V%d-%v", version, typ), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, Config{StorageVersion: version}, true)
				schema := everyType(typ)
				c := create(t, w, Spec{Schema: schema})
				key, _ := c.Schema.PrimaryKey()
				m, r := model{}, newRand()
				var segments []milvus.SegmentID
				for s := range int64(4) { // even keys of 1000 to 1098, 2000 to 2098, ...
					keys := make([]int64, 50)
					for i := range keys {
						keys[i] = (s+1)*1000 + 2*int64(i)
					}
					r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
					m.put(t, w, c, r, "_default", keys, false)
					segments = append(segments, flushed(t, w, c).Segments...)
				}
				w.reopen(t)
				seen := watchReads(w)
				literal := func(k int64) string { return strings.Trim(strings.TrimPrefix(filterOf(key, k), "id in "), "[]") }
				for _, step := range []struct {
					filter          string
					want            []int64
					summaries, rows []int
				}{
					{"id == " + literal(3010), []int64{3010}, []int{0, 1, 2, 3}, []int{2}},
					{"id == " + literal(3010), []int64{3010}, nil, nil},
					{filterOf(key, 1011, 2011, 4011), nil, nil, nil}, // within the ranges, and in no filter
					{"id == " + literal(2010) + " and age is null and age is not null", nil, nil, []int{1}},
					{"id > " + literal(4096), []int64{4098}, nil, []int{3}},
					{"id < " + literal(1000), nil, nil, nil},
					{"id == " + literal(5) + " or id == " + literal(4098), []int64{4098}, nil, nil},
					{filterOf(key, 1000, 3098), []int64{1000, 3098}, nil, []int{0}},
				} {
					same(t, step.filter, query(t, w, c, Query{Filter: step.filter}), m.texts(func(k int64, _ modelRow) bool { return slices.Contains(step.want, k) }))
					summaries, rows := seen.of(segments)
					if !slices.Equal(summaries, step.summaries) || !slices.Equal(rows, step.rows) {
						t.Errorf("%s: statistics of segments %v and rows of %v were read, want %v and %v", step.filter, summaries, rows, step.summaries, step.rows)
					}
				}
			})
		}
	}
}

// Statistics that are away, damaged, or not of all rows are done without.
func TestStatisticsThatSayNothing(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*world, *metastore.Segment) error{
		"missing": func(w *world, s *metastore.Segment) error {
			return w.files.Delete(t.Context(), s.Statslogs[0].Binlogs[0].File.Key)
		},
		"damaged": func(w *world, s *metastore.Segment) error {
			return w.files.Put(t.Context(), s.Statslogs[0].Binlogs[0].File.Key, []byte("{}"))
		},
		"too few":  func(_ *world, s *metastore.Segment) error { s.Statslogs[0].Binlogs[0].Entries--; return nil },
		"none":     func(_ *world, s *metastore.Segment) error { s.Statslogs = nil; return nil },
		"of other": func(_ *world, s *metastore.Segment) error { s.Statslogs[0].Field++; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{StorageVersion: milvus.StorageV2})
			c := create(t, w, Spec{Schema: simple()})
			insert(t, w, c, simpleRows(1, 2, 3))
			seg, _ := w.meta.Segment(flushed(t, w, c).Segments[0])
			if err := spoil(w, seg); err != nil {
				t.Fatal(err)
			}
			for filter, want := range map[string]int{"id == 2": 1, "id == 9": 0, "id in [1, 3, 7]": 2, "id >= 0": 3} {
				w.reopen(t)
				if r, err := w.Query(t.Context(), c, Query{Filter: filter, Count: true}); err != nil || r.Count != want {
					t.Errorf("%s: %d rows, %v", filter, r.Count, err)
				}
			}
		})
	}
}

// checkKeys compares queries about keys with the model: whichever way the rows are found, none is lost, none comes back.
func (m model) checkKeys(t *testing.T, w *world, c *metastore.Collection, r *rand.Rand, step int) {
	t.Helper()
	key, _ := c.Schema.PrimaryKey()
	var most int64 = 1
	for k := range m {
		if k < 1<<20 {
			most = max(most, k+2)
		}
	}
	literal := func(k int64) string { return strings.Trim(strings.TrimPrefix(filterOf(key, k), "id in "), "[]") }
	a, b := r.Int64N(most), r.Int64N(most)
	some := []int64{a, b, r.Int64N(most), 1 << 60}
	for expr, keep := range map[string]func(int64, modelRow) bool{
		"id == " + literal(a):  func(k int64, _ modelRow) bool { return k == a },
		filterOf(key, some...): func(k int64, _ modelRow) bool { return slices.Contains(some, k) },
		filterOf(key, some...) + " and age >= 50": func(k int64, row modelRow) bool {
			return slices.Contains(some, k) && row.age >= "50" && len(row.age) == 2
		},
		"id == " + literal(a) + " or age is null":         func(k int64, row modelRow) bool { return k == a || row.age == "(null)" },
		"id >= " + literal(a) + " and id < " + literal(b): func(k int64, _ modelRow) bool { return a <= k && k < b },
		"not (id == " + literal(a) + ")":                  func(k int64, _ modelRow) bool { return k != a },
	} {
		want := m.texts(keep)
		same(t, fmt.Sprint("step ", step, ": ", expr), query(t, w, c, Query{Filter: expr}), want)
		offset, limit := r.IntN(len(want)+1), 1+r.IntN(5)
		same(t, fmt.Sprint("step ", step, ": page of ", expr), query(t, w, c, Query{Filter: expr, Offset: int64(offset), Limit: int64(limit)}), want[offset:min(len(want), offset+limit)])
	}
}

// Rows are found by their keys as by a look at all of them, however they are stored and however often a key occurs.
func TestOrderFindsAllRows(t *testing.T) {
	t.Parallel()
	r := newRand()
	for range 200 {
		keys := make([]int64, r.IntN(100))
		for i := range keys {
			keys[i] = r.Int64N(30) - 15
		}
		if r.IntN(2) == 0 {
			slices.Sort(keys)
		}
		wanted := []int64{-15, r.Int64N(40) - 20, 14}
		slices.Sort(wanted)
		wanted = slices.Compact(wanted)
		var want []int
		for i, k := range keys {
			if slices.Contains(wanted, k) {
				want = append(want, i)
			}
		}
		for _, typ := range []milvus.DataType{milvus.TypeInt64, milvus.TypeVarChar} {
			column, among := arrow.Array(int64Array(keys)), filter.Values{Ints: wanted}
			sorted := slices.IsSorted(keys)
			if typ == milvus.TypeVarChar {
				shifted := func(list []int64) (out []int64) {
					for _, k := range list {
						out = append(out, k+20)
					}
					return out
				}
				column, among = keysOf(milvus.Field{Type: typ}, shifted(keys)), filter.Values{}
				for _, k := range shifted(wanted) {
					among.Texts = append(among.Texts, textKey(k))
				}
			}
			if isSorted(column) != sorted {
				t.Fatalf("%v: sorted is %v", keys, !sorted)
			}
			orders := []*order{{rows: byKey(column)}}
			if sorted {
				orders = append(orders, &order{sorted: true})
			}
			for _, o := range orders {
				if got := o.find(column, among); !slices.Equal(got, want) {
					t.Fatalf("%v in %v: rows %v, want %v", wanted, keys, got, want)
				}
			}
		}
	}
}

// A page of many rows is cut from a short list, which is that of all rows ordered.
func TestShortlist(t *testing.T) {
	t.Parallel()
	r := newRand()
	for _, limit := range []int{1, 7, 1000, 3000} {
		s := shortlist[int64]{limit: limit}
		var all []keyed[int64]
		for i := range 20_000 {
			k := keyed[int64]{r.Int64N(500), r.Uint64N(3), ref{int32(r.IntN(3)), int32(i)}}
			all = append(all, k)
			if s.add(k); len(s.rows) >= limit+max(limit, spareRows) {
				t.Fatalf("%d rows are held for %d", len(s.rows), limit)
			}
		}
		s.cut()
		slices.SortFunc(all, compareKeyed[int64])
		if !slices.Equal(s.rows, all[:limit]) {
			t.Errorf("limit %d: other rows", limit)
		}
	}
}

// lookups is a flushed collection of n rows in segments of 100,000, with keys in order or not.
func lookups(b *testing.B, n int, shuffled bool) (*Engine, *metastore.Collection) {
	b.Helper()
	meta, dir := newFakeMeta(), b.TempDir()
	e, err := open(b.Context(), meta, objstore.Local(filepath.Join(dir, "bucket")), Config{Dir: dir, StorageVersion: milvus.StorageV2, NoFsync: true, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close() })
	c, err := e.CreateCollection(b.Context(), Spec{Schema: simple()})
	if err != nil {
		b.Fatal(err)
	}
	r := newRand()
	for first := 0; first < n; first += 100_000 {
		keys := make([]int64, min(100_000, n-first))
		for i := range keys {
			keys[i] = int64(first + i)
		}
		if shuffled {
			r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		}
		if _, err := e.Insert(b.Context(), c, "", simpleRows(keys...)); err != nil {
			b.Fatal(err)
		}
		if _, err := e.Flush(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	return e, c
}

func BenchmarkQuery(b *testing.B) {
	for _, order := range []string{"sorted", "shuffled"} {
		e, c := lookups(b, 500_000, order == "shuffled")
		for name, q := range map[string]Query{
			"key": {Filter: "id == 333333"}, "keys": {Filter: "id in [1, 100001, 200001, 300001, 400001]"}, "page": {Limit: 10}, "range": {Filter: "id >= 250000 and id < 250010"},
			"count": {Filter: "id >= 0", Count: true},
		} {
			q.Fields = []milvus.FieldID{100, 101}
			b.Run(order+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for range 3 { // what is kept in memory is
					if _, err := e.Query(b.Context(), c, q); err != nil {
						b.Fatal(err)
					}
				}
				for b.Loop() {
					if _, err := e.Query(b.Context(), c, q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Keys and a field that came later in one filter: rows that are older than the field have its default, or NULL, however they
// are found; deleted ones and those that were replaced stay away.
func TestKeysAndFieldsAddedLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{StorageVersion: milvus.StorageV2}, true)
	c := create(t, w, Spec{Schema: simple(), Shards: 2})
	for first := range int64(5) { // keys 0 to 49, out of order, in flushes of ten
		keys := make([]int64, 10)
		for i := range keys {
			keys[i] = first*10 + int64(i*7%10)
		}
		insert(t, w, c, simpleRows(keys...))
		flushed(t, w, c)
	}
	for _, f := range []milvus.Field{{Name: "color", Type: milvus.TypeVarChar, MaxLength: 9, Nullable: true}, {Name: "count", Type: milvus.TypeInt32, Nullable: true, Default: int32(7)}} {
		if err := w.AddField(t.Context(), c, f); err != nil {
			t.Fatal(err)
		}
	}
	c, _ = w.meta.CollectionByID(c.ID)
	rows := simpleRows(5, 15, 50)
	rows.Columns[103], rows.Columns[104] = fixture.Strings("red", "red", "red"), int32s(1, 1, 1)
	if _, err := w.Upsert(t.Context(), c, "", rows); err != nil {
		t.Fatal(err)
	}
	remove(t, w, c, "id in [6, 16]")
	check := func(t *testing.T) {
		for range 3 { // from files, from memory, by the order of keys
			for expr, want := range map[string][]int64{
				"id == 4 and color is null": {4}, "id == 4 and count == 7": {4}, "id == 5": {5}, "id == 5 and color is null": nil, "id == 5 and count == 7": nil, "id == 5 and color == 'red'": {5},
				"id == 6": nil, "id in [5, 6, 7, 15, 16, 17, 60]": {5, 7, 15, 17}, "id in [5, 6, 7] and count == 7": {7}, "id >= 49 or color == 'red'": {5, 15, 49, 50},
				"id > 47 and count == 7": {48, 49}, "(id == 3 and count == 7) or (id == 15 and count == 1) or (id == 16 and count == 7)": {3, 15}, "count == 1": {5, 15, 50},
			} {
				r, err := w.Query(t.Context(), c, Query{Filter: expr, Fields: []milvus.FieldID{100}})
				if err != nil {
					t.Fatal(err)
				}
				if got := r.Columns[100].(*array.Int64).Int64Values(); !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", expr, got, want)
				}
			}
		}
	}
	t.Run("growing", check)
	flushed(t, w, c)
	t.Run("flushed", check)
	w.reopen(t)
	t.Run("reopened", check)
	if err := w.Compact(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.reopen(t)
	t.Run("compacted", check)
}

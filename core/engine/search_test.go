package engine

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// Searches find what comparing everything in the plainest way finds, over flushed and growing rows, without deleted ones.
func TestSearchIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	w := newWorld(t, Config{StorageVersion: milvus.StorageV2})
	c := create(t, w, Spec{Schema: everyType(milvus.TypeInt64), Shards: 2})
	m := model{}
	m.put(t, w, c, r, "", keyRange(0, 400), false)
	flushed(t, w, c)
	m.put(t, w, c, r, "", keyRange(300, 700), true)
	if _, err := w.Delete(t.Context(), c, "", "id in [1, 2, 3, 500]", nil); err != nil {
		t.Fatal(err)
	}
	columns := randomColumns(t, r, &c.Schema, 3)
	for name, metrics := range map[string][]string{
		"vec": {"L2", "IP", "COSINE"}, "half": {"L2", "COSINE"}, "brain": {"IP"}, "tiny": {"L2", "COSINE"}, "bits": {"HAMMING", "JACCARD"}, "words": {"IP"},
	} {
		f := fieldNamed(t, &c.Schema, name)
		queries := columns[f.ID]
		if queries.NullN() > 0 {
			queries = array.NewSlice(queries, 0, 1)
			if queries.NullN() > 0 {
				continue
			}
		}
		all, err := w.Query(t.Context(), c, Query{Fields: []milvus.FieldID{100, f.ID}, Filter: "age > 20"})
		if err != nil {
			t.Fatal(err)
		}
		for _, metric := range metrics {
			hits, err := w.Search(t.Context(), c, Search{Field: f.ID, Vectors: queries, Metric: metric, Filter: "age > 20", Limit: 7, Offset: 2, Fields: []milvus.FieldID{101}})
			if err != nil || len(hits) != queries.Len() {
				t.Fatal(name, metric, err)
			}
			for q, h := range hits {
				want := plainSearch(metric, all.Columns[100], all.Columns[f.ID], queries, q)
				want = want[2:min(9, len(want))]
				checkHits(t, fmt.Sprint(name, " ", metric, " ", q), h, want)
			}
		}
	}
}

func fieldNamed(t *testing.T, s *milvus.Schema, name string) milvus.Field {
	t.Helper()
	i := slices.IndexFunc(s.Fields, func(f milvus.Field) bool { return f.Name == name })
	if i < 0 {
		t.Fatal("no field ", name)
	}
	return s.Fields[i]
}

type scored struct {
	key   int64
	score float64
}

func checkHits(t *testing.T, what string, h Hits, want []scored) {
	t.Helper()
	if len(h.Scores) != len(want) || h.IDs.Len() != len(want) || h.Rows.Count != len(want) || h.Rows.Columns[101].Len() != len(want) {
		t.Fatalf("%s: %d hits, want %d", what, len(h.Scores), len(want))
	}
	for i, x := range want {
		got := float64(h.Scores[i])
		if math.Abs(got-x.score) > 1e-4*(1+math.Abs(x.score)) {
			t.Fatalf("%s: hit %d has score %v, want %v", what, i, got, x.score)
		}
		tied := slices.ContainsFunc(want, func(y scored) bool { return y.key != x.key && math.Abs(y.score-x.score) < 1e-4*(1+math.Abs(x.score)) })
		if id := h.IDs.(*array.Int64).Value(i); id != x.key && !tied && i < len(want)-1 {
			t.Fatalf("%s: hit %d is %d, want %d", what, i, id, x.key)
		}
	}
}

// plainSearch scores every row in float64 and sorts.
func plainSearch(metric string, keys, rows, queries arrow.Array, q int) (out []scored) {
	query := dense(queries, q)
	for i := range rows.Len() {
		if rows.IsNull(i) {
			continue
		}
		v := dense(rows, i)
		var dot, diff, a, b, both, any, differ float64
		for k, x := range query {
			y := v[k]
			dot, a = dot+x*y, a+x*x
			if x != 0 && y != 0 {
				both++
			}
			if x != 0 || y != 0 {
				any++
			}
			if x != y {
				differ++
			}
		}
		for k, y := range v {
			b += y * y
			if x := query[k]; true {
				diff += (x - y) * (x - y)
			}
		}
		score := map[string]float64{"L2": diff, "IP": dot, "COSINE": dot / math.Sqrt(a*b), "HAMMING": differ, "JACCARD": 1 - both/any}[metric]
		if _, sparse := rows.(*array.Map); sparse && score == 0 {
			continue
		}
		out = append(out, scored{keys.(*array.Int64).Value(i), score})
	}
	slices.SortStableFunc(out, func(x, y scored) int {
		if ascending(metric) {
			return cmp.Compare(x.score, y.score)
		}
		return cmp.Compare(y.score, x.score)
	})
	return out
}

// dense returns a vector of any kind by index; of binary ones, by bit.
func dense(a arrow.Array, i int) map[int]float64 {
	out := map[int]float64{}
	switch a := a.(type) {
	case *array.FixedSizeBinary:
		for k, b := range a.Value(i) {
			for bit := range 8 {
				out[8*k+bit] = float64(b >> bit & 1)
			}
		}
	case *array.Map:
		from, to := a.ValueOffsets(i)
		for k := from; k < to; k++ {
			out[int(a.Keys().(*array.Int64).Value(int(k)))] = float64(a.Items().(*array.Float32).Value(int(k)))
		}
	case *array.FixedSizeList:
		from, to := a.ValueOffsets(i)
		for k := from; k < to; k++ {
			switch v := a.ListValues().(type) {
			case *array.Float32:
				out[int(k-from)] = float64(v.Value(int(k)))
			case *array.Int32:
				out[int(k-from)] = float64(v.Value(int(k)))
			}
		}
	}
	return out
}

func TestRangeSearch(t *testing.T) {
	w := newWorld(t, Config{})
	c := create(t, w, Spec{Schema: milvus.Schema{Name: "line", Fields: []milvus.Field{
		{Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}, {Name: "v", Type: milvus.TypeFloatVector, Dim: 2},
	}}})
	v := vectors(2, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0)
	insert(t, w, c, Rows{Count: 5, Columns: map[milvus.FieldID]arrow.Array{100: int64Array([]int64{0, 1, 2, 3, 4}), 101: v}})
	bound := func(x float64) *float64 { return &x }
	for _, k := range []struct {
		metric        string
		radius, inner *float64
		want          []int64
	}{
		{"L2", bound(9), nil, []int64{0, 1, 2}}, // 9 is outside
		{"L2", bound(10), bound(1), []int64{1, 2, 3}},
		{"IP", bound(1), bound(3), []int64{3, 2}},
		{"IP", bound(1), nil, []int64{4, 3, 2}},
	} {
		query := vectors(2, 0, 0)
		if k.metric == "IP" {
			query = vectors(2, 1, 0)
		}
		hits, err := w.Search(t.Context(), c, Search{Field: 101, Vectors: query, Metric: k.metric, Limit: 10, Radius: k.radius, RangeFilter: k.inner})
		if err != nil || !slices.Equal(hits[0].IDs.(*array.Int64).Int64Values(), k.want) {
			t.Errorf("%+v: %v (%v)", k, hits, err)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	const rows, dim = 20_000, 128
	r := rand.New(rand.NewPCG(1, 1))
	random := func(n int) arrow.Array {
		all := make([]float32, n*dim)
		for i := range all {
			all[i] = r.Float32()
		}
		return vectors(dim, all...)
	}
	data, queries := random(rows), random(10)
	b.SetBytes(10 * rows * dim * 4)
	for b.Loop() {
		if _, err := nearest(b.Context(), 0, everyRow(rows), data, milvus.Field{ID: 101, Type: milvus.TypeFloatVector, Dim: dim}, "L2", Search{Vectors: queries, Limit: 10}); err != nil {
			b.Fatal(err)
		}
	}
}

// So many vectors at once could ask for more hits than there is memory.
func TestTooManyVectors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	c := create(t, w, Spec{Schema: simple()})
	insert(t, w, c, simpleRows(1))
	for n, ok := range map[int]bool{maxVectors: true, maxVectors + 1: false} {
		hits, err := w.Search(t.Context(), c, Search{Field: 102, Vectors: vectors(2, make([]float32, 2*n)...), Limit: 1})
		if ok != (err == nil) || ok && len(hits) != n || !ok && !status.Is(err, status.InvalidParameter) {
			t.Errorf("%d vectors: %d hits, %v", n, len(hits), err)
		}
	}
}

// Answers are bounded, by their bytes and by the hits that a search holds, and what is bounded is the answer, not what it is taken from.
func TestResultsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{ResultBytes: 1500})
	c := create(t, w, Spec{Schema: simple()})
	keys := make([]int64, 100)
	for i := range keys {
		keys[i] = int64(i)
	}
	insert(t, w, c, simpleRows(keys...))
	flushed(t, w, c)
	insert(t, w, c, simpleRows(1000))
	fields := []milvus.FieldID{100, 102}
	for filter, ok := range map[string]bool{"id < 10": true, "id >= 0": false} {
		r, err := w.Query(t.Context(), c, Query{Filter: filter, Fields: fields})
		if ok != (err == nil) || ok && r.Count != 10 || !ok && !strings.Contains(err.Error(), "query results exceed the maxOutputSize Limit 1500") {
			t.Errorf("%s: %d rows, %v", filter, r.Count, err)
		}
	}
	if r, err := w.Query(t.Context(), c, Query{Fields: fields, Limit: 20, Offset: 60}); err != nil || r.Count != 20 {
		t.Errorf("%d rows, %v", r.Count, err)
	}
	for _, x := range []struct {
		vectors       int
		limit, offset int64
		fields        []milvus.FieldID
		why           string
	}{
		{1, 16384, 0, nil, ""},
		{2, 20, 0, nil, ""},
		{2, 60, 0, []milvus.FieldID{102}, "search results exceed the maxOutputSize"},
		{10, 50, 0, nil, "search results exceed the maxOutputSize"},
	} {
		hits, err := w.Search(t.Context(), c, Search{Field: 102, Vectors: vectors(2, make([]float32, 2*x.vectors)...), Limit: x.limit, Offset: x.offset, Fields: x.fields})
		if x.why == "" && (err != nil || len(hits) != x.vectors) || x.why != "" && (err == nil || !strings.Contains(err.Error(), x.why)) {
			t.Errorf("%+v: %d, %v", x, len(hits), err)
		}
	}
	v := &view{parts: []*part{{mask: everyRow(16384)}}}
	if err := newWorld(t, Config{}).checkHits(v, Search{Vectors: vectors(2, make([]float32, 2*16384)...), Limit: 1, Offset: 16383}); !status.Is(err, status.InvalidParameter) {
		t.Errorf("hits of 3 GiB: %v", err)
	}
}

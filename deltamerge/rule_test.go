package deltamerge

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/milvus"
)

func intKeys(keys ...int64) *array.Int64 {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues(keys, nil)
	return b.NewInt64Array()
}

func stringKeys(keys []int64) *array.String {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for _, k := range keys {
		b.Append("key-" + strconv.FormatInt(k, 10))
	}
	return b.NewStringArray()
}

func set(cut milvus.Timestamp, pairs ...uint64) *Set {
	s := NewSet(cut)
	for i := 0; i < len(pairs); i += 2 {
		s.AddInt64([]int64{int64(pairs[i])}, []uint64{pairs[i+1]})
	}
	return s
}

// Every row has key 7; want names the timestamps of the rows that live.
func TestMask(t *testing.T) {
	const hour = 3600 * 1000
	ms := func(n int64) uint64 { return uint64(milvus.NewTimestamp(n, 0)) }
	for _, tc := range []struct {
		name  string
		rule  Rule
		scope Scope
		rows  []uint64
		want  []uint64
		count Counts
	}{
		{"no deletes", Rule{}, Scope{}, []uint64{1, 2}, []uint64{1, 2}, Counts{Rows: 2}},
		{"T1 insert, delete, insert", Rule{}, Scope{Own: set(0, 7, 15)}, []uint64{10, 20}, []uint64{20}, Counts{Rows: 2, Deleted: 1}},
		{"T2 two deletes, newer first", Rule{}, Scope{Own: set(0, 7, 30, 7, 15)}, []uint64{10, 20, 40}, []uint64{40}, Counts{Rows: 3, Deleted: 2}},
		{"strict on the row's side", Rule{}, Scope{Own: set(0, 7, 20)}, []uint64{19, 20, 21}, []uint64{20, 21}, Counts{Rows: 3, Deleted: 1}},
		{"T8 cut is inclusive", Rule{AsOf: 20}, Scope{}, []uint64{19, 20, 21}, []uint64{19, 20}, Counts{Rows: 3, AfterCut: 1}},
		{"delete at the cut counts", Rule{AsOf: 20}, Scope{Own: set(20, 7, 20)}, []uint64{10}, nil, Counts{Rows: 1, Deleted: 1}},
		{"delete after the cut does not", Rule{AsOf: 20}, Scope{Own: set(20, 7, 21)}, []uint64{10}, []uint64{10}, Counts{Rows: 1}},
		{"T9 deletes on both sides of the cut", Rule{AsOf: 20}, Scope{Own: set(20, 7, 15, 7, 30)}, []uint64{10, 18}, []uint64{18}, Counts{Rows: 2, Deleted: 1}},
		{"another key", Rule{}, Scope{Own: set(0, 8, 99)}, []uint64{10}, []uint64{10}, Counts{Rows: 1}},
		{"T10 delete before the commit", Rule{}, Scope{Commit: 50, Own: set(0, 7, 40)}, []uint64{10}, []uint64{50}, Counts{Rows: 1}},
		{"T10 delete at the commit", Rule{}, Scope{Commit: 50, Own: set(0, 7, 50)}, []uint64{10}, []uint64{50}, Counts{Rows: 1}},
		{"T10 delete after the commit", Rule{}, Scope{Commit: 50, Own: set(0, 7, 51)}, []uint64{10}, nil, Counts{Rows: 1, Deleted: 1}},
		{"commit after the cut", Rule{AsOf: 49}, Scope{Commit: 50}, []uint64{10}, nil, Counts{Rows: 1, AfterCut: 1}},
		{"L0", Rule{}, Scope{L0: []*Set{set(0, 8, 9), set(0, 7, 15)}}, []uint64{10, 20}, []uint64{20}, Counts{Rows: 2, Deleted: 1}},
		{"L0 before the start", Rule{}, Scope{L0: []*Set{set(0, 7, 15)}, L0After: 15}, []uint64{10}, []uint64{10}, Counts{Rows: 1}},
		{"L0 after the start", Rule{}, Scope{L0: []*Set{set(0, 7, 16)}, L0After: 15}, []uint64{10}, nil, Counts{Rows: 1, Deleted: 1}},
		{"own deletes before the start count", Rule{}, Scope{Own: set(0, 7, 14), L0After: 15}, []uint64{10}, nil, Counts{Rows: 1, Deleted: 1}},
		{"a row dies once", Rule{}, Scope{Own: set(0, 7, 14), L0: []*Set{set(0, 7, 14)}}, []uint64{10}, nil, Counts{Rows: 1, Deleted: 1}},
		{"TTL by age", Rule{TTL: TTL{NowMilli: 5 * hour, MaxAgeMilli: hour}}, Scope{}, []uint64{ms(4*hour - 1), ms(4 * hour), ms(4*hour + 1)}, []uint64{ms(4*hour + 1)}, Counts{Rows: 3, Expired: 2}},
		{"TTL from the commit", Rule{TTL: TTL{NowMilli: 5 * hour, MaxAgeMilli: hour}}, Scope{Commit: milvus.NewTimestamp(4*hour+1, 0)}, []uint64{ms(hour)}, []uint64{ms(4*hour + 1)}, Counts{Rows: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			keys := make([]int64, len(tc.rows))
			for i := range keys {
				keys[i] = 7
			}
			tc.scope.Effective(tc.rows)
			live := make([]bool, len(tc.rows))
			got, err := tc.rule.Mask(tc.scope, intKeys(keys...), tc.rows, nil, live)
			if err != nil || got != tc.count {
				t.Fatalf("counts %+v, error %v; want %+v", got, err, tc.count)
			}
			var alive []uint64
			for i, l := range live {
				if l {
					alive = append(alive, tc.rows[i])
				}
			}
			if fmt.Sprint(alive) != fmt.Sprint(tc.want) {
				t.Fatalf("rows %v live, want %v", alive, tc.want)
			}
		})
	}
}

func TestTTLField(t *testing.T) {
	b := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: arrow.Microsecond})
	for _, us := range []int64{-1, 0, 999_999, 1_000_000, 1_000_001} {
		b.Append(arrow.Timestamp(us))
	}
	b.AppendNull()
	live := make([]bool, 6)
	rule := Rule{TTL: TTL{NowMilli: 1000, Field: 103}}
	counts, err := rule.Mask(Scope{}, nil, make([]uint64, 6), b.NewTimestampArray(), live)
	if want := fmt.Sprint([]bool{true, false, false, false, true, true}); err != nil || fmt.Sprint(live) != want || counts.Expired != 3 {
		t.Fatalf("live %v, %+v, %v; want %s", live, counts, err, want)
	}
}

func TestKeysOfAnotherType(t *testing.T) {
	if _, err := (Rule{}).Mask(Scope{Own: set(0, 7, 9)}, stringKeys([]int64{7}), []uint64{1}, nil, make([]bool, 1)); err == nil {
		t.Fatal("Int64 deletes were applied to VarChar keys")
	}
}

// The tables against the rule as it is written, over random histories, with Int64 and VarChar keys.
func TestMaskAgainstTheRule(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		draw := func(n, limit int) (keys []int64, ts []uint64) {
			for range n {
				keys, ts = append(keys, rnd.Int64N(20)-10), append(ts, 1+rnd.Uint64N(uint64(limit)))
			}
			return
		}
		rule := Rule{AsOf: milvus.Timestamp(rnd.Uint64N(60))}
		scope := Scope{Commit: milvus.Timestamp(rnd.Uint64N(3) * 15), L0After: milvus.Timestamp(rnd.Uint64N(2) * 20)}
		ownKeys, ownTS := draw(rnd.IntN(30), 60)
		l0Keys, l0TS := draw(rnd.IntN(30), 60)
		rows, ts := draw(100, 60)
		strings := seed%2 == 1
		add := func(keys []int64, ts []uint64) *Set {
			s := NewSet(rule.AsOf)
			for i := 0; i < len(keys); i += 7 { // several files
				j := min(i+7, len(keys))
				if strings {
					s.AddStrings(stringKeys(keys[i:j]), ts[i:j])
				} else {
					s.AddInt64(keys[i:j], ts[i:j])
				}
			}
			return s
		}
		scope.Own, scope.L0 = add(ownKeys, ownTS), []*Set{add(l0Keys[:len(l0Keys)/2], l0TS), add(l0Keys[len(l0Keys)/2:], l0TS[len(l0Keys)/2:])}
		var keys arrow.Array = intKeys(rows...)
		if strings {
			keys = stringKeys(rows)
		}
		eff := append([]uint64(nil), ts...)
		scope.Effective(eff)
		live := make([]bool, len(rows))
		counts, err := rule.Mask(scope, keys, eff, nil, live)
		if err != nil {
			t.Fatal(err)
		}
		dead := func(r int, keys []int64, dts []uint64, after uint64) bool {
			for i, k := range keys {
				d := dts[i]
				if k == rows[r] && d > after && max(ts[r], uint64(scope.Commit)) < d && (rule.AsOf == 0 || d <= uint64(rule.AsOf)) {
					return true
				}
			}
			return false
		}
		var alive int64
		for r := range rows {
			visible := rule.AsOf == 0 || max(ts[r], uint64(scope.Commit)) <= uint64(rule.AsOf)
			want := visible && !dead(r, ownKeys, ownTS, 0) && !dead(r, l0Keys, l0TS, uint64(scope.L0After))
			if live[r] != want {
				t.Fatalf("seed %d row %d: live %v, the rule says %v", seed, r, live[r], want)
			}
			if want {
				alive++
			}
		}
		if counts.Live() != alive {
			t.Fatalf("seed %d: %+v, but %d rows live", seed, counts, alive)
		}
	}
}

func BenchmarkKill(b *testing.B) {
	const n = 1 << 20
	keys, ts := make([]int64, n), make([]uint64, n)
	for i := range keys {
		keys[i], ts[i] = int64(i)*7, uint64(i+1)
	}
	b.Run("add", func(b *testing.B) {
		for b.Loop() {
			NewSet(0).AddInt64(keys, ts)
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "deletes/s")
	})
	s := NewSet(0)
	s.AddInt64(keys, ts)
	rows, live := intKeys(keys...), make([]bool, n)
	b.Run("probe", func(b *testing.B) {
		for b.Loop() {
			s.ints.kill(rows.Int64Values(), ts, 0, live)
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		b.ReportMetric(float64(s.Bytes())/n, "B/delete")
	})
}

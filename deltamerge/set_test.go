package deltamerge

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/snapexport/snapexport/milvus"
)

// TestSet compares sets with maps: keys that come again and again, in batches of any size and one by one, tables that were
// presized, too large or not at all, deletes after the cut and at 0.
func TestSet(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 7))
		cut := []milvus.Timestamp{0, 50}[seed%2]
		last := uint64(cut)
		if cut == 0 {
			last = ^uint64(0)
		}
		ints, texts := NewSet(cut), NewSet(cut)
		want := map[int64]uint64{}
		keyspace := 1 + rng.Int64N(1<<(1+seed%14))
		var entries, afterCut int64
		for range 1 + rng.IntN(12) {
			n := rng.IntN(5 * ahead)
			keys, ts := make([]int64, n), make([]uint64, n)
			for i := range keys {
				keys[i], ts[i] = rng.Int64N(keyspace)-keyspace/2, rng.Uint64N(100)
				want[keys[i]] = max(want[keys[i]], at(ts[i], last))
				if ts[i] > last {
					afterCut++
				}
			}
			entries += int64(n)
			column := stringKeys(keys)
			switch rng.IntN(3) {
			case 0:
				ints.GrowInt64(n)
				texts.GrowStrings(n, len(column.ValueBytes()))
				fallthrough
			case 1:
				ints.AddInt64(keys, ts)
				texts.AddStrings(column, ts)
			case 2:
				for i, k := range keys {
					ints.Add(k, ts[i])
					texts.AddText([]byte(column.Value(i)), ts[i])
				}
			}
		}
		checkSet(t, fmt.Sprint("seed ", seed, ", Int64"), ints, want, entries, afterCut, func(k int64) uint64 { return ints.Newest(k) })
		checkSet(t, fmt.Sprint("seed ", seed, ", VarChar"), texts, want, entries, afterCut, func(k int64) uint64 {
			return texts.NewestText([]byte("key-" + strconv.FormatInt(k, 10)))
		})
		checkKill(t, ints, texts, want, keyspace)
	}
}

func at(ts, last uint64) uint64 {
	if ts > last {
		return 0
	}
	return ts
}

func checkSet(t *testing.T, what string, s *Set, want map[int64]uint64, entries, afterCut int64, newest func(int64) uint64) {
	t.Helper()
	if s.Entries() != entries || s.AfterCut() != afterCut {
		t.Fatalf("%s: %d entries, %d after the cut, want %d, %d", what, s.Entries(), s.AfterCut(), entries, afterCut)
	}
	keys := 0
	for k, ts := range want {
		if newest(k) != ts {
			t.Fatalf("%s: key %d is deleted at %d, want %d", what, k, newest(k), ts)
		}
		if ts != 0 {
			keys++
		}
	}
	if s.Keys() != keys {
		t.Fatalf("%s: %d keys, want %d", what, s.Keys(), keys)
	}
	if newest(1<<40) != 0 {
		t.Fatalf("%s: a key that nobody deleted", what)
	}
}

// checkKill judges a row of every key and of some that are not there.
func checkKill(t *testing.T, ints, texts *Set, want map[int64]uint64, keyspace int64) {
	t.Helper()
	var keys []int64
	for k := -keyspace/2 - 70; k < keyspace; k += 1 + keyspace/1000 {
		keys = append(keys, k)
	}
	eff := make([]uint64, len(keys))
	for i := range eff {
		eff[i] = uint64(i % 90)
	}
	const after = 20
	lives := [2][]bool{make([]bool, len(keys)), make([]bool, len(keys))}
	var killed, dead int64
	for i := range keys {
		lives[0][i], lives[1][i] = i%7 > 0, i%7 > 0
		if i%7 > 0 && want[keys[i]] > max(eff[i], after) {
			dead++
		}
	}
	for i, s := range []*Set{ints, texts} {
		var err error
		if i == 0 {
			killed, err = s.kill(intKeys(keys...), eff, after, lives[i])
		} else {
			killed, err = s.kill(stringKeys(keys), eff, after, lives[i])
		}
		if err != nil || killed != dead {
			t.Fatalf("%d rows are killed, want %d: %v", killed, dead, err)
		}
		for r, live := range lives[i] {
			if live != (r%7 > 0 && want[keys[r]] <= max(eff[r], after)) {
				t.Fatalf("key %d at %d: live %t", keys[r], eff[r], live)
			}
		}
	}
}

package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/milvus"
)

// points are where a crash can split a write, a flush or a compaction.
var points = []string{"wal:before", "wal:after", "files:before", "files:after", "flush:before-commit", "compact:before-commit", "commit:after", "flush:end"}

// After a stop at any point, every write that returned is there once, and one that did not is there wholly or not at all.
func TestCrashes(t *testing.T) {
	for _, point := range points {
		for after := range 3 {
			t.Run(fmt.Sprint(point, after), func(t *testing.T) {
				t.Parallel()
				crash(t, point, after)
			})
		}
	}
}

func crash(t *testing.T, point string, after int) {
	armed, left := false, after
	w := newWorld(t, Config{StorageVersion: milvus.StorageV2, Fault: func(p string) error {
		if armed && p == point {
			if left--; left < 0 {
				return errInjected
			}
		}
		return nil
	}})
	r := rand.New(rand.NewPCG(1, uint64(after)))
	c := create(t, w, Spec{Schema: everyType(milvus.TypeInt64), Shards: 3})
	m := model{}
	m.put(t, w, c, r, "_default", keyRange(0, 20), false)
	flushed(t, w, c)
	m.put(t, w, c, r, "_default", keyRange(5, 10), true)
	flushed(t, w, c)
	m.put(t, w, c, r, "_default", keyRange(20, 25), false)
	armed = true
	before, unsure := runUntilCrash(t, w, c, r, m)
	armed = false
	w.reopen(t)
	got := query(t, w, c, Query{})
	if len(got) == len(before.texts(nil)) {
		unsure = before
	}
	same(t, "after the crash", got, unsure.texts(nil))
	unsure.put(t, w, c, r, "_default", keyRange(1000, 1010), false)
	at := flushed(t, w, c)
	same(t, "files after the crash", exported(t, w, c, at.Timestamp), unsure.exported())
	if err := w.Compact(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	same(t, "compacted after the crash", query(t, w, c, Query{}), unsure.texts(nil))
}

// runUntilCrash writes, flushes and compacts until the fault comes. It returns the rows that were acknowledged, and those with the
// write that was under way.
func runUntilCrash(t *testing.T, w *world, c *metastore.Collection, r *rand.Rand, m model) (before, unsure model) {
	t.Helper()
	for i := range int64(5) {
		before, unsure = m.copy(), m.copy()
		unsure.expect(t, w, c, rand.New(rand.NewPCG(9, uint64(i))), keyRange(100*i, 100*i+30))
		steps := []func() error{
			func() error {
				return m.try(t, w, c, rand.New(rand.NewPCG(9, uint64(i))), "_default", keyRange(100*i, 100*i+30), true)
			},
			func() error { before = unsure; _, err := w.Flush(t.Context(), c); return err },
			func() error { return w.Compact(t.Context(), c) },
		}
		for _, step := range steps {
			if err := step(); errors.Is(err, errInjected) {
				return before, unsure
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Fatal("the fault did not come")
	return nil, nil
}

func keyRange(from, to int64) (out []int64) {
	for k := from; k < to; k++ {
		out = append(out, k)
	}
	return out
}

func flushed(t *testing.T, w *world, c *metastore.Collection) Flushed {
	t.Helper()
	f, err := w.Flush(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

package metastore

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/snapexport/snapexport/milvus"
)

// TestAllocatorsNeverGoBack takes timestamps and ids over restarts, crashes and steps of the clock.
func TestAllocatorsNeverGoBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		steps []time.Duration // of the clock, each followed by a restart
	}{
		{"a clock that stands still", []time.Duration{0, 0, 0}},
		{"a clock that goes on", []time.Duration{time.Second, time.Minute, time.Millisecond}},
		{"steps back", []time.Duration{-time.Hour, time.Second, -24 * time.Hour}},
		{"a step forward, then back", []time.Duration{24 * time.Hour, -24 * time.Hour, time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			s := open(t, t.TempDir(), func(c *Config) { c.Now = clock.Now })
			var last milvus.Timestamp
			var lastID int64
			take := func() {
				for range 5 {
					ts := must[milvus.Timestamp](t)(s.Timestamp())
					id := must[int64](t)(s.IDs(3))
					if ts <= last || id <= lastID || ts.UnixMilli() < clock.now.UnixMilli() {
						t.Fatalf("timestamp %d after %d, id %d after %d, clock %d", ts, last, id, lastID, clock.now.UnixMilli())
					}
					last, lastID = ts, id+2
				}
			}
			for _, step := range c.steps {
				take()
				clock.now = clock.now.Add(step)
				take()
				check(t, s.Close())
				s = open(t, s.config.Dir, func(c *Config) { c.Now = clock.Now })
			}
			take()
		})
	}
}

func TestTimestampFollowsTheClock(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := open(t, t.TempDir(), func(c *Config) { c.Now = clock.Now })
	first := must[milvus.Timestamp](t)(s.Timestamp())
	if first != milvus.NewTimestamp(clock.now.UnixMilli(), 0) {
		t.Errorf("first timestamp %v", first)
	}
	clock.now = clock.now.Add(time.Second)
	if ts := must[milvus.Timestamp](t)(s.Timestamp()); ts != milvus.NewTimestamp(clock.now.UnixMilli(), 0) {
		t.Errorf("timestamp %v after a second", ts.Time())
	}
}

// TestFullMillisecond takes more timestamps than a millisecond's counter has.
func TestFullMillisecond(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	const n = 1<<18 + 1000
	first := must[milvus.Timestamp](t)(s.Timestamp())
	last := first
	for range n {
		ts := must[milvus.Timestamp](t)(s.Timestamp())
		if ts != last+1 {
			t.Fatalf("%d after %d", ts, last)
		}
		last = ts
	}
	if last.UnixMilli() != first.UnixMilli()+1 {
		t.Errorf("from %d to %d ms", first.UnixMilli(), last.UnixMilli())
	}
}

// TestAllocateTogether takes timestamps and ids in several goroutines.
func TestAllocateTogether(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	const workers, each = 8, 500
	var mu sync.Mutex
	var stamps []milvus.Timestamp
	var ids []int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			var own []milvus.Timestamp
			for i := range each {
				ts, err := s.Timestamp()
				if err != nil {
					t.Error(err)
				}
				own = append(own, ts)
				first, err := s.IDs(i%3 + 1)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for k := range i%3 + 1 {
					ids = append(ids, first+int64(k))
				}
				mu.Unlock()
			}
			if !slices.IsSorted(own) {
				t.Error("one caller's timestamps do not increase")
			}
			mu.Lock()
			defer mu.Unlock()
			stamps = append(stamps, own...)
		})
	}
	wg.Wait()
	slices.Sort(stamps)
	slices.Sort(ids)
	if n := len(slices.Compact(stamps)); n != workers*each {
		t.Errorf("%d different timestamps", n)
	}
	if n, all := len(slices.Compact(slices.Clone(ids))), len(ids); n != all {
		t.Errorf("%d different ids of %d", n, all)
	}
}

// TestMarkBeforeUse issues nothing whose mark is not in etcd.
func TestMarkBeforeUse(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	s.config.Fault = func(string) error { return errStop }
	if ts, err := s.Timestamp(); !errors.Is(err, errStop) {
		t.Errorf("timestamp %d, error %v", ts, err)
	}
	if id, err := s.IDs(1); !errors.Is(err, errStop) {
		t.Errorf("id %d, error %v", id, err)
	}
	s.config.Fault = nil
	must[milvus.Timestamp](t)(s.Timestamp())
	if _, err := s.IDs(0); err == nil {
		t.Error("no ids")
	}
}

package export_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/milvus"
)

// trial is a history with its layouts. Each has random numbers of its own, so that a history can lose parts and still be
// stored in about the same ways.
type trial struct {
	seed uint64
	h    *history
}

func newTrial(seed uint64) trial {
	return trial{seed, newHistory(random{rand.New(rand.NewPCG(seed, 3))})}
}

// run compares all layouts; what differs fails t.
func (c trial) run(t testing.TB) {
	var hash string
	for i := range layoutsEach {
		got := exportLayout(t, random{rand.New(rand.NewPCG(c.seed, 100+uint64(i)))}, c.h, i)
		if hash == "" {
			hash = got
		}
		if got != hash {
			t.Fatalf("layout %d has content hash %s, layout 0 %s", i, got, hash)
		}
	}
}

// failure runs the trial without failing t and returns what it said; "" if it passed.
func (c trial) failure(t testing.TB) string {
	p := &probe{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer p.clean()
		defer func() {
			if v := recover(); v != nil {
				p.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		c.run(p)
	}()
	<-done
	if !p.Failed() {
		return ""
	}
	return strings.Join(p.log, "\n")
}

// shrinkTrials bounds how many smaller trials are made of one that fails.
const shrinkTrials = 60

// shrunk takes rows, deletes and fields out of a trial that fails, as long as it fails. It returns the smaller one with what
// that says.
func (c trial) shrunk(t testing.TB, said string) (trial, string) {
	left := shrinkTrials
	try := func(h *history) bool {
		if left--; left < 0 {
			return false
		}
		got := trial{c.seed, h}.failure(t)
		if got == "" {
			return false
		}
		c.h, said = h, got
		return true
	}
	shrink(&left, func() int { return len(c.h.rows) }, func(i, n int) bool {
		h := *c.h
		h.rows = slices.Delete(slices.Clone(h.rows), i, i+n)
		return try(&h)
	})
	shrink(&left, func() int { return len(c.h.deletes) }, func(i, n int) bool {
		h := *c.h
		h.deletes = slices.Delete(slices.Clone(h.deletes), i, i+n)
		return try(&h)
	})
	shrink(&left, func() int { return len(c.h.schema.Fields) }, func(i, n int) bool {
		h := *c.h
		h.schema.Fields = slices.DeleteFunc(slices.Clone(h.schema.Fields), func(f milvus.Field) bool {
			at := slices.IndexFunc(c.h.schema.Fields, func(g milvus.Field) bool { return g.ID == f.ID })
			return at >= i && at < i+n && !f.PrimaryKey && f.ID != h.expiry
		})
		return len(h.schema.Fields) < len(c.h.schema.Fields) && try(&h)
	})
	if len(c.h.schema.StructArrays) > 0 {
		h := *c.h
		h.schema.StructArrays = nil
		try(&h)
	}
	return c, said
}

// shrink takes out ranges, halves first, then ever smaller ones.
func shrink(left *int, size func() int, without func(i, n int) bool) {
	for n := size() / 2; n > 0 && *left > 0; n /= 2 {
		for i := 0; i+n <= size() && *left > 0; {
			if !without(i, n) {
				i += n
			}
		}
	}
}

// String says what the trial is about.
func (c trial) String() string {
	var b strings.Builder
	for _, f := range c.h.all() {
		fmt.Fprintf(&b, "  field %d: %s, nullable %v, default %v, added %v\n", f.ID, f.Type, f.Nullable, f.Default, c.h.added[f.ID])
	}
	for _, r := range c.h.rows[:min(5, len(c.h.rows))] {
		fmt.Fprintf(&b, "  row of partition %d, group %d at %d: %s\n", r.partition, r.group, r.ts, c.h.line(r, c.h.columns()))
	}
	fmt.Fprintf(&b, "  cut %d, ttl %d, groups %v, %d deletes\n", c.h.cut, c.h.ttl, c.h.groups, len(c.h.deletes))
	return b.String()
}

// probe is a testing.TB that remembers failures instead of passing them on.
type probe struct {
	testing.TB
	lock   sync.Mutex
	failed bool
	log    []string
	dirs   []string
}

func (p *probe) say(text string, failed bool) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.failed = p.failed || failed
	p.log = append(p.log, text)
}

func (p *probe) Failed() bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.failed
}

func (p *probe) Helper()                        {}
func (p *probe) Log(args ...any)                { p.say(fmt.Sprint(args...), false) }
func (p *probe) Logf(format string, a ...any)   { p.say(fmt.Sprintf(format, a...), false) }
func (p *probe) Error(args ...any)              { p.say(fmt.Sprint(args...), true) }
func (p *probe) Errorf(f string, a ...any)      { p.say(fmt.Sprintf(f, a...), true) }
func (p *probe) Fatal(args ...any)              { p.Error(args...); runtime.Goexit() }
func (p *probe) Fatalf(format string, a ...any) { p.Errorf(format, a...); runtime.Goexit() }

func (p *probe) FailNow() {
	p.say("", true)
	runtime.Goexit()
}

// TempDir is removed at the end of the trial, not of the test.
func (p *probe) TempDir() string {
	dir, err := os.MkdirTemp("", "trial")
	if err != nil {
		p.Fatal(err)
	}
	p.dirs = append(p.dirs, dir)
	return dir
}

func (p *probe) clean() {
	for _, dir := range p.dirs {
		_ = os.RemoveAll(dir)
	}
}

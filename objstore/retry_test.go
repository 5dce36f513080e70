package objstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
)

func TestRetryPauses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		jitter func() float64
		want   []time.Duration
	}{
		{nil, []time.Duration{100, 200, 400, 500}},
		{func() float64 { return 0 }, []time.Duration{50, 100, 200, 250}},
		{func() float64 { return 0.5 }, []time.Duration{75, 150, 300, 375}},
	} {
		var got []time.Duration
		p := objstore.RetryPolicy{Attempts: 5, Base: 100 * time.Millisecond, Cap: 500 * time.Millisecond, Jitter: c.jitter,
			Sleep: func(_ context.Context, d time.Duration) error { got = append(got, d/time.Millisecond); return nil }}
		f := faultstore.New(objstore.Local(t.TempDir()), faultstore.Rule{When: faultstore.Always, Do: faultstore.Fail(objstore.ErrTransient)})
		_, err := objstore.WithRetry(f, p).Stat(t.Context(), "k")
		if !errors.Is(err, objstore.ErrTransient) || !slices.Equal(got, c.want) || f.Calls(faultstore.Stat) != 5 {
			t.Errorf("%v %v, %d calls", got, err, f.Calls(faultstore.Stat))
		}
	}
}

func TestRetryOnlyWhatMayBe(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var told []string
	p := quickRetry()
	p.OnRetry = func(op, key string, attempt int, err error) {
		told = append(told, fmt.Sprintf("%s %s %d", op, key, attempt))
	}
	f := faultstore.New(objstore.Local(t.TempDir()),
		faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.Create), faultstore.Nth(1)), Do: faultstore.LoseAnswer(objstore.ErrTransient)},
		faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.Put), faultstore.Suffix("auth")), Do: faultstore.Fail(fault.ErrAuth)},
		faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.Put, faultstore.ReadAll), faultstore.First(2)), Do: faultstore.LoseAnswer(objstore.ErrTransient)},
		faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.ReadRange), faultstore.Nth(1)), Do: faultstore.CutBody(1)})
	s := objstore.WithRetry(f, p)
	if err := s.Create(ctx, "c", []byte("c")); !errors.Is(err, objstore.ErrTransient) || f.Calls(faultstore.Create) != 1 {
		t.Errorf("Create was repeated: %v", err)
	}
	if err := s.Put(ctx, "auth", nil); !errors.Is(err, fault.ErrAuth) || f.Calls(faultstore.Put) != 1 {
		t.Errorf("a refusal was repeated: %v", err)
	}
	must(t, s.Put(ctx, "p", []byte("ppp")))
	if b, err := s.ReadRange(ctx, "p", 0, 3, ""); err != nil || string(b) != "ppp" {
		t.Errorf("%q %v", b, err)
	}
	if want := []string{"put p 1", "put p 2", "read range p 1"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	stopped, cancel := context.WithCancel(ctx)
	p.Sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	f.Add(faultstore.Rule{When: faultstore.On(faultstore.Stat), Do: faultstore.Fail(objstore.ErrTransient)})
	if _, err := objstore.WithRetry(f, p).Stat(stopped, "p"); !errors.Is(err, context.Canceled) || f.Calls(faultstore.Stat) != 1 {
		t.Errorf("%v after %d calls", err, f.Calls(faultstore.Stat))
	}
}

// TestRetryResumesListings: no object twice, none left out.
func TestRetryResumesListings(t *testing.T) {
	t.Parallel()
	inner := objstore.Local(t.TempDir())
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("k%02d", i))
		must(t, inner.Put(t.Context(), want[i], nil))
	}
	f := faultstore.New(inner,
		faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.Entry), faultstore.Key("k07"), faultstore.First(3)), Do: faultstore.Fail(objstore.ErrTransient)},
		faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.Entry), faultstore.Key("k13"), faultstore.First(5)), Do: faultstore.Fail(objstore.ErrTransient)})
	m := &objstore.Metrics{}
	if got := keysOf(t, objstore.WithRetry(objstore.WithMetrics(f, m), quickRetry()), ""); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	if c := m.Counts(); c.Calls["list"] != 9 || c.Errors != 8 {
		t.Errorf("%+v", c)
	}
	f.Add(faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.Entry), faultstore.Key("k19")), Do: faultstore.Fail(objstore.ErrTransient)})
	if err := lastError(objstore.WithRetry(f, quickRetry()).List(t.Context(), "")); !errors.Is(err, objstore.ErrTransient) {
		t.Error(err)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m, ctx := &objstore.Metrics{}, t.Context()
	s := objstore.WithMetrics(objstore.Local(t.TempDir()), m)
	must(t, s.Put(ctx, "a", make([]byte, 100)), s.Create(ctx, "b", make([]byte, 10)))
	_ = s.Create(ctx, "b", nil)
	u, err := s.Upload(ctx, "c")
	must(t, err)
	_, err = u.Write(make([]byte, 1000))
	must(t, err)
	_, err = u.Commit()
	must(t, err)
	_, _, err = s.ReadAll(ctx, "a", 100)
	must(t, err)
	_, err = s.ReadRange(ctx, "c", 0, 7, "")
	must(t, err)
	_ = keysOf(t, s, "")
	c := m.Counts()
	if got := fmt.Sprint(c.Calls); got != "map[create:2 list:1 put:1 read_all:1 read_range:1 upload:1]" || c.Errors != 1 || c.BytesOut != 1110 || c.BytesIn != 107 || c.Total() != 7 {
		t.Errorf("%+v", c)
	}
}

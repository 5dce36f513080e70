package faultstore_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
	. "github.com/snapexport/snapexport/objstore/faultstore"
	"github.com/snapexport/snapexport/objstore/storetest"
)

// TestTransparent: without rules the decorator changes nothing.
func TestTransparent(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) objstore.Store { return New(objstore.Local(t.TempDir())) })
}

func TestEffects(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	inner := objstore.Local(t.TempDir())
	for _, key := range []string{"cut", "flip", "short", "tag", "ok"} {
		if err := inner.Put(ctx, key, []byte("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	s := New(inner,
		Rule{Key("cut"), CutBody(4)},
		Rule{All(Key("flip"), On(ReadAll)), FlipBit(-1)},
		Rule{Any(Key("short"), Suffix("nothing")), Truncate(3)},
		Rule{Key("tag"), ChangeETag("never")},
		Rule{All(Contains("new"), On(Create)), LoseAnswer(objstore.ErrUnknownOutcome)},
		Rule{All(On(Put), Not(Key("ok")), Every(2)), Fail(fault.ErrAuth)},
		Rule{All(On(Upload), Nth(2)), LoseAnswer(objstore.ErrTransient)},
		Rule{On(Commit), Fail(objstore.ErrFailed)},
		Rule{On(Dirs), Fail(fault.ErrAuth)},
	)
	read := func(key string) (string, error) { b, _, err := s.ReadAll(ctx, key, 100); return string(b), err }
	if _, err := read("cut"); !errors.Is(err, objstore.ErrTransient) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	for key, want := range map[string]string{"flip": "0123456788", "short": "012", "ok": "0123456789"} {
		if got, err := read(key); got != want || err != nil {
			t.Errorf("%s: %q %v", key, got, err)
		}
	}
	o, err := s.Stat(ctx, "tag")
	if err != nil || o.ETag != "never" {
		t.Error(o, err)
	}
	if _, err := s.ReadRange(ctx, "tag", 0, 1, o.ETag); !errors.Is(err, fault.ErrConflict) {
		t.Error(err)
	}
	if err := s.Create(ctx, "new", []byte("n")); !errors.Is(err, objstore.ErrUnknownOutcome) {
		t.Error(err)
	}
	if got, err := read("new"); got != "n" || err != nil {
		t.Error("the write whose answer was lost did not happen", err)
	}
	if one, two := s.Put(ctx, "p", nil), s.Put(ctx, "p", nil); one != nil || !errors.Is(two, fault.ErrAuth) {
		t.Error(one, two)
	}
	u, err := s.Upload(ctx, "u")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Commit(); !errors.Is(err, objstore.ErrFailed) || u.Abort() != nil {
		t.Error(err)
	}
	if _, err := s.Upload(ctx, "u"); !errors.Is(err, objstore.ErrTransient) {
		t.Error(err)
	}
	for _, err := range s.Dirs(ctx, "") {
		if !errors.Is(err, fault.ErrAuth) {
			t.Error(err)
		}
	}
	if s.Calls(Create) != 1 || s.Calls(Put) != 2 {
		t.Error(s.Calls(Create), s.Calls(Put))
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	s := New(objstore.Local(t.TempDir()), Rule{On(Put), Block(gate)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "k", nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(gate)
	if err := s.Put(t.Context(), "k", nil); err != nil {
		t.Error(err)
	}
}

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/fault"
)

// records replays a log.
func replayed(t *testing.T, dir string) (out []string, w *wal, err error) {
	t.Helper()
	w, err = replayLog(dir, false, func(r []byte) (bool, error) {
		out = append(out, string(r))
		return true, nil
	})
	return out, w, err
}

func mustAppend(t *testing.T, w *wal, records ...string) {
	t.Helper()
	for _, r := range records {
		if err := w.append([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
}

// A log cut off anywhere gives the records that were whole, and takes new ones.
func TestLogCutOff(t *testing.T) {
	whole := t.TempDir()
	w := &wal{dir: whole}
	mustAppend(t, w, "one", "2", "three")
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(w.path(0))
	if err != nil {
		t.Fatal(err)
	}
	ends := []int{len(logMagic), len(logMagic) + frameHeader + 11, len(logMagic) + 2*frameHeader + 20, len(body)}
	for n := range len(body) + 1 {
		for _, tail := range []int{0, 40} { // zeros that were never written
			want := []string{"one", "2", "three"}[:max(0, slices.IndexFunc(append(ends, len(body)+1), func(e int) bool { return e > n })-1)]
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(w.path(0))), append(slices.Clone(body[:n]), make([]byte, tail)...), 0o600); err != nil {
				t.Fatal(err)
			}
			got, again, err := replayed(t, dir)
			atEnd := slices.Contains(ends, n) || n == 0
			if tail > 0 && !atEnd {
				if err == nil && !slices.Equal(got, want) {
					t.Fatalf("cut at %d with zeros: %q", n, got)
				}
				continue // part of a frame and zeros: may be refused, may not be taken for a record
			}
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("cut at %d: %q, want %q (%v)", n, got, want, err)
			}
			mustAppend(t, again, "new")
			if got, _, err = replayed(t, dir); err != nil || !slices.Equal(got, append(want, "new")) {
				t.Fatalf("cut at %d, then written: %q (%v)", n, got, err)
			}
		}
	}
}

// A flipped bit is an error wherever records follow it, and never gives a record that was not written.
func TestLogDamaged(t *testing.T) {
	dir := t.TempDir()
	w := &wal{dir: dir}
	mustAppend(t, w, "one", "two", "three")
	body, err := os.ReadFile(w.path(0))
	if err != nil {
		t.Fatal(err)
	}
	last := len(body) - frameHeader - 8 - len("three")
	for i := range body {
		damaged := slices.Clone(body)
		damaged[i] ^= 4
		if err := os.WriteFile(w.path(0), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		got, _, err := replayed(t, dir)
		switch {
		case err == nil && i >= last && slices.Equal(got, []string{"one", "two"}):
		case !errors.Is(err, fault.ErrCorrupt):
			t.Fatalf("byte %d: %q (%v)", i, got, err)
		}
	}
}

// Files but the last end whole; a log's numbers go on after rotation.
func TestLogRotates(t *testing.T) {
	dir := t.TempDir()
	w := &wal{dir: dir}
	mustAppend(t, w, "one")
	next, err := w.rotate()
	if err != nil || next != 1 {
		t.Fatal(next, err)
	}
	mustAppend(t, w, "two")
	got, _, err := replayed(t, dir)
	if err != nil || !slices.Equal(got, []string{"one", "two"}) {
		t.Fatal(got, err)
	}
	if err := os.Truncate(w.path(0), int64(len(logMagic)+frameHeader)); err != nil {
		t.Fatal(err)
	}
	if _, _, err = replayed(t, dir); !errors.Is(err, fault.ErrCorrupt) {
		t.Fatalf("a cut file before the last: %v", err)
	}
	if err := w.drop(next); err != nil {
		t.Fatal(err)
	}
	if got, _, err := replayed(t, dir); err != nil || !slices.Equal(got, []string{"two"}) {
		t.Fatal(got, err)
	}
}

func TestLogTakesManyWriters(t *testing.T) {
	w := &wal{dir: t.TempDir(), fsync: true}
	var all sync.WaitGroup
	var want []string
	for i := range 64 {
		text := fmt.Sprint("record ", i)
		want = append(want, text)
		all.Go(func() {
			if err := w.append([]byte(text)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, _, err := replayed(t, w.dir)
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Fatal(len(got), err)
	}
}

func FuzzRecord(f *testing.F) {
	keys := keysOf(milvusKey, []int64{1, 2})
	w := &write{deletes: []placedKeys{{place: place{-1, 1}, keys: keys}}}
	record, err := w.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(record)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := decodeWrite(b); err != nil && !errors.Is(err, fault.ErrCorrupt) && !errors.Is(err, fault.ErrUnsupported) {
			t.Fatal(err)
		}
	})
}

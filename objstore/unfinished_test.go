package objstore

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestRemoveUnfinished: what a killed writer left goes, in its time; files and what is being written stay.
func TestRemoveUnfinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := Local(dir)
	now := time.Now()
	if n, _, err := RemoveUnfinished(t.Context(), Local(filepath.Join(dir, "none")), "x/", now, false); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	for name, age := range map[string]time.Duration{"a/b/.snapexport-1-2.tmp": time.Hour, "a/.snapexport-1-3.tmp": time.Minute, "a/b/file": time.Hour, "c/.snapexport-1-4.tmp": time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int{1, 1, 0} { // a dry run, a true one, one that comes too late
		if n, size, err := RemoveUnfinished(t.Context(), s, "a/", now.Add(-10*time.Minute), i == 0); n != want || size != int64(5*want) || err != nil {
			t.Errorf("%d: %d files of %d bytes: %v", i, n, size, err)
		}
	}
	for _, name := range []string{"a/.snapexport-1-3.tmp", "a/b/file", "c/.snapexport-1-4.tmp"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if n, _, err := RemoveUnfinished(t.Context(), s, "nowhere/", now, false); n != 0 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}

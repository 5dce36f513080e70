package objstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

func keysOf(t *testing.T, s objstore.Store, prefix string) (keys []string) {
	t.Helper()
	for o, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestLocalSymlinks: links within the directory are files like others; nothing reaches what is outside.
func TestLocalSymlinks(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "store")
	must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755), os.WriteFile(filepath.Join(top, "outside"), []byte("secret"), 0o644),
		os.WriteFile(filepath.Join(dir, "inside"), []byte("in"), 0o644), os.Mkdir(filepath.Join(top, "outdir"), 0o755),
		os.Symlink("../inside", filepath.Join(dir, "sub", "link")))
	s, ctx := objstore.Local(dir), t.Context()
	if b, _, err := s.ReadAll(ctx, "sub/link", 10); err != nil || string(b) != "in" {
		t.Fatalf("%q %v", b, err)
	}
	if got := keysOf(t, s, ""); !slices.Equal(got, []string{"inside", "sub/link"}) {
		t.Fatalf("%q", got)
	}
	must(t, os.Symlink("../outside", filepath.Join(dir, "out")), os.Symlink(filepath.Join(top, "outside"), filepath.Join(dir, "abs")), os.Symlink("../outdir", filepath.Join(dir, "outdir")))
	for _, key := range []string{"out", "abs", "outdir/new"} {
		_, err := s.Stat(ctx, key)
		_, _, read := s.ReadAll(ctx, key, 100)
		_, ranged := s.ReadRange(ctx, key, 0, 1, "")
		_, copied := s.Copy(ctx, s, key, "copied")
		for what, err := range map[string]error{"stat": err, "read": read, "range": ranged, "copy": copied} {
			if !errors.Is(err, fault.ErrUnsafePath) {
				t.Errorf("%s of %s: %v", what, key, err)
			}
		}
	}
	for what, err := range map[string]error{"put": s.Put(ctx, "outdir/new", nil), "create": s.Create(ctx, "outdir/new", nil), "delete": s.Delete(ctx, "outdir/x")} {
		if !errors.Is(err, fault.ErrUnsafePath) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, link := range []string{"out", "abs", "outdir"} {
		if err := lastError(s.List(ctx, link)); !errors.Is(err, fault.ErrUnsafePath) {
			t.Errorf("list %s: %v", link, err)
		}
	}
	must(t, s.Put(ctx, "out", []byte("replaced the link")))
	if b, err := os.ReadFile(filepath.Join(top, "outside")); err != nil || string(b) != "secret" {
		t.Fatalf("%q %v", b, err)
	}
	left, err := os.ReadDir(filepath.Join(top, "outdir"))
	if err != nil || len(left) > 0 {
		t.Fatalf("%v %v", left, err)
	}
	must(t, s.Delete(ctx, "abs"), os.Symlink("sub", filepath.Join(dir, "dirlink")))
	if err := lastError(s.List(ctx, "dirlink")); !errors.Is(err, fault.ErrUnsafePath) {
		t.Errorf("a link to a directory was listed: %v", err)
	}
}

func lastError[T any](seq func(func(T, error) bool)) (last error) {
	seq(func(_ T, err error) bool { last = err; return true })
	return last
}

// TestLocalSpecialFiles: a FIFO must not block and is no object.
func TestLocalSpecialFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644))
	s := objstore.Local(dir)
	if _, _, err := s.ReadAll(t.Context(), "fifo", 10); !errors.Is(err, fault.ErrMissing) {
		t.Error(err)
	}
	if err := lastError(s.List(t.Context(), "")); !errors.Is(err, fault.ErrUnsupported) {
		t.Error(err)
	}
}

func TestLocalTemporaryFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, ctx := objstore.Local(dir), t.Context()
	u, err := s.Upload(ctx, "a/b")
	must(t, err)
	entries, err := os.ReadDir(filepath.Join(dir, "a"))
	if err != nil || len(entries) != 1 || entries[0].Name()[0] != '.' {
		t.Fatalf("%v %v", entries, err)
	}
	temp := "a/" + entries[0].Name()
	if n, err := objstore.Pending(ctx, s); n != 1 || err != nil {
		t.Errorf("%d pending, %v", n, err)
	}
	_, err = s.Stat(ctx, temp)
	if !errors.Is(err, fault.ErrUnsafePath) || !errors.Is(s.Delete(ctx, temp), fault.ErrUnsafePath) {
		t.Error(err)
	}
	must(t, u.Abort())
	if entries, _ := os.ReadDir(filepath.Join(dir, "a")); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
	must(t, s.Put(ctx, "a/b/c", nil))
	for what, err := range map[string]error{"a directory": s.Put(ctx, "a/b", nil), "a file": s.Put(ctx, "a/b/c/d", nil), "create": s.Create(ctx, "a/b", nil)} {
		if !errors.Is(err, fault.ErrConflict) {
			t.Errorf("%s in the way: %v", what, err)
		}
	}
	if n, err := objstore.Pending(ctx, s); n != 0 || err != nil {
		t.Errorf("%d pending, %v", n, err)
	}
}

func TestLocalMissingRoot(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "not", "yet")
	s, ctx := objstore.Local(dir), t.Context()
	_, err := s.Stat(ctx, "x")
	if !errors.Is(err, fault.ErrMissing) || !errors.Is(lastError(s.List(ctx, "")), fault.ErrMissing) {
		t.Error(err)
	}
	must(t, s.Delete(ctx, "x"))
	if _, err := os.Stat(dir); err == nil {
		t.Error("reading made the directory")
	}
	must(t, s.Put(ctx, "x", []byte("x")))
	if got := keysOf(t, s, ""); !slices.Equal(got, []string{"x"}) {
		t.Error(got)
	}
}

func TestLocalPermissions(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may do everything")
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0))
	if _, _, err := objstore.Local(dir).ReadAll(context.Background(), "f", 1); !errors.Is(err, fault.ErrAuth) {
		t.Error(err)
	}
}

func BenchmarkLocalReadRange(b *testing.B) {
	s := objstore.Local(b.TempDir())
	if err := s.Put(b.Context(), "dir/sub/object", make([]byte, 8<<20)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1 << 20)
	for i := 0; b.Loop(); i++ {
		if _, err := s.ReadRange(b.Context(), "dir/sub/object", int64(i%8)<<20, 1<<20, ""); err != nil {
			b.Fatal(err)
		}
	}
}

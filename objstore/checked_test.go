package objstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
)

func TestCopyChecked(t *testing.T) {
	t.Parallel()
	_, open := gateway(t)
	var m objstore.Metrics
	one, two, dir := open(t), open(t), objstore.WithMetrics(objstore.Local(t.TempDir()), &m)
	body := bytes.Repeat([]byte("0123456789abcdef"), 9<<20/16)
	must(t, dir.Put(t.Context(), "a", body))
	must(t, dir.Put(t.Context(), "empty", nil))
	for _, c := range []struct {
		dst, src objstore.Store
		from, to string
	}{{dir, dir, "a", "b"}, {one, dir, "b", "c"}, {one, one, "c", "d"}, {two, one, "d", "e"}, {dir, two, "e", "f"}, {dir, dir, "empty", "h"}} {
		want, from, err := c.src.ReadAll(t.Context(), c.from, 1<<30)
		must(t, err)
		o, err := objstore.CopyChecked(t.Context(), c.dst, c.src, c.from, c.to)
		must(t, err)
		got, _, err := c.dst.ReadAll(t.Context(), c.to, 1<<30)
		if err != nil || !bytes.Equal(got, want) || o.Size != from.Size || o.Key != c.to {
			t.Errorf("%s to %s: %+v %v", c.src.URI(), c.dst.URI(), o, err)
		}
	}
	if n := m.Counts().Calls["copy"]; n != 3 {
		t.Errorf("%d copies to the directory were counted", n)
	}
	_, err := objstore.CopyChecked(t.Context(), dir, dir, "no", "z")
	if !errors.Is(err, fault.ErrMissing) {
		t.Error(err)
	}
}

// A copy that differs by one bit is found and removed.
func TestCopyCheckedFindsDamage(t *testing.T) {
	t.Parallel()
	_, open := gateway(t)
	for _, inner := range []objstore.Store{objstore.Local(t.TempDir()), open(t)} {
		must(t, inner.Put(t.Context(), "a", make([]byte, 100)))
		s := faultstore.New(inner, faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.ReadRange), faultstore.Key("b")), Do: faultstore.FlipBit(70)})
		_, err := objstore.CopyChecked(t.Context(), s, s, "a", "b")
		if !errors.Is(err, fault.ErrCorrupt) {
			t.Error(err)
		}
		if _, err := inner.Stat(t.Context(), "b"); !errors.Is(err, fault.ErrMissing) {
			t.Errorf("the bad copy is there: %v", err)
		}
	}
}

func TestPutAll(t *testing.T) {
	t.Parallel()
	_, open := gateway(t)
	folder := t.TempDir()
	var m objstore.Metrics
	dir := objstore.WithMetrics(objstore.Local(filepath.Join(folder, "made")), &m)
	bodies := make([]objstore.Body, 100)
	for i := range bodies {
		bodies[i] = objstore.Body{Key: fmt.Sprintf("x/%d/%d", i%3, i), Bytes: []byte(fmt.Sprint(i))}
	}
	for name, s := range map[string]objstore.Store{"local": dir, "s3": open(t), "decorated": faultstore.New(objstore.Local(t.TempDir()))} {
		for _, unsynced := range []bool{false, true} {
			must(t, objstore.PutAll(t.Context(), s, bodies, objstore.Batch{NoFsync: unsynced}))
			for _, b := range bodies {
				got, _, err := s.ReadAll(t.Context(), b.Key, 10)
				if err != nil || !bytes.Equal(got, b.Bytes) {
					t.Fatalf("%s: %s is %q, %v", name, b.Key, got, err)
				}
			}
		}
		n, err := objstore.DeletePrefix(t.Context(), s, "x/1/")
		if err != nil || n != 33 {
			t.Errorf("%s: %d deleted, %v", name, n, err)
		}
		left := 0
		for _, err := range s.List(t.Context(), "") {
			must(t, err)
			left++
		}
		if left != 67 {
			t.Errorf("%s: %d are left", name, left)
		}
	}
	if c := m.Counts(); c.Calls["put"] != 200 || c.BytesOut != 2*190 {
		t.Errorf("counted %+v", c)
	}
	for _, key := range []string{"../x", "a//b", "x/.snapexport-1-1.tmp"} {
		if err := objstore.PutAll(t.Context(), dir, []objstore.Body{{Key: key}}, objstore.Batch{}); !errors.Is(err, fault.ErrUnsafePath) {
			t.Errorf("%s: %v", key, err)
		}
	}
	must(t, os.MkdirAll(filepath.Join(folder, "made/x/taken"), 0o755))
	if err := objstore.PutAll(t.Context(), dir, []objstore.Body{{Key: "x/taken"}}, objstore.Batch{}); err == nil {
		t.Error("a folder was replaced")
	}
	if n, err := objstore.Pending(t.Context(), objstore.Local(folder)); n != 0 || err != nil {
		t.Errorf("%d temporary files are left, %v", n, err)
	}
}

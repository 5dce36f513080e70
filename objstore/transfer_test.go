package objstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// TestTransfer copies by every means, twice, as after a crash, and looks at the files themselves. Reflinks are tested where the
// temporary directory has them.
func TestTransfer(t *testing.T) {
	t.Parallel()
	for _, means := range []objstore.Means{objstore.MeansAuto, objstore.MeansCopy, objstore.MeansReflink, objstore.MeansLink} {
		for _, files := range []int{3, 150} { // each file synced, the whole file system synced
			for _, sync := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%d/%v", means, files, sync), func(t *testing.T) { testTransfer(t, means, files, sync) })
			}
		}
	}
	if _, err := objstore.ParseMeans("clone"); !errors.Is(err, fault.ErrUnsupported) {
		t.Error(err)
	}
	if m, err := objstore.ParseMeans("link"); err != nil || m != objstore.MeansLink {
		t.Error(m, err)
	}
}

func testTransfer(t *testing.T, means objstore.Means, files int, sync bool) {
	t.Parallel()
	var m objstore.Metrics
	dir := t.TempDir()
	s := objstore.WithMetrics(objstore.Local(dir), &m)
	tr, err := objstore.NewTransfer(s, means, sync)
	must(t, err)
	defer func() { must(t, tr.Close()) }()
	var bodies []objstore.Body
	for i := range files {
		bodies = append(bodies, objstore.Body{Key: fmt.Sprintf("a/%d/%d", i%3, i), Bytes: bytes.Repeat([]byte{byte(i), 7}, 600*i)})
	}
	must(t, tr.PutAll(t.Context(), bodies, objstore.Batch{Fresh: true}))
	must(t, tr.PutAll(t.Context(), bodies, objstore.Batch{Fresh: true})) // they are there already
	for range 2 {
		for _, b := range bodies {
			to := "b" + strings.TrimPrefix(b.Key, "a")
			o, err := tr.Copy(t.Context(), s, b.Key, to)
			if means == objstore.MeansReflink && errors.Is(err, fault.ErrUnsupported) {
				t.Skip("no reflinks here: ", err)
			}
			must(t, err)
			if o.Key != to || o.Size != int64(len(b.Bytes)) {
				t.Errorf("%+v", o)
			}
		}
		must(t, tr.Flush(t.Context()))
	}
	for _, b := range bodies {
		to := "b" + strings.TrimPrefix(b.Key, "a")
		got, _, err := s.ReadAll(t.Context(), to, 1<<20)
		if err != nil || !bytes.Equal(got, b.Bytes) {
			t.Fatalf("%s: %d bytes, %v", to, len(got), err)
		}
		one, err := os.Stat(filepath.Join(dir, b.Key))
		must(t, err)
		two, err := os.Stat(filepath.Join(dir, to))
		must(t, err)
		if os.SameFile(one, two) != (means == objstore.MeansLink) {
			t.Errorf("%s is the file %s itself: %v", to, b.Key, os.SameFile(one, two))
		}
	}
	must(t, s.Delete(t.Context(), bodies[1].Key))
	must(t, s.Put(t.Context(), bodies[2].Key, []byte("new"))) // neither changes the copy
	for _, b := range bodies[1:3] {
		if got, _, err := s.ReadAll(t.Context(), "b"+strings.TrimPrefix(b.Key, "a"), 1<<20); err != nil || !bytes.Equal(got, b.Bytes) {
			t.Errorf("%s: %d bytes, %v", b.Key, len(got), err)
		}
	}
	if _, err := tr.Copy(t.Context(), s, "a/none", "b/none"); !errors.Is(err, fault.ErrMissing) {
		t.Error(err)
	}
	if n, err := objstore.Pending(t.Context(), objstore.Local(dir)); n != 0 || err != nil {
		t.Errorf("%d temporary files are left, %v", n, err)
	}
	if got := m.Counts().Calls["copy"]; got != int64(2*files+1) {
		t.Errorf("%d copies were counted", got)
	}
}

// A symbolic link within the directory is not linked itself, and one that leads out is refused.
func TestTransferLinksFilesOnly(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(outside, []byte("x"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "real"), []byte("y"), 0o600))
	must(t, os.Symlink(outside, filepath.Join(dir, "out")))
	must(t, os.Symlink("real", filepath.Join(dir, "in")))
	s := objstore.Local(dir)
	tr, err := objstore.NewTransfer(s, objstore.MeansLink, true)
	must(t, err)
	defer tr.Close()
	if _, err := tr.Copy(t.Context(), s, "out", "x"); !errors.Is(err, fault.ErrUnsafePath) {
		t.Error(err)
	}
	if _, err := tr.Copy(t.Context(), s, "in", "x"); !errors.Is(err, fault.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := tr.Copy(t.Context(), s, "real", "../x"); !errors.Is(err, fault.ErrUnsafePath) {
		t.Error(err)
	}
}

// BenchmarkTransfer copies 64 files of 4 MiB by every means that the temporary directory has.
func BenchmarkTransfer(b *testing.B) {
	s := objstore.Local(b.TempDir())
	body := bytes.Repeat([]byte("snapshot"), 4<<20/8)
	for i := range 64 {
		must(b, s.Put(b.Context(), fmt.Sprintf("from/%d", i), body))
	}
	for _, means := range []objstore.Means{objstore.MeansCopy, objstore.MeansReflink, objstore.MeansLink} {
		b.Run(string(means), func(b *testing.B) {
			b.SetBytes(64 * int64(len(body)))
			for n := 0; b.Loop(); n++ {
				tr, err := objstore.NewTransfer(s, means, true)
				must(b, err)
				for i := range 64 {
					if _, err := tr.Copy(b.Context(), s, fmt.Sprintf("from/%d", i), fmt.Sprintf("%s/%d/%d", means, n, i)); errors.Is(err, fault.ErrUnsupported) {
						b.Skip(err)
					} else {
						must(b, err)
					}
				}
				must(b, tr.Flush(b.Context()))
				must(b, tr.Close())
			}
		})
	}
}

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// A drop takes the snapshot's files and its exported table, and nothing of its neighbours.
func TestDrop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.documents(fixture.Shape{Segments: 2, Rows: 4})
	keep, drop := w.create("keep"), w.create("drop")
	for _, id := range []milvus.SnapshotID{keep, drop, drop * 10} {
		check(t, w.files.Put(t.Context(), TablePrefix("files", c.ID, id)+"binlogs/1.parquet", []byte("x")))
	}
	before := w.below("files/")
	check(t, w.Drop(t.Context(), c.ID, " drop"))
	var want []string
	for _, key := range before {
		if !strings.Contains(key, fmt.Sprintf("/%d/", drop)) && !strings.HasSuffix(key, fmt.Sprintf("/%d.json", drop)) {
			want = append(want, key)
		}
	}
	if got := w.below("files/"); !slices.Equal(got, want) || len(before)-len(want) != 4 {
		t.Errorf("%d of %d files are left, want %d", len(got), len(before), len(want))
	}
	if _, err := w.Find(c.ID, "drop"); !status.Is(err, status.SnapshotMissing) || err.Error() != fmt.Sprintf("collection %d: snapshot not found[snapshot=drop]", c.ID) {
		t.Error(err)
	}
	check(t, w.Drop(t.Context(), c.ID, "drop"))
	if err := w.Drop(t.Context(), c.ID, ""); !status.Is(err, status.InvalidParameter) {
		t.Error(err)
	}
}

// What can't be removed stays abandoned, is seen by no one, and goes later.
func TestDropLeavesWhatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.documents(fixture.Shape{Segments: 2, Rows: 4})
	id := w.create("s")
	folder := filepath.Join(w.bucket(), fmt.Sprintf("files/snapshots/%d/manifests/%d", c.ID, id))
	check(t, os.Symlink(t.TempDir(), filepath.Join(folder, "link"))) // which a listing refuses
	check(t, w.Drop(t.Context(), c.ID, "s"))
	if len(w.List(c.ID)) != 0 || len(w.Abandoned()) != 1 {
		t.Fatalf("%d listed, %d abandoned", len(w.List(c.ID)), len(w.Abandoned()))
	}
	if refs, _, loaded := w.References(c.ID); len(refs) != 0 || !loaded {
		t.Errorf("it still holds %v", refs)
	}
	w.create("s") // the name is free
	check(t, os.Remove(filepath.Join(folder, "link")))
	w.open()
	check(t, w.Recover(t.Context()))
	if n := len(w.Abandoned()); n != 0 || len(w.store.AllSnapshots()) != 1 {
		t.Errorf("%d abandoned, %d rows", n, len(w.store.AllSnapshots()))
	}
	if left, err := os.ReadDir(folder); err == nil && len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestPins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.documents(fixture.Shape{Segments: 1, Rows: 4})
	w.create("s")
	for ttl, reason := range map[time.Duration]string{
		-time.Second:         "ttl_seconds must be non-negative: invalid parameter",
		MaxPin + time.Second: "ttl_seconds exceeds maximum of 2592000 (30 days): invalid parameter",
	} {
		if _, err := w.Pin(t.Context(), c.ID, "s", ttl); err == nil || err.Error() != reason {
			t.Error(err)
		}
	}
	if _, err := w.Pin(t.Context(), c.ID, "none", 0); !status.Is(err, status.SnapshotMissing) {
		t.Error(err)
	}
	pin := func(ttl time.Duration) int64 {
		id, err := w.Pin(t.Context(), c.ID, "s", ttl)
		check(t, err)
		if id <= 0 {
			t.Errorf("pin %d", id)
		}
		return id
	}
	pinned := func(want bool) {
		t.Helper()
		err := w.Drop(t.Context(), c.ID, "s")
		if want != status.Is(err, status.SnapshotPinned) || !want && err != nil {
			t.Errorf("drop: %v", err)
		}
		if want && err.Error() != "active pins exist, unpin before dropping: snapshot is pinned[snapshot=s]" {
			t.Error(err)
		}
	}
	forever, hour := pin(0), pin(time.Hour)
	pinned(true)
	check(t, w.Unpin(t.Context(), forever))
	check(t, w.Unpin(t.Context(), forever))
	check(t, w.Unpin(t.Context(), 12345))
	w.open() // pins live in the row
	w.pass(59 * time.Minute)
	pinned(true)
	check(t, w.Renew(t.Context(), hour, time.Hour))
	w.pass(59 * time.Minute)
	pinned(true)
	w.pass(2 * time.Minute)
	if err := w.Renew(t.Context(), hour, time.Hour); !status.Is(err, status.SnapshotMissing) {
		t.Errorf("an expired pin was renewed: %v", err)
	}
	if info, _ := w.Find(c.ID, "s"); len(info.PinIds)+len(info.PinExpireAtMs) != 0 {
		t.Errorf("expired pins stay: %v", info)
	}
	pinned(false)
}

// Dropping a collection takes its snapshots but for pinned ones, which go when the pin does; until then their segments are
// needed.
func TestDropAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.documents(fixture.Shape{Segments: 2, Rows: 4})
	w.create("a")
	w.create("b")
	id, err := w.Pin(t.Context(), c.ID, "b", 0)
	check(t, err)
	check(t, w.store.DropCollection(t.Context(), c.ID))
	check(t, w.DropAll(t.Context(), c.ID))
	if list := w.List(c.ID); len(list) != 1 || list[0].Name != "b" || len(w.Abandoned()) != 0 {
		t.Fatalf("%v", list)
	}
	if _, err := w.Create(t.Context(), c, Request{Name: "late"}); !status.Is(err, status.CollectionMissing) {
		t.Error(err)
	}
	w.open()
	check(t, w.Recover(t.Context()))
	if refs, _, loaded := w.References(c.ID); len(refs) != 2 || !loaded {
		t.Errorf("%v %v", refs, loaded)
	}
	check(t, w.Unpin(t.Context(), id))
	abandoned := w.Abandoned()
	if len(abandoned) != 1 {
		t.Fatal(abandoned)
	}
	check(t, w.RemoveAbandoned(t.Context(), abandoned[0]))
	check(t, w.RemoveAbandoned(t.Context(), abandoned[0]))
	if files := w.below("files/snapshots/"); len(files) != 0 || len(w.store.AllSnapshots()) != 0 {
		t.Errorf("left: %v", files)
	}
}

// What snapshots need is known from before their first file, and after a start not before their files were read.
func TestReferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.documents(fixture.Shape{Segments: 3, Rows: 4})
	needs := func(n int, loaded bool) {
		t.Helper()
		segments, builds, ok := w.References(c.ID)
		if len(segments) != n || len(builds) != n || ok != loaded || w.Loaded() != loaded {
			t.Errorf("%d segments, %d builds, loaded %v %v", len(segments), len(builds), ok, w.Loaded())
		}
	}
	needs(0, true)
	w.config.Fault = func(point string) error {
		if point == "snapshot create: captured" {
			needs(3, true)
			if n := len(w.below("files/snapshots/")); n != 0 {
				t.Errorf("%d files before", n)
			}
		}
		return nil
	}
	id := w.create("a")
	needs(3, true)
	w.open()
	needs(0, false)
	key := filepath.Join(w.bucket(), fmt.Sprintf("files/snapshots/%d/metadata/%d.json", c.ID, id))
	body, err := os.ReadFile(key)
	check(t, err)
	check(t, os.WriteFile(key, body[:len(body)/2], 0o644))
	if err := w.Recover(t.Context()); err == nil {
		t.Error("half a file was read")
	}
	needs(0, false)
	check(t, os.WriteFile(key, body, 0o644))
	check(t, w.Recover(t.Context()))
	needs(3, true)
	check(t, w.Drop(t.Context(), c.ID, "a"))
	needs(0, true)
	w.capturing[c.ID] = 1
	needs(0, false)
}

func TestProtected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, c := w.documents(fixture.Shape{Segments: 1, Rows: 4})
	seg := f.Segments[0].ID
	w.create("plain")
	if w.Protected(seg) {
		t.Error("protected by a snapshot that does not ask for it")
	}
	for name, d := range map[string]time.Duration{"hour": time.Hour, "minute": time.Minute} {
		_, err := w.Create(t.Context(), c, Request{Name: name, Protection: d})
		check(t, err)
	}
	for range 2 {
		if !w.Protected(seg) || w.loadedAll() && w.Protected(seg+1) {
			t.Error("not protected, or too much")
		}
		w.open() // not loaded yet: all of the collection
	}
	check(t, w.Recover(t.Context()))
	w.pass(59 * time.Minute)
	if !w.Protected(seg) {
		t.Error("the longest does not win")
	}
	w.pass(2 * time.Minute)
	if w.Protected(seg) {
		t.Error("still protected")
	}
}

func (w *world) loadedAll() bool { return w.Loaded() }

// A create that fails leaves neither files nor a row.
func TestCreateFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.documents(fixture.Shape{Segments: 3, Rows: 4})
	check(t, os.MkdirAll(filepath.Join(w.bucket(), fmt.Sprintf("files/snapshots/%d", c.ID)), 0o755))
	blocked := filepath.Join(w.bucket(), fmt.Sprintf("files/snapshots/%d/metadata", c.ID))
	check(t, os.WriteFile(blocked, nil, 0o644)) // a file where a folder must be
	if _, err := w.Create(t.Context(), c, Request{Name: "s"}); err == nil {
		t.Fatal("no error")
	}
	if files := w.below("files/snapshots/"); len(files) != 1 || len(w.store.AllSnapshots()) != 0 || len(w.Abandoned()) != 0 {
		t.Errorf("left: %v %v", files, w.store.AllSnapshots())
	}
	check(t, os.Remove(blocked))
	ctx, cancel := context.WithCancel(t.Context())
	w.config.Fault = func(point string) error {
		if point == "snapshot create: pending" {
			cancel()
		}
		return nil
	}
	if _, err := w.Create(ctx, c, Request{Name: "s"}); err == nil {
		t.Fatal("no error")
	}
	if files := w.below("files/snapshots/"); len(files) != 0 || len(w.store.AllSnapshots()) != 0 {
		t.Errorf("left: %v %v", files, w.store.AllSnapshots())
	}
	if refs, _, _ := w.References(c.ID); len(refs) != 0 {
		t.Errorf("refs: %v", refs)
	}
	w.config.Fault = nil
	w.create("s")
}

// TestUnmadeIsForgotten: what a snapshot refers to whose row could not even be written is free again.
func TestUnmadeIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, c := w.documents(fixture.Shape{Segments: 1, Rows: 10})
	w.config.Fault = nil
	dead := func(is bool) { // etcd takes nothing
		w.faults.mu.Lock()
		defer w.faults.mu.Unlock()
		w.faults.dead = is
	}
	dead(true)
	if _, err := w.Create(t.Context(), c, Request{Name: "s", Protection: time.Hour}); !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	dead(false)
	id := w.store.Segments(c.ID)[0].ID
	check(t, w.store.Refresh(t.Context()))
	if list := w.Abandoned(); len(list) > 0 {
		t.Errorf("abandoned: %v", list)
	}
	if segments, _, loaded := w.References(c.ID); len(segments) > 0 || !loaded || w.Protected(id) {
		t.Errorf("%v are kept", segments)
	}
}

// The process ends at every step of making and of dropping a snapshot. Started again, there is the whole snapshot or nothing
// of it, and its name can be used.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"create", "drop"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			f, c := w.documents(fixture.Shape{Segments: 3, Rows: 4, Version: milvus.StorageV3})
			want := w.rows(f.Snapshot(t, "by hand", 7, nil))
			check(t, os.RemoveAll(filepath.Join(w.bucket(), "files/snapshots")))
			act := func() error {
				if action == "drop" {
					return w.Drop(t.Context(), c.ID, "s")
				}
				_, err := w.Create(t.Context(), w.collection(), Request{Name: "s"})
				return err
			}
			for stop := 1; ; stop++ {
				if action == "drop" {
					w.create("s")
				}
				w.faults.steps, w.faults.stop = nil, stop
				err := act()
				if !w.faults.dead {
					check(t, err)
					if stop < 9 {
						t.Errorf("only %d steps: %v", stop, w.faults.steps)
					}
					break
				}
				at := w.faults.steps[stop-1]
				w.open()
				check(t, w.Recover(t.Context()))
				w.checkWhole(at, c.ID, want)
				check(t, w.Drop(t.Context(), c.ID, "s"))
				if files := w.below("files/snapshots/"); len(files) != 0 {
					t.Errorf("%s: left %v", at, files)
				}
			}
		})
	}
}

// checkWhole checks that a snapshot is there whole, or nothing of it.
func (w *world) checkWhole(at string, c milvus.CollectionID, want []string) {
	w.t.Helper()
	files := w.below("files/snapshots/")
	rows := w.store.AllSnapshots()
	segments, _, loaded := w.References(c)
	switch {
	case len(w.List(c)) == 0:
		if len(files)+len(rows)+len(segments) != 0 || !loaded {
			w.t.Errorf("%s: no snapshot, but %v %v", at, files, rows)
		}
	case len(rows) != 1 || rows[0].State != pb.SnapshotState_SnapshotStateCommitted || len(files) != 4 || len(segments) != 3 || !loaded:
		w.t.Errorf("%s: %v %v", at, files, rows)
	case !slices.Equal(w.rows(rows[0].S3Location), want):
		w.t.Errorf("%s: other rows", at)
	}
}

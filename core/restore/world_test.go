package restore

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/snapshot"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
	"github.com/snapexport/snapexport/reader"
)

// faults stops everything at the n-th step, as the end of the process would.
type faults struct {
	mu    sync.Mutex
	steps []string
	stop  int // 0: never
	dead  bool
}

var errDead = errors.New("the process is gone")

func (f *faults) at(point string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, point)
	if len(f.steps) == f.stop {
		f.dead = true
	}
	if f.dead {
		return errDead
	}
	return nil
}

func (f *faults) arm(stop int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps, f.stop = nil, stop
}

func (f *faults) isDead() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return errDead
	}
	return nil
}

// world is everything that a restore needs.
type world struct {
	t         testing.TB
	dir       string
	faults    *faults
	mu        sync.Mutex
	now       time.Time
	random    uint64
	store     *metastore.Store
	files     *faultstore.Store
	snapshots *snapshot.Service
	config    Config
	*Service
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, dir: t.TempDir(), now: time.UnixMilli(1_893_456_000_000)}
	w.open()
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Microsecond)
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) chance() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.random += 0x9e3779b97f4a7c15
	return w.random
}

// open starts the process again.
func (w *world) open() {
	w.t.Helper()
	if w.store != nil {
		check(w.t, w.store.Close())
	}
	f := &faults{}
	w.faults = f
	var err error
	w.store, err = metastore.Open(context.Background(), metastore.Config{
		Dir: filepath.Join(w.dir, "etcd"), Storage: "files", NoFsync: true, Now: w.clock, Fault: f.at,
	})
	check(w.t, err)
	store := w.store
	w.t.Cleanup(func() { _ = store.Close() })
	w.files = faultstore.New(objstore.Local(w.bucket()), faultstore.Rule{When: func(faultstore.Call) bool { return f.isDead() != nil }, Do: faultstore.Effect{
		Before: func(context.Context, faultstore.Call) error { return errDead },
	}})
	w.snapshots = snapshot.New(w.store, w.files, snapshot.Config{Root: "files", Now: w.clock, Random: w.chance, Fault: f.at})
	c := w.config
	c.Root, c.Now, c.Fault = "files", w.clock, f.at
	w.Service = New(w.store, w.files, w.snapshots, c)
	check(w.t, w.snapshots.Recover(context.Background()))
}

func (w *world) bucket() string { return filepath.Join(w.dir, "bucket") }

// run works jobs off until one has ended, or the process has.
func (w *world) run(job int64) Job {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { _ = w.Run(ctx) })
	defer func() { cancel(); group.Wait() }()
	last := -1
	for w.faults.isDead() == nil {
		j, err := w.Job(job)
		check(w.t, err)
		if j.Progress < last {
			w.t.Errorf("progress went from %d to %d", last, j.Progress)
		}
		last = j.Progress
		if j.State == completed || j.State == failed {
			return j
		}
		time.Sleep(time.Millisecond)
	}
	return Job{}
}

func (w *world) snapshot(c *metastore.Collection, name string) *pb.SnapshotInfo {
	w.t.Helper()
	info, err := w.snapshots.Create(w.t.Context(), c, snapshot.Request{Name: name})
	check(w.t, err)
	return info
}

// restore makes a collection of a snapshot and returns it.
func (w *world) restore(r Request) *metastore.Collection {
	w.t.Helper()
	id, err := w.Start(w.t.Context(), r)
	check(w.t, err)
	if j := w.run(id); j.State != completed {
		w.t.Fatalf("%+v", j)
	}
	c, err := w.store.Collection(r.TargetDB, r.Target)
	check(w.t, err)
	return c
}

// below lists the keys below a prefix.
func (w *world) below(prefix string) (out []string) {
	w.t.Helper()
	for o, err := range objstore.Local(w.bucket()).List(context.Background(), prefix) {
		check(w.t, err)
		out = append(out, o.Key)
	}
	return out
}

// rows reads the live rows of a collection, by a snapshot of it, as sorted JSON.
func (w *world) rows(c *metastore.Collection) (out []string) {
	w.t.Helper()
	info := w.snapshot(c, "to_read")
	defer func() { check(w.t, w.snapshots.Drop(w.t.Context(), c.ID, "to_read")) }()
	opener := objstore.NewOpener(objstore.Config{})
	snap, err := describe.Resolve(w.t.Context(), filepath.Join(w.bucket(), info.S3Location), describe.Options{Opener: opener})
	check(w.t, err)
	scan, err := reader.Open(snap, reader.Options{Opener: opener})
	check(w.t, err)
	for _, seg := range scan.Segments() {
		_, err := scan.Read(w.t.Context(), seg, func(b arrow.RecordBatch) error {
			var text strings.Builder
			err := array.RecordToJSON(b, &text)
			out = append(out, slices.Collect(strings.Lines(text.String()))...)
			return err
		})
		check(w.t, err)
	}
	slices.Sort(out)
	return out
}

// gone checks that nothing is left of a restore that failed.
func (w *world) gone(name string, before []string) {
	w.t.Helper()
	if after := w.below("files/"); !slices.Equal(after, before) {
		w.t.Errorf("left: %v", slices.DeleteFunc(after, func(k string) bool { return slices.Contains(before, k) }))
	}
	if _, err := w.store.Collection("", name); err == nil {
		w.t.Errorf("%s is there", name)
	}
	for _, seg := range w.store.AllSegments() {
		if c, ok := w.store.CollectionByID(seg.Collection); !ok || c.State != pb.CollectionState_CollectionCreated {
			w.t.Errorf("segment %d of a collection that is not there, state %v", seg.ID, seg.State)
		}
	}
	w.free()
}

// free checks that no snapshot is pinned.
func (w *world) free() {
	w.t.Helper()
	for _, info := range w.store.AllSnapshots() {
		if len(info.PinIds) > 0 {
			w.t.Errorf("snapshot %s is pinned", info.Name)
		}
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore/faultstore"
)

// A missing, cut or damaged file fails the job, says which, and leaves nothing.
func TestDamageFails(t *testing.T) {
	t.Parallel()
	type harm struct {
		what  string
		find  func(*metastore.Segment) string // the file's key
		spoil func(w *world, path string) error
		says  string
	}
	remove := func(_ *world, path string) error { return os.Remove(path) }
	cut := func(_ *world, path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, info.Size()-1)
	}
	flip := func(w *world, path string) error { // every copy of it has one other bit
		name := filepath.Base(path)
		w.files.Add(faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.ReadRange), faultstore.Suffix("/"+name), faultstore.Every(2)), Do: faultstore.FlipBit(3)})
		return nil
	}
	for version, list := range map[int64][]harm{
		milvus.StorageV1: {
			{"missing binlog", func(s *metastore.Segment) string { return s.Binlogs[2].Binlogs[0].File.Key }, remove, "missing"},
			{"cut deltalog", func(s *metastore.Segment) string { return s.Deltalogs[0].Binlogs[0].File.Key }, cut, "metadata says"},
			{"missing index file", func(s *metastore.Segment) string { return s.Indexes[1].Files[0].Key }, remove, "missing"},
			{"missing statistics", func(s *metastore.Segment) string { return s.JSONStats[0].Files[0].Key }, remove, "missing"},
			{"damaged binlog", func(s *metastore.Segment) string { return s.Binlogs[2].Binlogs[0].File.Key }, flip, "CRC32C"},
		},
		milvus.StorageV3: {
			{"missing file of a group", func(s *metastore.Segment) string { return "files/insert_log/*/*/" + fmt.Sprint(s.ID) + "/_data/0_*" }, remove, "missing"},
			{"cut file of a group", func(s *metastore.Segment) string { return "files/insert_log/*/*/" + fmt.Sprint(s.ID) + "/_data/0_*" }, cut, "its manifest says"},
			{"missing deletes", func(s *metastore.Segment) string { return "files/insert_log/*/*/" + fmt.Sprint(s.ID) + "/_delta/*" }, remove, "missing"},
			{"missing manifest", func(s *metastore.Segment) string {
				return "files/insert_log/*/*/" + fmt.Sprint(s.ID) + "/_metadata/manifest-3.avro"
			}, remove, "no such file"},
		},
	} {
		w := newWorld(t)
		source := w.rich(version)
		w.snapshot(source, "s")
		folder := filepath.Join(w.dir, "whole")
		check(t, os.CopyFS(folder, os.DirFS(w.bucket())))
		for _, h := range list {
			check(t, os.RemoveAll(w.bucket()))
			check(t, os.CopyFS(w.bucket(), os.DirFS(folder)))
			w.open()
			found, err := filepath.Glob(filepath.Join(w.bucket(), h.find(w.store.Segments(source.ID)[0])))
			if err != nil || len(found) == 0 {
				t.Fatalf("%s: %v %v", h.what, found, err)
			}
			check(t, h.spoil(w, found[0]))
			before := w.below("files/")
			id, err := w.Start(t.Context(), Request{Source: source, Snapshot: "s", Target: "copy"})
			check(t, err)
			j := w.run(id)
			if j.State != failed || !strings.Contains(j.Reason, h.says) || !strings.Contains(j.Reason, filepath.Base(found[0])) || j.Cost < time.Millisecond {
				t.Errorf("%s: %+v", h.what, j)
			}
			w.gone("copy", before)
		}
	}
}

// Jobs end by cancelling, by their time, and in the middle of either the target goes.
func TestCancelAndTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.rich(milvus.StorageV2)
	w.snapshot(source, "s")
	before := w.below("files/")
	started := make(chan struct{}, 1000)
	w.files.Add(faultstore.Rule{When: faultstore.On(faultstore.Copy), Do: faultstore.Effect{Before: func(ctx context.Context, _ faultstore.Call) error {
		started <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}}})
	start := func(name string) int64 {
		id, err := w.Start(t.Context(), Request{Source: source, Snapshot: "s", Target: name})
		check(t, err)
		return id
	}
	id := start("cancelled")
	go func() {
		<-started
		_ = w.Cancel(context.Background(), id)
	}()
	if j := w.run(id); j.State != failed || j.Reason != "cancelled" {
		t.Errorf("%+v", j)
	}
	w.gone("cancelled", before)
	check(t, w.Cancel(t.Context(), id)) // it has ended
	id = start("not begun")
	check(t, w.Cancel(t.Context(), id))
	if j := w.run(id); j.State != failed || j.Reason != "cancelled" {
		t.Errorf("%+v", j)
	}
	w.gone("not begun", before)
	id = start("late")
	w.pass(DefaultTimeout + time.Second)
	if j := w.run(id); j.State != failed || j.Reason != "timeout" {
		t.Errorf("%+v", j)
	}
	w.gone("late", before)
}

// small is a collection that has one segment of every kind of file.
func (w *world) small(version int64) *metastore.Collection {
	w.t.Helper()
	f := fixture.Documents(w.t, w.bucket(), fixture.Shape{Segments: 2, Rows: 3, Deletes: 1, Version: version})
	c := &metastore.Collection{Collection: f.Collection, PhysicalChannels: []string{"by-dev-rootcoord-dml_0"}}
	c.Schema.Fields = append(richSchema().Fields[:2:2], c.Schema.Fields...)
	c.Channels, c.Shards = []string{fixture.DocumentsChannel}, 1
	c.Indexes = []milvus.Index{{ID: 301, Field: 102, Name: "v"}, {ID: 302, Field: 101, Name: "t"}}
	check(w.t, w.store.CreateCollection(w.t.Context(), c))
	change := metastore.Change{Collection: c.ID}
	for i, seg := range f.Segments {
		change.Add = append(change.Add, w.dress(seg, c, i))
	}
	check(w.t, w.store.Commit(w.t.Context(), change))
	now, _ := w.store.CollectionByID(c.ID)
	return now
}

// The process ends at every step of a restore, of the copied objects at the first and the last. Started again, the job goes on to the whole target, or there is
// neither a job nor a target nor a file of it.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV3} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			source := w.small(version)
			want := w.rows(source)
			w.snapshot(source, "s")
			before := w.below("files/")
			r := Request{Source: source, Snapshot: "s", Target: "copy"}
			w.faults.arm(0)
			check(t, w.attempt(r))
			steps := w.faults.steps
			whole := len(w.below("files/"))
			w.reset("copy", before)
			tried := 0
			for i, point := range steps {
				if point == "restore job: object" && i != slices.Index(steps, point) && i != lastIndex(steps, point) {
					continue
				}
				tried++
				w.faults.arm(i + 1)
				_ = w.attempt(r)                                                      // the step may not come again at the same place
				early := !slices.Contains(w.faults.steps, "restore start: preparing") // a pin may stay until it expires
				w.open()
				w.settle(point, early, want, before, whole)
				w.reset("copy", before)
			}
			if tried < 40 {
				t.Errorf("only %d steps: %v", tried, steps)
			}
		})
	}
}

// The process ends at every kind of step of failing.
func TestCrashesOfFailing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.small(milvus.StorageV1)
	w.snapshot(source, "s")
	check(t, os.Remove(filepath.Join(w.bucket(), w.store.Segments(source.ID)[1].Binlogs[3].Binlogs[0].File.Key)))
	before := w.below("files/")
	r := Request{Source: source, Snapshot: "s", Target: "copy"}
	w.faults.arm(0)
	check(t, w.attempt(r))
	steps := w.faults.steps
	w.gone("copy", before)
	for i, point := range steps {
		if i != lastIndex(steps, point) || !slices.ContainsFunc(steps[:i+1], func(p string) bool { return strings.HasPrefix(p, "restore fail") }) {
			continue
		}
		w.faults.arm(i + 1)
		_ = w.attempt(r)
		w.open()
		for _, j := range w.jobs() {
			if now := w.run(j.ID); now.State != failed || !strings.Contains(now.Reason, "no such file") {
				t.Errorf("%s: %+v", point, now)
			}
		}
		w.gone("copy", before)
	}
}

func lastIndex(list []string, v string) int {
	for i, x := range slices.Backward(list) {
		if x == v {
			return i
		}
	}
	return -1
}

func (w *world) jobs() []Job {
	w.t.Helper()
	jobs, err := w.Jobs("", "")
	check(w.t, err)
	return jobs
}

// attempt starts a restore and runs it as far as it goes.
func (w *world) attempt(r Request) error {
	id, err := w.Start(context.Background(), r)
	if err == nil {
		w.run(id)
	}
	if errors.Is(err, errDead) {
		return nil
	}
	return err
}

// settle runs what a crash left, and checks that there is all or nothing.
func (w *world) settle(point string, early bool, want, before []string, whole int) {
	w.t.Helper()
	jobs := w.jobs()
	for _, j := range jobs {
		if now := w.run(j.ID); now.State != completed {
			w.t.Errorf("%s: %+v", point, now)
		}
	}
	if len(jobs) == 0 {
		w.sweep(w.t.Context())
		for _, row := range w.store.CopyJobs() {
			w.t.Errorf("%s: a row of job %d", point, row.JobId)
		}
		if early {
			w.unpinAll()
		}
		w.gone("copy", before)
		return
	}
	w.free()
	c, err := w.store.Collection("", "copy")
	check(w.t, err)
	if got := w.rows(c); !slices.Equal(got, want) {
		w.t.Errorf("%s: %d rows, want %d", point, len(got), len(want))
	}
	if n := len(w.below("files/")); n != whole {
		w.t.Errorf("%s: %d files, want %d", point, n, whole)
	}
}

// reset removes the target and all pins and jobs, for the next attempt.
func (w *world) reset(name string, before []string) {
	w.t.Helper()
	if c, err := w.store.Collection("", name); err == nil {
		w.dismiss(c)
	}
	for _, key := range w.below("files/") {
		if !slices.Contains(before, key) {
			check(w.t, os.Remove(filepath.Join(w.bucket(), key)))
		}
	}
	w.unpinAll()
	for _, row := range w.store.CopyJobs() {
		check(w.t, w.store.DeleteCopyJob(w.t.Context(), row.JobId))
	}
}

func (w *world) unpinAll() {
	for _, info := range w.store.AllSnapshots() {
		for _, id := range info.PinIds {
			check(w.t, w.snapshots.Unpin(w.t.Context(), id))
		}
	}
}

// Jobs that were interrupted by the end of Run go on, with no segment copied again that a task has done.
func TestResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.small(milvus.StorageV1)
	want := w.rows(source)
	w.snapshot(source, "s")
	id, err := w.Start(t.Context(), Request{Source: source, Snapshot: "s", Target: "copy"})
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	w.files.Add(faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.Copy), faultstore.Contains("delta_log")), Do: faultstore.Effect{Before: func(ctx context.Context, _ faultstore.Call) error {
		once.Do(cancel)
		<-ctx.Done()
		return ctx.Err()
	}}})
	check(t, w.Run(ctx))
	if j, err := w.Job(id); err != nil || j.State != executing {
		t.Errorf("%+v %v", j, err)
	}
	w.open()
	if j := w.run(id); j.State != completed {
		t.Errorf("%+v", j)
	}
	c, err := w.store.Collection("", "copy")
	check(t, err)
	if got := w.rows(c); !slices.Equal(got, want) {
		t.Errorf("%d rows", len(got))
	}
}

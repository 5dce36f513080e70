package restore

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// TestMeans restores by every means: the rows are the same, files are the source's own only where links were asked for, and what is
// restored outlives the source's files. Where files can't share blocks, that is the reason of a job that leaves nothing.
func TestMeans(t *testing.T) {
	t.Parallel()
	for _, means := range []objstore.Means{objstore.MeansAuto, objstore.MeansCopy, objstore.MeansReflink, objstore.MeansLink} {
		for _, version := range []int64{milvus.StorageV1, milvus.StorageV3} {
			t.Run(string(means)+"/v"+string(rune('0'+version)), func(t *testing.T) { testMeans(t, means, version) })
		}
	}
}

func testMeans(t *testing.T, means objstore.Means, version int64) {
	t.Parallel()
	w := newWorld(t)
	w.Service = New(w.store, objstore.Local(w.bucket()), w.snapshots, Config{Root: "files", Now: w.clock, Means: means}) // the bare store
	c := w.small(version)
	w.snapshot(c, "s")
	before, want := w.below("files/"), w.rows(c)
	id, err := w.Start(t.Context(), Request{Source: c, Snapshot: "s", Target: "again"})
	check(t, err)
	j := w.run(id)
	if means == objstore.MeansReflink && j.State == failed && strings.Contains(j.Reason, "no reflinks") {
		w.gone("again", before)
		return
	}
	if j.State != completed {
		t.Fatalf("%+v", j)
	}
	var old []os.FileInfo
	for _, key := range before {
		info, err := os.Stat(filepath.Join(w.bucket(), key))
		check(t, err)
		old = append(old, info)
	}
	again, err := w.store.Collection("", "again")
	check(t, err)
	made, shared := 0, 0
	for _, key := range w.below("files/insert_log/") {
		if slices.Contains(before, key) {
			continue
		}
		info, err := os.Stat(filepath.Join(w.bucket(), key))
		check(t, err)
		if made++; slices.ContainsFunc(old, func(o os.FileInfo) bool { return os.SameFile(o, info) }) {
			shared++
		}
	}
	if made == 0 || shared != map[bool]int{true: made}[means == objstore.MeansLink] {
		t.Errorf("%d files were made, %d of them are the source's own", made, shared)
	}
	for _, key := range before { // as when the source is dropped and collected
		if !strings.Contains(key, "/snapshots/") {
			check(t, objstore.Local(w.bucket()).Delete(t.Context(), key))
		}
	}
	if got := w.rows(again); !slices.Equal(got, want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
}

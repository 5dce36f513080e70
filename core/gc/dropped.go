package gc

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// batch is how many segments lose their files before their rows go, atOnce how many at the same time.
const (
	batch  = 100
	atOnce = 8
)

// each calls f for the items, several at once, to the end of all, and returns those for which it was done, and the first error.
func each[T any](ctx context.Context, items []T, f func(T) (done bool, err error)) ([]T, error) {
	var mu sync.Mutex
	var out []T
	var g errgroup.Group // without its context: one failure does not keep the others from being removed
	g.SetLimit(atOnce)
	for _, item := range items {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			done, err := f(item)
			if done && err == nil {
				mu.Lock()
				defer mu.Unlock()
				out = append(out, item)
			}
			return err
		})
	}
	err := g.Wait()
	return out, err
}

// segments removes the files of dropped segments, then their rows.
func (w *sweep) segments(ctx context.Context) (first error) {
	for chunk := range slices.Chunk(w.store.DroppedSegments(), batch) {
		done, err := each(ctx, chunk, func(seg *metastore.Segment) (bool, error) { return w.segment(ctx, seg) })
		if first == nil {
			first = err
		}
		var gone []milvus.SegmentID
		for _, seg := range done {
			gone = append(gone, seg.ID)
			w.gone[seg.ID] = true
			w.report.Segments++
		}
		if !w.dry && len(gone) > 0 {
			if err := w.store.ForgetSegments(ctx, gone...); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return first
}

// segment removes one segment's files. done is false if they stay.
func (w *sweep) segment(ctx context.Context, seg *metastore.Segment) (done bool, err error) {
	if w.young(seg.DroppedAt) {
		w.note(func(r *Report) { r.Waiting++ })
		return false, nil
	}
	files, err := w.filesOf(ctx, seg)
	if err != nil {
		return false, err
	}
	segments, builds, loaded := w.snapshots.References(seg.Collection)
	switch {
	case !loaded:
		w.note(func(r *Report) { r.blocked[seg.Collection] = true })
		return false, nil
	case segments[seg.ID]:
		w.note(func(r *Report) { r.Kept++ })
		return false, nil
	}
	for i := range seg.Indexes {
		if x := &seg.Indexes[i]; !builds[x.Build] { // one that a snapshot needs is an orphan afterwards, which snapshots protect, too
			files = append(files, w.buildFiles(x)...)
		}
	}
	return true, w.remove(ctx, files)
}

// filesOf are all files that a segment names, but for those of its indexes: of V3, everything below its base.
func (w *sweep) filesOf(ctx context.Context, seg *metastore.Segment) ([]object, error) {
	var out []object
	for _, list := range [][]milvus.FieldBinlog{seg.Binlogs, seg.Deltalogs, seg.Statslogs, seg.BM25logs} {
		for _, f := range list {
			for _, b := range f.Binlogs {
				out = w.named(out, b.File.Key, b.Size)
			}
		}
	}
	for _, list := range [][]milvus.FieldStats{seg.TextIndexes, seg.JSONStats} {
		for _, x := range list {
			out = w.namedAll(out, x.Files, x.LogSize)
		}
	}
	if seg.ManifestPath == "" {
		return out, nil
	}
	if seg.StorageVersion != milvus.StorageV3 {
		return w.named(out, seg.ManifestPath, 0), nil
	}
	base, err := w.base(seg)
	if err != nil {
		return nil, err
	}
	for o, err := range w.files.List(ctx, base+"/") {
		if err != nil {
			return nil, err
		}
		out = append(out, object{o.Key, o.Size})
	}
	return out, nil
}

// base is the folder of a V3 segment, which must be the one that its ids say.
func (w *sweep) base(seg *metastore.Segment) (string, error) {
	var manifest struct {
		Base string `json:"base_path"`
	}
	want := path.Join(w.config.Root, "insert_log", decimal(seg.Collection), decimal(seg.Partition), decimal(seg.ID))
	if err := json.Unmarshal([]byte(seg.ManifestPath), &manifest); err != nil || manifest.Base != want {
		return "", fault.UnsafePath(op, "segment %d has the base path %q, not %q: its files stay", seg.ID, manifest.Base, want)
	}
	return want, nil
}

func decimal[T ~int64](id T) string { return strconv.FormatInt(int64(id), 10) }

// named adds a file that metadata names, if it is below the root: "" is a log that a manifest lists.
func (w *sweep) named(out []object, key string, size int64) []object {
	if key == "" {
		return out
	}
	if w.config.Root != "" && !strings.HasPrefix(key, w.config.Root+"/") {
		w.config.Log.Warn("a dropped segment's file outside of the root stays", "key", key)
		w.note(func(r *Report) { r.Ignored++ })
		return out
	}
	return append(out, object{key, size})
}

// namedAll adds files of which only the sum of sizes is known.
func (w *sweep) namedAll(out []object, files []milvus.FileRef, size int64) []object {
	for _, f := range files {
		out = w.named(out, f.Key, size)
		size = 0
	}
	return out
}

func (w *sweep) buildFiles(x *milvus.IndexFiles) []object {
	return w.namedAll(nil, x.Files, x.SerializedSize)
}

// builds removes the files of dropped indexes whose segments go on.
func (w *sweep) builds(ctx context.Context) (first error) {
	for chunk := range slices.Chunk(w.store.DroppedBuilds(), batch) {
		done, err := each(ctx, chunk, func(d metastore.DroppedBuild) (bool, error) { return w.build(ctx, &d) })
		if first == nil {
			first = err
		}
		var gone []milvus.BuildID
		for _, d := range done {
			gone = append(gone, d.Files.Build)
			w.goneBuilds[d.Files.Build] = true
			w.report.Builds++
		}
		if !w.dry && len(gone) > 0 {
			if err := w.store.ForgetBuilds(ctx, gone...); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return first
}

// build removes the files of one dropped index of a segment. done is false if they stay.
func (w *sweep) build(ctx context.Context, d *metastore.DroppedBuild) (done bool, err error) {
	if w.young(d.DroppedAt) {
		w.note(func(r *Report) { r.Waiting++ })
		return false, nil
	}
	_, builds, loaded := w.snapshots.References(d.Collection)
	switch {
	case !loaded:
		w.note(func(r *Report) { r.blocked[d.Collection] = true })
		return false, nil
	case builds[d.Files.Build]:
		w.note(func(r *Report) { r.Kept++ })
		return false, nil
	}
	return true, w.remove(ctx, w.buildFiles(&d.Files))
}

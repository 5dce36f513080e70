package gc

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// batch is how many segments lose their files before their rows go.
const batch = 100

// segments removes the files of dropped segments, then their rows.
func (w *sweep) segments(ctx context.Context) (first error) {
	for chunk := range slices.Chunk(w.store.DroppedSegments(), batch) {
		var gone []milvus.SegmentID
		for _, seg := range chunk {
			done, err := w.segment(ctx, seg)
			if err != nil && first == nil {
				first = err
			}
			if err == nil && done {
				gone = append(gone, seg.ID)
				w.gone[seg.ID] = true
				w.report.Segments++
			}
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
		w.report.Waiting++
		return false, nil
	}
	files, err := w.filesOf(ctx, seg)
	if err != nil {
		return false, err
	}
	segments, builds, loaded := w.snapshots.References(seg.Collection)
	switch {
	case !loaded:
		w.report.blocked[seg.Collection] = true
		return false, nil
	case segments[seg.ID]:
		w.report.Kept++
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
		w.report.Ignored++
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
		var gone []milvus.BuildID
		for _, d := range chunk {
			if w.young(d.DroppedAt) {
				w.report.Waiting++
				continue
			}
			_, builds, loaded := w.snapshots.References(d.Collection)
			switch {
			case !loaded:
				w.report.blocked[d.Collection] = true
				continue
			case builds[d.Files.Build]:
				w.report.Kept++
				continue
			}
			if err := w.remove(ctx, w.buildFiles(&d.Files)); err != nil {
				if first == nil {
					first = err
				}
				continue
			}
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

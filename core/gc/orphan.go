package gc

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// chunk is how many orphans are held before they go.
const chunk = 1000

// orphan is a file that may go.
type orphan struct {
	object
	place
}

// orphans walks the folders for files that no metadata names.
func (w *sweep) orphans(ctx context.Context) error {
	if !w.report.Owned {
		return nil
	}
	for _, folder := range folders {
		if err := w.folder(ctx, folder); err != nil {
			return err
		}
	}
	for _, folder := range append([]string{"snapshots"}, folders...) {
		if err := w.unfinished(ctx, folder); err != nil {
			return err
		}
	}
	return nil
}

// unfinished removes what was being written when a process was killed.
func (w *sweep) unfinished(ctx context.Context, folder string) error {
	files, bytes, err := objstore.RemoveUnfinished(ctx, w.files, path.Join(w.config.Root, folder)+"/", w.now.Add(-w.config.Grace), w.dry)
	w.report.Files += files
	w.report.Bytes += bytes
	w.report.Orphans += files
	return err
}

func (w *sweep) folder(ctx context.Context, folder string) error {
	prefix := path.Join(w.config.Root, folder) + "/"
	known := w.known()
	var found []orphan
	for o, err := range w.files.List(ctx, prefix) {
		if errors.Is(err, fault.ErrMissing) {
			break // a directory that is not there yet
		}
		if err != nil {
			return err
		}
		if w.goneKeys[o.Key] {
			continue
		}
		p, ok := parse(folder, strings.TrimPrefix(o.Key, prefix))
		switch {
		case !ok:
			w.report.Ignored++
			continue
		case known.has(&p):
			continue
		case w.young(o.ModTime):
			w.report.Waiting++
			continue
		}
		if found = append(found, orphan{object{o.Key, o.Size}, p}); len(found) == chunk {
			if err := w.collect(ctx, found); err != nil {
				return err
			}
			found = found[:0]
		}
	}
	return w.collect(ctx, found)
}

// collect removes those that are still unknown after they were found, and that no snapshot needs.
func (w *sweep) collect(ctx context.Context, found []orphan) error {
	if len(found) == 0 {
		return nil
	}
	if !w.snapshots.Loaded() {
		for _, o := range found {
			w.report.blocked[o.collection] = true
		}
		return nil
	}
	if err := w.store.Refresh(ctx); err != nil { // what was decided while they were listed
		return err
	}
	needed, loaded := w.needed(found)
	known := w.known()
	var gone []object
	for _, o := range found {
		switch {
		case known.has(&o.place):
		case !loaded:
			w.report.blocked[o.collection] = true
		case needed.has(&o.place):
			w.report.Kept++
		default:
			gone = append(gone, o.object)
		}
	}
	if err := w.remove(ctx, gone); err != nil {
		return err
	}
	w.report.Orphans += len(gone)
	return nil
}

// partition is where files of long texts are shared.
type partition struct {
	collection milvus.CollectionID
	partition  milvus.PartitionID
}

// needs are segments, builds and partitions whose files stay.
type needs struct {
	segment     func(milvus.SegmentID) bool
	builds      map[milvus.BuildID]bool
	partitions  map[partition]bool
	collections map[milvus.CollectionID]bool // of which all long texts stay
}

// has tells whether a file stays. A vector index's file is looked up by its build, not by its segment, which may go on without it.
func (n *needs) has(p *place) bool {
	if p.lob {
		return n.collections[p.collection] || n.partitions[partition{p.collection, p.partition}]
	}
	for _, id := range p.builds {
		if n.builds[id] {
			return true
		}
	}
	if len(p.builds) > 0 && !p.stays {
		return false
	}
	for _, id := range p.segments {
		if n.segment(id) {
			return true
		}
	}
	return false
}

// known is what the metadata has at this moment, whatever its state.
func (w *sweep) known() *needs {
	n := &needs{
		builds: map[milvus.BuildID]bool{}, partitions: map[partition]bool{},
		segment: func(id milvus.SegmentID) bool { _, ok := w.store.Segment(id); return ok && !w.gone[id] },
	}
	for _, seg := range w.store.AllSegments() {
		if w.gone[seg.ID] {
			continue
		}
		n.partitions[partition{seg.Collection, seg.Partition}] = true
		for _, x := range seg.Indexes {
			n.builds[x.Build] = true
		}
	}
	for _, d := range w.store.DroppedBuilds() {
		if !w.goneBuilds[d.Files.Build] {
			n.builds[d.Files.Build] = true
		}
	}
	return n
}

// needed is what the snapshots of all collections need; loaded is false while that is not known.
func (w *sweep) needed(found []orphan) (n *needs, loaded bool) {
	all := map[milvus.SegmentID]bool{}
	n = &needs{
		builds: map[milvus.BuildID]bool{}, partitions: map[partition]bool{}, collections: map[milvus.CollectionID]bool{},
		segment: func(id milvus.SegmentID) bool { return all[id] },
	}
	for c := range collections(w.store, found) {
		segments, builds, ok := w.snapshots.References(c)
		if !ok {
			return nil, false
		}
		for id := range segments {
			all[id] = true
			if seg, there := w.store.Segment(id); there {
				n.partitions[partition{c, seg.Partition}] = true
			} else {
				n.collections[c] = true // its partition is not known
			}
		}
		for id := range builds {
			n.builds[id] = true
		}
	}
	return n, true
}

// collections are all that there are or were: in use, being made, with snapshots, with segments, or named by a file.
func collections(store *metastore.Store, found []orphan) map[milvus.CollectionID]bool {
	out := map[milvus.CollectionID]bool{}
	for _, seg := range store.AllSegments() {
		out[seg.Collection] = true
	}
	for _, info := range store.AllSnapshots() {
		out[milvus.CollectionID(info.CollectionId)] = true
	}
	for _, o := range found {
		if o.collection > 0 {
			out[o.collection] = true
		}
	}
	return out
}

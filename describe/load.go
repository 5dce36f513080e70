package describe

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// Bounds of what is read into memory at once.
const (
	maxMetadataBytes = 64 << 20 // one metadata JSON: a million segments have less
	maxManifestBytes = 64 << 20 // one segment's manifest: 200,000 files
)

// loadFile resolves a metadata JSON.
func loadFile(ctx context.Context, src Source, opts Options) (*Snapshot, error) {
	r, err := newResolver(opts)
	if err != nil {
		return nil, err
	}
	bucket, key, err := openPlace(src.URI, r.maps)
	if err != nil {
		return nil, err
	}
	store, err := opts.Opener.Open(ctx, bucket)
	if err != nil {
		return nil, err
	}
	meta, err := readMetadata(ctx, store, key)
	if err != nil {
		return nil, err
	}
	return loadMetadata(ctx, src, meta, r, bucket, key, opts)
}

// readMetadata reads and decodes one metadata JSON.
func readMetadata(ctx context.Context, store objstore.Store, key string) (*snapfile.Metadata, error) {
	b, _, err := store.ReadAll(ctx, key, maxMetadataBytes)
	if err != nil {
		return nil, err
	}
	meta, err := snapfile.DecodeMetadata(b)
	return meta, fault.Place(err, join(store.URI(), key))
}

func loadMetadata(ctx context.Context, src Source, meta *snapfile.Metadata, r *Resolver, bucket, key string, opts Options) (*Snapshot, error) {
	uri := join(bucket, key)
	loc, err := r.settleFile(bucket, key, meta)
	if err != nil {
		return nil, fault.Place(err, uri)
	}
	snap := &Snapshot{
		Source: src.String(), Kind: KindSnapshot,
		Name: meta.Info.Name, ID: meta.Info.ID, Description: meta.Info.Description, CreateTS: meta.Info.CreateTS,
		Collection: meta.Collection, Location: loc, Root: r.own.prefix,
		FormatVersion: meta.FormatVersion, Layout: layoutOf(meta.Layout), Indexes: indexesOf(meta.Indexes),
		paths: r,
	}
	if snap.Collection.Database == "" {
		snap.Collection.Database = "default"
	}
	if err := checkList(meta); err != nil {
		return nil, fault.Place(err, uri)
	}
	store, err := opts.Opener.Open(ctx, loc.Bucket)
	if err != nil {
		return nil, err
	}
	if snap.Segments, err = readManifests(ctx, store, meta, r, opts); err != nil {
		return nil, fault.Place(err, uri)
	}
	if err := joinManifests(snap, meta); err != nil {
		return nil, fault.Place(err, uri)
	}
	return snap, snap.finish(uri)
}

// layoutOf reads a missing layout as Referenced.
func layoutOf(l snapfile.Layout) Layout {
	if Layout(l) == LayoutSelfContained {
		return LayoutSelfContained
	}
	return LayoutReferenced
}

func indexesOf(in []snapfile.Index) []Index {
	out := make([]Index, len(in))
	for i, x := range in {
		out[i] = Index{ID: x.ID, Field: x.Field, Name: x.Name, TypeParams: x.TypeParams, Params: x.Params, UserParams: x.UserParams, Automatic: x.Automatic}
	}
	return out
}

// checkList refuses a manifest that is listed twice: its rows would count twice.
func checkList(meta *snapfile.Metadata) error {
	seen := make(map[string]bool, len(meta.ManifestList))
	for _, path := range meta.ManifestList {
		if seen[path] {
			return fault.Corrupt("read snapshot", "manifest_list names %q twice", redact(path))
		}
		seen[path] = true
	}
	return nil
}

// readManifests reads every segment's manifest, a few at a time, and resolves its files as soon as it is decoded.
func readManifests(ctx context.Context, store objstore.Store, meta *snapfile.Metadata, r *Resolver, opts Options) ([]milvus.Segment, error) {
	files := make([]milvus.FileRef, len(meta.ManifestList))
	for i, path := range meta.ManifestList {
		ref, err := r.Resolve(path)
		if err != nil {
			return nil, err
		}
		files[i] = ref
	}
	segments := make([]milvus.Segment, len(files))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(opts.workers())
	for i, file := range files {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			from := store
			if file.Bucket != store.URI() {
				var err error
				if from, err = opts.Opener.Open(ctx, file.Bucket); err != nil {
					return err
				}
			}
			seg, err := readManifest(ctx, from, file.Key, meta, r)
			if err != nil {
				return fault.Place(err, file.String())
			}
			segments[i] = *seg
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return segments, ctx.Err()
}

func readManifest(ctx context.Context, store objstore.Store, key string, meta *snapfile.Metadata, r *Resolver) (*milvus.Segment, error) {
	b, _, err := store.ReadAll(ctx, key, maxManifestBytes)
	if err != nil {
		return nil, err
	}
	seg, err := snapfile.DecodeSegment(b, meta.FormatVersion)
	if err != nil {
		return nil, err
	}
	seg.Collection = meta.Collection.ID
	if path, ok := meta.Manifests[seg.ID]; ok {
		seg.ManifestPath = path
	}
	return seg, r.resolveSegment(seg)
}

// joinManifests sorts the segments by id and checks that they are those that the metadata lists.
func joinManifests(snap *Snapshot, meta *snapfile.Metadata) error {
	slices.SortFunc(snap.Segments, func(a, b milvus.Segment) int { return compare(a.ID, b.ID) })
	for i := 1; i < len(snap.Segments); i++ {
		if id := snap.Segments[i].ID; id == snap.Segments[i-1].ID {
			return fault.Corrupt("read snapshot", "two manifests hold segment %d", id)
		}
	}
	for id := range meta.Manifests {
		if _, ok := snap.Segment(id); !ok {
			return fault.Corrupt("read snapshot", "storagev2_manifest_list names segment %d, which the snapshot does not have", id)
		}
	}
	return checkIDs(snap, meta.SegmentIDs)
}

// checkIDs compares segment_ids, where there are any, with the manifests' ids.
func checkIDs(snap *Snapshot, listed []milvus.SegmentID) error {
	if len(listed) == 0 {
		return nil
	}
	seen := make(map[milvus.SegmentID]bool, len(listed))
	for _, id := range listed {
		if seen[id] {
			return fault.Corrupt("read snapshot", "segment_ids names segment %d twice", id)
		}
		seen[id] = true
		if _, ok := snap.Segment(id); !ok {
			return fault.Corrupt("read snapshot", "segment_ids names segment %d, which has no manifest", id)
		}
	}
	for i := range snap.Segments {
		if id := snap.Segments[i].ID; !seen[id] {
			return fault.Corrupt("read snapshot", "the manifest of segment %d is not among segment_ids", id)
		}
	}
	return nil
}

func compare[T ~int64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

package describe

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// loadFile resolves a metadata JSON.
func loadFile(ctx context.Context, src Source, opts Options) (*Snapshot, error) {
	if !strings.HasSuffix(src.URI, ".json") {
		return nil, fault.New(ErrUsage, "read SOURCE", "%q is not a snapshot's metadata file, {root}/snapshots/{collection}/metadata/{id}.json", src.text).
			WithHint("of a bucket or directory, name the snapshot: %s#[database.]collection/(snapshot|latest); snapexport list shows what there is", src.text)
	}
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
	b, _, err := store.ReadAll(ctx, key, snapfile.MaxMetadataBytes)
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
		FormatVersion: meta.FormatVersion, Layout: meta.Layout, Indexes: meta.Indexes,
		paths: r,
	}
	if snap.Collection.Database == "" {
		snap.Collection.Database = "default"
	}
	store, err := opts.Opener.Open(ctx, loc.Bucket)
	if err != nil {
		return nil, err
	}
	if snap.Segments, err = readManifests(ctx, store, meta, r, opts); err != nil {
		return nil, fault.Place(err, uri)
	}
	if err := snapfile.Assemble(meta, snap.Segments); err != nil {
		return nil, fault.Place(err, uri)
	}
	slices.SortFunc(snap.Segments, func(a, b milvus.Segment) int { return cmp.Compare(a.ID, b.ID) })
	return snap, snap.finish(ctx, uri, opts)
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
	read := func(ctx context.Context, i int) error {
		from := store
		if files[i].Bucket != store.URI() {
			var err error
			if from, err = opts.Opener.Open(ctx, files[i].Bucket); err != nil {
				return err
			}
		}
		seg, err := readManifest(ctx, from, files[i].Key, meta, r)
		if err != nil {
			return fault.Place(err, files[i].String())
		}
		segments[i] = *seg
		return nil
	}
	// goroutines that go on keep the stacks that requests have grown
	var next atomic.Int64
	g, each := errgroup.WithContext(ctx)
	for range min(opts.workers(), len(files)) {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < len(files) && each.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := read(each, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return segments, ctx.Err()
}

func readManifest(ctx context.Context, store objstore.Store, key string, meta *snapfile.Metadata, r *Resolver) (*milvus.Segment, error) {
	b, _, err := store.ReadAll(ctx, key, snapfile.MaxManifestBytes)
	if err != nil {
		return nil, err
	}
	seg, err := snapfile.DecodeSegment(b, meta.FormatVersion)
	if err != nil {
		return nil, err
	}
	if path, ok := meta.Manifests[seg.ID]; ok {
		seg.ManifestPath = path // Assemble does so too, but later than it must be checked
	}
	return seg, r.resolveSegment(seg)
}

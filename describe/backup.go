package describe

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/backupmeta"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// backupTree is the directory of a backup that holds its data files.
const backupTree = "binlogs"

// loadBackup resolves one collection of a directory that milvus-backup wrote.
func loadBackup(ctx context.Context, src Source, opts Options) (*Snapshot, error) {
	b, err := openBackup(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	sum, err := pickSummary(src, b.summaries())
	if err != nil {
		return nil, err
	}
	return b.snapshot(ctx, sum.ID)
}

func listBackup(ctx context.Context, src Source, opts Options) (*Listing, error) {
	b, err := openBackup(ctx, src, opts)
	if err != nil {
		return nil, err
	}
	out := &Listing{Entries: []Entry{}}
	place, _, _ := cutLast(src.text, "#")
	for _, sum := range selectSummaries(src.Collection, b.summaries()) {
		entry := Entry{Kind: KindBackup, Database: sum.Database, Collection: sum.Name, CollectionID: sum.ID, Snapshot: b.meta.Name}
		snap, err := b.snapshot(ctx, sum.ID)
		if err == nil {
			entry = entryOf(snap)
		} else {
			entry.Problem = err.Error()
		}
		entry.Source = place + "#" + sum.Database + "." + sum.Name
		out.Entries = append(out.Entries, entry)
	}
	return out, nil
}

// openedBackup is a backup's metadata and where it lies.
type openedBackup struct {
	src  Source
	opts Options
	at   place
	meta *backupmeta.Backup
}

func openBackup(ctx context.Context, src Source, opts Options) (*openedBackup, error) {
	maps, err := opts.places()
	if err != nil {
		return nil, err
	}
	at, err := openRoot(src.URI, maps)
	if err != nil {
		return nil, err
	}
	store, err := opts.Opener.Open(ctx, at.bucket)
	if err != nil {
		return nil, err
	}
	meta, err := readBackup(ctx, store, at.prefix)
	if err != nil {
		return nil, err
	}
	return &openedBackup{src: src, opts: opts, at: at, meta: meta}, nil
}

// readBackup reads full_meta.json or, where there is none, the four files that hold the same.
func readBackup(ctx context.Context, store objstore.Reader, dir string) (*backupmeta.Backup, error) {
	key := func(name string) string { return join(dir, "meta/"+name) }
	b, _, err := store.ReadAll(ctx, key("full_meta.json"), backupmeta.MaxBytes)
	if err == nil {
		meta, err := backupmeta.Decode(b)
		return meta, fault.Place(err, key("full_meta.json"))
	}
	if !errors.Is(err, fault.ErrMissing) {
		return nil, err
	}
	var levels [4][]byte
	for i, name := range []string{"backup_meta.json", "collection_meta.json", "partition_meta.json", "segment_meta.json"} {
		if levels[i], _, err = store.ReadAll(ctx, key(name), backupmeta.MaxBytes); err != nil {
			var e *fault.Error
			if errors.As(err, &e) && errors.Is(err, fault.ErrMissing) {
				return nil, e.WithHint("name the directory of one backup: the one with meta/ and binlogs/ in it")
			}
			return nil, err
		}
	}
	meta, err := backupmeta.DecodeLevels(levels[0], levels[1], levels[2], levels[3])
	return meta, fault.Place(err, key(""))
}

func (b *openedBackup) summaries() []etcdmeta.Summary {
	var out []etcdmeta.Summary
	for i := range b.meta.Collections {
		c := &b.meta.Collections[i]
		out = append(out, etcdmeta.Summary{ID: c.ID, Database: databaseOf(c.Database), Name: c.Schema.Name})
	}
	return out
}

// snapshot resolves a collection. Where its files were in the cluster does not matter: they lie below the backup.
func (b *openedBackup) snapshot(ctx context.Context, id milvus.CollectionID) (*Snapshot, error) {
	r, err := newResolver(b.opts)
	if err != nil {
		return nil, err
	}
	own := place{bucket: b.at.bucket, prefix: join(b.at.prefix, backupTree)}
	r.settle(own, reference{key: backupTree})
	loc := Location{Bucket: b.at.bucket, Key: b.at.prefix, URI: join(b.at.bucket, b.at.prefix)}
	for i := range b.meta.Collections {
		c := &b.meta.Collections[i]
		if c.ID != id {
			continue
		}
		snap := &Snapshot{
			Source: b.src.text, Kind: KindBackup, Name: b.meta.Name, Collection: c.Collection, Location: loc, Root: own.prefix,
			Segments: make([]milvus.Segment, len(c.Segments)), Indexes: c.Indexes, paths: r,
		}
		for j := range c.Segments {
			seg := c.Segments[j].InBackup()
			if err := moveManifest(&seg, c.Segments[j].Group); err != nil {
				return nil, fault.Place(err, loc.URI)
			}
			if err := r.resolveSegment(&seg); err != nil {
				return nil, fault.Place(err, loc.URI)
			}
			snap.Segments[j] = seg
		}
		return snap, snap.finish(ctx, loc.URI, b.opts)
	}
	return nil, fault.Missing("find collection", "no collection %d", id).On(loc.URI)
}

// moveManifest gives a V3 manifest's base the place that insert logs have in a backup.
func moveManifest(seg *milvus.Segment, group int64) error {
	if seg.StorageVersion != milvus.StorageV3 || seg.ManifestPath == "" {
		return nil
	}
	var recorded v3Manifest
	if err := json.Unmarshal([]byte(seg.ManifestPath), &recorded); err != nil {
		return fault.Corrupt(opSegment, "the manifest of segment %d is not {\"ver\":N,\"base_path\":...}: %w", seg.ID, err)
	}
	parts := []string{backupTree, "insert_log", decimal(seg.Collection), decimal(seg.Partition)}
	if group != 0 {
		parts = append(parts, strconv.FormatInt(group, 10))
	}
	recorded.Base = strings.Join(append(parts, decimal(seg.ID)), "/")
	text, err := json.Marshal(recorded)
	seg.ManifestPath = string(text)
	return err
}

func decimal[T ~int64](n T) string { return strconv.FormatInt(int64(n), 10) }

package describe

import (
	"context"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/objstore"
)

// Bounds of a search for snapshots.
const (
	maxRootDepth = 3      // of directories between the place that the operator named and a root
	maxRootDirs  = 10_000 // directories looked at
)

// found is one metadata JSON that parses.
type found struct {
	key  string
	meta *snapfile.Metadata
}

// logTrees are directories of a root that hold no snapshots and may be huge.
var logTrees = map[string]bool{
	"insert_log": true, "delta_log": true, "stats_log": true, "bm25_stats": true, "index_files": true, "text_log": true,
	"json_stats": true, "json_key_index_log": true, "analyze_stats": true, "binlogs": true, "meta": true, "temp": true,
}

// findSnapshots lists the metadata directories below prefix and reads every file in them. Files that do not parse are
// warned of: another release's snapshot must not hide the others.
func findSnapshots(ctx context.Context, store objstore.Store, prefix string, opts Options) ([]found, []Warning, error) {
	roots, err := findRoots(ctx, store, prefix)
	if err != nil {
		return nil, nil, err
	}
	var keys []string
	for _, root := range roots {
		below, err := metadataKeys(ctx, store, root)
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, below...)
	}
	return readAll(ctx, store, keys, opts)
}

// findRoots returns the directories at or below prefix that have a directory "snapshots", each "" or ending in "/".
func findRoots(ctx context.Context, store objstore.Store, prefix string) ([]string, error) {
	if prefix != "" {
		prefix += "/"
	}
	var roots []string
	looked := 0
	level := []string{prefix}
	for depth := 0; depth <= maxRootDepth && len(level) > 0; depth++ {
		var next []string
		for _, dir := range level {
			if looked++; looked > maxRootDirs {
				return nil, fault.Limit("find snapshots", "more than %d directories", maxRootDirs).On(join(store.URI(), prefix)).
					WithHint("name the root that holds the directory snapshots")
			}
			has, dirs, err := lookInto(ctx, store, dir)
			if err != nil {
				return nil, err
			}
			if has {
				roots = append(roots, dir)
				continue
			}
			next = append(next, dirs...)
		}
		level = next
	}
	slices.Sort(roots)
	return roots, nil
}

// lookInto returns whether dir has a directory "snapshots", and the directories that may hold a root.
func lookInto(ctx context.Context, store objstore.Store, dir string) (has bool, dirs []string, err error) {
	for d, err := range store.Dirs(ctx, dir) {
		if err != nil {
			return false, nil, err
		}
		name := path.Base(d)
		if name == "snapshots" {
			has = true
		} else if _, id := parseID(name); !id && !logTrees[name] {
			dirs = append(dirs, d)
		}
	}
	return has, dirs, nil
}

// metadataKeys lists {root}/snapshots/*/metadata/*.json.
func metadataKeys(ctx context.Context, store objstore.Store, root string) ([]string, error) {
	var keys []string
	for dir, err := range store.Dirs(ctx, root+"snapshots/") {
		if err != nil {
			return nil, err
		}
		for obj, err := range store.List(ctx, dir+"metadata/") {
			if err != nil {
				return nil, err
			}
			if _, ok := parseAddress(obj.Key); ok {
				keys = append(keys, obj.Key)
			}
		}
	}
	return keys, nil
}

func readAll(ctx context.Context, store objstore.Store, keys []string, opts Options) ([]found, []Warning, error) {
	metas := make([]*snapfile.Metadata, len(keys))
	bad := make([]error, len(keys))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(opts.workers())
	for i, key := range keys {
		g.Go(func() error {
			meta, err := readMetadata(ctx, store, key)
			if err != nil && ctx.Err() != nil {
				return err
			}
			metas[i], bad[i] = meta, err
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	var out []found
	var warnings []Warning
	for i, key := range keys {
		if bad[i] != nil {
			if fault.ClassName(bad[i]) == "ErrAuth" {
				return nil, nil, bad[i]
			}
			warnings = append(warnings, Warning{Kind: WarnUnreadable, Message: strings.TrimSpace(bad[i].Error())})
			continue
		}
		out = append(out, found{key: key, meta: metas[i]})
	}
	return out, warnings, nil
}

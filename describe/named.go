package describe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const opFind = "find snapshot"

// latest is the name that means the newest snapshot of a collection.
const latest = "latest"

// loadNamed resolves ROOT#[database.]collection/snapshot by reading the metadata of every snapshot below the root.
func loadNamed(ctx context.Context, src Source, opts Options) (*Snapshot, error) {
	if src.Snapshot == "" {
		return nil, usage(src.text, "ROOT#[database.]collection/(snapshot|latest)")
	}
	r, err := newResolver(opts)
	if err != nil {
		return nil, err
	}
	at, err := openRoot(src.URI, r.maps)
	if err != nil {
		return nil, err
	}
	store, err := opts.Opener.Open(ctx, at.bucket)
	if err != nil {
		return nil, err
	}
	all, warnings, err := findSnapshots(ctx, store, at.prefix, opts)
	if err != nil {
		return nil, err
	}
	one, err := choose(src, all, at.bucket)
	if err != nil {
		return nil, err
	}
	snap, err := loadMetadata(ctx, src, one.meta, r, at.bucket, one.key, opts)
	if err != nil {
		return nil, err
	}
	snap.Warnings = append(warnings, snap.Warnings...)
	return snap, nil
}

// openRoot applies the maps to a bucket or directory that the operator named.
func openRoot(uri string, maps map[string]place) (place, error) {
	at, err := storePlace(uri)
	if err != nil {
		return place{}, err
	}
	if m, ok := maps[at.name]; ok && at.name != "" {
		at.bucket, at.prefix = m.bucket, join(m.prefix, at.prefix)
	}
	return at, nil
}

// choose finds the one snapshot that src names.
func choose(src Source, all []found, bucket string) (found, error) {
	ofCollection := selectCollections(src.Collection, all, foundCollection)
	var hits []found
	for _, f := range ofCollection {
		if src.Snapshot == latest || f.meta.Info.Name == src.Snapshot || strconv.FormatInt(int64(f.meta.Info.ID), 10) == src.Snapshot {
			hits = append(hits, f)
		}
	}
	slices.SortFunc(hits, func(a, b found) int { // newest first
		return cmp.Or(cmp.Compare(b.meta.Info.CreateTS, a.meta.Info.CreateTS), cmp.Compare(b.meta.Info.ID, a.meta.Info.ID))
	})
	names := func(fs []found) string {
		return enumerate(fs, func(f found) string {
			return fmt.Sprintf("%s/%s (%s)", qualified(&f.meta.Collection), f.meta.Info.Name, join(bucket, f.key))
		})
	}
	switch {
	case len(hits) == 0 && len(ofCollection) > 0:
		return found{}, fault.Missing(opFind, "collection %q has no snapshot %q; it has %s", src.Collection, src.Snapshot, names(ofCollection)).On(src.text)
	case len(hits) == 0:
		return found{}, fault.Missing(opFind, "no collection %q; there are %s", src.Collection, names(all)).On(src.text)
	case len(hits) > 1 && (src.Snapshot != latest || hits[0].meta.Info.ID == hits[1].meta.Info.ID || databases(hits) > 1):
		return found{}, fault.New(ErrUsage, opFind, "%q means several snapshots: %s", src.Collection+"/"+src.Snapshot, names(hits)).On(src.text).
			WithHint("name the metadata file")
	}
	return hits[0], nil
}

func foundCollection(f found) (string, string, milvus.CollectionID) {
	return f.meta.Collection.Database, f.meta.Collection.Schema.Name, f.meta.Collection.ID
}

func databases(hits []found) int {
	seen := map[string]bool{}
	for _, f := range hits {
		seen[databaseOf(f.meta.Collection.Database)] = true
	}
	return len(seen)
}

func databaseOf(name string) string {
	if name == "" {
		return defaultDatabase
	}
	return name
}

// qualified returns database.collection.
func qualified(c *milvus.Collection) string { return databaseOf(c.Database) + "." + c.Schema.Name }

// selectCollections returns the items whose collection is meant by want: "database.name", a name or an id. A bare name
// means the default database's collection, if there is one.
func selectCollections[T any](want string, items []T, of func(T) (database, name string, id milvus.CollectionID)) []T {
	var exact, inDefault, anywhere []T
	for _, item := range items {
		database, name, id := of(item)
		database = databaseOf(database)
		switch {
		case want == database+"."+name || want == strconv.FormatInt(int64(id), 10):
			exact = append(exact, item)
		case want == name && database == defaultDatabase:
			inDefault = append(inDefault, item)
		case want == name:
			anywhere = append(anywhere, item)
		}
	}
	for _, hits := range [][]T{exact, inDefault} {
		if len(hits) > 0 {
			return hits
		}
	}
	return anywhere
}

// enumerate lists what there is, for messages.
func enumerate[T any](items []T, name func(T) string) string {
	const most = 20
	if len(items) == 0 {
		return "none"
	}
	var names []string
	for _, item := range items[:min(most, len(items))] {
		names = append(names, name(item))
	}
	slices.Sort(names)
	if len(items) > most {
		names = append(names, fmt.Sprintf("and %d more", len(items)-most))
	}
	return strings.Join(names, ", ")
}

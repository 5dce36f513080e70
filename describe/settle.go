package describe

import (
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/snapfile"
)

// settleFile settles a resolver for a metadata file that was found in a bucket under a key, and returns where the file is:
// a local file's bucket is the directory that its root lies in, or a mapped directory above it.
//
// The root as recorded is what manifest_list has before "/snapshots/"; of a self-contained bundle that was moved, what
// its recorded location has (docs/format/snapshot.md 1, 5).
func (r *Resolver) settleFile(bucket, key string, meta *snapfile.Metadata) (Location, error) {
	local := strings.HasPrefix(bucket, localScheme)
	if local {
		bucket, key = localScheme, join(strings.TrimPrefix(strings.TrimPrefix(bucket, localScheme), "/"), key)
	}
	at, ok := parseAddress(key)
	if !ok {
		return Location{}, fault.UnsafePath("find the root", "the file is not at {root}/snapshots/{collection}/metadata/{id}.json").
			WithHint("keep the file in its tree: its paths are relative to where it lies")
	}
	if at.collection != meta.Info.Collection || at.snapshot != meta.Info.ID {
		return Location{}, fault.Corrupt("find the root", "the file's name says collection %d, snapshot %d; its content says %d, %d",
			at.collection, at.snapshot, meta.Info.Collection, meta.Info.ID)
	}
	bundle := meta.Layout == snapfile.LayoutSelfContained
	recorded, err := r.recordedRoot(meta, bundle)
	if err != nil {
		return Location{}, err
	}
	if recorded.unknown {
		recorded.reference = reference{key: at.root} // no paths at all
		if local {
			recorded.key = at.root[strings.LastIndexByte(at.root, '/')+1:]
		}
	}
	if recorded.local && !local {
		return Location{}, fault.UnsafePath("find the root", "the paths are absolute local ones, the file is in %s", bucket)
	}
	base, inPlace := above(at.root, recorded.key)
	if recorded.local {
		inPlace = false
	}
	if !inPlace && !bundle && !recorded.local {
		return Location{}, fault.UnsafePath("find the root", "the paths lie below %q, the file below %q", recorded.key, at.root).
			WithHint("a copy must keep the tree of its bucket: {root}/snapshots next to {root}/insert_log")
	}
	if bundle && recorded.bucket != "" {
		r.names[recorded.bucket] = true // a bundle moves with its bucket's name written in it
	}
	own := place{bucket: bucket, prefix: at.root}
	if local {
		if !inPlace {
			base = at.root
		}
		own = r.localPlace(at.root, base)
	}
	r.settle(own, recorded.reference)
	rest := strings.TrimPrefix(key, at.root)
	loc := Location{Bucket: own.bucket, Key: strings.TrimPrefix(own.prefix+rest, "/")}
	loc.URI = join(loc.Bucket, loc.Key)
	return loc, nil
}

// localPlace makes a store of the mapped directory above root, or of base, and root a prefix in it. Both are absolute
// paths without their first slash.
func (r *Resolver) localPlace(root, base string) place {
	best := ""
	for _, m := range r.maps {
		dir, local := strings.CutPrefix(m.bucket, localScheme+"/")
		if !local {
			continue
		}
		if _, in := below(root, dir); (in || root == dir) && len(dir) > len(best) {
			best = dir
		}
	}
	if best == "" {
		best = base
	}
	return place{bucket: localScheme + "/" + best, prefix: strings.TrimPrefix(strings.TrimPrefix(root, best), "/")}
}

// recordedPlace is a root as paths mention it; unknown where there is no path.
type recordedPlace struct {
	reference
	unknown bool
}

// recordedRoot takes the root from the first path that has one.
func (r *Resolver) recordedRoot(meta *snapfile.Metadata, bundle bool) (recordedPlace, error) {
	path := ""
	if len(meta.ManifestList) > 0 {
		path = meta.ManifestList[0]
	}
	if bundle && meta.Info.Location != "" {
		path = meta.Info.Location
	}
	if path == "" {
		return recordedPlace{unknown: true}, nil
	}
	ref, err := parsePath(path, r.known)
	if err != nil {
		return recordedPlace{}, err
	}
	i := strings.LastIndex("/"+ref.key, "/snapshots/")
	if i < 0 {
		return recordedPlace{}, fault.UnsafePath("find the root", "%q is not below a directory named snapshots", redact(path))
	}
	ref.key = strings.TrimSuffix(("/" + ref.key)[:i], "/")
	ref.key = strings.TrimPrefix(ref.key, "/")
	return recordedPlace{reference: ref}, nil
}

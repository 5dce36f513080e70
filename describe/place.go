package describe

import (
	"errors"
	"path"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// ErrUsage is the class of what the operator typed and cannot be meant: a SOURCE, a map or a prefix. It is not a class of
// package fault, since nothing was read yet.
var ErrUsage = errors.New("usage")

const localScheme = "file://"

// storePlace takes a bucket or directory URI apart: "s3://b/p" is prefix "p" of "s3://b", a directory is a store of its own.
func storePlace(uri string) (place, error) {
	bucket, key, err := objstore.Split(strings.TrimRight(uri, "/") + "/x")
	if err != nil {
		return place{}, err
	}
	return place{name: bucketName(bucket), bucket: bucket, prefix: strings.TrimRight(strings.TrimSuffix(key, "x"), "/")}, nil
}

// bucketName returns the name in a store's URI; a directory has none.
func bucketName(uri string) string {
	scheme, name, ok := strings.Cut(uri, "://")
	if !ok || scheme == "file" {
		return ""
	}
	return name
}

// places returns the maps by name of the bucket.
func (o Options) places() (map[string]place, error) {
	out := make(map[string]place, len(o.Maps))
	for _, m := range o.Maps {
		name := strings.TrimSuffix(m.Bucket, "/")
		if _, rest, ok := strings.Cut(name, "://"); ok {
			name = rest
		}
		if !validBucket(name) || m.Target == "" {
			return nil, fault.New(ErrUsage, "read maps", "%q=%q is not NAME=DIR-OR-URI", m.Bucket, redact(m.Target))
		}
		if _, twice := out[name]; twice {
			return nil, fault.New(ErrUsage, "read maps", "bucket %q is mapped twice", name)
		}
		p, err := storePlace(m.Target)
		if err != nil {
			return nil, err
		}
		p.name = name
		out[name] = p
	}
	return out, nil
}

// ParseMap reads "s3://NAME=DIR-OR-URI"; the scheme of the name does not matter and may be left out.
func ParseMap(s string) (Map, error) {
	name, target, ok := strings.Cut(s, "=")
	if !ok || name == "" || target == "" {
		return Map{}, fault.New(ErrUsage, "read a map", "%q is not s3://NAME=DIR-OR-URI", redact(s))
	}
	if _, rest, isURI := strings.Cut(name, "://"); isURI {
		name = rest
	}
	name = strings.TrimSuffix(name, "/")
	if !validBucket(name) {
		return Map{}, fault.New(ErrUsage, "read a map", "%q is not the name of a bucket", name)
	}
	return Map{Bucket: name, Target: target}, nil
}

// prefixes sorts the allowed prefixes into those of buckets and local directories. known is for URIs with an endpoint.
func (o Options) prefixes(known func(string) bool) (allow, dirs []place, err error) {
	for _, p := range o.AllowPrefixes {
		text := strings.TrimRight(p, "/")
		if strings.HasPrefix(p, "/") || strings.HasPrefix(p, "./") || strings.HasPrefix(p, localScheme) {
			d, err := storePlace(p)
			if err != nil {
				return nil, nil, err
			}
			d.prefix = strings.TrimPrefix(strings.TrimPrefix(d.bucket, localScheme), "/")
			dirs = append(dirs, d)
			continue
		}
		// A made-up object below the prefix passes the rules of metadata's own paths.
		ref, err := parsePath(text+"/x", known)
		if err != nil {
			return nil, nil, fault.New(ErrUsage, "read allowed prefixes", "%q: %w", redact(p), err)
		}
		key := strings.TrimSuffix(strings.TrimSuffix(ref.key, "x"), "/")
		allow = append(allow, place{name: ref.bucket, prefix: key})
	}
	return allow, dirs, nil
}

// newResolver fills in what comes from the operator.
func newResolver(opts Options) (*Resolver, error) {
	maps, err := opts.places()
	if err != nil {
		return nil, err
	}
	r := &Resolver{maps: maps, names: map[string]bool{}}
	r.allow, r.dirs, err = opts.prefixes(func(name string) bool { _, ok := maps[name]; return ok })
	return r, err
}

// settle says where the snapshot's root is now and how paths mention it.
func (r *Resolver) settle(own place, recorded reference) {
	r.own, r.recorded = own, recorded
	if name := bucketName(own.bucket); name != "" {
		r.names[name] = true
	}
	for name, m := range r.maps {
		if m.bucket == own.bucket && m.prefix == "" {
			r.names[name] = true
		}
	}
	r.base, _ = above(own.prefix, recorded.key)
	if recorded.local {
		r.base = ""
	}
}

// above returns what key has before suffix, and whether it ends in it: "x/files" is above "files" with "x".
func above(key, suffix string) (string, bool) {
	switch {
	case suffix == "":
		return key, true
	case key == suffix:
		return "", true
	}
	rest, ok := strings.CutSuffix(key, "/"+suffix)
	return rest, ok
}

// openPlace applies the maps to a URI that the operator typed: a mapped bucket is looked for where the map says.
func openPlace(uri string, maps map[string]place) (bucket, key string, err error) {
	bucket, key, err = objstore.Split(uri)
	if err != nil {
		return "", "", err
	}
	if m, ok := maps[bucketName(bucket)]; ok && bucketName(bucket) != "" {
		return m.bucket, join(m.prefix, key), nil
	}
	return bucket, key, nil
}

// address is the place of a metadata file: {root}/snapshots/{collection}/metadata/{id}.json.
type address struct {
	root       string
	collection milvus.CollectionID
	snapshot   milvus.SnapshotID
}

// parseAddress reads the key of a metadata file from its end.
func parseAddress(key string) (address, bool) {
	dir, file := path.Split(key)
	id, okID := parseID(strings.TrimSuffix(file, ".json"))
	rest, okMeta := strings.CutSuffix(dir, "/metadata/")
	root, coll := path.Split(rest)
	collection, okColl := parseID(coll)
	root, okRoot := above(strings.TrimSuffix(root, "/"), "snapshots")
	ok := okID && okMeta && okColl && okRoot && strings.HasSuffix(file, ".json")
	return address{root: root, collection: milvus.CollectionID(collection), snapshot: milvus.SnapshotID(id)}, ok
}

func parseID(s string) (int64, bool) {
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id > 0 && s[0] != '+'
}

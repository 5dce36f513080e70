package describe

import (
	"fmt"
	"strings"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// place is a key prefix in a store. name is the bucket's name as paths mention it.
type place struct {
	name   string
	bucket string // URI of the store
	prefix string // without slashes at its ends; "" is the whole store
}

// Resolver turns paths of metadata into stores and keys. It never lets a path leave what the operator allowed: the
// snapshot's root, a mapped bucket's part of the same name, or an allowed prefix. It is safe for concurrent use.
//
// Paths of a cluster with local storage are absolute ("/var/lib/milvus/data/insert_log/..."). They are accepted only
// where the metadata itself says so (its own manifest_list is absolute), and then re-rooted: what they have below the
// recorded root is looked for below the directory that the metadata file was found in, wherever that is now.
type Resolver struct {
	own      place     // where the snapshot's root is now
	base     string    // what lies before the recorded root in own.bucket, for allowed prefixes of the own bucket
	recorded reference // the root as paths mention it; local means absolute
	names    map[string]bool
	maps     map[string]place
	allow    []place // bucket "" is the snapshot's own
	dirs     []place // allowed local directories
}

// Resolve returns the object that a path of metadata means, or an ErrUnsafePath.
func (r *Resolver) Resolve(path string) (milvus.FileRef, error) {
	ref, err := parsePath(path, r.known)
	if err != nil {
		return milvus.FileRef{}, err
	}
	file, err := r.locate(ref, path)
	if err == nil && len(file.Key) > MaxKeyBytes {
		return milvus.FileRef{}, fault.UnsafePath(opPath, "the key %.80q... has %d bytes; at most %d are possible", file.Key, len(file.Key), MaxKeyBytes)
	}
	return file, err
}

func (r *Resolver) known(bucket string) bool {
	if _, mapped := r.maps[bucket]; mapped || r.names[bucket] {
		return true
	}
	for _, a := range r.allow {
		if a.name == bucket {
			return true
		}
	}
	return false
}

func (r *Resolver) locate(ref reference, path string) (milvus.FileRef, error) {
	switch {
	case ref.local:
		return r.locateLocal(ref, path)
	case ref.bucket == "" || r.names[ref.bucket]:
		return r.locateOwn(ref, path)
	}
	return r.locateOther(ref, path)
}

func (r *Resolver) locateOwn(ref reference, path string) (milvus.FileRef, error) {
	if !r.recorded.local {
		if rest, ok := below(ref.key, r.recorded.key); ok {
			if r.own.prefix == r.recorded.key {
				return milvus.FileRef{Bucket: r.own.bucket, Key: ref.key}, nil // most often, and without a copy
			}
			return milvus.FileRef{Bucket: r.own.bucket, Key: join(r.own.prefix, rest)}, nil
		}
	}
	for _, a := range r.allow {
		if _, ok := below(ref.key, a.prefix); ok && (a.name == "" || r.names[a.name]) {
			return milvus.FileRef{Bucket: r.own.bucket, Key: join(r.base, ref.key)}, nil
		}
	}
	return milvus.FileRef{}, fault.UnsafePath(opPath, "%q does not lie below the snapshot's root %q", path, r.recorded.key).
		WithHint("if this is right, allow it: --allow-prefix %s", parent(ref.key))
}

func (r *Resolver) locateLocal(ref reference, path string) (milvus.FileRef, error) {
	if r.recorded.local {
		if rest, ok := below(ref.key, r.recorded.key); ok {
			return milvus.FileRef{Bucket: r.own.bucket, Key: join(r.own.prefix, rest)}, nil
		}
	}
	for _, d := range r.dirs {
		if rest, ok := below(ref.key, d.prefix); ok {
			return milvus.FileRef{Bucket: d.bucket, Key: rest}, nil
		}
	}
	return milvus.FileRef{}, fault.UnsafePath(opPath, "%q is an absolute local path", path).
		WithHint("if this is right, allow its directory: --allow-prefix %s", parent(path))
}

func (r *Resolver) locateOther(ref reference, path string) (milvus.FileRef, error) {
	allowed := false
	if !r.recorded.local {
		_, allowed = below(ref.key, r.recorded.key)
	}
	target, mapped := r.maps[ref.bucket]
	allowed = allowed && mapped
	for _, a := range r.allow {
		if _, ok := below(ref.key, a.prefix); ok && a.name == ref.bucket {
			allowed = true
		}
	}
	switch {
	case allowed && mapped:
		return milvus.FileRef{Bucket: target.bucket, Key: join(target.prefix, ref.key)}, nil
	case allowed:
		return milvus.FileRef{Bucket: "s3://" + ref.bucket, Key: ref.key}, nil
	}
	return milvus.FileRef{}, fault.UnsafePath(opPath, "%q is in bucket %q, which is not the snapshot's own", path, ref.bucket).
		WithHint("say where its objects are (--map s3://%s=DIR-OR-URI) or allow a part of it (--allow-prefix s3://%s/PREFIX)", ref.bucket, ref.bucket)
}

// parent returns the first directory of a key, or the directory of an absolute path, for hints.
func parent(path string) string {
	if strings.HasPrefix(path, "/") {
		return path[:max(1, strings.LastIndexByte(path, '/'))]
	}
	dir, _, _ := strings.Cut(path, "/")
	return dir
}

// String says what the resolver allows, for messages.
func (r *Resolver) String() string {
	return fmt.Sprintf("%s as %q", join(r.own.bucket, r.own.prefix), r.recorded.key)
}

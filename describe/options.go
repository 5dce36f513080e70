package describe

import (
	"crypto/tls"

	"github.com/snapexport/snapexport/objstore"
)

// DefaultWorkers is the number of manifests that are read at once.
const DefaultWorkers = 16

// Map says where a bucket's objects are found now.
type Map struct {
	Bucket string // name of the bucket or container as paths mention it
	Target string // URI of a store, or a directory
}

// Options are the operator's settings. They are trusted; what is in a bucket is not.
type Options struct {
	// Opener opens stores. Required.
	Opener *objstore.Opener

	// Maps redirect buckets.
	Maps []Map

	// AllowPrefixes are URIs ("s3://bucket/prefix") or keys of the snapshot's own bucket ("old-root") below which files
	// may lie beside the snapshot's root.
	AllowPrefixes []string

	// Vortex lets V3 column groups of that format pass, for readers that have a converter.
	Vortex bool

	// Workers is the number of concurrent requests; 0 is [DefaultWorkers].
	Workers int

	// EtcdPassword is the password for sources with "?user=". It is never shown.
	EtcdPassword objstore.Secret
	// EtcdTLS is how connections to etcd are encrypted. nil: not at all, or with "?tls=true" by the system's authorities.
	EtcdTLS *tls.Config
}

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return DefaultWorkers
}

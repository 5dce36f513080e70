package objstore

import (
	"context"
	"path"
	"strings"
	"sync"
)

// Opener opens stores and keeps them: one client per S3 server and credentials, one store per bucket or directory.
type Opener struct {
	config  Config
	mu      sync.Mutex
	stores  map[string]Store
	servers map[serverKey]*server
}

// NewOpener returns an opener. The config must not change afterwards.
func NewOpener(c Config) *Opener {
	return &Opener{config: c, stores: map[string]Store{}, servers: map[serverKey]*server{}}
}

// Open returns the store of a bucket ("s3://bucket", "s3a://bucket") or local directory ("file:///dir" or a path), wrapped
// in the config's metrics and retries. It makes no request: a bucket or directory that is not there shows at the first call
// (a directory is made by the first write). Stores need no closing.
func (o *Opener) Open(ctx context.Context, uri string) (Store, error) {
	uri, err := storeURI(uri)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if s, ok := o.stores[uri]; ok {
		return s, nil
	}
	s, err := o.open(ctx, uri)
	if err != nil {
		return nil, err
	}
	o.stores[uri] = s
	return s, nil
}

// OpenObject splits a URI or path and opens its store.
func (o *Opener) OpenObject(ctx context.Context, uri string) (s Store, key string, err error) {
	l, err := Parse(uri)
	if err != nil {
		return nil, "", err
	}
	s, err = o.Open(ctx, l.Store)
	return s, l.Key, err
}

// storeURI returns the canonical URI of a bucket or directory.
func storeURI(uri string) (string, error) {
	l, err := Parse(uri)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(l.Store, "file:") {
		return fileURI(path.Join(localDir(l.Store), l.Key)), nil
	}
	if l.Key != "" {
		return "", badURI(uri, "a store is a whole bucket: %s", l.Store)
	}
	return l.Store, nil
}

func (o *Opener) open(ctx context.Context, uri string) (s Store, err error) {
	bucket, remote := strings.CutPrefix(uri, "s3://")
	if remote {
		s, err = o.bucket(ctx, bucket)
	} else {
		s = Local(localDir(uri))
	}
	if err != nil {
		return nil, err
	}
	if o.config.Metrics != nil {
		s = WithMetrics(s, o.config.Metrics)
	}
	if remote && o.config.Retry.Attempts > 1 {
		s = WithRetry(s, o.config.Retry)
	}
	if o.config.Decorator != nil {
		s = o.config.Decorator(s)
	}
	return s, nil
}

// bucket returns a bucket's store on its server's shared client.
func (o *Opener) bucket(ctx context.Context, name string) (Store, error) {
	settings, err := o.config.settings(name)
	if err != nil {
		return nil, err
	}
	key := settings.serverKey()
	srv, ok := o.servers[key]
	if !ok {
		if srv, err = newServer(ctx, settings, o.config.Retry); err != nil {
			return nil, err
		}
		o.servers[key] = srv
	}
	return &s3Store{server: srv, bucket: name, direct: newDirect(ctx, srv.client.Options(), name)}, nil
}

package describe

import (
	"context"
	"crypto/tls"
	"errors"
	"iter"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/objstore"
)

// Bounds of conversations with etcd (docs/format/etcd.md 10).
const (
	etcdPage        = 5000                   // rows of one request
	etcdDialTimeout = 5 * time.Second        // until a connection stands
	etcdTimeout     = 20 * time.Second       // for one request
	etcdTries       = 3                      // of reading everything at one revision
	etcdPause       = 500 * time.Millisecond // between them: half a change should be whole by then
)

// etcdSource reads a live etcd at one revision: that of its first answer.
type etcdSource struct {
	client   *clientv3.Client
	name     string
	revision int64
	page     int64 // rows of one request
}

// openEtcd connects. The client is silent and reads nothing from the environment.
func openEtcd(ctx context.Context, src Source, opts Options) (*etcdSource, error) {
	config := clientv3.Config{
		Context: ctx, Endpoints: src.Endpoints, DialTimeout: etcdDialTimeout, Username: src.User, Logger: zap.NewNop(),
		DialKeepAliveTime: 30 * time.Second, DialKeepAliveTimeout: 10 * time.Second, MaxCallRecvMsgSize: 1 << 30,
	}
	if src.User != "" {
		config.Password = string(opts.EtcdPassword)
	}
	if config.TLS = opts.EtcdTLS; src.TLS && config.TLS == nil {
		config.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	client, err := clientv3.New(config)
	if err != nil {
		return nil, etcdError(err, src.text)
	}
	return &etcdSource{client: client, name: src.text, page: etcdPage}, nil
}

func (e *etcdSource) close() error { return e.client.Close() }

// renew makes the next answer's revision the one that is read.
func (e *etcdSource) renew() { e.revision = 0 }

// rows reads prefixes, each page by page in order of keys, all at one revision.
func (e *etcdSource) rows(ctx context.Context, prefixes []string) iter.Seq2[etcdmeta.KV, error] {
	return func(yield func(etcdmeta.KV, error) bool) {
		for _, prefix := range prefixes {
			for kv, err := range e.scan(ctx, prefix) {
				if !yield(kv, err) || err != nil {
					return
				}
			}
		}
	}
}

func (e *etcdSource) scan(ctx context.Context, prefix string) iter.Seq2[etcdmeta.KV, error] {
	return func(yield func(etcdmeta.KV, error) bool) {
		end := clientv3.GetPrefixRangeEnd(prefix)
		for from := prefix; ; {
			page, err := e.get(ctx, from, end)
			if err != nil {
				yield(etcdmeta.KV{}, etcdError(err, e.name))
				return
			}
			for _, kv := range page.Kvs {
				if !yield(etcdmeta.KV{Key: string(kv.Key), Value: kv.Value}, nil) {
					return
				}
			}
			if !page.More || len(page.Kvs) == 0 {
				return
			}
			from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
		}
	}
}

func (e *etcdSource) get(ctx context.Context, from, end string) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	opts := []clientv3.OpOption{
		clientv3.WithRange(end), clientv3.WithLimit(e.page), clientv3.WithSort(clientv3.SortByKey, clientv3.SortAscend),
	}
	if e.revision != 0 {
		opts = append(opts, clientv3.WithRev(e.revision))
	}
	page, err := e.client.Get(ctx, from, opts...)
	if err == nil && e.revision == 0 {
		e.revision = page.Header.Revision
	}
	return page, err
}

// errCompacted means that the revision is gone: start again at a newer one.
var errCompacted = errors.New("etcd compacted the revision that was being read")

// etcdError gives an error of etcd a class.
func etcdError(err error, name string) error {
	const op = "read etcd"
	switch {
	case errors.Is(err, rpctypes.ErrCompacted):
		return fault.New(objstore.ErrFailed, op, "%w", errCompacted).On(name)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrUserEmpty),
		errors.Is(err, rpctypes.ErrInvalidAuthToken), status.Code(err) == codes.PermissionDenied, status.Code(err) == codes.Unauthenticated:
		return fault.Auth(op, "%w", err).On(name).WithHint("name a user with ?user= and give the password in SNAPEXPORT_ETCD_PASSWORD")
	}
	return fault.New(objstore.ErrFailed, op, "%w", err).On(name).WithHint("is etcd at this address, and reachable from here?")
}

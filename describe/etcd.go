package describe

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// Bounds of conversations with etcd (docs/format/etcd.md 10).
const (
	etcdPage        = 5000             // rows of one request
	etcdDialTimeout = 5 * time.Second  // until a connection stands
	etcdTimeout     = 20 * time.Second // for one request
	etcdTries       = 3                // of reading everything at one revision
)

// row is one key of etcd with its value.
type row struct {
	Key   string
	Value []byte
}

// Subtrees of {meta}. Sessions and credentials are in none of them and are never asked for.
var (
	rootCoordTrees = []string{
		"root-coord/database/", "root-coord/collection/", "root-coord/collection-alias/", "root-coord/aliases/",
		"root-coord/fields/", "root-coord/functions/", "root-coord/struct-array-fields/", "root-coord/partitions/",
	}
	// collectionTrees go on with {collection}/.
	collectionTrees = []string{
		"datacoord-meta/s/", "datacoord-meta/binlog/", "datacoord-meta/deltalog/", "datacoord-meta/statslog/", "datacoord-meta/bm25log/",
		"field-index/", "segment-index/",
	}
)

// metaSource gives the rows below prefixes, all of one instant.
type metaSource interface {
	// Rows calls yield for every row below one of the prefixes.
	Rows(ctx context.Context, prefixes []string, yield func(row) error) error
	// Renew moves to a newer instant; false if there is none.
	Renew() bool
	Close() error
}

// etcdSource reads a live etcd at one revision: that of its first answer.
type etcdSource struct {
	client   *clientv3.Client
	name     string
	revision int64
}

// openEtcd connects. The client is silent and reads nothing from the environment.
func openEtcd(ctx context.Context, src Source, password objstore.Secret) (*etcdSource, error) {
	config := clientv3.Config{
		Context: ctx, Endpoints: src.Endpoints, DialTimeout: etcdDialTimeout, Username: src.User, Logger: zap.NewNop(),
		DialKeepAliveTime: 30 * time.Second, DialKeepAliveTimeout: 10 * time.Second, MaxCallRecvMsgSize: 1 << 30,
	}
	if src.User != "" {
		config.Password = string(password)
	}
	if src.TLS {
		config.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	client, err := clientv3.New(config)
	if err != nil {
		return nil, etcdError(err, src.text)
	}
	return &etcdSource{client: client, name: src.text}, nil
}

func (e *etcdSource) Close() error { return e.client.Close() }

func (e *etcdSource) Renew() bool {
	e.revision = 0
	return true
}

func (e *etcdSource) Rows(ctx context.Context, prefixes []string, yield func(row) error) error {
	for _, prefix := range prefixes {
		if err := e.scan(ctx, prefix, yield); err != nil {
			return err
		}
	}
	return nil
}

// scan reads a prefix page by page, in order of keys.
func (e *etcdSource) scan(ctx context.Context, prefix string, yield func(row) error) error {
	end := clientv3.GetPrefixRangeEnd(prefix)
	for from := prefix; ; {
		page, err := e.get(ctx, from, end)
		if err != nil {
			return etcdError(err, e.name)
		}
		for _, kv := range page.Kvs {
			if err := yield(row{Key: string(kv.Key), Value: kv.Value}); err != nil {
				return err
			}
		}
		if !page.More || len(page.Kvs) == 0 {
			return nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

func (e *etcdSource) get(ctx context.Context, from, end string) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	opts := []clientv3.OpOption{
		clientv3.WithRange(end), clientv3.WithLimit(etcdPage), clientv3.WithSort(clientv3.SortByKey, clientv3.SortAscend),
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

// dumpSource is the output of "etcdctl get --prefix ROOT -w json", read whole.
type dumpSource struct{ rows []row }

func (d *dumpSource) Close() error { return nil }
func (d *dumpSource) Renew() bool  { return false }

func (d *dumpSource) Rows(ctx context.Context, prefixes []string, yield func(row) error) error {
	for _, r := range d.rows {
		for _, p := range prefixes {
			if !strings.HasPrefix(r.Key, p) {
				continue
			}
			if err := yield(r); err != nil {
				return err
			}
			break
		}
	}
	return ctx.Err()
}

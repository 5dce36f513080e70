package metastore

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"github.com/snapexport/snapexport/fault"
)

const (
	dialTimeout = 5 * time.Second
	startLimit  = time.Minute      // until the embedded etcd answers
	callTimeout = 30 * time.Second // for one request
)

// embedded is an etcd within this process. It has no peers and, unless told otherwise, listens nowhere.
type embedded struct {
	etcd *embed.Etcd
	lock *os.File
}

func startEmbedded(ctx context.Context, c Config) (*embedded, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fault.New(errEtcd, op, "%w", err).On(c.Dir)
	}
	e := &embedded{}
	var err error
	if e.lock, err = lockFile(filepath.Join(c.Dir, "lock")); err != nil {
		return nil, fault.Conflict(op, "another process is using the directory: %w", err).On(c.Dir).
			WithHint("one server at a time has a directory of metadata")
	}
	if e.etcd, err = embed.StartEtcd(embedConfig(c)); err != nil {
		e.close()
		return nil, fault.New(errEtcd, op, "etcd does not start: %w", err).On(c.Dir)
	}
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	select {
	case <-e.etcd.Server.ReadyNotify():
		return e, nil
	case <-ctx.Done():
		err = ctx.Err()
	case err = <-e.etcd.Err():
	case <-limit.C:
		err = fault.New(errEtcd, op, "etcd does not answer").On(c.Dir)
	}
	e.close()
	return nil, err
}

// embedConfig is a cluster of one that needs no network. Addresses of peers are names only: nothing listens there.
func embedConfig(c Config) *embed.Config {
	out := embed.NewConfig()
	out.Dir = filepath.Join(c.Dir, "etcd")
	out.ListenPeerUrls, out.ListenClientUrls = nil, nil
	out.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:2380"}}
	out.AdvertiseClientUrls = []url.URL{{Scheme: "http", Host: "localhost:2379"}}
	if c.Listen != "" {
		out.ListenClientUrls = []url.URL{{Scheme: "http", Host: c.Listen}}
	}
	out.InitialCluster = out.InitialClusterFromName(out.Name)
	out.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	out.TickMs, out.ElectionMs = 10, 50 // there is no one to agree with
	out.AutoCompactionMode, out.AutoCompactionRetention = "revision", "1000"
	out.QuotaBackendBytes = 8 << 30
	out.UnsafeNoFsync = c.NoFsync
	return out
}

func (e *embedded) client() *clientv3.Client { return v3client.New(e.etcd.Server) }

func (e *embedded) address() string {
	if len(e.etcd.Clients) == 0 {
		return ""
	}
	return e.etcd.Clients[0].Addr().String()
}

func (e *embedded) close() {
	if e == nil {
		return
	}
	if e.etcd != nil {
		e.etcd.Close()
	}
	_ = e.lock.Close() // which unlocks it
}

// dial connects to a cluster. Where there is a user, its password is tried at once.
func dial(ctx context.Context, c Config) (*clientv3.Client, error) {
	config := clientv3.Config{
		Context: context.WithoutCancel(ctx), Endpoints: c.Endpoints, DialTimeout: dialTimeout, Logger: zap.NewNop(), TLS: c.TLS,
		DialKeepAliveTime: 30 * time.Second, DialKeepAliveTimeout: 10 * time.Second, MaxCallRecvMsgSize: 1 << 30,
	}
	if c.User != "" {
		config.Username, config.Password = c.User, string(c.Password)
	}
	if err := probe(ctx, c); err != nil {
		return nil, err
	}
	client, err := clientv3.New(config)
	return client, failed(err)
}

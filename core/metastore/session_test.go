package metastore

import (
	"crypto/tls"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/etcd"
	"github.com/snapexport/snapexport/objstore"
)

func cluster(address string) func(*Config) {
	return func(c *Config) { c.Endpoints = []string{address} }
}

func TestSecondServerIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := tryOpen(dir); !errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("the same directory: %v", err)
	}
	check(t, s.Close())
	check(t, s.Close()) // twice is fine
	if err := s.CreateCollection(ctx, sample(100, "c")); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("a closed store: %v", err)
	}
	open(t, dir)
}

func TestSecondServerOfClusterIsRefused(t *testing.T) {
	t.Parallel()
	address := etcd.Start(t, "")
	s := open(t, "", cluster(address))
	check(t, s.CreateCollection(ctx, sample(100, "c")))
	if _, err := tryOpen("", cluster(address)); !errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), "session") {
		t.Errorf("the same etcd: %v", err)
	}
	other := open(t, "", cluster(address), func(c *Config) { c.Root = "other/meta" })
	if all, _ := other.Collections("*"); len(all) > 0 {
		t.Error("another root shows collections")
	}
	check(t, s.Close())
	again := open(t, "", cluster(address))
	compareWithReader(t, again)
	if all, _ := again.Collections("*"); len(all) != 1 {
		t.Errorf("%d collections", len(all))
	}
}

// TestSecuredCluster: an etcd that demands a certificate and a password, whose user has no rights beyond the metadata.
func TestSecuredCluster(t *testing.T) {
	t.Parallel()
	e := etcd.StartSecured(t)
	config, err := transport.TLSInfo{CertFile: e.Certificate, KeyFile: e.Key, TrustedCAFile: e.CA}.ClientConfig()
	check(t, err)
	secured := func(c *Config) {
		c.Endpoints, c.TLS, c.User, c.Password = []string{e.Address}, config, e.User, objstore.Secret(e.Password)
	}
	s := open(t, "", secured)
	check(t, s.CreateCollection(ctx, sample(100, "c")))
	check(t, s.Close())
	s = open(t, "", secured)
	compareWithReader(t, s)
	check(t, s.Close())
	for name, c := range map[string]struct {
		change func(*Config)
		class  error
		text   string
	}{
		"a wrong password":  {func(c *Config) { c.Password = "wrong" }, fault.ErrAuth, "authentication failed"},
		"no user":           {func(c *Config) { c.User = "" }, fault.ErrAuth, "permission denied"},
		"another root":      {func(c *Config) { c.Root = "other/meta" }, fault.ErrAuth, "permission denied"},
		"no certificate":    {func(c *Config) { c.TLS = &tls.Config{RootCAs: config.RootCAs} }, errEtcd, "certificate"},
		"another authority": {func(c *Config) { c.TLS = &tls.Config{Certificates: config.Certificates} }, errEtcd, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := tryOpen("", secured, c.change); !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestForeignMetadata refuses what a Milvus keeps, running or not.
func TestForeignMetadata(t *testing.T) {
	t.Parallel()
	address := etcd.Start(t, testkit.Data(t, "milvus-2.3.5", "etcd.json"))
	if _, err := tryOpen("", cluster(address)); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("a Milvus's metadata: %v", err)
	}
	empty := etcd.Start(t, "")
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{empty}, DialTimeout: 10 * time.Second})
	check(t, err)
	defer client.Close()
	if _, err := client.Put(ctx, "by-dev/meta/session/rootcoord", "{}"); err != nil {
		t.Fatal(err)
	}
	if _, err := tryOpen("", cluster(empty)); !errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), "session/rootcoord") {
		t.Errorf("a live session: %v", err)
	}
}

// TestLostSession takes the session away: nothing is written without it, and a server that took over is noticed.
func TestLostSession(t *testing.T) {
	t.Parallel()
	address := etcd.Start(t, "")
	s := open(t, "", cluster(address))
	endSession(t, s)
	if _, err := s.IDs(1); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("without a session: %v", err)
	}
	check(t, s.CreateCollection(ctx, sample(100, "c"))) // nobody else has it, so it was taken again
	endSession(t, s)
	other := open(t, "", cluster(address))
	check(t, other.DropCollection(ctx, 100))
	last, err := other.Timestamp()
	check(t, err)
	for range 2 {
		if err := s.CreateCollection(ctx, sample(200, "d")); !errors.Is(err, fault.ErrConflict) {
			t.Errorf("beside another server: %v", err)
		}
	}
	check(t, other.Close())
	check(t, s.CreateCollection(ctx, sample(200, "d")))
	if all, _ := s.Collections("*"); len(all) != 1 || all[0].ID != 200 {
		t.Errorf("collections after the other server: %v", all)
	}
	if ts, err := s.Timestamp(); err != nil || ts <= last {
		t.Errorf("timestamp %d after the other server's %d: %v", ts, last, err)
	}
}

// TestLateTransaction: what was given up comes to nothing when it arrives after all, although the session lives.
func TestLateTransaction(t *testing.T) {
	t.Parallel()
	s := open(t, "", cluster(etcd.Start(t, "")))
	late := s.client.Txn(ctx).If(s.session.held()).Then(clientv3.OpPut("by-dev/meta/late", ""))
	s.stale.Store(true) // as after a timeout
	check(t, s.CreateCollection(ctx, sample(100, "c")))
	if done, err := late.Commit(); err != nil || done.Succeeded {
		t.Errorf("%v, %v", done, err)
	}
	var wg sync.WaitGroup
	for range 4 { // others meanwhile do not notice
		wg.Go(func() {
			for range 50 {
				if _, err := s.IDs(maxIDs); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		s.stale.Store(true)
		check(t, s.Refresh(ctx))
	}
	wg.Wait()
	check(t, s.Close())
}

// TestListens reads the embedded etcd from outside.
func TestListens(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), func(c *Config) { c.Listen = "127.0.0.1:0" })
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Address()}, DialTimeout: 10 * time.Second})
	check(t, err)
	defer client.Close()
	got, err := client.Get(ctx, "by-dev/meta/root-coord/database/db-info/1")
	if err != nil || len(got.Kvs) != 1 {
		t.Errorf("%v, error %v", got, err)
	}
	if a := open(t, t.TempDir()).Address(); a != "" {
		t.Errorf("listens at %s", a)
	}
}

// endSession lets the lease run out, unnoticed by the store.
func endSession(t *testing.T, s *Store) {
	t.Helper()
	s.write.Lock()
	defer s.write.Unlock()
	s.session.end()
	_, err := s.client.Revoke(ctx, s.session.lease)
	check(t, err)
}

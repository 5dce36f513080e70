// Package etcd runs a real etcd for tests. It is apart from testkit, which codecs' own tests import: it uses one of them.
package etcd

import (
	"context"
	"net/url"
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/snapexport/snapexport/format/etcdmeta"
)

// Start runs a real etcd on loopback for the test, filled with the rows of a dump ("" is none), and returns its host:port.
func Start(t testing.TB, dump string) string {
	t.Helper()
	address := run(t, func(*embed.Config) {})
	if dump != "" {
		fill(t, address, dump)
	}
	return address
}

// run starts an etcd and waits until it answers.
func run(t testing.TB, change func(*embed.Config)) string {
	t.Helper()
	config := embed.NewConfig()
	config.Dir = t.TempDir()
	config.LogLevel, config.LogOutputs = "fatal", []string{os.DevNull}
	config.UnsafeNoFsync, config.BcryptCost = true, 4
	loopback := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config.ListenClientUrls, config.ListenPeerUrls = []url.URL{loopback}, []url.URL{loopback}
	change(config)
	server, err := embed.StartEtcd(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(time.Minute):
		t.Fatal("etcd does not start")
	}
	return server.Clients[0].Addr().String()
}

func fill(t testing.TB, address, dump string) {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{address}, DialTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	f, err := os.Open(dump)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const batch = 100 // etcd takes 128 operations at once
	var ops []clientv3.Op
	put := func() {
		if _, err := client.Txn(context.Background()).Then(ops...).Commit(); err != nil {
			t.Fatal(err)
		}
		ops = ops[:0]
	}
	for kv, err := range etcdmeta.ReadDump(f) {
		if err != nil {
			t.Fatal(err)
		}
		if ops = append(ops, clientv3.OpPut(kv.Key, string(kv.Value))); len(ops) == batch {
			put()
		}
	}
	put()
}

package describe

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/objstore"
)

// startEtcd runs a real etcd for the test, with the rows of the genuine cluster, and returns its address.
func startEtcd(t *testing.T) (address string, client *clientv3.Client) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts an etcd")
	}
	config := embed.NewConfig()
	config.Dir = t.TempDir()
	config.LogLevel, config.LogOutputs = "fatal", []string{os.DevNull}
	config.UnsafeNoFsync, config.BcryptCost = true, 4
	any := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config.ListenClientUrls, config.ListenPeerUrls = []url.URL{any}, []url.URL{any}
	server, err := embed.StartEtcd(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(30 * time.Second):
		t.Fatal("etcd does not start")
	}
	address = server.Clients[0].Addr().String()
	client, err = clientv3.New(clientv3.Config{Endpoints: []string{address}, DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	fillEtcd(t, client)
	return address, client
}

func fillEtcd(t *testing.T, client *clientv3.Client) {
	t.Helper()
	f, err := os.Open(testkit.Data(t, "milvus-2.3.5", "etcd.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var ops []clientv3.Op
	flush := func() {
		if _, err := client.Txn(context.Background()).Then(ops...).Commit(); err != nil {
			t.Fatal(err)
		}
		ops = ops[:0]
	}
	for kv, err := range etcdmeta.ReadDump(f) {
		if err != nil {
			t.Fatal(err)
		}
		if ops = append(ops, clientv3.OpPut(kv.Key, string(kv.Value))); len(ops) == 100 {
			flush()
		}
	}
	ops = append(ops,
		clientv3.OpPut("by-dev/meta/session/rootcoord", `{"ServerID":1}`),
		clientv3.OpPut("by-dev/meta/root-coord/credential/users/root", `{"encrypted_password":"hunter2"}`))
	flush()
}

// TestEtcd: every collection, and the list, from a real etcd whose user may read nothing but what is needed: neither
// sessions nor credentials.
func TestEtcd(t *testing.T) {
	address, client := startEtcd(t)
	ctx := context.Background()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(client.RoleAdd(ctx, "root"))
	must(client.UserAdd(ctx, "root", "x"))
	must(client.UserGrantRole(ctx, "root", "root"))
	must(client.RoleAdd(ctx, "reader"))
	for _, p := range etcdmeta.Prefixes("by-dev/meta") {
		must(client.RoleGrantPermission(ctx, "reader", p, clientv3.GetPrefixRangeEnd(p), clientv3.PermissionType(clientv3.PermRead)))
	}
	must(client.UserAdd(ctx, "reader", "hunter2"))
	must(client.UserGrantRole(ctx, "reader", "reader"))
	must(client.AuthEnable(ctx))

	storage := testkit.Data(t, "milvus-2.3.5")
	source := "etcd://" + address + "/by-dev?user=reader&storage=" + storage
	opts := Options{Opener: objstore.NewOpener(objstore.Config{}), EtcdPassword: "hunter2"}
	for _, name := range genuine {
		snap, err := Resolve(ctx, source+"#"+name, opts)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkGenuine(t, name, snap, opts)
	}
	list, err := List(ctx, source, opts)
	if err != nil || len(list.Entries) != len(genuine) {
		t.Errorf("%+v, %v", list, err)
	}

	opts.EtcdPassword = "wrong"
	if _, err := Resolve(ctx, source+"#arrays", opts); !errors.Is(err, fault.ErrAuth) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("wrong password: %v", err)
	}
	anonymous := "etcd://" + address + "/by-dev?storage=" + storage + "#arrays"
	if _, err := Resolve(ctx, anonymous, opts); !errors.Is(err, fault.ErrAuth) {
		t.Errorf("no user: %v", err)
	}
}

func TestEtcdOneRevision(t *testing.T) {
	address, client := startEtcd(t)
	ctx := context.Background()
	storage := testkit.Data(t, "milvus-2.3.5")
	src, err := Parse("etcd://" + address + "/by-dev?storage=" + storage + "#arrays")
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Opener: objstore.NewOpener(objstore.Config{})}

	// Small pages give the same rows, and what is written between them is not seen.
	live, err := openEtcd(ctx, src, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = live.close() }()
	live.page = 7
	seen := map[string]bool{}
	for kv, err := range live.rows(ctx, []string{"by-dev/meta/datacoord-meta/binlog/"}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) == 3 {
			if _, err := client.Put(ctx, "by-dev/meta/datacoord-meta/binlog/9/9/9/9", "new"); err != nil {
				t.Fatal(err)
			}
		}
		if seen[kv.Key] {
			t.Errorf("%s came twice", kv.Key)
		}
		seen[kv.Key] = true
	}
	if len(seen) != 381 || seen["by-dev/meta/datacoord-meta/binlog/9/9/9/9"] {
		t.Errorf("%d rows, want the 381 of the first page's revision", len(seen))
	}

	// A revision that is compacted away is given up for a newer one, as often as that helps.
	tries := 0
	err = readCluster(ctx, src, opts, func(c *clusterReader) error {
		tries++
		if _, err := c.live.get(ctx, "by-dev/", "by-dev0"); err != nil {
			return err
		}
		if tries == 1 {
			put, err := client.Put(ctx, "elsewhere", "x")
			if err != nil {
				return err
			}
			if _, err := client.Compact(ctx, put.Header.Revision); err != nil {
				return err
			}
		}
		_, err := c.load(ctx, etcdmeta.Prefixes(c.meta.Root)[:4])
		return err
	})
	if err != nil || tries != 2 {
		t.Errorf("%v after %d tries, want 2", err, tries)
	}
	tries = 0
	err = readCluster(ctx, src, opts, func(*clusterReader) error {
		tries++
		return fault.Corrupt("x", "%w", etcdmeta.ErrTorn)
	})
	if !errors.Is(err, etcdmeta.ErrTorn) || tries != etcdTries {
		t.Errorf("%v after %d tries, want %d", err, tries, etcdTries)
	}
}

// TestEtcdAlias: an alias means its collection.
func TestEtcdAlias(t *testing.T) {
	address, client := startEtcd(t)
	value, err := proto.Marshal(&pb.AliasInfo{AliasName: "current", CollectionId: 470646366078900968, DbId: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Put(context.Background(), "by-dev/meta/root-coord/database/aliases/1/current", string(value)); err != nil {
		t.Fatal(err)
	}
	opts := Options{Opener: objstore.NewOpener(objstore.Config{})}
	source := "etcd://" + address + "/by-dev?storage=" + testkit.Data(t, "milvus-2.3.5")
	for _, name := range []string{"current", "default.current"} {
		snap, err := Resolve(context.Background(), source+"#"+name, opts)
		if err != nil || snap.Collection.Schema.Name != "arrays" {
			t.Errorf("%s: %+v, %v", name, snap, err)
		}
	}
	if _, err := Resolve(context.Background(), source+"#db2.current", opts); !errors.Is(err, fault.ErrMissing) {
		t.Errorf("an alias of another database: %v", err)
	}
}

// TestEtcdAway: an address without etcd is an error in time, not a hang.
func TestEtcdAway(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := Resolve(ctx, "etcd://127.0.0.1:1/by-dev?storage=x#a", Options{Opener: objstore.NewOpener(objstore.Config{})})
	if err == nil {
		t.Fatal("resolved")
	}
}

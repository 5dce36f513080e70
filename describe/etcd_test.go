package describe

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/etcd"
	"github.com/snapexport/snapexport/objstore"
)

// startEtcd runs a real etcd for the test, with the rows of the genuine cluster, a session and a password, and returns its
// address.
func startEtcd(t *testing.T) (address string, client *clientv3.Client) {
	t.Helper()
	address = etcd.Start(t, testkit.Data(t, "milvus-2.3.5", "etcd.json"))
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{address}, DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for key, value := range map[string]string{
		"by-dev/meta/session/rootcoord":                `{"ServerID":1}`,
		"by-dev/meta/root-coord/credential/users/root": `{"encrypted_password":"hunter2"}`,
	} {
		if _, err := client.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	return address, client
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
	live, err := openEtcd(ctx, src, Options{})
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

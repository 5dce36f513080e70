package describe

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		source string
		want   Source // zero = ErrUsage
	}{
		{"./b/files/snapshots/100/metadata/7001.json", Source{Form: FormFile, URI: "./b/files/snapshots/100/metadata/7001.json"}},
		{"s3a://b/files/snapshots/100/metadata/7001.json", Source{Form: FormFile, URI: "s3a://b/files/snapshots/100/metadata/7001.json"}},
		{"s3://b/root#db.c/daily", Source{Form: FormName, URI: "s3://b/root", Collection: "db.c", Snapshot: "daily"}},
		{"dir#c/a/b", Source{Form: FormName, URI: "dir", Collection: "c", Snapshot: "a/b"}},
		{"a#dir#c/latest", Source{Form: FormName, URI: "a#dir", Collection: "c", Snapshot: "latest"}},
		{"backup:s3://b/backup/x#db.c", Source{Form: FormBackup, URI: "s3://b/backup/x", Collection: "db.c"}},
		{"backup:./x", Source{Form: FormBackup, URI: "./x"}},
		{"etcd://h:2379/prod?storage=s3://b&root-path=/var/x/&user=u&tls=true#db.c", Source{Form: FormEtcd, Endpoints: []string{"h:2379"},
			EtcdRoot: "prod", Storage: "s3://b", RootPath: "/var/x", User: "u", TLS: true, Collection: "db.c"}},
		{"etcd://h:1,g:2?storage=x", Source{Form: FormEtcd, Endpoints: []string{"h:1", "g:2"}, EtcdRoot: "by-dev", Storage: "x", RootPath: "files"}},
		{"etcd+file:d/etcd.json?storage=x&root=prod/meta#c", Source{Form: FormEtcdFile, URI: "d/etcd.json", EtcdRoot: "prod/meta", Storage: "x",
			RootPath: "files", Collection: "c"}},
		{"milvus://h/c/s", Source{Form: FormMilvus, URI: "milvus://h/c/s", Endpoints: []string{"h"}, Collection: "c", Snapshot: "s"}},
		{"milvus://h:1/d/c/latest?storage=s3://b&tls=true", Source{Form: FormMilvus, URI: "milvus://h:1/d/c/latest?storage=s3://b&tls=true",
			Endpoints: []string{"h:1"}, Database: "d", Collection: "c", Snapshot: "latest", Storage: "s3://b", TLS: true}},
		{"milvus://h/c", Source{}}, {"milvus:///c/s", Source{}}, {"milvus://h/a/b/c/s", Source{}}, {"milvus://h/c/s?x=1", Source{}}, {"milvus://u:hunter2@h/c/s", Source{}},
		{"", Source{}}, {"#c/latest", Source{}}, {"s3://b#", Source{}}, {"backup:", Source{}}, {"backup:#c", Source{}},
		{"etcd:h", Source{}}, {"etcd:///by-dev?storage=x", Source{}}, {"etcd://u:hunter2@h:1/by-dev?storage=x", Source{}},
		{"etcd://h/by-dev?storage=x&tls=1", Source{}}, {"milvus://h/c/s?tls=on", Source{}}, {"milvus://h/c/s?tls", Source{}},
		{"etcd+file:?storage=x", Source{}}, {"etcd+file:x", Source{}}, {"etcd+file:x?storage=%zz", Source{}}, {"etcd+file:x?password=hunter2&storage=x", Source{}},
		{"etcd+file:x?passwd=hunter2&storage=x", Source{}}, {"etcd://h?storage=s3://k:hunter2@b&x=1", Source{}},
	} {
		got, err := Parse(c.source)
		if reflect.DeepEqual(c.want, Source{}) {
			if !errors.Is(err, ErrUsage) {
				t.Errorf("%q gives %+v, %v; want ErrUsage", c.source, got, err)
			} else if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: a secret is in the message: %v", c.source, err)
			}
			continue
		}
		c.want.text = c.source
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q gives\n%+v, %v; want\n%+v", c.source, got, err, c.want)
		}
	}
	for source, want := range map[string]string{
		"etcd://h/by-dev?storage=x": "by-dev/meta", "etcd://h/a/b/?storage=x": "a/b/meta", "etcd://h/a/meta?storage=x": "a/meta",
	} {
		if s, err := Parse(source); err != nil || s.metaPrefix() != want {
			t.Errorf("%q reads below %q, %v; want %q", source, s.metaPrefix(), err, want)
		}
	}
}

func TestMilvusIsNotReadHere(t *testing.T) {
	_, err := Resolve(context.Background(), "milvus://root@h:19530/c/s", Options{Opener: objstore.NewOpener(objstore.Config{})})
	if !errors.Is(err, fault.ErrUnsupported) {
		t.Error(err)
	}
}

func TestParseCollection(t *testing.T) {
	for source, want := range map[string]Source{
		"milvus://u@h:1/d/c?tls=true":    {Form: FormMilvus, Endpoints: []string{"h:1"}, User: "u", Database: "d", Collection: "c", TLS: true},
		"milvus://h/c/?storage=s3://b/x": {Form: FormMilvus, Endpoints: []string{"h"}, Collection: "c", Storage: "s3://b/x"},
	} {
		want.URI, want.text = source, redactUsers(source)
		if got, err := ParseCollection(source); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q gives\n%+v, %v; want\n%+v", source, got, err, want)
		}
	}
	for _, source := range []string{"", "milvus://h", "milvus://h/", "milvus:///c", "milvus://h/d/c/s", "milvus://u:hunter2@h/c", "milvus://h/c?x=1", "s3://b#c", "etcd://h/by-dev?storage=x#c"} {
		if got, err := ParseCollection(source); !errors.Is(err, ErrUsage) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q gives %+v, %v; want ErrUsage", source, got, err)
		}
	}
}

package describe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// TestRealBackup reads a backup of 2023: its collections, with every file of its recorded size.
func TestRealBackup(t *testing.T) {
	dir := filepath.Join(testkit.Shared(t), "data", "spark-milvus-demo", "data", "backup_demo")
	var metrics objstore.Metrics
	opts := Options{Opener: objstore.NewOpener(objstore.Config{Metrics: &metrics})}
	for name, want := range map[string]Totals{
		"hello_milvus":                {Segments: 1, Rows: 3000, Files: 7, UncountedDeletes: 1, Bytes: 146504},
		"default.hello_milvus2":       {Segments: 2, Rows: 6000, Files: 12, Bytes: 289181},
		"442958042415717600":          {Segments: 2, Rows: 6000, Files: 12, Bytes: 289181},
		"nothing":                     {},
		"default.hello_milvus2/extra": {},
	} {
		snap, err := Resolve(context.Background(), "backup:"+dir+"#"+name, opts)
		if want.Files == 0 {
			if !errors.Is(err, fault.ErrMissing) || !strings.Contains(err.Error(), "default.hello_milvus2") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := Describe(snap, false).Totals; got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		if snap.Kind != KindBackup || snap.Name != "backup_demo" || snap.CreateTS != 0 || len(snap.Warnings) != 0 {
			t.Errorf("%s: %+v", name, snap)
		}
		result, err := Check(context.Background(), snap, CheckOptions{Options: opts})
		if err != nil || !result.OK() || int64(result.Files) != want.Files || result.Bytes != want.Bytes {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
	}
	if calls := metrics.Counts().Calls; calls["list"]+calls["dirs"] != 0 {
		t.Errorf("listed: %v", calls)
	}
	if _, err := Resolve(context.Background(), "backup:"+dir, opts); !errors.Is(err, ErrUsage) {
		t.Errorf("no name for one of two: %v", err)
	}
	list, err := List(context.Background(), "backup:"+dir+"/", opts)
	if err != nil || len(list.Entries) != 2 || list.Entries[0].Rows != 3000 || list.Entries[1].Rows != 6000 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, e := range list.Entries {
		if snap, err := Resolve(context.Background(), e.Source, opts); err != nil || snap.Collection.ID != e.CollectionID {
			t.Errorf("%s: %v", e.Source, err)
		}
	}
	if _, err := Resolve(context.Background(), "backup:"+filepath.Dir(dir)+"#hello_milvus", opts); !errors.Is(err, fault.ErrMissing) {
		t.Errorf("the directory above: %v", err)
	}

	// Without the complete file the four others do, and in a bucket as in a directory.
	copied := t.TempDir()
	copyTree(t, dir, filepath.Join(copied, "b", "backup", "demo"))
	if err := os.Remove(filepath.Join(copied, "b", "backup", "demo", "meta", "full_meta.json")); err != nil {
		t.Fatal(err)
	}
	opts.Opener = bucketOpenerNamed(copied, "b", "buckets")
	snap, err := Resolve(context.Background(), "backup:s3://buckets/backup/demo#hello_milvus", opts)
	if err != nil {
		t.Fatal(err)
	}
	const want = "s3://buckets/backup/demo/binlogs/insert_log/442958042415517552/442958042415517553/442958042415717570/0/442958042415717589"
	if got := snap.Segments[0].Binlogs[0].Binlogs[0].File.String(); got != want || snap.Root != "backup/demo/binlogs" {
		t.Errorf("%q, root %q", got, snap.Root)
	}
}

// bucketOpenerNamed opens the bucket name as directory sub of dir.
func bucketOpenerNamed(dir, sub, name string) *objstore.Opener {
	return objstore.NewOpener(objstore.Config{
		Settings: objstore.Settings{Endpoint: "http://127.0.0.1:1", Region: "x", AccessKey: "a", SecretKey: "b"},
		Decorator: func(s objstore.Store) objstore.Store {
			if s.URI() == "s3://"+name {
				return namedStore{objstore.Local(filepath.Join(dir, sub)), s.URI()}
			}
			return s
		},
	})
}

// TestBackupPathsAreIgnored: where files were in the cluster decides nothing.
func TestBackupPathsAreIgnored(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "meta", "full_meta.json"), []byte(`{"name":"b","collection_backups":[{"collection_id":1,"collection_name":"c",
		"schema":{"fields":[{"fieldID":100,"name":"id","is_primary_key":true,"data_type":5}]},
		"partition_backups":[{"partition_id":2,"partition_name":"p","collection_id":1,"segment_backups":[
			{"segment_id":3,"collection_id":1,"partition_id":2,"num_of_rows":1,"group_id":7,
			 "binlogs":[{"fieldID":100,"binlogs":[{"log_path":"../../etc/5","log_id":5}]}]},
			{"segment_id":4,"collection_id":1,"partition_id":2,"num_of_rows":1,"group_id":7,"storage_version":3,
			 "manifest_path":"{\"ver\":2,\"base_path\":\"/etc/../x\"}"}]}]}]}`))
	manifest, err := loon.Encode(&loon.Manifest{Groups: []loon.ColumnGroup{{Columns: []string{"1", "100"}, Format: loon.FormatParquet,
		Files: []loon.File{{Path: "0_a.parquet", End: 1}}}}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "binlogs/insert_log/1/2/7/4/_metadata/manifest-2.avro"), manifest)
	snap, err := Resolve(context.Background(), "backup:"+dir, Options{Opener: objstore.NewOpener(objstore.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := snap.Segments[0].Binlogs[0].Binlogs[0].File, (milvus.FileRef{Bucket: "file://" + dir, Key: "binlogs/insert_log/1/2/7/3/100/5"}); got != want {
		t.Errorf("file %v, want %v", got, want)
	}
	m, err := snap.Manifest(&snap.Segments[1])
	if want := (Manifest{2, milvus.FileRef{Bucket: "file://" + dir, Key: "binlogs/insert_log/1/2/7/4"}}); err != nil || m != want {
		t.Errorf("manifest %v, %v; want %v", m, err, want)
	}
	if got, want := snap.Segments[1].Binlogs[0].Binlogs[0].File.Key, "binlogs/insert_log/1/2/7/4/_data/0_a.parquet"; got != want {
		t.Errorf("data file %s, want %s", got, want)
	}
}

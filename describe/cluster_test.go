package describe

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// truthOf returns what a genuine server said of a collection: rows with deleted ones, and live ones.
func truthOf(t *testing.T, name string) (stored, live int64) {
	t.Helper()
	var meta struct {
		Stored int64 `json:"num_entities_incl_deleted"`
		Live   int64 `json:"live_rows"`
	}
	file := filepath.FromSlash(strings.ReplaceAll(name, ".", "/"))
	if err := json.Unmarshal(testkit.ReadFile(t, testkit.Data(t), "milvus-2.3.5", "truth", file+".meta.json"), &meta); err != nil {
		t.Fatal(err)
	}
	return meta.Stored, meta.Live
}

// genuine are the collections of the cluster, but for the dropped one.
var genuine = []string{
	"all_scalars", "arrays", "binvec_parts", "compacted", "dup_pk", "dynamic", "emptied", "empty", "indexed", "lifecycle", "multi_binlog",
	"partkey", "pk_edges", "unflushed_tail", "vc_autoid", "db2.arrays",
}

func dumpSource(t *testing.T) (source string, opts Options) {
	dir := testkit.Data(t, "milvus-2.3.5")
	return "etcd+file:" + filepath.Join(dir, "etcd.json") + "?storage=" + dir, Options{Opener: objstore.NewOpener(objstore.Config{})}
}

// checkGenuine compares a collection with what the server said, and looks for every file.
func checkGenuine(t *testing.T, name string, snap *Snapshot, opts Options) {
	t.Helper()
	stored, _ := truthOf(t, name)
	r := Describe(snap, true)
	if r.Totals.Rows != stored {
		t.Errorf("%d rows; the server said %d", r.Totals.Rows, stored)
	}
	if snap.CreateTS != 0 || snap.Kind != KindEtcd {
		t.Errorf("create_ts %d, kind %q", snap.CreateTS, snap.Kind)
	}
	result, err := Check(context.Background(), snap, CheckOptions{Options: opts})
	if err != nil || !result.OK() {
		t.Errorf("%+v, %v", result, err)
	}
	if result.Files != int(r.Totals.Files) && name != "compacted" && result.Files == 0 && stored > 0 {
		t.Errorf("%d files were looked for, %d are listed", result.Files, r.Totals.Files)
	}
}

func TestDump(t *testing.T) {
	source, opts := dumpSource(t)
	for _, name := range genuine {
		t.Run(name, func(t *testing.T) {
			snap, err := Resolve(context.Background(), source+"#"+name, opts)
			if err != nil {
				t.Fatal(err)
			}
			checkGenuine(t, name, snap, opts)
			if name == "unflushed_tail" && len(snap.Growing) != 1 {
				t.Errorf("growing %v; there is one", snap.Growing)
			}
			if name == "indexed" && len(snap.Indexes) != 2 {
				t.Errorf("indexes %v", snap.Indexes)
			}
		})
	}
}

// TestDumpWorkedExample is the example of docs/format/etcd.md 12.
func TestDumpWorkedExample(t *testing.T) {
	source, opts := dumpSource(t)
	snap, err := Resolve(context.Background(), source+"#binvec_parts", opts)
	if err != nil {
		t.Fatal(err)
	}
	r := Describe(snap, true)
	type part struct {
		name            string
		segments        int
		rows, deletions int64
	}
	var parts []part
	for _, p := range r.Partitions {
		parts = append(parts, part{p.Name, p.Segments, p.Rows, p.DeleteEntries})
	}
	want := []part{{"_default", 1, 23, 3}, {"p_red", 2, 37, 5}, {"p_green", 1, 16, 3}, {"p_blue", 0, 0, 0}}
	if !slices.Equal(parts, want) {
		t.Errorf("partitions %v, want %v", parts, want)
	}
	seg, ok := snap.Segment(470646366078901054)
	if !ok {
		t.Fatal("segment 470646366078901054 is not there")
	}
	i := slices.IndexFunc(seg.Binlogs, func(f milvus.FieldBinlog) bool { return f.Field == 102 })
	b := seg.Binlogs[i].Binlogs[0]
	const key = "files/insert_log/470646366078901020/470646366078901021/470646366078901054/102/470646366078701031"
	if b.File.Key != key || b.Entries != 23 || b.From != 470646371800842272 || b.To != 470646371800842272 || b.Size != 188 {
		t.Errorf("binlog %+v", b)
	}
	if r.Snapshot.CreateTime != "" || !slices.Equal(r.StorageVersions, []int64{0}) {
		t.Errorf("report %+v", r)
	}
}

func TestDumpNames(t *testing.T) {
	source, opts := dumpSource(t)
	file, query, _ := strings.Cut(source, "?")
	for _, c := range []struct {
		source string
		err    error
		says   string
	}{
		{source + "#nothing", fault.ErrMissing, "default.all_scalars"},
		{source + "#db2.nothing", fault.ErrMissing, "db2.arrays"},
		{source + "#dropped_coll", fault.ErrMissing, "default.all_scalars"},
		{source, ErrUsage, "default.all_scalars"},
		{file + "#arrays", ErrUsage, "files are"},
		{source + "&root=other#arrays", fault.ErrMissing, "other/meta"},
		{source + "&rot=other#arrays", ErrUsage, "rot"},
		{file + ".absent?" + query + "#arrays", fault.ErrMissing, ""},
		{source + "&password=hunter2#arrays", ErrUsage, "processes"},
	} {
		_, err := Resolve(context.Background(), c.source, opts)
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %v with %q", c.source, err, c.err, c.says)
		}
	}
	for _, same := range []string{"arrays", "default.arrays", "470646366078900968"} {
		snap, err := Resolve(context.Background(), source+"&root=by-dev&root-path=files#"+same, opts)
		if err != nil || snap.Collection.ID != 470646366078900968 {
			t.Errorf("%s: %+v, %v", same, snap, err)
		}
	}
}

func TestDumpList(t *testing.T) {
	source, opts := dumpSource(t)
	list, err := List(context.Background(), source, opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Entries) != len(genuine) {
		t.Errorf("%d collections, want %d", len(list.Entries), len(genuine))
	}
	for _, e := range list.Entries {
		name := strings.TrimPrefix(e.Database+"."+e.Collection, "default.")
		stored, _ := truthOf(t, name)
		if e.Rows != stored || e.Problem != "" {
			t.Errorf("%+v; want %d rows", e, stored)
		}
		snap, err := Resolve(context.Background(), e.Source, opts)
		if err != nil || snap.Collection.ID != e.CollectionID {
			t.Errorf("%s: %v", e.Source, err)
		}
	}
}

// TestDumpElsewhere: the cluster's files moved: below a prefix, behind a map, at an absolute path.
func TestDumpElsewhere(t *testing.T) {
	dir := testkit.Data(t, "milvus-2.3.5")
	files := filepath.Join(dir, "files")
	base := "etcd+file:" + filepath.Join(dir, "etcd.json") + "?storage="
	opts := Options{Opener: objstore.NewOpener(objstore.Config{}), Maps: []Map{{"prod", dir}}}
	for _, source := range []string{
		base + filepath.Dir(dir) + "&root-path=" + filepath.Base(dir) + "/files#arrays",
		base + "s3://prod#arrays",
		base + files + "&root-path=#arrays",
		base + files + "&root-path=/var/lib/milvus/data#arrays",
	} {
		snap, err := Resolve(context.Background(), source, opts)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if result, err := Check(context.Background(), snap, CheckOptions{Options: opts}); err != nil || !result.OK() || result.Files == 0 {
			t.Errorf("%s: %+v, %v", source, result, err)
		}
	}
}

func TestDumpDamaged(t *testing.T) {
	dir := t.TempDir()
	whole := testkit.ReadFile(t, testkit.Data(t), "milvus-2.3.5", "etcd.json")
	opts := Options{Opener: objstore.NewOpener(objstore.Config{})}
	for name, b := range map[string][]byte{
		"empty": {}, "half": whole[:len(whole)/2], "list": []byte("[]"), "text": []byte("by-dev/meta/..."), "kvs": []byte(`{"kvs":{}}`),
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Resolve(context.Background(), "etcd+file:"+file+"?storage="+dir+"#arrays", opts); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v; want ErrCorrupt", name, err)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/etcd"
)

// genuine are the collections that a real Milvus 2.3.5 wrote, with the file of their live rows.
func genuine(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{"all_scalars", "arrays", "db2.arrays", "binvec_parts", "dynamic", "partkey", "lifecycle", "compacted",
		"multi_binlog", "indexed", "vc_autoid", "empty", "emptied", "unflushed_tail"} {
		out[name] = testkit.Data(t, "milvus-2.3.5", "truth", strings.ReplaceAll(name, ".", "/")+".jsonl")
	}
	// what the server returned of these two lacks rows that it stored and counted: here are the stored ones
	for _, name := range []string{"dup_pk", "pk_edges"} {
		out[name] = filepath.Join(testkit.Acceptance(t), "snapshots", "milvus-2.3.5", "truth", name+".jsonl")
	}
	return out
}

func etcdFileSource(t *testing.T, collection string) string {
	dir := testkit.Data(t, "milvus-2.3.5")
	return "etcd+file:" + filepath.Join(dir, "etcd.json") + "?storage=" + dir + "#" + collection
}

type exported struct {
	Rows int64  `json:"rows_written"`
	Hash string `json:"content_hash"`
}

// All collections of the genuine Milvus, exported from its etcd, as every engine reads them back.
func TestGenuineCollectionsInEveryEngine(t *testing.T) {
	t.Parallel()
	engines := testkit.Engines(t)
	tables := t.TempDir()
	t.Run("export", func(t *testing.T) {
		for name := range genuine(t) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				succeed(t, nil, &exported{}, "export", etcdFileSource(t, name), "--to", filepath.Join(tables, name), "--with", "partition")
			})
		}
	})
	for _, engine := range testkit.AllEngines {
		for name, truth := range genuine(t) {
			if fileEmpty(t, truth) && engine == testkit.PyArrow {
				continue // no rows, no files
			}
			engines.Compare(t, engine, testkit.Table{URI: filepath.Join(tables, name)}, truth)
		}
	}
}

func fileEmpty(t *testing.T, name string) bool {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size() == 0
}

// The same rows from a snapshot's metadata file, from the cluster's dump and from the live etcd have one content hash.
func TestContentHashDoesNotDependOnTheSource(t *testing.T) {
	t.Parallel()
	dir := testkit.Acceptance(t)
	snapshots := map[string][]testkit.Case{}
	for _, c := range testkit.Cases(t, "snapshot") {
		if set, rest, _ := strings.Cut(strings.TrimPrefix(c.Name, "snapshots/"), "/"); set == "milvus-2.3.5" {
			name, _, _ := strings.Cut(strings.TrimPrefix(rest, "bundle-"), "@")
			snapshots[name] = append(snapshots[name], c)
		}
	}
	endpoint := etcd.Start(t, testkit.Data(t, "milvus-2.3.5", "etcd.json"))
	var compared int
	var mu sync.Mutex
	t.Run("collections", func(t *testing.T) {
		for name := range genuine(t) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var dump, live exported
				succeed(t, nil, &dump, "export", etcdFileSource(t, name), "--to", "table")
				source := "etcd://" + endpoint + "/by-dev?storage=" + testkit.Data(t, "milvus-2.3.5") + "#" + name
				succeed(t, nil, &live, "export", source, "--to", "table")
				if live != dump {
					t.Errorf("live %+v, dump %+v", live, dump)
				}
				for _, c := range snapshots[name] {
					var e exported
					succeed(t, nil, &e, append(append([]string{"export"}, sourceArgs(dir, c)...), "--to", "table")...)
					if e != dump {
						t.Errorf("%s: %+v, from etcd %+v", c.Name, e, dump)
					}
					mu.Lock()
					compared++
					mu.Unlock()
				}
			})
		}
	})
	if compared < 20 {
		t.Errorf("only %d snapshots compared", compared)
	}
}

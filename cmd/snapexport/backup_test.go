package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
)

// A backup that milvus-backup made of two collections of another project, with two and one segments.
func TestMilvusBackup(t *testing.T) {
	t.Parallel()
	demo := filepath.Join(testkit.Shared(t), "data", "spark-milvus-demo")
	source := "backup:" + filepath.Join(demo, "data", "backup_demo")
	var listing struct {
		Entries []struct{ Collection, Source, Problem string }
	}
	succeed(t, nil, &listing, "list", source)
	if len(listing.Entries) != 2 {
		t.Fatalf("%+v", listing)
	}
	truth := splitTruth(t, filepath.Join(demo, "truth.jsonl"))
	engines := testkit.Engines(t)
	for _, e := range listing.Entries {
		want := map[string]int64{"hello_milvus": 2990, "hello_milvus2": 6000}[e.Collection]
		table := filepath.Join(t.TempDir(), "table")
		var got exported
		succeed(t, nil, &got, "export", e.Source, "--to", table)
		if got.Rows != want {
			t.Errorf("%s: %d rows, want %d", e.Collection, got.Rows, want)
		}
		for _, engine := range []string{testkit.PyArrow, testkit.DuckDB} {
			engines.Compare(t, engine, testkit.Table{URI: table}, truth[e.Collection])
		}
	}
}

// splitTruth writes one truth file per collection, with the collection's own fields only.
func splitTruth(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir, out := t.TempDir(), map[string]string{}
	files := map[string]*os.File{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var row map[string]json.RawMessage
		var collection string
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(row["collection"], &collection); err != nil {
			t.Fatal(err)
		}
		for _, system := range []string{"collection", "segment", "row_id", "ts"} {
			delete(row, system)
		}
		if files[collection] == nil {
			out[collection] = filepath.Join(dir, collection+".jsonl")
			if files[collection], err = os.Create(out[collection]); err != nil {
				t.Fatal(err)
			}
			defer files[collection].Close()
		}
		if err := json.NewEncoder(files[collection]).Encode(row); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

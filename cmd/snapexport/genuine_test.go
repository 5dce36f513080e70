//go:build !slim

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/milvus235"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// throughPymilvus makes a collection through pymilvus, with V1 segments. It returns the folder of the server's data and the rows.
func throughPymilvus(t *testing.T) (data string, rows []map[string]any) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	etcd := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	data, truth := filepath.Join(dir, "data"), filepath.Join(dir, "rows.jsonl")
	bucket := filepath.Join(data, "bucket")
	s := startServer(t, data, "--storage-version", "1", "--etcd-listen", etcd)
	defer s.stop(t)
	if out := testkit.RunPython(t, "testdata/genuine.py", "http://"+s.Address, etcd, bucket, truth); strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%s", out)
	}
	var hashes []string
	for i, source := range []string{"etcd://" + etcd + "/by-dev?storage=" + bucket + "#genuine", bucket + "#genuine/s1"} { // both while the server runs
		var result struct {
			Rows int64  `json:"rows_written"`
			Hash string `json:"content_hash"`
		}
		succeed(t, nil, &result, "export", source, "--to", filepath.Join(dir, fmt.Sprint("table", i)))
		if hashes = append(hashes, result.Hash); result.Hash == "" || result.Hash != hashes[0] || result.Rows != 387 {
			t.Errorf("%s: %+v, %v", source, result, hashes)
		}
	}
	text, err := os.ReadFile(truth)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.UseNumber()
		var row map[string]any
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return data, rows
}

// TestGenuineMetadata: what is in etcd is what the format document says, read by somebody else's eyes (testdata/genuine.py); an export
// by etcd:// of the running server has the content hash of the snapshot's.
func TestGenuineMetadata(t *testing.T) {
	t.Parallel()
	if _, rows := throughPymilvus(t); len(rows) != 387 {
		t.Errorf("%d rows", len(rows))
	}
}

// TestMilvusImportsOurs: a genuine Milvus 2.3.5 imports the binlogs of a collection that was made through pymilvus, and returns its rows.
func TestMilvusImportsOurs(t *testing.T) {
	server := milvus235.Start(t)
	data, rows := throughPymilvus(t)
	bucket := filepath.Join(data, "bucket")
	snap, err := describe.Resolve(t.Context(), bucket+"#cleaner/s3", describe.Options{Opener: objstore.NewOpener(objstore.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	c := snap.Collection
	var parts []milvus235.Partition
	for _, p := range c.Partitions {
		parts = append(parts, milvus235.Partition{Name: p.Name, Insert: filepath.Join(bucket, "files", "insert_log", fmt.Sprint(c.ID), fmt.Sprint(p.ID))})
	}
	for i := range snap.Segments {
		if s := &snap.Segments[i]; s.StorageVersion != milvus.StorageV1 || len(s.Deltalogs) > 0 {
			t.Errorf("segment %d is of version %d, with %d deltalogs", s.ID, s.StorageVersion, len(s.Deltalogs))
		}
	}
	got, err := server.Import(t, &c.Schema, parts...)
	if err != nil {
		t.Fatal(err)
	}
	if int(got.Count) != len(rows) || len(got.Rows) != len(rows) {
		t.Errorf("Milvus counts %d rows and returns %d, want %d", got.Count, len(got.Rows), len(rows))
	}
	byKey := map[string]map[string]any{}
	for _, r := range got.Rows {
		byKey[fmt.Sprint(r["pk"])] = r
	}
	for _, want := range rows {
		r := byKey[fmt.Sprint(want["pk"])]
		for name, v := range want {
			if a, b := spelled(r[name]), spelled(v); a != b {
				t.Errorf("row %v: %s is %s, want %s", want["pk"], name, a, b)
			}
		}
	}
}

// spelled gives a value one spelling; JSON comes as text from one side and as a value from the other.
func spelled(v any) string {
	switch x := v.(type) {
	case string:
		var inner any
		if strings.HasPrefix(x, "{") && json.Unmarshal([]byte(x), &inner) == nil {
			return spelled(inner)
		}
	case json.Number:
		f, _ := x.Float64()
		return fmt.Sprint(f)
	case []any:
		var out []string
		for _, e := range x {
			out = append(out, spelled(e))
		}
		return strings.Join(out, ",")
	}
	text, _ := json.Marshal(v)
	return string(text)
}

// Command dataset makes the data that the benchmarks run over: the files of a collection of storage V1 with the dump of its
// etcd, as a cluster without snapshots has them, and a snapshot of manifests only. The same flags make the same bytes.
//
// What it wrote is described in dataset.json beside it; if that file says the same as the flags, nothing is done.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Params decide about every byte.
type Params struct {
	Rows      int    `json:"rows"`       // deleted ones included
	Segments  int    `json:"segments"`   // of the rows
	ChunkRows int    `json:"chunk_rows"` // rows of one flush
	Dim       int    `json:"dim"`
	Deleted   int    `json:"deleted_percent"`
	Manifests int    `json:"manifest_segments"` // segments of the snapshot without data; 10 files each
	Seed      uint64 `json:"seed"`
}

// Description is what dataset.json holds.
type Description struct {
	Params     Params `json:"params"`
	Collection string `json:"collection"`
	Live       int    `json:"live_rows"`
	Files      int    `json:"files"` // insert and delta logs
	Bytes      int64  `json:"bytes"` // of those
	SHA256     string `json:"sha256"`
	Snapshot   string `json:"snapshot"` // metadata file of the manifests, below the folder
}

func main() {
	var p Params
	var dir string
	flag.StringVar(&dir, "out", "bench/data/set", "`folder` to write to")
	flag.IntVar(&p.Rows, "rows", 500_000, "rows of the collection")
	flag.IntVar(&p.Segments, "segments", 6, "segments of the collection")
	flag.IntVar(&p.ChunkRows, "chunk", 25_000, "rows of one flush")
	flag.IntVar(&p.Dim, "dim", 128, "dimensions of the vectors")
	flag.IntVar(&p.Deleted, "deleted", 5, "deleted rows in percent")
	flag.IntVar(&p.Manifests, "manifests", 10_000, "segments of the snapshot without data")
	flag.Uint64Var(&p.Seed, "seed", 1, "seed of all values")
	flag.Parse()
	if err := run(dir, p); err != nil {
		fmt.Fprintln(os.Stderr, "dataset:", err)
		os.Exit(1)
	}
}

func run(dir string, p Params) error {
	note := filepath.Join(dir, "dataset.json")
	var have Description
	if b, err := os.ReadFile(note); err == nil && json.Unmarshal(b, &have) == nil && have.Params == p {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, old := range []string{"dataset.json", "etcd.json", "files", "manifests"} {
		if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
			return err
		}
	}
	d := Description{Params: p, Collection: collectionName}
	if err := writeRows(dir, p, &d); err != nil {
		return err
	}
	var err error
	if d.Snapshot, err = writeManifests(dir, p.Manifests); err != nil {
		return err
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(note, append(b, '\n'), 0o644)
}

func writeFile(name string, body []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, body, 0o644)
}

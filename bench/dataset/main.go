// Command dataset makes the data that the benchmarks run over: the files of a collection with the dump of its etcd, as a
// cluster without snapshots has them, or a snapshot of manifests only. The same arguments make the same bytes, and the rows of
// a workload are the same in every storage version.
//
//	dataset -out bench/data D1:500000:v1,v2,v2-plain D4:S:v1 D6:10000
//
// An argument is WORKLOAD:SIZE:STORAGES. SIZE is a number of rows, or S, M or L for 0.1, 1 and 10 million; of D6 it is the number
// of segments, and there are no storages. v2 and v3 compress everything with zstd, -plain leaves their vectors as they are.
//
// Each goes into a folder of its own, such as D1-v2-plain. What is in there is described in its dataset.json; if that file
// says the same as the arguments, nothing is done.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// generation is raised when the same parameters make other bytes than before.
const generation = 2

// Params decide about every byte.
type Params struct {
	Generation int    `json:"generation"`
	Workload   string `json:"workload"`
	Storage    string `json:"storage"`    // v1, v2, v2-plain, v3, v3-plain; empty for manifests
	Rows       int    `json:"rows"`       // deleted ones included
	Segments   int    `json:"segments"`   // with rows
	ChunkRows  int    `json:"chunk_rows"` // rows of one flush
	Dim        int    `json:"dim"`        // of the dense vector "vec"
	Seed       uint64 `json:"seed"`
}

// Description is what dataset.json holds.
type Description struct {
	Params      Params `json:"params"`
	Text        string `json:"text"` // what the rows are
	Live        int    `json:"live_rows"`
	Files       int    `json:"files"`        // insert and delta logs
	Bytes       int64  `json:"bytes"`        // of those
	VectorBytes int64  `json:"vector_bytes"` // of the dense vectors of all rows, without compression
	SHA256      string `json:"sha256"`
	Snapshot    string `json:"snapshot,omitempty"` // metadata file of the manifests, below the folder
}

func main() {
	out := flag.String("out", "bench/data", "`folder` to write to")
	most := flag.Int("rows", 0, "no workload has more `rows` than this; 0 is as many as its argument says")
	seed := flag.Uint64("seed", 1, "`seed` of all values")
	flag.Parse()
	if err := run(*out, *most, *seed, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "dataset:", err)
		os.Exit(1)
	}
}

func run(out string, most int, seed uint64, args []string) error {
	for _, arg := range args {
		all, err := parse(arg, most, seed)
		if err != nil {
			return fmt.Errorf("%s: %w", arg, err)
		}
		for _, p := range all {
			if err := ensure(filepath.Join(out, p.folder()), p); err != nil {
				return fmt.Errorf("%s: %w", p.folder(), err)
			}
		}
	}
	return nil
}

// sizes are the names of numbers of rows.
var sizes = map[string]int{"S": 100_000, "M": 1_000_000, "L": 10_000_000}

// parse reads WORKLOAD:SIZE:STORAGES.
func parse(arg string, most int, seed uint64) (out []Params, err error) {
	name, rest, _ := strings.Cut(arg, ":")
	size, storages, _ := strings.Cut(rest, ":")
	rows, ok := sizes[size]
	if !ok {
		if rows, err = strconv.Atoi(size); err != nil || rows <= 0 {
			return nil, fmt.Errorf("%q is no size", size)
		}
	}
	p := Params{Generation: generation, Workload: name, Seed: seed}
	if name == manifestsOnly {
		p.Segments = rows
		return []Params{p}, nil
	}
	if p.Rows = rows; most > 0 {
		p.Rows = min(rows, most)
	}
	w, ok := workloads[name]
	if !ok {
		return nil, fmt.Errorf("there is no workload %q", name)
	}
	p.Segments, p.ChunkRows, p.Dim = w.segments(p.Rows), w.chunkRows, w.dim
	for _, p.Storage = range strings.Split(storages, ",") {
		if _, ok := versions[p.Storage]; !ok {
			return nil, fmt.Errorf("there is no storage %q", p.Storage)
		}
		out = append(out, p)
	}
	return out, nil
}

func (p Params) folder() string {
	if p.Storage == "" {
		return p.Workload
	}
	return p.Workload + "-" + p.Storage
}

// ensure makes the folder's data unless it is there.
func ensure(dir string, p Params) error {
	note := filepath.Join(dir, "dataset.json")
	var have Description
	if b, err := os.ReadFile(note); err == nil && json.Unmarshal(b, &have) == nil && have.Params == p {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	d := Description{Params: p}
	var err error
	if p.Workload == manifestsOnly {
		d.Text = "a snapshot's metadata and manifests, without the files that they name"
		d.Snapshot, err = writeManifests(dir, p.Segments)
	} else {
		err = writeRows(dir, p, &d)
	}
	if err != nil {
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

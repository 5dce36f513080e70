package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Results is one file of results.
type Results struct {
	Name     string            `json:"name"`
	Begun    time.Time         `json:"begun"`
	Took     float64           `json:"took_s"`
	Runs     int               `json:"runs"`
	Remark   string            `json:"remark,omitempty"` // what a reader of the figures should know
	Machine  map[string]string `json:"machine"`
	Versions map[string]string `json:"versions"`
	Sections []Section         `json:"sections"`
}

// Section is what was measured over one data set.
type Section struct {
	ID         string      `json:"id"`
	Title      string      `json:"title"`
	Text       string      `json:"text,omitempty"`
	Input      *Input      `json:"input,omitempty"`
	Comparison *Comparison `json:"comparison,omitempty"`
	Rows       []Row       `json:"rows"`
	Goals      []Goal      `json:"goals,omitempty"`
}

// Input is what command dataset says of the data.
type Input struct {
	Params struct {
		Generation int    `json:"generation"`
		Workload   string `json:"workload"`
		Storage    string `json:"storage"`
		Rows       int    `json:"rows"`
		Segments   int    `json:"segments"`
		ChunkRows  int    `json:"chunk_rows"`
		Dim        int    `json:"dim"`
		Seed       uint64 `json:"seed"`
	} `json:"params"`
	Text        string `json:"text"`
	Live        int    `json:"live_rows"`
	Files       int    `json:"files"`
	Bytes       int64  `json:"bytes"`
	VectorBytes int64  `json:"vector_bytes"`
	SHA256      string `json:"sha256"`
	Snapshot    string `json:"snapshot,omitempty"`
}

// title says what the data is.
func (d *Input) title() string {
	kind := map[string]string{
		"v1": "V1", "v2": "V2, zstd", "v2-plain": "V2, vectors uncompressed", "v3": "V3, zstd", "v3-plain": "V3, vectors uncompressed",
	}[d.Params.Storage]
	return fmt.Sprintf("%s, %s, %d rows", d.Params.Workload, kind, d.Params.Rows)
}

// Comparison tells what rows the exports of a workload wrote.
type Comparison struct {
	Rows    int      `json:"rows"`
	Hash    string   `json:"hash"` // of the multiset of rows, by pyarrow
	Columns []string `json:"columns"`
	By      []string `json:"by"` // what wrote them
}

// Row is one case with its figures: median, least and greatest of the runs.
type Row struct {
	Name     string        `json:"name"`
	Command  string        `json:"command"`
	Note     string        `json:"note,omitempty"`
	Wall     [3]float64    `json:"wall_s"`
	CPU      [3]float64    `json:"cpu_s"`
	Server   float64       `json:"server_cpu_s,omitempty"` // median, of that
	Peak     [3]float64    `json:"peak_mb"`
	Output   float64       `json:"output_mb"`
	RowsPerS float64       `json:"rows_per_s,omitempty"`      // rows read, by median wall time
	VectorMB float64       `json:"vector_mb_per_s,omitempty"` // bytes of dense vectors read
	InputMB  float64       `json:"input_mb_per_s,omitempty"`  // bytes of files read
	RowsCPU  float64       `json:"rows_per_cpu_s,omitempty"`  // rows read, by median processor time
	All      []Measurement `json:"all"`
}

// results sums up what was measured.
func (s *section) results(known comparisons) Section {
	out := Section{ID: s.id, Title: s.title, Text: s.text, Goals: s.judge()}
	if s.data != nil {
		out.Input = &s.data.Input
		if out.Comparison = known[s.data.rowsID()]; out.Comparison != nil {
			c := *out.Comparison // more exports may be compared with it later
			out.Comparison = &c
		}
	}
	for _, c := range s.cases {
		if row := c.row(); len(c.Measured) > 0 {
			row.rates(s.data)
			out.Rows = append(out.Rows, row)
		}
	}
	return out
}

func (r *Row) rates(d *dataset) {
	if d == nil || d.Params.Rows == 0 {
		return
	}
	r.RowsPerS, r.RowsCPU = float64(d.Params.Rows)/r.Wall[0], float64(d.Params.Rows)/r.CPU[0]
	r.VectorMB, r.InputMB = float64(d.VectorBytes)/1e6/r.Wall[0], float64(d.Bytes)/1e6/r.Wall[0]
}

func (c *Case) row() Row {
	of := func(f func(Measurement) float64) [3]float64 {
		v := make([]float64, len(c.Measured))
		for i, m := range c.Measured {
			v[i] = f(m)
		}
		if len(v) == 0 {
			return [3]float64{}
		}
		return median(v)
	}
	return Row{
		Name: c.Name, Command: strings.Join(c.Command, " "), Note: c.note, All: c.Measured,
		Wall: of(func(m Measurement) float64 { return m.Wall }), CPU: of(Measurement.CPU), Server: of(func(m Measurement) float64 { return m.Server })[0],
		Peak: of(func(m Measurement) float64 { return float64(m.Peak) / 1e6 }), Output: of(func(m Measurement) float64 { return float64(m.Output) / 1e6 })[0],
	}
}

func (r *Results) write(ctx context.Context, o options) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.results, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.results, o.name+".json"), append(b, '\n'), 0o644); err != nil {
		return err
	}
	return r.page(ctx, o)
}

func machine() map[string]string {
	m := map[string]string{"os": runtime.GOOS, "arch": runtime.GOARCH, "cores": fmt.Sprint(runtime.NumCPU()), "go": runtime.Version()}
	for key, from := range map[string][2]string{"cpu": {"/proc/cpuinfo", "model name"}, "memory": {"/proc/meminfo", "MemTotal"}} {
		b, _ := os.ReadFile(from[0])
		for line := range strings.Lines(string(b)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == from[1] {
				m[key] = strings.TrimSpace(value)
				break
			}
		}
	}
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m["kernel"] = strings.TrimSpace(string(b))
	return m
}

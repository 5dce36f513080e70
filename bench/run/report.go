package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Results is one file of results.
type Results struct {
	Name       string            `json:"name"`
	Begun      time.Time         `json:"begun"`
	Runs       int               `json:"runs"`
	Remark     string            `json:"remark,omitempty"` // what a reader of the figures should know
	Machine    map[string]string `json:"machine"`
	Versions   map[string]string `json:"versions"`
	Input      Input             `json:"input"`
	Comparison Comparison        `json:"comparison"`
	Exports    []Row             `json:"exports"`
	Describes  []Row             `json:"describes"`
}

// Input is what command dataset says of the data.
type Input struct {
	Params struct {
		Rows      int    `json:"rows"`
		Segments  int    `json:"segments"`
		ChunkRows int    `json:"chunk_rows"`
		Dim       int    `json:"dim"`
		Deleted   int    `json:"deleted_percent"`
		Manifests int    `json:"manifest_segments"`
		Seed      uint64 `json:"seed"`
	} `json:"params"`
	Live     int    `json:"live_rows"`
	Files    int    `json:"files"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
	Snapshot string `json:"snapshot"`
}

// Row is one case with its figures: median, least and greatest of the runs.
type Row struct {
	Name     string        `json:"name"`
	Command  string        `json:"command"`
	Note     string        `json:"note,omitempty"`
	Wall     [3]float64    `json:"wall_s"`
	CPU      [3]float64    `json:"cpu_s"`
	Peak     [3]float64    `json:"peak_mb"`
	Output   float64       `json:"output_mb"`
	RowsPerS float64       `json:"rows_per_s,omitempty"`      // rows read, by median wall time
	VectorMB float64       `json:"vector_mb_per_s,omitempty"` // bytes of vectors read
	InputMB  float64       `json:"input_mb_per_s,omitempty"`  // bytes of files read
	RowsCPU  float64       `json:"rows_per_cpu_s,omitempty"`  // rows read, by median processor time
	All      []Measurement `json:"all"`
}

func (r *Results) fill(exports, describes []*Case) {
	p := r.Input.Params
	for _, c := range exports {
		row := c.row()
		if c.note == "export" || c.note == "copy" {
			row.Note = ""
			row.RowsPerS, row.RowsCPU = float64(p.Rows)/row.Wall[0], float64(p.Rows)/row.CPU[0]
			row.VectorMB = float64(p.Rows*p.Dim*4) / 1e6 / row.Wall[0]
			row.InputMB = float64(r.Input.Bytes) / 1e6 / row.Wall[0]
		}
		r.Exports = append(r.Exports, row)
	}
	for _, c := range describes {
		r.Describes = append(r.Describes, c.row())
	}
}

func (c *Case) row() Row {
	of := func(f func(Measurement) float64) [3]float64 {
		v := make([]float64, len(c.Measured))
		for i, m := range c.Measured {
			v[i] = f(m)
		}
		slices.Sort(v)
		return [3]float64{v[len(v)/2], v[0], v[len(v)-1]}
	}
	return Row{
		Name: c.Name, Command: strings.Join(c.Command, " "), Note: c.note, All: c.Measured,
		Wall: of(func(m Measurement) float64 { return m.Wall }), CPU: of(Measurement.CPU),
		Peak: of(func(m Measurement) float64 { return float64(m.Peak) / 1e6 }), Output: float64(c.Measured[0].Output) / 1e6,
	}
}

func (r *Results) write(o options) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.results, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.results, o.name+".json"), append(b, '\n'), 0o644); err != nil || o.readme == "" {
		return err
	}
	return r.page(o)
}

// page puts the table into the page.
func (r *Results) page(o options) error {
	old, err := os.ReadFile(o.readme)
	if err != nil {
		return err
	}
	text, err := replaceTable(string(old), r.table())
	if err != nil {
		return err
	}
	return os.WriteFile(o.readme, []byte(text), 0o644)
}

const tableBegin, tableEnd = "<!-- results: begin -->\n", "<!-- results: end -->\n"

// replaceTable puts the text between the page's marks.
func replaceTable(page, text string) (string, error) {
	before, rest, ok := strings.Cut(page, tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		return "", fmt.Errorf("the page has no place for the table: %s", strings.TrimSpace(tableBegin))
	}
	return before + tableBegin + text + tableEnd + after, nil
}

// table writes the results as Markdown.
func (r *Results) table() string {
	var b bytes.Buffer
	p := r.Input.Params
	fmt.Fprintf(&b, "%d runs each, %s. %s, %s cores. snapexport %s, %s, pyarrow %s.\n\n", r.Runs, r.Begun.Format(time.DateOnly),
		r.Machine["cpu"], r.Machine["cores"], r.Versions["snapexport"], r.Versions["go"], r.Versions["pyarrow"])
	least, most := r.loads()
	fmt.Fprintf(&b, "Load of the machine when a run began: %.1f to %.1f.", least, most)
	if most > 1.5*float64(runtime.NumCPU()) {
		fmt.Fprint(&b, " **Others used it heavily**: wall times say little, processor seconds and their ratios more.")
	}
	if r.Remark != "" {
		fmt.Fprintf(&b, " %s", r.Remark)
	}
	fmt.Fprintf(&b, "\n\nInput: %d rows of Int64 key, VarChar, JSON and FloatVector(%d) in %d segments, %d %% deleted (%d live), %d files, %.0f MB, sha256 `%.16s`.\n",
		p.Rows, p.Dim, p.Segments, p.Deleted, r.Input.Live, r.Input.Files, float64(r.Input.Bytes)/1e6, r.Input.SHA256)
	fmt.Fprintf(&b, "All exports wrote the same %d rows (multiset hash `%s`).\n\n", r.Comparison.Rows, r.Comparison.Hash)
	fmt.Fprint(&b, "| | wall s | CPU s | peak MB | written MB | rows/s | vectors MB/s | input MB/s | rows per CPU s |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, x := range r.Exports {
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", x.Name, spread(x.Wall), spread(x.CPU), x.Peak[0], x.Output, x.RowsPerS, x.VectorMB, x.InputMB, x.RowsCPU)
	}
	fmt.Fprintf(&b, "\ndescribe of %d segments with %d files, manifests only:\n\n| | wall s | CPU s | peak MB | requests |\n|---|---|---|---|---|\n", p.Manifests, 10*p.Manifests)
	for _, x := range r.Describes {
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f | %s |\n", x.Name, spread(x.Wall), spread(x.CPU), x.Peak[0], x.Note)
	}
	fmt.Fprintf(&b, "\n%s", r.verdict())
	return b.String()
}

// loads returns the least and the greatest load at the beginning of a run.
func (r *Results) loads() (least, most float64) {
	least = math.Inf(1)
	for _, x := range slices.Concat(r.Exports, r.Describes) {
		for _, m := range x.All {
			least, most = min(least, m.Load), max(most, m.Load)
		}
	}
	return least, most
}

// verdict sets snapexport's Parquet files beside the others, with as many workers. The ratios are taken within each round,
// whose runs stand close together, before their median is. Picking the best of several cases would favour who has more.
func (r *Results) verdict() string {
	var b strings.Builder
	fmt.Fprint(&b, "How many times faster snapexport's Parquet export is, round by round: median (least-greatest); below 1 it is slower. Where the range holds 1, the rounds do not tell who is faster.\n\n")
	fmt.Fprint(&b, "| beside | wall | CPU |\n|---|---|---|\n")
	for _, workers := range []string{"1 worker", "2 workers"} {
		ours, ok := r.export("snapexport, parquet, " + workers)
		for _, name := range []string{"pyarrow script, zstd-3, " + workers, "pyarrow script, uncompressed, " + workers, "cp -r of the binlogs"} {
			if theirs, found := r.export(name); ok && found {
				fmt.Fprintf(&b, "| %s (ours: %s) | %s | %s |\n", name, workers,
					ratios(theirs, ours, func(m Measurement) float64 { return m.Wall }), ratios(theirs, ours, Measurement.CPU))
			}
		}
	}
	return b.String()
}

func (r *Results) export(name string) (Row, bool) {
	i := slices.IndexFunc(r.Exports, func(x Row) bool { return x.Name == name })
	if i < 0 {
		return Row{}, false
	}
	return r.Exports[i], true
}

// ratios compares two cases round by round.
func ratios(theirs, ours Row, of func(Measurement) float64) string {
	v := make([]float64, len(ours.All))
	for i := range v {
		v[i] = of(theirs.All[i]) / of(ours.All[i])
	}
	slices.Sort(v)
	text := spread([3]float64{v[len(v)/2], v[0], v[len(v)-1]})
	if v[0] <= 1 && v[len(v)-1] >= 1 {
		text += " not told apart"
	}
	return text
}

func spread(v [3]float64) string { return fmt.Sprintf("**%.2f** (%.2f-%.2f)", v[0], v[1], v[2]) }

func machine() map[string]string {
	m := map[string]string{"os": runtime.GOOS, "arch": runtime.GOARCH, "cores": fmt.Sprint(runtime.NumCPU())}
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

func versions(ctx context.Context, o options) map[string]string {
	out := map[string]string{"go": runtime.Version()}
	for name, args := range map[string][]string{
		"snapexport": {o.binary, "version"}, "python": {o.python, "--version"}, "pyarrow": {o.python, "-c", "import pyarrow; print(pyarrow.__version__)"},
	} {
		b, _ := exec.CommandContext(ctx, args[0], args[1:]...).Output()
		first, _, _ := strings.Cut(string(b), "\n")
		out[name] = strings.TrimPrefix(strings.TrimSpace(first), "snapexport ")
	}
	return out
}

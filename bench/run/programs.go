package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// program is a benchmark that measures by itself. It prints lines of JSON, one for each of its figures:
//
//	{"name": "...", "wall_s": [...], "cpu_s": [...], "peak_mb": [...], "note": "..."}
//
// with as many numbers as runs, or one; all but the name may be absent, other lines are not read. Tables of ours and of the pyarrow
// script are made for those that want them.
type program struct {
	id, title, text string
	file            string // without which the section is left out
	command         []string
}

// Marks in commands: where the tables are, and the number of runs.
const oursMark, scriptMark, runsMark, dataMark = "OURS", "SCRIPT", "RUNS", "DATA"

func programs(o options) []program {
	return []program{
		{"scan duckdb", "B5 read: DuckDB over our table and over the script's files", "", "bench/peers/scan_duckdb.py", []string{o.python, "bench/peers/scan_duckdb.py", oursMark, scriptMark}},
		{"scan spark", "B5 read: Spark over our table and over the script's files", "", "bench/peers/scan_spark.py", []string{o.python, "bench/peers/scan_spark.py", oursMark, scriptMark}},
	}
}

// programSections are those of the programs that are here.
func programSections(o options, sets []*dataset, out string) (all []*section) {
	i := slices.IndexFunc(sets, func(d *dataset) bool { return d.id() == "D1-v1" })
	for _, p := range programs(o) {
		if _, err := os.Stat(p.file); err != nil {
			continue
		}
		s := &section{id: p.id, title: p.title, text: p.text, out: out}
		if i >= 0 {
			s.data = sets[i]
		} else if slices.ContainsFunc(p.command, func(arg string) bool { return arg == oursMark || arg == dataMark }) {
			continue
		}
		s.report = func(ctx context.Context) ([]Row, error) { return p.run(ctx, o, s) }
		all = append(all, s)
	}
	return all
}

// run makes the tables, runs the program and reads its lines.
func (p program) run(ctx context.Context, o options, s *section) ([]Row, error) {
	places := map[string]string{runsMark: fmt.Sprint(o.runs), oursMark: filepath.Join(s.out, "ours"), scriptMark: filepath.Join(s.out, "script")}
	if s.data != nil {
		places[dataMark] = s.data.dir
	}
	if slices.Contains(p.command, oursMark) {
		defer os.RemoveAll(places[oursMark])
		defer os.RemoveAll(places[scriptMark])
		if _, err := o.export(s.data, "iceberg", 2).once(ctx, places[oursMark]); err != nil {
			return nil, err
		}
		if _, err := o.script(s.data, plainZstd, 2).once(ctx, places[scriptMark]); err != nil {
			return nil, err
		}
	}
	command := slices.Clone(p.command)
	for i, arg := range command {
		if place, ok := places[arg]; ok {
			command[i] = place
		}
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var output bytes.Buffer
	cmd.Stderr = &output
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, output.Bytes())
	}
	return readRows(text, strings.Join(p.command, " "))
}

// figures are one or more numbers.
type figures []float64

// UnmarshalJSON reads a number or a list of them.
func (f *figures) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, (*[]float64)(f))
	}
	*f = make(figures, 1)
	return json.Unmarshal(b, &(*f)[0])
}

func (f figures) median() [3]float64 {
	if len(f) == 0 {
		return [3]float64{}
	}
	return median(f)
}

func readRows(text []byte, command string) (rows []Row, err error) {
	for line := range bytes.Lines(text) {
		var got struct {
			Name string  `json:"name"`
			Wall figures `json:"wall_s"`
			CPU  figures `json:"cpu_s"`
			Peak figures `json:"peak_mb"`
			Note string  `json:"note"`
		}
		if !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		if err := json.Unmarshal(line, &got); err != nil {
			return nil, fmt.Errorf("%s: %w in %s", command, err, line)
		}
		if got.Name != "" {
			rows = append(rows, Row{Name: got.Name, Command: command, Note: got.Note, Wall: got.Wall.median(), CPU: got.CPU.median(), Peak: got.Peak.median()})
		}
	}
	if rows == nil {
		return nil, fmt.Errorf("%s printed no figures:\n%s", command, text)
	}
	return rows, nil
}

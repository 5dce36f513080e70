package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// scanSections have engines read a table of ours and the same rows written by pyarrow. The scripts measure by themselves: medians of
// nine rounds in which both take turns, the engine's start left out, results compared.
func scanSections(o options, d *dataset, out string) (all []*section) {
	add := func(id, title, script string, more ...string) {
		s := &section{id: id, title: "B5 read by " + title + ", 1 thread: " + d.title(), data: d, out: out}
		s.text = "The table of an export beside the same rows rewritten by pyarrow with its own row groups and pages and our codecs; medians of nine rounds, warm, the engine's start left out. Both gave the same results."
		s.report = func(ctx context.Context) ([]Row, []Goal, error) {
			return o.scan(ctx, d, out, append([]string{o.python, script}, more...))
		}
		all = append(all, s)
	}
	add("scan duckdb", "DuckDB", "bench/peers/scan_duckdb.py")
	if o.spark {
		add("scan spark", "Spark, nested columns in batches", "bench/peers/scan_spark.py")
		add("scan spark by row", "Spark, nested columns row by row", "bench/peers/scan_spark.py", "--no-nested")
	}
	return slices.DeleteFunc(all, func(*section) bool { _, err := os.Stat("bench/peers/scan.py"); return err != nil })
}

// scan makes the table and runs a script over it.
func (o options) scan(ctx context.Context, d *dataset, out string, command []string) ([]Row, []Goal, error) {
	ours, theirs := filepath.Join(out, "ours"), filepath.Join(out, "theirs")
	defer os.RemoveAll(ours)
	defer os.RemoveAll(theirs)
	if _, err := o.export(d, "iceberg", 2).once(ctx, ours); err != nil {
		return nil, nil, err
	}
	command = append(command[:2:2], append([]string{ours, theirs}, command[2:]...)...)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var output bytes.Buffer
	cmd.Stderr = &output
	text, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, output.Bytes())
	}
	return scans(text, strings.Join(command, " "))
}

// scans reads what a script prints.
func scans(text []byte, command string) (rows []Row, goals []Goal, err error) {
	var got struct {
		Engine  string
		Queries map[string]struct {
			OursWall   float64 `json:"ours_wall_s"`
			OursCPU    float64 `json:"ours_cpu_s"`
			TheirsWall float64 `json:"pyarrow_wall_s"`
			TheirsCPU  float64 `json:"pyarrow_cpu_s"`
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return nil, nil, fmt.Errorf("%s: %w\n%s", command, err, text)
	}
	if len(got.Queries) == 0 {
		return nil, nil, fmt.Errorf("%s printed no figures:\n%s", command, text)
	}
	same := func(v float64) [3]float64 { return [3]float64{v, v, v} }
	for _, name := range slices.Sorted(maps.Keys(got.Queries)) {
		q := got.Queries[name]
		rows = append(rows,
			Row{Name: name + ": ours", Command: command, Note: got.Engine, Wall: same(q.OursWall), CPU: same(q.OursCPU)},
			Row{Name: name + ": pyarrow's files", Command: command, Note: got.Engine, Wall: same(q.TheirsWall), CPU: same(q.TheirsCPU)})
		goals = append(goals, Goal{Ours: name, Beside: "pyarrow's files", Measure: ofScan, Value: same(q.OursWall / q.TheirsWall), Most: 1.1})
	}
	return rows, goals, nil
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// tombstonesFolder is where command tombstones puts its data, below that of the data sets.
const tombstonesFolder = "tombstones"

// tombstonesSection exports a collection with very many deletes; nil if its data was not made.
func tombstonesSection(o options, out string) *section {
	dir := filepath.Join(o.data, tombstonesFolder)
	dump := filepath.Join(dir, "etcd.json")
	if _, err := os.Stat(dump); err != nil {
		return nil
	}
	s := &section{id: "tombstones", title: "B3 deletes: very many in L0 segments", out: out}
	source := "etcd+file:" + dump + "?storage=" + dir + "#tombstones"
	for _, workers := range []int{1, 2} {
		c := &Case{Name: oursName("parquet", workers), most: o.slow, Command: []string{
			o.binary, "export", source, "--to", outMark, "--format", "parquet", "--workers", fmt.Sprint(workers), "--progress", "none", "--memory", "1GiB", "--temp-dir", out,
		}}
		s.cases = append(s.cases, c)
		s.goals = append(s.goals, goal{ours: c.Name, of: ofPeak, most: 1 << 30 / 1e6}, goal{ours: c.Name, of: ofDeletes, least: 5})
	}
	s.start = func(ctx context.Context, s *section) (func(), error) {
		text, err := exec.CommandContext(ctx, o.binary, "describe", source, "--json").Output()
		if err != nil {
			return nil, fmt.Errorf("describe %s: %w", source, err)
		}
		var d struct {
			Totals struct {
				Rows, Bytes int64
				Deletes     int64 `json:"delete_entries"`
			}
		}
		if err := json.Unmarshal(text, &d); err != nil {
			return nil, err
		}
		s.deletes = d.Totals.Deletes
		s.text = fmt.Sprintf("%d million deletes and %d million rows of two Int64, %d MB, with --memory 1GiB; half of the rows are deleted, all other deletes are of keys that no row has. Reading, deciding and writing count together.",
			d.Totals.Deletes/1e6, d.Totals.Rows/1e6, d.Totals.Bytes/1e6)
		return func() {}, nil
	}
	return s
}

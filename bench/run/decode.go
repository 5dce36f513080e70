package main

import (
	"context"
	"os"
)

const catName = "snapexport cat, Arrow stream to /dev/null"

// decodeSection sets reading live rows into Arrow, thrown away, beside pyarrow and DuckDB.
func decodeSection(o options, d *dataset) *section {
	s := &section{
		id: "decode " + d.id(), data: d, title: "B2 decode: " + d.title(),
		text: "Live rows to Arrow, thrown away. The script makes the same columns as for an export, without deleted rows. DuckDB reads all rows of the column groups with one thread; it knows nothing of deletes.",
	}
	s.cases = []*Case{
		{Name: catName, Command: []string{"sh", "-c", "exec '" + o.binary + "' cat '" + d.source() + "' --format arrow > /dev/null"}},
		{Name: "pyarrow script, decode only, 1 worker", Command: []string{o.python, "bench/peers/pyarrow_export.py", d.dir, "-", "--decode"}},
	}
	if d.packed() {
		s.cases = append(s.cases, &Case{Name: "DuckDB, 1 thread", Command: []string{o.python, "bench/peers/duckdb_decode.py", d.dir}})
	}
	for _, c := range s.cases[1:] {
		s.goals = append(s.goals, goal{ours: catName, beside: c.Name, of: ofCPU}, goal{ours: catName, beside: c.Name, of: ofWall})
	}
	return s
}

// inMemory gives a section a folder below dir.
func inMemory(dir string) func(context.Context, *section) (func(), error) {
	return func(_ context.Context, s *section) (func(), error) {
		var err error
		s.out, err = os.MkdirTemp(dir, "snapexport-bench-")
		return func() { os.RemoveAll(s.out) }, err
	}
}

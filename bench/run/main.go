// Command run measures whole processes over the data that command dataset made: exports beside what one could use instead,
// and describe over manifests alone. It writes one JSON file of results and the table in bench/README.md.
//
// Every round runs each case once, in turn, so that whatever else the machine does falls on all of them alike. Before a
// figure counts, the rows that the exports wrote are compared.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	data, binary, python, gateway string
	name, results, readme         string
	runs                          int
	only, render, remark          string
}

func main() {
	var o options
	flag.StringVar(&o.data, "data", "bench/data/set", "`folder` that dataset wrote")
	flag.StringVar(&o.binary, "snapexport", "bin/snapexport", "`program` to measure")
	flag.StringVar(&o.python, "python", ".tools/venv/bin/python", "`interpreter` with pyarrow")
	flag.StringVar(&o.gateway, "versitygw", ".tools/bin/versitygw", "S3 `server`; \"\" leaves S3 out")
	flag.StringVar(&o.name, "name", "local", "`name` of the results")
	flag.StringVar(&o.results, "results", "bench/results", "`folder` of results")
	flag.StringVar(&o.readme, "readme", "bench/README.md", "`page` to write; \"\" for none")
	flag.IntVar(&o.runs, "runs", 5, "`rounds`")
	flag.StringVar(&o.only, "only", "", "leave out the cases whose name does not begin with this `text`")
	flag.StringVar(&o.render, "render", "", "measure nothing, write the page from this `file` of results")
	flag.StringVar(&o.remark, "remark", "", "`sentence` that is kept with the results")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.render != "" {
		return render(o)
	}
	r := &Results{Name: o.name, Runs: o.runs, Remark: o.remark, Begun: time.Now().UTC().Truncate(time.Second), Machine: machine(), Versions: versions(ctx, o)}
	b, err := os.ReadFile(filepath.Join(o.data, "dataset.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &r.Input); err != nil {
		return err
	}
	out, err := os.MkdirTemp(filepath.Dir(o.data), "out-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(out)
	other := func(c *Case) bool { return !strings.HasPrefix(c.Name, o.only) }
	cases := slices.DeleteFunc(exportCases(o), other)
	if r.Comparison, err = compare(ctx, o, cases, out, r.Input.Live); err != nil {
		return err
	}
	described, stop, err := describeCases(ctx, o, r.Input.Snapshot, out)
	if err != nil {
		return err
	}
	defer stop()
	described = slices.DeleteFunc(described, other)
	all := slices.Concat(cases, described)
	for round := range o.runs {
		for _, c := range all {
			m, err := c.measure(ctx, filepath.Join(out, "table"))
			if err != nil {
				return err
			}
			c.Measured = append(c.Measured, m)
			fmt.Fprintf(os.Stderr, "round %d: %-44s %7.2f s %7.2f CPU s %6d MB (load %.1f)\n", round+1, c.Name, m.Wall, m.CPU(), m.Peak>>20, m.Load)
		}
	}
	if err := requests(described, o.runs); err != nil {
		return err
	}
	r.fill(cases, described)
	return r.write(o)
}

func render(o options) error {
	b, err := os.ReadFile(o.render)
	if err != nil {
		return err
	}
	var r Results
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	return r.page(o)
}

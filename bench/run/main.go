// Command run measures whole processes over the data that command dataset made: snapexport beside what one could use instead.
// It writes one JSON file of results, a plot, and the tables in bench/README.md.
//
// What is measured is in sections, each over one data set. Every round of a section runs each of its cases once, in turn, so that
// whatever else the machine does falls on all of them alike. Before a figure counts, the rows that the exports wrote are compared.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	data, binary, python, gateway, milvus, shm string
	name, results, readme                      string
	runs, slow                                 int
	spark, add                                 bool
	only, sections, render, remark             string
}

func main() {
	var o options
	flag.StringVar(&o.data, "data", "bench/data", "`folder` that dataset wrote")
	flag.StringVar(&o.binary, "snapexport", "bin/snapexport", "`program` to measure")
	flag.StringVar(&o.python, "python", ".tools/venv/bin/python", "`interpreter` with pyarrow, DuckDB and matplotlib")
	flag.StringVar(&o.gateway, "versitygw", ".tools/bin/versitygw", "S3 `server`; \"\" leaves S3 out")
	flag.StringVar(&o.milvus, "milvus", ".tools/milvus-venv/bin/python", "`interpreter` with the genuine Milvus; \"\" leaves its clients out")
	flag.BoolVar(&o.add, "add", false, "keep the sections of the results of that name which are not measured now")
	flag.StringVar(&o.shm, "tmpfs", "/dev/shm", "`folder` in memory for measuring how workers scale; \"\" leaves that out")
	flag.StringVar(&o.name, "name", "local", "`name` of the results")
	flag.StringVar(&o.results, "results", "bench/results", "`folder` of results")
	flag.StringVar(&o.readme, "readme", "bench/README.md", "`page` to write; \"\" for none")
	flag.IntVar(&o.runs, "runs", 5, "`rounds`")
	flag.IntVar(&o.slow, "slow", 3, "most `rounds` of cases that take a minute and more")
	flag.BoolVar(&o.spark, "spark", false, "have Spark read tables, too: minutes")
	flag.StringVar(&o.sections, "sections", "", "measure only the sections whose id begins with one of these `texts`, separated by commas")
	flag.StringVar(&o.only, "only", "", "leave out the cases whose name does not begin with this `text`")
	flag.StringVar(&o.render, "render", "", "measure nothing, write plot and page from this `file` of results")
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
		return render(ctx, o)
	}
	r := &Results{Name: o.name, Runs: o.runs, Remark: o.remark, Begun: time.Now().UTC().Truncate(time.Second), Machine: machine(), Versions: versions(ctx, o)}
	sets, err := datasets(o.data)
	if err != nil {
		return err
	}
	out, err := os.MkdirTemp(o.data, "out-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(out)
	before, err := o.before()
	if err != nil {
		return err
	}
	known := comparisons{}
	var failed []error
	for _, s := range plan(o, sets, out) {
		if !o.wants(s) {
			if i := slices.IndexFunc(before, func(old Section) bool { return old.ID == s.id }); i >= 0 {
				r.Sections = append(r.Sections, before[i])
			}
			continue
		}
		begun := time.Now()
		done, err := s.measure(ctx, o, known)
		if ctx.Err() != nil {
			return err
		}
		if err != nil { // the others count all the same
			failed = append(failed, fmt.Errorf("%s: %w", s.id, err))
			fmt.Fprintf(os.Stderr, "%s: %v\n", s.id, err)
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %.0f s\n", s.id, time.Since(begun).Seconds())
		r.Sections = append(r.Sections, done)
	}
	if len(r.Sections) == 0 {
		return errors.Join(append(failed, fmt.Errorf("nothing was measured in %s", o.data))...)
	}
	r.Took = time.Since(r.Begun).Round(time.Second).Seconds()
	return errors.Join(append(failed, r.write(ctx, o))...)
}

// before returns the sections of the results that a run adds to.
func (o options) before() ([]Section, error) {
	if !o.add {
		return nil, nil
	}
	b, err := os.ReadFile(filepath.Join(o.results, o.name+".json"))
	if err != nil {
		return nil, err
	}
	var r Results
	err = json.Unmarshal(b, &r)
	return r.Sections, err
}

// wants tells whether the section is to be measured, and leaves out its cases that are not.
func (o options) wants(s *section) bool {
	wanted := func(prefix string) bool { return strings.HasPrefix(s.id, prefix) }
	if !slices.ContainsFunc(strings.Split(o.sections, ","), wanted) {
		return false
	}
	s.cases = slices.DeleteFunc(s.cases, func(c *Case) bool { return !strings.HasPrefix(c.Name, o.only) })
	return len(s.cases) > 0 || s.report != nil && o.only == ""
}

// plan lists the sections that there is data for.
func plan(o options, sets []*dataset, out string) (all []*section) {
	for _, d := range sets {
		switch d.Params.Workload {
		case "D6":
			all = append(all, describeSection(o, d, out))
		case "memory":
			all = append(all, memorySection(o, d, out))
		default:
			all = append(all, exportSection(o, d, out))
		}
	}
	for _, d := range sets {
		if d.scales() && o.shm != "" {
			all = append(all, scalingSection(o, d))
		}
		if d.decodes() {
			all = append(all, decodeSection(o, d))
		}
	}
	for _, d := range sets {
		if d.id() == "D1-v1" && o.gateway != "" {
			all = append(all, s3Section(o, d, out))
		}
		if d.id() == "D1-v1" && o.milvus != "" {
			all = append(all, liveSection(o, d, out))
		}
	}
	if s := tombstonesSection(o, out); s != nil {
		all = append(all, s)
	}
	for _, d := range sets {
		if d.id() == "D1-v2-plain" {
			all = append(all, scanSections(o, d, out)...)
		}
	}
	return all
}

func render(ctx context.Context, o options) error {
	b, err := os.ReadFile(o.render)
	if err != nil {
		return err
	}
	var r Results
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	o.name = strings.TrimSuffix(filepath.Base(o.render), ".json")
	return r.page(ctx, o)
}

func versions(ctx context.Context, o options) map[string]string {
	out := map[string]string{}
	for name, args := range map[string][]string{
		"snapexport": {o.binary, "version"}, "python": {o.python, "--version"},
		"pyarrow": {o.python, "-c", "import pyarrow; print(pyarrow.__version__)"}, "duckdb": {o.python, "-c", "import duckdb; print(duckdb.__version__)"},
		"pymilvus, for the genuine Milvus": {o.milvus, "-c", "import pymilvus; print(pymilvus.__version__)"},
		"genuine Milvus":                   {o.milvus, "-c", "import milvus; print(milvus.__version__)"},
	} {
		b, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
		if first, _, _ := strings.Cut(string(b), "\n"); err == nil {
			out[name] = strings.TrimPrefix(strings.TrimSpace(first), "snapexport ")
		}
	}
	return out
}

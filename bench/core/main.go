// Command core measures `snapexport serve` as a process: inserts, queries, snapshots and restores through Milvus's protocol,
// restores beside `cp -r` and beside a bulk import of the same files into a genuine Milvus 2.3.5, and how long making a snapshot
// takes for how many segments. It writes one JSON file of results and its part of bench/README.md.
//
// Before a figure of a restore or import counts, the rows of both collections are read back and compared.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"
)

// options are the flags.
type options struct {
	binary, gateway, milvus string
	name, results, readme   string
	dir, memory             string
	rows, runs, created     int
	render, remark          string
}

func main() {
	var o options
	flag.StringVar(&o.binary, "snapexport", "bin/snapexport", "`program` to measure")
	flag.StringVar(&o.gateway, "versitygw", ".tools/bin/versitygw", "S3 `server`; \"\" leaves S3 out")
	flag.StringVar(&o.milvus, "milvus", ".tools/milvus-venv/bin/python", "`interpreter` with the genuine Milvus; \"\" leaves it out")
	flag.StringVar(&o.name, "name", "local", "`name` of the results: core-NAME.json")
	flag.StringVar(&o.results, "results", "bench/results", "`folder` of results")
	flag.StringVar(&o.readme, "readme", "bench/README.md", "`page` to write; \"\" for none")
	flag.StringVar(&o.dir, "dir", "bench/data", "`folder` on the disk to measure")
	flag.StringVar(&o.memory, "tmpfs", "/dev/shm", "`folder` in memory; \"\" for none")
	flag.IntVar(&o.rows, "rows", 500_000, "`rows` of 128 floats")
	flag.IntVar(&o.runs, "runs", 3, "`rounds`")
	flag.IntVar(&o.created, "created", 5, "`snapshots` made at each number of segments; 0 leaves them out")
	flag.StringVar(&o.render, "render", "", "measure nothing, write the page from this `file` of results")
	flag.StringVar(&o.remark, "remark", "", "`sentence` that is kept with the results")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "bench/core:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options) (err error) {
	if o.render != "" {
		return render(o)
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	r := &Results{Name: o.name, Runs: o.runs, Rows: o.rows, Remark: o.remark, Begun: time.Now().UTC().Truncate(time.Second), Machine: machine(ctx, o)}
	dir, err := os.MkdirTemp(o.dir, "core-")
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var genuine *genuine
	if o.milvus != "" {
		if genuine, err = startGenuine(ctx, o, filepath.Join(dir, "milvus")); err != nil {
			return err
		}
		defer genuine.stop()
	}
	for n := range o.runs {
		if err := round(ctx, o, r, filepath.Join(dir, fmt.Sprint("round", n)), genuine); err != nil {
			return fmt.Errorf("round %d: %w", n+1, err)
		}
	}
	if o.created > 0 {
		if err := created(ctx, o, r, dir); err != nil {
			return err
		}
	}
	return r.write(o)
}

// round measures everything but the making of snapshots with many segments, once.
func round(ctx context.Context, o *options, r *Results, dir string, genuine *genuine) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data := filepath.Join(dir, "data")
	bucket := filepath.Join(data, "bucket")
	files, err := fill(ctx, o, r, "local", data, nil)
	if err != nil {
		return err
	}
	source := filepath.Join(bucket, files.folder)
	for _, how := range []string{"copy", "reflink", "link"} {
		if err := restoreBy(ctx, o, r, data, how, files); err != nil {
			return err
		}
	}
	if err := copies(ctx, r, source, filepath.Join(dir, "copied")); err != nil {
		return err
	}
	if genuine != nil {
		if err := genuine.measure(r, source, files); err != nil {
			return err
		}
	}
	if o.gateway == "" {
		return nil
	}
	return throughS3(ctx, o, r, filepath.Join(dir, "s3"))
}

// median returns the median, the least and the greatest.
func median(v []float64) [3]float64 {
	if len(v) == 0 {
		return [3]float64{}
	}
	v = slices.Sorted(slices.Values(v))
	return [3]float64{v[len(v)/2], v[0], v[len(v)-1]}
}

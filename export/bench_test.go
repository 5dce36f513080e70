package export_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

// BenchmarkExport exports the collection that `go run ./bench/dataset` made, or that SNAPEXPORT_BENCH_DATA names.
func BenchmarkExport(b *testing.B) {
	dir := os.Getenv("SNAPEXPORT_BENCH_DATA")
	if dir == "" {
		dir = filepath.Join("..", "bench", "data", "set")
	}
	if _, err := os.Stat(filepath.Join(dir, "etcd.json")); err != nil {
		b.Skip("no data: go run ./bench/dataset")
	}
	ctx := context.Background()
	opener := objstore.NewOpener(objstore.Config{})
	snap, err := describe.Resolve(ctx, "etcd+file:"+filepath.Join(dir, "etcd.json")+"?storage="+dir+"#bench", describe.Options{Opener: opener})
	if err != nil {
		b.Fatal(err)
	}
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			var rows int64
			for i := 0; b.Loop(); i++ {
				budget := reader.NewBudget(512 << 20)
				ropts := reader.Options{Budget: budget, Opener: opener, Reuse: true}
				opts := export.Options{Target: filepath.Join(b.TempDir(), fmt.Sprint(i)), Format: export.FormatParquet, Workers: workers, RunID: "bench"}
				scan, err := reader.Open(snap, ropts)
				if err != nil {
					b.Fatal(err)
				}
				plan, err := export.NewPlan(scan, ropts, opts)
				if err != nil {
					b.Fatal(err)
				}
				result, err := export.Run(ctx, scan, plan, opts, opener, budget, &export.Progress{})
				if err != nil {
					b.Fatal(err)
				}
				rows = result.RowsRead
				if err := os.RemoveAll(opts.Target); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

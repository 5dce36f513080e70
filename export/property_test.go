package export_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/verify"
)

var (
	propertySeed  = flag.Uint64("property.seed", 1, "first seed of TestAnyLayoutSameRows")
	propertyCount = flag.Uint64("property.count", 6, "how many histories TestAnyLayoutSameRows takes")
)

// layoutsEach is how many ways of storing one history are compared.
const layoutsEach = 3

// Whatever the history of a collection, and however it lies in segments, chunks, deltalogs and dialects: an export gives
// exactly the rows that the model says live, one content hash, and counts that add up, with any workers and batches.
func TestAnyLayoutSameRows(t *testing.T) {
	t.Parallel()
	for seed := *propertySeed; seed < *propertySeed+*propertyCount; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := random{Rand: rand.New(rand.NewPCG(seed, 3))}
			h := newHistory(r)
			var hash string
			for i := range layoutsEach {
				got := exportLayout(t, r, h, i)
				if hash == "" {
					hash = got
				}
				if got != hash {
					t.Errorf("layout %d has content hash %s, layout 0 %s", i, got, hash)
				}
			}
		})
	}
}

// exportLayout stores the history in a way of its own, exports it and returns the content hash.
func exportLayout(t *testing.T, r random, h *history, n int) string {
	t.Helper()
	c := newCase(t, writeSnapshot(t, r, h, t.TempDir()))
	c.options.MaxBatchRows = 1 + r.IntN(20)
	scan := c.scan(t)
	want := h.live()
	same(t, "scan", rowsOfScan(t, scan, h.columns()), want)
	checkSelection(t, r, h, *c)
	opts := export.Options{Target: filepath.Join(t.TempDir(), "table"), Workers: 1 + r.IntN(4), TargetFileSize: 1 << r.IntN(20), RunID: fmt.Sprint(n)}
	if r.IntN(4) == 0 {
		opts.Format = export.FormatParquet
	}
	result := c.export(t, opts)
	same(t, "data files", rowsOfFiles(t, opts.Target, h.columns()), want)
	h.checkCounts(t, result)
	if opts.Format == export.FormatParquet {
		return result.ContentHash
	}
	report, err := verify.Table(context.Background(), scan, catalog.NewPath(c.options.Opener.Open, catalog.PathOptions{}), catalog.Ident(opts.Target), verify.Options{Workers: 2})
	if err != nil || !report.OK() {
		t.Errorf("verify: %v, %+v", err, report)
	}
	return result.ContentHash
}

// checkSelection reads one partition, a filter's rows, and system columns.
func checkSelection(t *testing.T, r random, h *history, c testCase) {
	t.Helper()
	partition, bound := r.IntN(partitions), r.Int64N(24)
	c.options.Partitions = []string{fmt.Sprintf("part%d", partition)}
	c.options.With = []reader.System{reader.SystemTime, reader.SystemPartition, reader.SystemTS}
	keep := func(x row) bool { return x.partition == partition }
	if pk, _ := h.schema.PrimaryKey(); pk.Type == milvus.TypeInt64 {
		var err error
		if c.options.Where, err = filter.Parse(fmt.Sprintf("id >= %d", bound), &h.schema); err != nil {
			t.Fatal(err)
		}
		keep = func(x row) bool { return x.partition == partition && x.key.(int64) >= bound }
	}
	var want []string
	for _, x := range h.rows {
		if e := h.effective(x); h.fateOf(x) == lives && keep(x) {
			want = append(want, fmt.Sprintf("%s_milvus_partition=%q _milvus_ts=%d _milvus_time=%d ", h.line(x), c.options.Partitions[0], e, int64(e>>18)*1000))
		}
	}
	slices.Sort(want)
	same(t, "selection", rowsOfScan(t, c.scan(t), h.columns()), want)
}

// testCase is a snapshot with the options that it is read with.
type testCase struct {
	snap    *describe.Snapshot
	options reader.Options
}

func newCase(t *testing.T, metadata string) *testCase {
	t.Helper()
	opener := objstore.NewOpener(objstore.Config{})
	snap, err := describe.Resolve(context.Background(), metadata, describe.Options{Opener: opener})
	if err != nil {
		t.Fatal(err)
	}
	return &testCase{snap, reader.Options{Opener: opener, Budget: reader.NewBudget(256 << 20)}}
}

func (c *testCase) scan(t *testing.T) *reader.Scan {
	t.Helper()
	scan, err := reader.Open(c.snap, c.options)
	if err != nil {
		t.Fatal(err)
	}
	return scan
}

func (c *testCase) export(t *testing.T, opts export.Options) *export.Result {
	t.Helper()
	result, err := c.tryExport(t, opts)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (c *testCase) tryExport(t *testing.T, opts export.Options) (*export.Result, error) {
	t.Helper()
	budget := reader.NewBudget(256 << 20)
	c.options.Budget = budget
	scan := c.scan(t)
	plan, err := export.NewPlan(scan, c.options, opts)
	if err != nil {
		t.Fatal(err)
	}
	return export.Run(context.Background(), scan, plan, opts, c.options.Opener, budget, &export.Progress{})
}

// columns are the names of the output's columns, in the order of [history.line].
func (h *history) columns() (out []string) {
	for _, f := range h.schema.UserFields() {
		out = append(out, columnName(f.Name))
	}
	for _, a := range h.schema.StructArrays {
		out = append(out, a.Name)
	}
	return out
}

// live spells the rows that live.
func (h *history) live() (out []string) {
	for _, r := range h.rows {
		if h.fateOf(r) == lives {
			out = append(out, h.line(r))
		}
	}
	slices.Sort(out)
	return out
}

func (h *history) checkCounts(t *testing.T, result *export.Result) {
	t.Helper()
	var n [4]int64
	for _, r := range h.rows {
		n[h.fateOf(r)]++
	}
	got := [4]int64{result.RowsWritten, result.RowsAfterCut, result.RowsDeleted, result.RowsExpired}
	if got != n || result.RowsRead != int64(len(h.rows)) {
		t.Errorf("of %d rows, written, after the cut, deleted and expired are %v; the model says %v of %d", result.RowsRead, got, n, len(h.rows))
	}
}

// same compares sorted lines.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("%s: %d rows, the model has %d", what, len(got), len(want))
	missing, surplus := difference(want, got), difference(got, want)
	t.Logf("missing: %s", strings.Join(missing[:min(3, len(missing))], "\n         "))
	t.Logf("surplus: %s", strings.Join(surplus[:min(3, len(surplus))], "\n         "))
	t.FailNow()
}

// difference returns the lines of a that b does not have as often.
func difference(a, b []string) (out []string) {
	n := map[string]int{}
	for _, l := range b {
		n[l]++
	}
	for _, l := range a {
		if n[l]--; n[l] < 0 {
			out = append(out, l)
		}
	}
	return out
}

// rowsOfScan reads all segments at the same time. System columns come after those given.
func rowsOfScan(t *testing.T, scan *reader.Scan, columns []string) (out []string) {
	t.Helper()
	for _, f := range scan.Schema().Fields() {
		if strings.HasPrefix(f.Name, "_milvus_") {
			columns = append(columns, f.Name)
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, seg := range scan.Segments() {
		wg.Go(func() {
			_, err := scan.Read(context.Background(), seg, func(b arrow.RecordBatch) error {
				mu.Lock()
				defer mu.Unlock()
				out = append(out, lines(b, columns)...)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return out
}

// rowsOfFiles reads the data files below dir with arrow-go's own Parquet reader.
func rowsOfFiles(t *testing.T, dir string, columns []string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		f, err := file.OpenParquetFile(path, false)
		if err != nil {
			return err
		}
		defer f.Close()
		r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		if err != nil {
			return err
		}
		table, err := r.ReadTable(context.Background())
		if err != nil {
			return err
		}
		for batches := array.NewTableReader(table, -1); batches.Next(); {
			out = append(out, lines(batches.RecordBatch(), columns)...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

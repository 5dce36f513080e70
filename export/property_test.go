package export_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
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
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
	"github.com/snapexport/snapexport/verify"
)

var (
	propertySeed  = flag.Uint64("property.seed", 1, "first seed of TestAnyLayoutSameRows")
	propertyCount = flag.Uint64("property.count", 8, "how many histories TestAnyLayoutSameRows takes; two with -short")
)

// layoutsEach is how many ways of storing one history are compared: every storage version, and a mix.
const layoutsEach = 4

// Whatever the history of a collection, and however it lies in segments, storage versions, column groups, chunks, deltalogs,
// manifests and dialects: an export gives exactly the rows that the model says live, one content hash, and counts that add up,
// with any workers, batches and memory; and so does one of a filter's rows and of a few columns.
func TestAnyLayoutSameRows(t *testing.T) {
	t.Parallel()
	count := *propertyCount
	if testing.Short() {
		count = min(count, 2)
	}
	for seed := *propertySeed; seed < *propertySeed+count; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			c := newTrial(seed)
			said := c.failure(t)
			if said == "" {
				return
			}
			c, said = c.shrunk(t, said)
			t.Errorf("go test ./export -run TestAnyLayoutSameRows -property.seed %d -property.count 1\n%s\nShrunk to:\n%s", seed, said, c)
		})
	}
}

// exportLayout stores the history in a way of its own, exports it and returns the content hash.
func exportLayout(t testing.TB, r random, h *history, n int) string {
	t.Helper()
	c := newCase(t, writeSnapshot(t, r, h, t.TempDir(), n))
	c.options.MaxBatchRows = 1 + r.IntN(20)
	scan := c.scan(t)
	want := h.live()
	same(t, fmt.Sprintf("layout %d, scan", n), rowsOfScan(t, scan, h.columns()), want)
	checkSelection(t, r, h, *c, n)
	opts := export.Options{Target: filepath.Join(t.TempDir(), "table"), Workers: 1 + r.IntN(4), TargetFileSize: 1 << r.IntN(20), RunID: fmt.Sprint(n)}
	if r.IntN(4) == 0 {
		opts.Format = export.FormatParquet
	}
	result := c.exportWithin(t, r, opts)
	same(t, fmt.Sprintf("layout %d, data files", n), rowsOfFiles(t, opts.Target, h.columns()), want)
	h.checkCounts(t, result)
	if opts.Format == export.FormatParquet {
		return result.ContentHash
	}
	report, err := verify.Table(context.Background(), scan, catalog.NewPath(c.options.Opener.Open, catalog.PathOptions{}), catalog.Ident(opts.Target), verify.Options{Workers: 2})
	if err != nil || !report.OK() {
		t.Errorf("layout %d, verify: %v, %+v", n, err, report)
	}
	return result.ContentHash
}

// exportWithin exports with a random limit of memory, and with enough if that is refused, which leaves no file behind.
func (c *testCase) exportWithin(t testing.TB, r random, opts export.Options) *export.Result {
	t.Helper()
	c.memory = 16<<20 + r.Int64N(120<<20)
	result, err := c.tryExport(t, opts)
	if errors.Is(err, fault.ErrLimit) {
		if left := files(opts.Target); len(left) > 0 {
			t.Errorf("%v, and there are files: %v", err, left)
		}
		c.memory = 0
		result, err = c.tryExport(t, opts)
	}
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// checkSelection reads one partition, a filter's rows, some columns, and system columns.
func checkSelection(t testing.TB, r random, h *history, c testCase, n int) {
	t.Helper()
	partition := r.IntN(partitions)
	c.options.Partitions = []string{fmt.Sprintf("part%d", partition)}
	c.options.With = []reader.System{reader.SystemTime, reader.SystemPartition, reader.SystemTS}
	columns := h.columns()
	if r.coin() {
		r.Shuffle(len(columns), func(i, j int) { columns[i], columns[j] = columns[j], columns[i] })
		columns = columns[:1+r.IntN(len(columns))]
		c.options.Columns = columns
	}
	where := h.condition(r, 2)
	var err error
	if c.options.Where, err = filter.Parse(where.text, &h.schema); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, x := range h.rows {
		if e := h.effective(x); h.fateOf(x) == lives && x.partition == partition && where.holds(x) == isTrue {
			want = append(want, fmt.Sprintf("%s_milvus_partition=%q _milvus_ts=%d _milvus_time=%d ", h.line(x, columns), c.options.Partitions[0], e, int64(e>>18)*1000))
		}
	}
	slices.Sort(want)
	what := fmt.Sprintf("layout %d, selection of %v where %s", n, columns, where.text)
	same(t, what, rowsOfScan(t, c.scan(t), columns), want)
	if r.IntN(4) == 0 {
		target := filepath.Join(t.TempDir(), "selection")
		c.export(t, export.Options{Target: target, RunID: "s"})
		columns = append(slices.Clone(columns), "_milvus_partition", "_milvus_ts", "_milvus_time")
		same(t, what+", exported", rowsOfFiles(t, target, columns), want)
	}
}

// testCase is a snapshot with the options that it is read with.
type testCase struct {
	snap    *describe.Snapshot
	options reader.Options
	memory  int64 // 0: more than enough
}

// plenty is memory enough for every case.
const plenty = 512 << 20

func newCase(t testing.TB, metadata string) *testCase {
	t.Helper()
	opener := objstore.NewOpener(objstore.Config{})
	snap, err := describe.Resolve(context.Background(), metadata, describe.Options{Opener: opener})
	if err != nil {
		t.Fatal(err)
	}
	return &testCase{snap: snap, options: reader.Options{Opener: opener, Budget: reader.NewBudget(plenty)}}
}

func (c *testCase) scan(t testing.TB) *reader.Scan {
	t.Helper()
	scan, err := reader.Open(c.snap, c.options)
	if err != nil {
		t.Fatal(err)
	}
	return scan
}

func (c *testCase) export(t testing.TB, opts export.Options) *export.Result {
	t.Helper()
	result, err := c.tryExport(t, opts)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (c *testCase) tryExport(t testing.TB, opts export.Options) (*export.Result, error) {
	t.Helper()
	budget := reader.NewBudget(cmp.Or(c.memory, plenty))
	c.options.Budget = budget
	scan := c.scan(t)
	plan, err := export.NewPlan(scan, c.options, opts)
	if err != nil {
		t.Fatal(err)
	}
	return export.Run(context.Background(), scan, plan, opts, c.options.Opener, budget, &export.Progress{})
}

// columns are the names of all columns of the output.
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
			out = append(out, h.line(r, h.columns()))
		}
	}
	slices.Sort(out)
	return out
}

func (h *history) checkCounts(t testing.TB, result *export.Result) {
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
func same(t testing.TB, what string, got, want []string) {
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
func rowsOfScan(t testing.TB, scan *reader.Scan, columns []string) (out []string) {
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
func rowsOfFiles(t testing.TB, dir string, columns []string) (out []string) {
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

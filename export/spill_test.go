package export_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/reader"
)

// spillCases is how many histories each test here takes.
const spillCases = 4

// spilling makes a case join all deletes, in temporary files from the first block on (none has less than 32 bytes), with small tables.
func (c *testCase) spilling(t testing.TB) {
	c.options.TempDir, c.options.SpillAfter = t.TempDir(), 31
}

// emptied fails unless nothing is left of temporary files.
func (c *testCase) emptied(t testing.TB) {
	t.Helper()
	if left, err := os.ReadDir(c.options.TempDir); err != nil || len(left) > 0 {
		t.Errorf("left of temporary files: %v, %v", left, err)
	}
}

// Deletes that are joined from temporary files kill the rows that the model says, in any layout, scope, storage version and key
// type, and every count is the same as with deletes in memory.
func TestSpilledDeletesKillTheSameRows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(spillCases) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := newTrial(seed + 1000).h
			for n := range layoutsEach {
				r := random{rand.New(rand.NewPCG(seed, 200+uint64(n)))}
				c := newCase(t, writeSnapshot(t, r, h, t.TempDir(), n))
				c.options.MaxBatchRows = 1 + r.IntN(20)
				inMemory := c.export(t, export.Options{Target: filepath.Join(t.TempDir(), "table"), RunID: "m"})
				c.spilling(t)
				scan := c.scan(t)
				same(t, fmt.Sprintf("layout %d, scan", n), rowsOfScan(t, scan, h.columns()), h.live())
				spilled := c.export(t, export.Options{Target: filepath.Join(t.TempDir(), "table"), RunID: "s", Workers: 3})
				h.checkCounts(t, spilled)
				if spilled.ContentHash != inMemory.ContentHash || spilled.ExportID != inMemory.ExportID || spilled.DeletesRead != inMemory.DeletesRead {
					t.Errorf("layout %d: spilled %+v, in memory %+v", n, spilled, inMemory)
				}
				if inMemory.BytesSpilled != 0 || spilled.RowsDeleted > 0 && spilled.BytesSpilled == 0 {
					t.Errorf("layout %d: %d rows deleted, %d bytes spilled (in memory %d)", n, spilled.RowsDeleted, spilled.BytesSpilled, inMemory.BytesSpilled)
				}
				c.emptied(t)
			}
		})
	}
}

// placed is a row of the output with what decides between rows of one key.
type placed struct {
	line    string
	key     any
	ts      int64
	segment int64
	number  int // in its segment
}

// newer is the rule of Dedupe, read from the documents.
func (p placed) newer(q placed) bool {
	switch {
	case p.ts != q.ts:
		return p.ts > q.ts
	case p.segment != q.segment:
		return p.segment > q.segment
	}
	return p.number > q.number
}

// placedRows reads one segment after the other.
func placedRows(t testing.TB, c *testCase, key string, columns []string) (out []placed) {
	t.Helper()
	scan := c.scan(t)
	for _, seg := range scan.Segments() {
		_, err := scan.Read(context.Background(), seg, func(b arrow.RecordBatch) error {
			at := func(name string) arrow.Array { return b.Column(b.Schema().FieldIndices(name)[0]) }
			for i, line := range lines(b, columns) {
				ts, id := at("_milvus_ts").(*array.Int64).Value(i), at("_milvus_segment").(*array.Int64).Value(i)
				out = append(out, placed{line, valueOf(at(key), i), ts, id, len(out)})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Of the live rows of each key the newest comes out, whether keys fit into memory or not, and the others are counted.
func TestDedupeNewest(t *testing.T) {
	t.Parallel()
	twice := 0
	for seed := range uint64(spillCases) {
		h := newTrial(seed + 2000).h
		key, _ := h.schema.PrimaryKey()
		for n := range layoutsEach {
			r := random{rand.New(rand.NewPCG(seed, 300+uint64(n)))}
			c := newCase(t, writeSnapshot(t, r, h, t.TempDir(), n))
			c.options.With = []reader.System{reader.SystemTS, reader.SystemSegment}
			c.options.MaxBatchRows = 1 + r.IntN(20)
			all := placedRows(t, c, key.Name, h.columns())
			newest := map[any]placed{}
			for _, p := range all {
				if q, ok := newest[p.key]; !ok || p.newer(q) {
					newest[p.key] = p
				}
			}
			var want []string
			for _, p := range newest {
				want = append(want, p.line)
			}
			slices.Sort(want)
			twice += len(all) - len(want)
			c.options.Dedupe = reader.DedupeNewest
			off := export.Options{Target: filepath.Join(t.TempDir(), "table"), RunID: "m"}
			what := fmt.Sprintf("seed %d, layout %d", seed, n)
			held := c.export(t, off)
			same(t, what, rowsOfFiles(t, off.Target, h.columns()), want)
			c.spilling(t)
			target := filepath.Join(t.TempDir(), "table")
			spilled := c.export(t, export.Options{Target: target, RunID: "s"})
			same(t, what+", spilled", rowsOfFiles(t, target, h.columns()), want)
			for _, got := range []*export.Result{held, spilled} {
				if got.RowsDeduplicated != int64(len(all)-len(want)) || got.RowsRead != got.RowsDeleted+got.RowsAfterCut+got.RowsExpired+got.RowsDeduplicated+got.RowsWritten {
					t.Errorf("%s: of %d live rows %d are newest: %+v", what, len(all), len(want), got)
				}
			}
			c.emptied(t)
		}
	}
	if twice == 0 {
		t.Error("no key had two rows")
	}
}

// An export with another Dedupe is another export.
func TestDedupeIsPartOfTheExport(t *testing.T) {
	t.Parallel()
	h := newTrial(3).h
	c := newCase(t, writeSnapshot(t, random{rand.New(rand.NewPCG(3, 3))}, h, t.TempDir(), 0))
	id := func(d reader.Dedupe) string {
		c.options.Dedupe = d
		plan, err := export.NewPlan(c.scan(t), c.options, export.Options{Target: "t", RunID: "r"})
		if err != nil {
			t.Fatal(err)
		}
		return plan.ExportID
	}
	if id("") != id(reader.DedupeOff) || id("") == id(reader.DedupeNewest) {
		t.Errorf("off %s, newest %s", id(reader.DedupeOff), id(reader.DedupeNewest))
	}
	c.options.Dedupe = "oldest"
	if _, err := reader.Open(c.snap, c.options); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("oldest: %v", err)
	}
}

// Where there is no place for temporary files the error names the directory, and nothing is written.
func TestNoPlaceToSpill(t *testing.T) {
	t.Parallel()
	var h *history
	for seed := uint64(1); ; seed++ {
		h = newTrial(seed).h
		if len(h.deletes) > 0 && len(h.rows) > 50 {
			break
		}
	}
	c := newCase(t, writeSnapshot(t, random{rand.New(rand.NewPCG(1, 1))}, h, t.TempDir(), 0))
	c.spilling(t)
	c.options.TempDir = filepath.Join(c.options.TempDir, "not there")
	target := filepath.Join(t.TempDir(), "table")
	_, err := c.tryExport(t, export.Options{Target: target, RunID: "r"})
	var e *fault.Error
	if !errors.Is(err, fault.ErrLimit) || !errors.As(err, &e) || e.Object != c.options.TempDir || e.Hint == "" {
		t.Errorf("%v", err)
	}
	if left := files(target); len(left) > 0 {
		t.Errorf("files: %v", left)
	}
}

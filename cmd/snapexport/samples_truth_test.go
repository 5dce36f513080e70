package main

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// plainRow is a row as plain values by column.
type plainRow map[string]any

// plain gives a value of a table or of a truth file a form that does not depend on their types: integers are int64, floats
// their bits as float64, texts and bytes strings, lists and structs slices, sparse vectors slices of index and value.
func plain(t *testing.T, a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	list := func(values arrow.Array, start, end int64) any {
		out := []any{}
		for k := start; k < end; k++ {
			out = append(out, plain(t, values, int(k)))
		}
		return out
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int8:
		return int64(a.Value(i))
	case *array.Int16:
		return int64(a.Value(i))
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	case *array.Uint32:
		return int64(a.Value(i))
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.Float32:
		return math.Float64bits(float64(a.Value(i)))
	case *array.Float64:
		return math.Float64bits(a.Value(i))
	case *array.String:
		return a.Value(i)
	case *array.Binary:
		return string(a.Value(i))
	case *array.FixedSizeBinary:
		return string(a.Value(i))
	case *array.Map:
		start, end := a.ValueOffsets(i)
		return list(array.NewStructData(a.ListValues().Data()), start, end)
	case array.ListLike:
		start, end := a.ValueOffsets(i)
		return list(a.ListValues(), start, end)
	case *array.Struct:
		out := []any{}
		for k := range a.NumField() {
			out = append(out, plain(t, a.Field(k), i))
		}
		return out
	}
	t.Fatalf("a column of %s", a.DataType())
	return nil
}

// plainRows are the rows of a batch.
func plainRows(t *testing.T, batch arrow.RecordBatch) []plainRow {
	out := make([]plainRow, batch.NumRows())
	for i := range out {
		out[i] = plainRow{}
		for c, column := range batch.Columns() {
			out[i][batch.ColumnName(c)] = plain(t, column, i)
		}
	}
	return out
}

// parquetRows reads a Parquet file with Arrow's reader, which is not the one under test.
func parquetRows(t *testing.T, elem ...string) (out []plainRow) {
	t.Helper()
	table, err := pqarrow.ReadTable(t.Context(), bytes.NewReader(testkit.ReadFile(t, elem...)), parquet.NewReaderProperties(nil), pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	r := array.NewTableReader(table, 0)
	for r.Next() {
		out = append(out, plainRows(t, r.RecordBatch())...)
	}
	return out
}

// catRows are the rows that the program gives, with the system columns that truth has.
func catRows(t *testing.T, snapshot string, more ...string) (out []plainRow) {
	t.Helper()
	o := invoke(t, nil, append([]string{"cat", snapshot, "--as-of", "none", "--with", "row-id,ts", "--format", "arrow"}, more...)...)
	if o.code != 0 {
		t.Fatalf("exit %d\n%s", o.code, o.errs)
	}
	r, err := ipc.NewReader(strings.NewReader(o.out))
	if err != nil {
		t.Fatal(err)
	}
	for r.Next() {
		for _, row := range plainRows(t, r.RecordBatch()) {
			out = append(out, asTruth(row))
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return out
}

// asTruth gives a row the names of truth files, and the members of struct arrays alone.
func asTruth(row plainRow) plainRow {
	out := plainRow{}
	for name, v := range row {
		switch name {
		case "_milvus_row_id":
			name = "RowID"
		case "_milvus_ts":
			name = "Timestamp"
		case "_meta":
			name = "$meta"
		case "st_a", "st_v":
			structs := v.([]any)
			for i := range structs {
				structs[i] = structs[i].([]any)[0]
			}
			name = "st[" + strings.TrimPrefix(name, "st_") + "]"
		}
		out[name] = v
	}
	return out
}

// equalRows compares row by row, field by field.
func equalRows(t *testing.T, want, got []plainRow) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
		return
	}
	for i := range want {
		if g, w := slices.Sorted(maps.Keys(got[i])), slices.Sorted(maps.Keys(want[i])); !slices.Equal(g, w) {
			t.Fatalf("fields %v, want %v", g, w)
		}
		for name, w := range want[i] {
			if g := got[i][name]; !reflect.DeepEqual(g, w) {
				t.Errorf("row %d (RowID %v), %s: %v, want %v", i, want[i]["RowID"], name, g, w)
			}
		}
	}
}

// truthRows returns the rows of a segment's truth, and those of them that live.
func truthRows(t *testing.T, s sampleSegment) (all, live []plainRow) {
	t.Helper()
	for _, row := range parquetRows(t, testkit.StorageSamples(t), filepath.FromSlash(s.Truth)) {
		lives := row["__live"].(bool)
		delete(row, "__live")
		all = append(all, row)
		if lives {
			live = append(live, row)
		}
	}
	if int64(len(all)) != s.Rows || int64(len(live)) != s.Live {
		t.Fatalf("truth has %d rows, %d of them live; want %d and %d", len(all), len(live), s.Rows, s.Live)
	}
	return all, live
}

// Every sample segment that Milvus's own library wrote equals its truth: each field of each row, and which rows live.
func TestSamplesEqualTruth(t *testing.T) {
	t.Parallel()
	segments := sampleSegments(t)
	compared := 0
	for _, s := range segments {
		if s.Level == "L0" {
			continue
		}
		if s.Truth != "" {
			compared++
		}
		t.Run(fmt.Sprint(s.ID), func(t *testing.T) {
			list := []milvus.Segment{s.segment()}
			for _, other := range segments {
				if slices.Contains(s.L0, other.ID) {
					list = append(list, other.segment())
				}
			}
			var live []plainRow
			if s.Truth != "" {
				_, live = truthRows(t, s)
			}
			equalRows(t, live, catRows(t, sampleSnapshot(t, "bucket", s.schema(t), list...)))
		})
	}
	if compared != 7 {
		t.Errorf("%d segments have a truth, want 7", compared)
	}
}

// The manifests that a V3 segment had on its way: first rows, more rows, a column added later, deletes.
func TestSamplesOfEarlierManifests(t *testing.T) {
	t.Parallel()
	segments := sampleSegments(t)
	s := segments[slices.IndexFunc(segments, func(s sampleSegment) bool { return s.ID == 455302 })]
	all, live := truthRows(t, s)
	for _, c := range []struct {
		version, rows int
		later         bool // the column added later is there
		deltas        int  // delta logs, of the two that the last manifest has
	}{{1, 300, false, 0}, {2, 450, false, 0}, {3, 450, true, 0}, {4, 450, true, 1}, {5, 450, true, 2}} {
		t.Run(fmt.Sprint(c.version), func(t *testing.T) {
			s := s
			s.ManifestPath = strings.Replace(s.ManifestPath, `"ver":6`, fmt.Sprintf(`"ver":%d`, c.version), 1)
			s.Rows = int64(c.rows)
			got := catRows(t, sampleSnapshot(t, "bucket", s.schema(t), s.segment()))
			want := []plainRow{}
			for _, row := range all[:c.rows] {
				if row = maps.Clone(row); !c.later {
					row["added_later"] = nil
				}
				want = append(want, row)
			}
			switch c.deltas {
			case 1: // some rows are dead, all that live to the end are there
				if len(got) <= len(live) || len(got) >= len(want) {
					t.Fatalf("%d rows with one delta log, %d with two, %d with none", len(got), len(live), len(want))
				}
				ids := map[any]bool{}
				for _, row := range got {
					ids[row["RowID"]] = true
				}
				for _, row := range live {
					if !ids[row["RowID"]] {
						t.Errorf("row %v is gone", row["RowID"])
					}
				}
				want = slices.DeleteFunc(want, func(r plainRow) bool { return !ids[r["RowID"]] })
			case 2:
				want = live
			}
			equalRows(t, want, got)
		})
	}
}

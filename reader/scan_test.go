package reader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

const (
	partition milvus.PartitionID = 500
	channel                      = "dml_0_77v0"
)

var idField = milvus.Field{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}

// collection starts one of an Int64 key and the fields given.
func collection(t *testing.T, fields ...milvus.Field) *fixture.Collection {
	return fixture.New(t.TempDir(), milvus.Collection{
		ID: 77, Partitions: []milvus.Partition{{ID: partition, Name: "_default"}},
		Schema: milvus.Schema{Name: "c", Fields: append([]milvus.Field{idField}, fields...)},
	})
}

// snapshot describes what was laid out.
func snapshot(c *fixture.Collection) *describe.Snapshot {
	snap := &describe.Snapshot{Collection: c.Collection, Segments: c.Segments}
	for i := range snap.Segments {
		for _, logs := range [][]milvus.FieldBinlog{snap.Segments[i].Binlogs, snap.Segments[i].Deltalogs} {
			for _, fb := range logs {
				for j := range fb.Binlogs {
					fb.Binlogs[j].File.Bucket = "file://" + c.Dir
				}
			}
		}
	}
	return snap
}

// rows reads everything, as JSON lines in order of segments.
func rows(snap *describe.Snapshot, opts Options) (out []string, all Counts, err error) {
	opts.Opener, opts.Reuse = objstore.NewOpener(objstore.Config{}), true
	scan, err := Open(snap, opts)
	if err != nil {
		return nil, all, err
	}
	for _, seg := range scan.Segments() {
		counts, err := scan.Read(context.Background(), seg, func(b arrow.RecordBatch) error {
			var text strings.Builder
			err := array.RecordToJSON(b, &text)
			out = append(out, slices.Collect(strings.Lines(text.String()))...)
			return err
		})
		if err != nil {
			return out, all, err
		}
		all.Add(counts)
	}
	return out, all, nil
}

func wantRows(t *testing.T, snap *describe.Snapshot, opts Options, want ...string) Counts {
	t.Helper()
	got, counts, err := rows(snap, opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i] = strings.TrimSpace(got[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if counts.Written() != int64(len(got)) {
		t.Errorf("counts say %d rows, %d came out", counts.Written(), len(got))
	}
	return counts
}

// chunkOf returns a chunk of n rows with keys 1, 2, ..., all of one time, and more columns.
func chunkOf(n int, more flush.Chunk) flush.Chunk {
	keys, times := make([]int64, n), make([]int64, n)
	for i := range keys {
		keys[i], times[i] = int64(i+1), int64(fixture.DocumentsTime)
	}
	out := flush.Chunk{milvus.TimestampField: fixture.Int64s(times...), 100: fixture.Int64s(keys...)}
	for id, a := range more {
		out[id] = a
	}
	return out
}

// jsonArray makes an array of JSON text.
func jsonArray(t *testing.T, typ arrow.DataType, text string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, typ, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func segment(chunks ...flush.Chunk) fixture.Segment {
	return fixture.Segment{ID: 1001, Partition: partition, Level: milvus.LevelL1, Channel: channel, Chunks: chunks}
}

// A selection of nothing is a mistake (an empty shell variable), not a wish for an empty table.
func TestEmptySelections(t *testing.T) {
	c := collection(t)
	c.Add(t, segment(chunkOf(1, nil)))
	for _, opts := range []Options{{Columns: []string{}}, {Partitions: []string{}}, {Columns: []string{""}}} {
		if _, _, err := rows(snapshot(c), opts); !errors.Is(err, ErrSelect) {
			t.Errorf("%+v: %v; want ErrSelect", opts, err)
		}
	}
}

// A function's output that is asked for by name comes out.
func TestNamedFunctionOutput(t *testing.T) {
	c := collection(t, milvus.Field{ID: 101, Name: "out", Type: milvus.TypeInt32, FunctionOutput: true})
	c.Add(t, segment(chunkOf(1, flush.Chunk{101: jsonArray(t, arrow.PrimitiveTypes.Int32, `[5]`)})))
	wantRows(t, snapshot(c), Options{SkipFunctionOutputs: true}, `{"id":1}`)
	wantRows(t, snapshot(c), Options{SkipFunctionOutputs: true, Columns: []string{"id", "out"}}, `{"id":1,"out":5}`)
}

// What an L0 segment holds beside the deletes that are read stops the scan.
func TestOddL0Segments(t *testing.T) {
	for name, change := range map[string]func(*milvus.Segment){
		"with insert logs": func(s *milvus.Segment) {
			s.Binlogs = []milvus.FieldBinlog{{Field: 100, Binlogs: make([]milvus.Binlog, 1)}}
		},
		"of unknown storage": func(s *milvus.Segment) { s.StorageVersion = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			c := collection(t)
			c.Add(t, segment(chunkOf(1, nil)))
			c.Add(t, fixture.Segment{ID: 1002, Partition: partition, Level: milvus.LevelL0, Channel: channel})
			change(&c.Segments[1])
			if _, _, err := rows(snapshot(c), Options{}); !errors.Is(err, fault.ErrUnsupported) && !errors.Is(err, fault.ErrCorrupt) {
				t.Errorf("%v; want an error", err)
			}
		})
	}
}

// Deletes of L0 segments are read within the budget, whatever they would come to.
func TestL0DeletesWithinTheBudget(t *testing.T) {
	c := collection(t)
	c.Add(t, segment(chunkOf(1, nil)))
	keys := make([]int64, 100_000)
	for i := range keys {
		keys[i] = int64(i) + 100
	}
	c.Add(t, fixture.Segment{ID: 1002, Partition: partition, Level: milvus.LevelL0, Channel: channel,
		Deletes: []*deltalog.Deletes{fixture.Int64Deletes(fixture.DocumentsTime+1, keys...)}})
	if _, _, err := rows(snapshot(c), Options{Budget: NewBudget(1 << 20)}); !errors.Is(err, fault.ErrLimit) {
		t.Errorf("%v; want ErrLimit", err)
	}
	budget := NewBudget(32 << 20)
	wantRows(t, snapshot(c), Options{Budget: budget}, `{"id":1}`)
	if kept := 32<<20 - budget.Total(); kept < 100_000*16 || kept > 8<<20 {
		t.Errorf("%d bytes are kept for 100000 deletes", kept)
	}
}

// Column groups without files hold no rows.
func TestGroupsWithoutFiles(t *testing.T) {
	for _, version := range []int64{milvus.StorageV2, milvus.StorageV3} {
		for _, n := range []int64{0, 5} {
			c := collection(t)
			c.Segments = []milvus.Segment{{ID: 1, Partition: partition, Rows: n, StorageVersion: version, Binlogs: []milvus.FieldBinlog{{Field: 0, ChildFields: []milvus.FieldID{0, 1, 100}}}}}
			switch got, _, err := rows(snapshot(c), Options{}); {
			case n == 0 && (err != nil || len(got) > 0):
				t.Errorf("version %d: %q, %v; want nothing", version, got, err)
			case n > 0 && !errors.Is(err, fault.ErrCorrupt) && !errors.Is(err, fault.ErrMissing):
				t.Errorf("version %d, %d rows: %v; want an error", version, n, err)
			}
		}
	}
}

// Values that do not fit become NULL, but for those that decide which rows there are.
func TestBadKeysAreNeverNull(t *testing.T) {
	nullable := func(f milvus.Field) milvus.Field { f.Nullable = true; return f }
	for _, bad := range []milvus.Field{idField, timestampField} {
		c := collection(t)
		chunk := chunkOf(3, nil)
		c.Add(t, segment(chunk))
		c.Segments[0].Binlogs = rewrite(t, c, c.Segments[0], nullable(bad), jsonArray(t, arrow.PrimitiveTypes.Int64, `[1, null, 3]`))
		if _, _, err := rows(snapshot(c), Options{OnBad: BadNull}); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("field %d: %v; want ErrCorrupt", bad.ID, err)
		}
		if counts := wantRows(t, snapshot(c), Options{OnBad: BadSkip}, `{"id":1}`, `{"id":3}`); counts.BadSkipped != 1 {
			t.Errorf("field %d: %d rows skipped", bad.ID, counts.BadSkipped)
		}
	}
}

// rewrite replaces the one file of a field, as if it had been of another type.
func rewrite(t *testing.T, c *fixture.Collection, seg milvus.Segment, f milvus.Field, values arrow.Array) []milvus.FieldBinlog {
	t.Helper()
	raw, err := cell.Encode(f, values)
	if err != nil {
		t.Fatal(err)
	}
	body, err := binlog.Writer{}.Encode(head, f, raw)
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("files/rewritten-%d", f.ID)
	if err := os.WriteFile(filepath.Join(c.Dir, key), body, 0o644); err != nil {
		t.Fatal(err)
	}
	out := slices.Clone(seg.Binlogs)
	i := slices.IndexFunc(out, func(b milvus.FieldBinlog) bool { return b.Field == f.ID })
	out[i].Binlogs = []milvus.Binlog{{File: milvus.FileRef{Key: key}, LogID: 1, Entries: int64(values.Len()), Size: int64(len(body))}}
	return out
}

// Statistics of a file say nothing of values that are NULL for not fitting.
func TestBadNullsAreNotPruned(t *testing.T) {
	f := milvus.Field{ID: 101, Name: "n", Type: milvus.TypeInt8}
	c := collection(t, f)
	c.Add(t, segment(chunkOf(2, flush.Chunk{101: jsonArray(t, arrow.PrimitiveTypes.Int32, `[1, 2]`)})))
	wide := f
	wide.Type = milvus.TypeInt32
	c.Segments[0].Binlogs = rewrite(t, c, c.Segments[0], wide, jsonArray(t, arrow.PrimitiveTypes.Int32, `[1, 1000]`))
	where, err := filter.Parse("n is null", &milvus.Schema{Fields: []milvus.Field{idField, {ID: 101, Name: "n", Type: milvus.TypeInt8, Nullable: true}}})
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, snapshot(c), Options{OnBad: BadNull, Where: where}, `{"id":2,"n":null}`)
}

// A struct array is NULL where a member does not fit, and as nullable as its members.
func TestStructArrays(t *testing.T) {
	members := []milvus.Field{
		{ID: 102, Name: "a", Type: milvus.TypeArray, ElementType: milvus.TypeInt8, Nullable: true},
		{ID: 103, Name: "b", Type: milvus.TypeArray, ElementType: milvus.TypeVarChar, Nullable: true},
	}
	list32, texts := arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Int32}), arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.BinaryTypes.String})
	c := collection(t)
	c.Collection.Schema.StructArrays = []milvus.StructArray{{ID: 101, Name: "s", Members: members}}
	c.Add(t, segment(chunkOf(1, nil), chunkOf(2, flush.Chunk{102: jsonArray(t, list32, `[[1], null]`), 103: jsonArray(t, texts, `[["x"], null]`)})))
	snap := snapshot(c)
	wantRows(t, snap, Options{}, `{"id":1,"s":null}`, `{"id":1,"s":[{"a":1,"b":"x"}]}`, `{"id":2,"s":null}`)
	scan, err := Open(snap, Options{})
	if err != nil || !scan.Schema().Field(1).Nullable {
		t.Errorf("%v: a column that holds NULL is not nullable", err)
	}
}

func TestBadMemberOfStructArray(t *testing.T) {
	members := []milvus.Field{
		{ID: 102, Name: "a", Type: milvus.TypeArray, ElementType: milvus.TypeInt8},
		{ID: 103, Name: "b", Type: milvus.TypeArray, ElementType: milvus.TypeInt32},
	}
	list32 := arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Int32})
	c := collection(t)
	c.Collection.Schema.StructArrays = []milvus.StructArray{{ID: 101, Name: "s", Members: members}}
	c.Add(t, segment(chunkOf(2, flush.Chunk{102: jsonArray(t, list32, `[[1], [2]]`), 103: jsonArray(t, list32, `[[1], [2]]`)})))
	wide := members[0]
	wide.ElementType = milvus.TypeInt32
	c.Segments[0].Binlogs = rewrite(t, c, c.Segments[0], wide, jsonArray(t, list32, `[[1000], [2]]`))
	wantRows(t, snapshot(c), Options{OnBad: BadNull}, `{"id":1,"s":null}`, `{"id":2,"s":[{"a":2,"b":2}]}`)
	wantRows(t, snapshot(c), Options{OnBad: BadSkip}, `{"id":2,"s":[{"a":2,"b":2}]}`)
}

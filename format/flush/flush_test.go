package flush_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// everyType is a schema of the types that Milvus 2.3.5 knows.
func everyType(name string, key milvus.DataType) milvus.Schema {
	s := milvus.Schema{Name: name, EnableDynamic: true}
	for _, f := range []milvus.Field{
		{Name: "pk", Type: key, PrimaryKey: true, MaxLength: 64},
		{Name: "b", Type: milvus.TypeBool},
		{Name: "i8", Type: milvus.TypeInt8},
		{Name: "i16", Type: milvus.TypeInt16},
		{Name: "i32", Type: milvus.TypeInt32},
		{Name: "i64", Type: milvus.TypeInt64},
		{Name: "f", Type: milvus.TypeFloat},
		{Name: "d", Type: milvus.TypeDouble},
		{Name: "s", Type: milvus.TypeVarChar, MaxLength: 200},
		{Name: "j", Type: milvus.TypeJSON},
		{Name: "ai", Type: milvus.TypeArray, ElementType: milvus.TypeInt64, MaxCapacity: 10},
		{Name: "as", Type: milvus.TypeArray, ElementType: milvus.TypeVarChar, MaxCapacity: 10, MaxLength: 50},
		{Name: "v", Type: milvus.TypeFloatVector, Dim: 4},
		{Name: "$meta", Type: milvus.TypeJSON, Dynamic: true},
	} {
		f.ID = milvus.FirstUserField + milvus.FieldID(len(s.Fields))
		s.Fields = append(s.Fields, f)
	}
	return s
}

// row makes the values of row i, in the form of a query's JSON answer.
func row(s *milvus.Schema, i int64) map[string]any {
	texts := []string{"", "plain", "quote\" back\\slash", "<&> \u2028", "e\u0301 \U0001F600", "nul\x00 tab\t"}
	out := map[string]any{
		"pk": i*1_000_003 - 7, "b": i%3 == 0, "i8": i%256 - 128, "i16": i*257%65536 - 32768, "i32": i*7_000_003%4294967296 - 2147483648,
		"i64": 9007199254740993 + i, "f": float64(i) / 8, "d": 0.1 * float64(i), "s": texts[i%6] + strconv.FormatInt(i, 10),
		"j":  fmt.Sprintf(`{"n":%d,"text":"<%d>","list":[1,2.5,null]}`, 9007199254740993+i, i),
		"ai": []int64{}, "as": []string{texts[i%6]}, "v": []float64{float64(i), -0.5, 1.401298464324817e-45, 3.4028234663852886e38}, "$meta": fmt.Sprintf(`{"extra":%d}`, i),
	}
	for k := range i % 4 {
		out["ai"] = append(out["ai"].([]int64), k-i)
	}
	if s.Fields[0].Type == milvus.TypeVarChar {
		out["pk"] = fmt.Sprintf("%s-%05d", texts[i%5], i)
	}
	return out
}

// chunk turns rows into canonical columns; row k has the timestamp ts + k.
func chunk(t *testing.T, s *milvus.Schema, ts milvus.Timestamp, rows []map[string]any) flush.Chunk {
	t.Helper()
	times := make([]int64, len(rows))
	for i := range times {
		times[i] = int64(ts) + int64(i)
	}
	out := flush.Chunk{milvus.TimestampField: fixture.Int64s(times...)}
	for _, f := range s.Fields {
		column := make([]any, len(rows))
		for i, r := range rows {
			column[i] = r[f.Name]
		}
		text, err := json.Marshal(column)
		if err != nil {
			t.Fatal(err)
		}
		dt, err := cell.Type(f)
		if err != nil {
			t.Fatal(err)
		}
		if out[f.ID], _, err = array.FromJSON(memory.DefaultAllocator, dt, bytes.NewReader(text)); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
	}
	return out
}

const (
	baseTS = milvus.Timestamp(470646393191268355)
	partA  = milvus.PartitionID(11)
	partB  = milvus.PartitionID(12)
)

// history lays out three segments in two partitions with deletes of every kind, and returns the live rows.
func history(t *testing.T, c *fixture.Collection) []map[string]any {
	t.Helper()
	s := &c.Collection.Schema
	var rows []map[string]any
	for i := range int64(90) {
		rows = append(rows, row(s, i))
	}
	late := baseTS + 1000
	keys := func(which ...int) []any {
		var out []any
		for _, i := range which {
			out = append(out, rows[i]["pk"])
		}
		return out
	}
	c.Add(t, fixture.Segment{
		ID: 101, Partition: partA, Level: milvus.LevelL1, Channel: "ch_0",
		Chunks:  []flush.Chunk{chunk(t, s, baseTS, rows[:30]), chunk(t, s, baseTS+100, rows[30:50])},
		Deletes: []*deltalog.Deletes{deletes(late, keys(0, 29, 31)...), deletes(late+1, keys(31, 5)...)},
	})
	// The deletes of 60 and 61 are older than the rows, or of the same time: both live.
	c.Add(t, fixture.Segment{
		ID: 102, Partition: partA, Level: milvus.LevelL1, Channel: "ch_0",
		Chunks:  []flush.Chunk{chunk(t, s, baseTS+200, rows[50:70])},
		Deletes: []*deltalog.Deletes{deletes(baseTS, keys(60)...), deletes(baseTS+200+11, keys(61)...), deletes(late, keys(62)...)},
	})
	c.Add(t, fixture.Segment{
		ID: 103, Partition: partB, Level: milvus.LevelL1, Channel: "ch_0", Unsealed: true,
		Chunks: []flush.Chunk{chunk(t, s, baseTS+300, rows[70:])},
	})
	var live []map[string]any
	for i, r := range rows {
		if !slices.Contains([]int{0, 5, 29, 31, 62}, i) {
			live = append(live, r)
		}
	}
	return live
}

func deletes(ts milvus.Timestamp, keys ...any) *deltalog.Deletes {
	var ints []int64
	var texts []string
	for _, k := range keys {
		switch v := k.(type) {
		case int64:
			ints = append(ints, v)
		case string:
			texts = append(texts, v)
		}
	}
	if texts != nil {
		return fixture.StringDeletes(ts, texts...)
	}
	return fixture.Int64Deletes(ts, ints...)
}

func collection(t *testing.T, key milvus.DataType) *fixture.Collection {
	return fixture.New(t.TempDir(), milvus.Collection{
		ID: 1, Schema: everyType("every_"+key.String(), key), Partitions: []milvus.Partition{{ID: partA, Name: "_default"}, {ID: partB, Name: "other"}},
	})
}

// everyRow are the columns of history before any delete.
func everyRow(t *testing.T, s *milvus.Schema) flush.Chunk {
	var rows []map[string]any
	for i := range int64(90) {
		rows = append(rows, row(s, i))
	}
	return chunk(t, s, baseTS, rows)
}

// TestLayout reads a laid out collection again: keys, counts, bounds, sizes, values.
func TestLayout(t *testing.T) {
	for _, key := range []milvus.DataType{milvus.TypeInt64, milvus.TypeVarChar} {
		c := collection(t, key)
		history(t, c)
		if len(c.Segments) != 3 || c.Segments[0].Rows != 50 || c.Segments[1].Rows != 20 {
			t.Fatalf("segments %+v", c.Segments)
		}
		original := map[milvus.FieldID][]arrow.Array{}
		for _, seg := range c.Segments {
			if len(seg.Binlogs) != 16 || len(seg.Statslogs) != 1 {
				t.Errorf("segment %d: %d fields, %d statistics", seg.ID, len(seg.Binlogs), len(seg.Statslogs))
			}
			for _, f := range seg.Binlogs {
				original[f.Field] = append(original[f.Field], checkField(t, c, &seg, f)...)
			}
		}
		want := everyRow(t, &c.Collection.Schema)
		for id, parts := range original {
			all, err := array.Concatenate(parts, memory.DefaultAllocator)
			if err != nil || id >= milvus.FirstUserField && !array.Equal(all, want[id]) {
				t.Errorf("field %d has other values (%v)", id, err)
			}
		}
		log := c.Segments[0].Binlogs[0].Binlogs[1]
		if log.File.Key != fmt.Sprintf("files/insert_log/1/11/101/0/%d", log.LogID) || log.Entries != 20 || log.From != baseTS+100 || log.To != baseTS+119 || log.MemorySize != 160 {
			t.Errorf("second RowID file %+v", log)
		}
		d := c.Segments[0].Deltalogs[0].Binlogs
		if len(d) != 2 || d[0].File.Key != fmt.Sprintf("files/delta_log/1/11/101/%d", d[0].LogID) || d[0].Entries != 3 || d[0].From != baseTS+1000 {
			t.Errorf("deltalogs %+v", d)
		}
		stats, err := binlog.ReadStats(testkit.ReadFile(t, c.Dir, c.Segments[0].Statslogs[0].Binlogs[0].File.Key))
		if err != nil || len(stats) != 2 || c.Segments[0].Statslogs[0].Binlogs[0].LogID != binlog.CompoundLogID {
			t.Errorf("statistics %v, %v", stats, err)
		}
		if key == milvus.TypeInt64 && (stats[1].Min != int64(30*1_000_003-7) || stats[1].Max != int64(49*1_000_003-7) || !stats[1].Filter.HasInt64(40*1_000_003-7)) {
			t.Errorf("statistics %+v", stats[1])
		}
	}
}

func checkField(t *testing.T, c *fixture.Collection, seg *milvus.Segment, f milvus.FieldBinlog) (values []arrow.Array) {
	t.Helper()
	field, ok := c.Collection.Schema.Field(f.Field)
	if !ok {
		field = flush.SystemFields()[f.Field]
	}
	rows := int64(0)
	for _, log := range f.Binlogs {
		b := testkit.ReadFile(t, c.Dir, log.File.Key)
		file, err := binlog.Open(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := file.Descriptor; d.Collection != 1 || d.Partition != seg.Partition || d.Segment != seg.ID || d.Field != f.Field || d.Start != log.From || log.Size != int64(len(b)) {
			t.Errorf("%s: descriptor %+v", log.File.Key, d)
		}
		column, err := file.Column(field)
		if err != nil {
			t.Fatal(err)
		}
		for {
			raw, err := column.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				raw, err = cell.Decode(field, raw, cell.Options{})
			}
			if err != nil {
				t.Fatalf("%s: %v", log.File.Key, err)
			}
			values = append(values, raw)
		}
		if column.Rows() != log.Entries {
			t.Errorf("%s: %d rows, declared %d", log.File.Key, column.Rows(), log.Entries)
		}
		rows += log.Entries
	}
	if rows != seg.Rows {
		t.Errorf("field %d of segment %d: %d rows, want %d", f.Field, seg.ID, rows, seg.Rows)
	}
	return values
}

func TestRefuses(t *testing.T) {
	s := everyType("x", milvus.TypeInt64)
	good := chunk(t, &s, baseTS, []map[string]any{row(&s, 1)})
	good[milvus.RowIDField] = fixture.Int64s(1)
	w := flush.Writer{Root: "files", Schema: &s, NextLogID: func() milvus.LogID { return 2 }}
	if _, err := w.Insert(&milvus.Segment{}, 1, good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(flush.Chunk){
		"no RowID":      func(c flush.Chunk) { delete(c, milvus.RowIDField) },
		"no Timestamp":  func(c flush.Chunk) { delete(c, milvus.TimestampField) },
		"no key":        func(c flush.Chunk) { delete(c, 100) },
		"unknown field": func(c flush.Chunk) { c[999] = fixture.Int64s(1) },
		"other length":  func(c flush.Chunk) { c[105] = fixture.Int64s(1, 2) },
		"other type":    func(c flush.Chunk) { c[105] = fixture.Strings("x") },
	} {
		bad := flush.Chunk{}
		for k, v := range good {
			bad[k] = v
		}
		change(bad)
		if _, err := w.Insert(&milvus.Segment{}, 1, bad); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	delete(good, 105) // a field that was added later
	if _, err := w.Insert(&milvus.Segment{}, 1, good); err != nil {
		t.Errorf("a column less: %v", err)
	}
}

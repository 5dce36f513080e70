package reader_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

// Statistics of a file are not those of a range of its rows: here two of four values are NULL, and none of the range's two.
func TestRangeOfRows(t *testing.T) {
	dir := t.TempDir()
	c := fixture.New(dir, milvus.Collection{
		ID: 7, Database: "default", Partitions: []milvus.Partition{{ID: 8, Name: "_default"}},
		Schema: milvus.Schema{Name: "ranges", Fields: []milvus.Field{
			{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}, {ID: 101, Name: "n", Type: milvus.TypeInt64, Nullable: true},
		}},
	})
	c.Files.Version = milvus.StorageV3
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues([]int64{0, 0, 5, 6}, []bool{false, false, true, true})
	ts := int64(c.Written)
	seg := c.Add(t, fixture.Segment{ID: 9, Partition: 8, Level: milvus.LevelL1, Channel: "ch", Chunks: []flush.Chunk{
		{milvus.TimestampField: fixture.Int64s(ts, ts, ts, ts), 100: fixture.Int64s(1, 2, 3, 4), 101: b.NewArray()},
	}})
	keepRange(t, dir, seg.ManifestPath, 2, 4)
	c.Segments[0].Rows = 2
	opener := objstore.NewOpener(objstore.Config{})
	snap, err := describe.Resolve(t.Context(), filepath.Join(dir, c.Snapshot(t, "s", 1, nil)), describe.Options{Opener: opener})
	if err != nil {
		t.Fatal(err)
	}
	for expr, want := range map[string]int64{"n is not null": 2, "n is null": 0, "n > 5": 1, "id < 3": 0, "not (n is null)": 2} {
		where, err := filter.Parse(expr, &snap.Collection.Schema)
		if err != nil {
			t.Fatal(err)
		}
		scan, err := reader.Open(snap, reader.Options{Opener: opener, Where: where})
		if err != nil {
			t.Fatal(err)
		}
		var rows int64
		_, err = scan.Read(t.Context(), scan.Segments()[0], func(batch arrow.RecordBatch) error { rows += batch.NumRows(); return nil })
		if err != nil || rows != want {
			t.Errorf("%s: %d rows, want %d (%v)", expr, rows, want, err)
		}
	}
}

// keepRange has every file of a manifest list some rows only.
func keepRange(t *testing.T, dir, path string, first, end int64) {
	t.Helper()
	var at struct {
		Version int64  `json:"ver"`
		Base    string `json:"base_path"`
	}
	if err := json.Unmarshal([]byte(path), &at); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, loon.Key(at.Base, at.Version))
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := loon.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Groups {
		m.Groups[i].Files[0].Start, m.Groups[i].Files[0].End = first, end
	}
	if body, err = loon.Encode(m); err == nil {
		err = os.WriteFile(name, body, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

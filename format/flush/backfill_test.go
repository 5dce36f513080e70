package flush_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// A field that came later has one file for the rows of both chunks, whose groups have two; row groups are as small as asked for.
func TestBackfill(t *testing.T) {
	for _, version := range []int64{milvus.StorageV2, milvus.StorageV3} {
		c := collection(t, milvus.TypeInt64)
		c.Files.Version, c.Files.RowGroupBytes = version, 100
		all := everyRow(t, &c.Collection.Schema)
		all[milvus.RowIDField] = all[100]
		added := flush.Chunk{105: all[105], 112: all[112]}
		delete(all, 105)
		delete(all, 112)
		seg := c.Add(t, fixture.Segment{ID: 7, Partition: partA, Chunks: []flush.Chunk{slice(all, 0, 31), slice(all, 31, 90)}, Added: added})
		parts, files := map[milvus.FieldID][]arrow.Array{}, map[milvus.FieldID]int{}
		for _, g := range seg.Binlogs {
			files[g.Field] = len(g.Binlogs)
			readGroup(t, c, &seg, g, parts)
		}
		if fmt.Sprint(files) != "map[0:2 1:2 105:1 112:1]" {
			t.Errorf("V%d: groups with files %v", version, files)
		}
		for id, want := range added {
			got, err := array.Concatenate(parts[id], memory.DefaultAllocator)
			if err != nil || !array.Equal(got, want) || len(parts[id]) < 7 {
				t.Errorf("V%d, field %d in %d parts: %v (%v)", version, id, len(parts[id]), got, err)
			}
		}
		key := seg.Binlogs[2].Binlogs[0].File.Key
		if got := packedOpen(t, testkit.ReadFile(t, c.Dir, key)).Columns()[0].Name; got != "105" {
			t.Errorf("V%d: the column is named %s", version, got)
		}
		if version == milvus.StorageV3 {
			if v, _, m := manifest(t, c, &seg); v != 4 || len(m.Groups) != 4 || len(m.Groups[0].Files) != 2 || len(m.Groups[3].Files) != 1 {
				t.Errorf("manifest %d: %+v", v, m)
			}
		}
		for id, values := range map[milvus.FieldID]arrow.Array{105: added[105], 101: slice(all, 1, 3)[101], 999: added[105]} {
			if _, err := c.Files.Backfill(&seg, baseTS, id, values); !errors.Is(err, fault.ErrCorrupt) {
				t.Errorf("V%d, field %d: %v", version, id, err)
			}
		}
	}
	c := collection(t, milvus.TypeInt64)
	bare := milvus.Segment{StorageVersion: milvus.StorageV2, Rows: 1}
	if _, err := c.Files.Backfill(&bare, baseTS, 101, slice(everyRow(t, &c.Collection.Schema), 0, 1)[101]); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("rows without files: %v", err)
	}
	if _, err := (&flush.Writer{Schema: &milvus.Schema{}}).Backfill(&milvus.Segment{}, baseTS, 105, fixture.Int64s()); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("V1: %v", err)
	}
}

func slice(c flush.Chunk, from, to int64) flush.Chunk {
	out := flush.Chunk{}
	for id, a := range c {
		out[id] = array.NewSlice(a, from, to)
	}
	return out
}

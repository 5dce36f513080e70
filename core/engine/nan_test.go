package engine

import (
	"fmt"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// TestNaNsKeepTheirBits: of several NaNs, of zeros of both signs, each comes back from files as it went in.
func TestNaNsKeepTheirBits(t *testing.T) {
	patterns := []uint64{0x7ff8000000000000, 0x7ff8000000000001, 0xfff8000000000000, 1 << 63, 0, 0x7ff8000000000000}
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV2, milvus.StorageV3} {
		t.Run(fmt.Sprint("V", version), func(t *testing.T) {
			t.Parallel()
			s := &milvus.Schema{Name: "nan", Fields: []milvus.Field{
				{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}, {ID: 101, Name: "d", Type: milvus.TypeDouble}, {ID: 102, Name: "f", Type: milvus.TypeFloat},
			}}
			d, f := array.NewFloat64Builder(allocator), array.NewFloat32Builder(allocator)
			for _, bits := range patterns {
				d.Append(math.Float64frombits(bits))
				f.Append(math.Float32frombits(uint32(bits>>32) | uint32(bits&1)))
			}
			keys := fixture.Int64s(1, 2, 3, 4, 5, 6)
			id := milvus.LogID(1)
			w := flush.Writer{Root: "files", Schema: s, Version: version, NextLogID: func() milvus.LogID { id++; return id }}
			seg := milvus.Segment{ID: 1, Partition: 1, Collection: 1}
			chunk := flush.Chunk{0: keys, 1: keys, 100: keys, 101: d.NewArray(), 102: f.NewArray()}
			objects, err := w.Insert(&seg, 1, chunk)
			if err != nil {
				t.Fatal(err)
			}
			store := objstore.Local(t.TempDir())
			for _, o := range objects {
				if err := store.Put(t.Context(), o.Key, o.Body); err != nil {
					t.Fatal(err)
				}
			}
			e := &Engine{files: store, cache: newCache(1 << 20)}
			got, err := e.load(t.Context(), s, &seg, s.Fields)
			if err != nil {
				t.Fatal(err)
			}
			for _, field := range s.Fields[1:] {
				if a, b := bitsOf(t, field, got[field.ID]), bitsOf(t, field, chunk[field.ID]); a != b {
					t.Errorf("%s: %s, want %s", field.Name, a, b)
				}
			}
		})
	}
}

func bitsOf(t *testing.T, f milvus.Field, a arrow.Array) string {
	t.Helper()
	if typ, err := cell.Type(f); err != nil || !arrow.TypeEqual(typ, a.DataType()) {
		t.Fatalf("%v, %v", a.DataType(), err)
	}
	return fmt.Sprintf("%x", a.Data().Buffers()[1].Bytes()[:a.Len()*a.DataType().(arrow.FixedWidthDataType).Bytes()])
}

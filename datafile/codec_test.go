package datafile

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go/format"
)

func TestParseCodec(t *testing.T) {
	for in, want := range map[string]string{
		"zstd": "zstd:1", "zstd:9": "zstd:9", "snappy": "snappy", "none": "none",
		"zstd:0": "", "zstd:23": "", "zstd:": "", "snappy:1": "", "gzip": "", "": "",
	} {
		c, err := ParseCodec(in)
		if got := c.String(); err == nil && got != want || (err != nil) != (want == "") {
			t.Errorf("%q is %s, %v", in, got, err)
		}
	}
}

// TestWherePays looks at the codecs of chunks: those of which no page shrinks say that they are not compressed, and keep their
// bytes.
func TestWherePays(t *testing.T) {
	schema := numbered(arrow.Field{Name: "random", Type: arrow.PrimitiveTypes.Int64}, arrow.Field{Name: "text", Type: arrow.BinaryTypes.String},
		arrow.Field{Name: "v", Type: arrow.FixedSizeListOfField(16, element(arrow.PrimitiveTypes.Float32, false))})
	r := rand.New(rand.NewPCG(5, 6))
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i := range 20_000 {
		b.Field(0).(*array.Int64Builder).Append(r.Int64())
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("the title of number ", i))
		list := b.Field(2).(*array.FixedSizeListBuilder)
		list.Append(true)
		for range 16 {
			list.ValueBuilder().(*array.Float32Builder).Append(r.Float32())
		}
	}
	rec := b.NewRecordBatch()
	for _, c := range []struct {
		opts Options
		want []format.CompressionCodec
	}{
		{Options{}, []format.CompressionCodec{format.Uncompressed, format.Zstd, format.Uncompressed}},
		{Options{Scalars: Codec{Name: CodecSnappy}}, []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Uncompressed}},
		{Options{Scalars: Codec{Name: CodecNone}}, []format.CompressionCodec{format.Uncompressed, format.Uncompressed, format.Uncompressed}},
		{Options{Vectors: Codec{Name: CodecZstd, Level: 1}}, []format.CompressionCodec{format.Uncompressed, format.Zstd, format.Zstd}},
	} {
		c.opts.PageBytes = 10_000
		path, stats := write(t, schema, c.opts, rec)
		checkPages(t, path, stats)
		for i, chunk := range footerOf(t, read(t, path)).RowGroups[0].Columns {
			m := chunk.MetaData
			if m.Codec != c.want[i] || (m.Codec == format.Uncompressed) != (m.TotalCompressedSize == m.TotalUncompressedSize) {
				t.Errorf("%+v: %v: codec %v, %d bytes of %d", c.opts, m.PathInSchema, m.Codec, m.TotalCompressedSize, m.TotalUncompressedSize)
			}
		}
		if n := checkBack(t, path, schema, []arrow.RecordBatch{rec}); n != 3 {
			t.Errorf("%d columns read back", n)
		}
	}
}

// TestNullsFirst: pages of NULLs say nothing of how the values after them are best written.
func TestNullsFirst(t *testing.T) {
	schema := numbered(arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64}, arrow.Field{Name: "tag", Type: arrow.BinaryTypes.String, Nullable: true},
		arrow.Field{Name: "title", Type: arrow.BinaryTypes.String, Nullable: true})
	var batches []arrow.RecordBatch
	for group := range 4 {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := range 3000 {
			b.Field(0).(*array.Int64Builder).Append(int64(i))
			if group < 3 {
				b.Field(1).AppendNull()
				b.Field(2).AppendNull()
				continue
			}
			b.Field(1).(*array.StringBuilder).Append([]string{"red", "green", "blue"}[i%3])
			b.Field(2).(*array.StringBuilder).Append(fmt.Sprint("the title of number ", i))
		}
		batches = append(batches, b.NewRecordBatch())
	}
	path, stats := write(t, schema, Options{RowGroupBytes: 1}, batches...)
	checkPages(t, path, stats)
	groups := footerOf(t, read(t, path)).RowGroups
	if len(groups) != 4 {
		t.Fatalf("%d row groups", len(groups))
	}
	if tag, title := groups[3].Columns[1].MetaData, groups[3].Columns[2].MetaData; tag.DictionaryPageOffset == 0 || title.Codec != format.Zstd {
		t.Errorf("tags with a dictionary at %d, titles in %v", tag.DictionaryPageOffset, title.Codec)
	}
	if n := checkBack(t, path, schema, batches); n != 3 {
		t.Errorf("%d columns read back", n)
	}
}

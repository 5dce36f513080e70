package datafile

import (
	"bytes"
	"hash/crc32"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// checkPages follows every page of a file and compares footers, offset indexes and column indexes with it.
func checkPages(t *testing.T, path string, stats Stats) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := footerOf(t, data)
	if m.NumRows != stats.Rows || len(m.RowGroups) != len(stats.SplitOffsets) || int64(len(data)) != stats.Bytes {
		t.Fatalf("%d rows in %d row groups, %d bytes; not %+v", m.NumRows, len(m.RowGroups), len(data), stats)
	}
	at := int64(len(magic))
	rows := int64(0)
	for g, group := range m.RowGroups {
		if stats.SplitOffsets[g] != at || group.FileOffset != at || int(group.Ordinal) != g {
			t.Errorf("row group %d (%d) at %d and %d, not %d", g, group.Ordinal, stats.SplitOffsets[g], group.FileOffset, at)
		}
		raw := int64(0)
		for _, c := range group.Columns {
			at = checkChunk(t, data, at, c, group.NumRows)
			raw += c.MetaData.TotalUncompressedSize
		}
		if raw != group.TotalByteSize {
			t.Errorf("row group of %d bytes, its chunks have %d", group.TotalByteSize, raw)
		}
		rows += group.NumRows
	}
	if rows != m.NumRows || len(m.RowGroups) > 0 && len(m.ColumnOrders) != len(m.RowGroups[0].Columns) {
		t.Errorf("%d rows in row groups, %d in the file; %d orders", rows, m.NumRows, len(m.ColumnOrders))
	}
}

// checkChunk follows the pages of a chunk that begins at offset at, and returns where it ends.
func checkChunk(t *testing.T, data []byte, at int64, c format.ColumnChunk, rows int64) int64 {
	t.Helper()
	meta := c.MetaData
	name := meta.PathInSchema
	var offsets format.OffsetIndex
	decode(t, data[c.OffsetIndexOffset:c.OffsetIndexOffset+int64(c.OffsetIndexLength)], &offsets)
	var column *format.ColumnIndex
	if c.ColumnIndexLength > 0 {
		column = new(format.ColumnIndex)
		decode(t, data[c.ColumnIndexOffset:c.ColumnIndexOffset+int64(c.ColumnIndexLength)], column)
		if n := len(offsets.PageLocations); len(column.NullPages) != n || len(column.MinValues) != n || len(column.MaxValues) != n || len(column.NullCounts) != n {
			t.Errorf("%v: column index %+v of %d pages", name, column, n)
		}
	}
	begin, values, row, nulls, dictionaries, page := at, int64(0), int64(0), int64(0), 0, 0
	for values < meta.NumValues {
		start := at
		var h format.PageHeader
		at += decode(t, data[at:], &h)
		body := data[at : at+int64(h.CompressedPageSize)]
		at += int64(h.CompressedPageSize)
		if crc := int32(crc32.ChecksumIEEE(body)); crc != h.CRC {
			t.Errorf("%v: page %d has CRC %x, not %x", name, page, h.CRC, crc)
		}
		if h.Type == format.DictionaryPage {
			dictionaries++
			if meta.DictionaryPageOffset != start || page > 0 {
				t.Errorf("%v: dictionary at %d, not %d", name, start, meta.DictionaryPageOffset)
			}
			continue
		}
		if page == 0 && meta.DataPageOffset != start {
			t.Errorf("%v: data at %d, not %d", name, start, meta.DataPageOffset)
		}
		v2 := h.DataPageHeaderV2.V
		if got, want := offsets.PageLocations[page], (format.PageLocation{Offset: start, CompressedPageSize: int32(at - start), FirstRowIndex: row}); got != want {
			t.Errorf("%v: page %d is at %+v, not %+v", name, page, got, want)
		}
		if column != nil && (column.NullCounts[page] != int64(v2.NumNulls) || column.NullPages[page] != (v2.NumNulls == v2.NumValues)) {
			t.Errorf("%v: page %d has %d NULLs, its index %d", name, page, v2.NumNulls, column.NullCounts[page])
		}
		row, values, nulls, page = row+int64(v2.NumRows), values+int64(v2.NumValues), nulls+int64(v2.NumNulls), page+1
	}
	if row != rows || at-begin != meta.TotalCompressedSize || page != len(offsets.PageLocations) || (dictionaries > 0) != (meta.DictionaryPageOffset > 0) {
		t.Errorf("%v: %d of %d rows, %d of %d bytes, %d pages, %d dictionaries", name, row, rows, at-begin, meta.TotalCompressedSize, page, dictionaries)
	}
	checkOrder(t, column, meta)
	if meta.Statistics.MinValue != nil && meta.Statistics.NullCount != nulls {
		t.Errorf("%v: %d NULLs, the statistics have %d", name, nulls, meta.Statistics.NullCount)
	}
	return at
}

// checkOrder compares the bounds of texts' pages with the order that the index says they have.
func checkOrder(t *testing.T, x *format.ColumnIndex, meta format.ColumnMetaData) {
	t.Helper()
	if x == nil || meta.Type != format.ByteArray {
		return
	}
	up, down := true, true
	var low, high []byte
	for i, null := range x.NullPages {
		if null {
			continue
		}
		if bytes.Compare(x.MinValues[i], x.MaxValues[i]) > 0 || bytes.Compare(meta.Statistics.MinValue, x.MinValues[i]) > 0 || bytes.Compare(meta.Statistics.MaxValue, x.MaxValues[i]) < 0 {
			t.Errorf("%v: bounds %q, %q in %q, %q", meta.PathInSchema, x.MinValues[i], x.MaxValues[i], meta.Statistics.MinValue, meta.Statistics.MaxValue)
		}
		if low != nil {
			a, b := bytes.Compare(x.MinValues[i], low), bytes.Compare(x.MaxValues[i], high)
			up, down = up && a >= 0 && b >= 0, down && a <= 0 && b <= 0
		}
		low, high = x.MinValues[i], x.MaxValues[i]
	}
	if x.BoundaryOrder == format.Ascending && !up || x.BoundaryOrder == format.Descending && !down {
		t.Errorf("%v: order %v of %q and %q", meta.PathInSchema, x.BoundaryOrder, x.MinValues, x.MaxValues)
	}
}

// decode decodes a message and returns its length.
func decode(t *testing.T, data []byte, message any) int64 {
	t.Helper()
	r := bytes.NewReader(data)
	if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(r)).Decode(message); err != nil {
		t.Fatal(err)
	}
	return int64(len(data) - r.Len())
}

// TestBuffers writes file after file with the same buffers: they come to hold a row group's vectors, and no more.
func TestBuffers(t *testing.T) {
	schema := numbered(arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "v", Type: arrow.FixedSizeListOfField(256, element(arrow.PrimitiveTypes.Float32, false))})
	batches := vectors(schema, 256, 8, 128)
	var shared Buffers
	for range 3 {
		path, stats := write(t, schema, Options{PageBytes: 1024, RowGroupBytes: 300 << 10, Buffers: &shared}, batches...)
		checkPages(t, path, stats)
		if got := checkBack(t, path, schema, batches); got != 2 {
			t.Errorf("%d columns read back", got)
		}
		if n := len(shared.free); len(stats.SplitOffsets) < 3 || n < 256 || n > 512 {
			t.Errorf("%d row groups, then %d buffers", len(stats.SplitOffsets), n)
		}
	}
}

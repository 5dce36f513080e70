package datafile

import (
	"bytes"
	"hash/crc32"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapexport/snapexport/fault"
)

// chunk is what is finished of a leaf in the row group that is being written.
type chunk struct {
	leaf    leaf
	codec   *zstd.Encoder // nil: not compressed
	blocks  *Buffers
	scratch []byte // of the codec

	file summary // of all row groups before

	pages      []page
	dict       *page
	numValues  int64 // NULLs included
	numRows    int64
	rawBytes   int64 // before compression, with headers
	writeBytes int64 // as written
	plain      int32 // pages in PLAIN
	indexed    int32 // pages of indices into the dictionary
	summary    summary
}

// page is a finished page.
type page struct {
	head     []byte // header and levels
	body     []byte
	row      int64 // the first, counted from the row group's begin
	observed summary
}

func (p page) size() int64 { return int64(len(p.head) + len(p.body)) }

// draft is a page before compression.
type draft struct {
	rep, def            []byte // levels, encoded
	body                []byte // of values that are not NULL; where the chunk does not compress, a block that finish takes over
	values, nulls, rows int
	encoding            format.Encoding
	observed            summary
}

func newChunk(l leaf, codec *zstd.Encoder, b *Buffers) chunk {
	return chunk{leaf: l, codec: codec, blocks: b, file: newSummary(l), summary: newSummary(l)}
}

// finish adds a page.
func (c *chunk) finish(d draft) error {
	if n := len(d.rep) + len(d.def) + len(d.body); n > math.MaxInt32 {
		return fault.Limit(opWrite, "one row has %d bytes of the column %q", n, c.leaf.path[0])
	}
	body, compressed := c.pack(d.body)
	levels := len(d.rep) + len(d.def)
	crc := crc32.Update(crc32.Update(crc32.ChecksumIEEE(d.rep), crc32.IEEETable, d.def), crc32.IEEETable, body)
	head := marshal(pageHeader{
		Type: format.DataPageV2, Uncompressed: int32(levels + len(d.body)), Compressed: int32(levels + len(body)), CRC: thrift.New(int32(crc)),
		Data: thrift.New(dataHeader{
			Values: int32(d.values), Nulls: int32(d.nulls), Rows: int32(d.rows), Encoding: d.encoding,
			DefBytes: int32(len(d.def)), RepBytes: int32(len(d.rep)), IsCompressed: thrift.New(compressed),
		}),
	})
	c.rawBytes += int64(len(head) + levels + len(d.body))
	p := page{head: append(append(head, d.rep...), d.def...), body: body, row: c.numRows, observed: d.observed}
	c.pages = append(c.pages, p)
	c.writeBytes += p.size()
	c.numValues += int64(d.values)
	c.numRows += int64(d.rows)
	if d.encoding == format.Plain {
		c.plain++
	} else {
		c.indexed++
	}
	c.summary.merge(d.observed)
	return nil
}

// dictionary sets the dictionary page, which comes before all others. The bytes stay the caller's.
func (c *chunk) dictionary(values []byte, n int) {
	body := c.codec.EncodeAll(values, nil) // also where it is no shorter: dictionary pages can't say that they are not compressed
	head := marshal(pageHeader{
		Type: format.DictionaryPage, Uncompressed: int32(len(values)), Compressed: int32(len(body)), CRC: thrift.New(int32(crc32.ChecksumIEEE(body))),
		Dictionary: thrift.New(format.DictionaryPageHeader{NumValues: int32(n), Encoding: format.Plain}),
	})
	c.dict = &page{head: head, body: body}
	c.rawBytes += int64(len(head) + len(values))
	c.writeBytes += c.dict.size()
}

// pack compresses a page's values where that makes them smaller, and says whether it did. Without a codec it returns them,
// else bytes of their own.
func (c *chunk) pack(values []byte) ([]byte, bool) {
	if c.codec == nil {
		return values, false
	}
	c.scratch = c.codec.EncodeAll(values, c.scratch[:0])
	if len(c.scratch) >= len(values) {
		return bytes.Clone(values), false
	}
	return bytes.Clone(c.scratch), true
}

// writeTo writes the chunk at offset at, describes it, and begins the next row group's.
func (c *chunk) writeTo(out io.Writer, at int64) (columnMeta, indexes, error) {
	m := columnMeta{
		Type: c.leaf.physical, Path: c.leaf.path, Values: c.numValues, Uncompressed: c.rawBytes, Compressed: c.writeBytes, DataOffset: at,
		Encodings: []format.Encoding{format.Plain, format.RLE}, Stats: c.statistics(),
	}
	if c.codec != nil {
		m.Codec = format.Zstd
	}
	pages := c.pages
	if c.dict != nil {
		m.Encodings = append(m.Encodings, format.RLEDictionary)
		m.DictOffset, m.DataOffset = at, at+c.dict.size()
		m.EncodingStats = append(m.EncodingStats, format.PageEncodingStats{PageType: format.DictionaryPage, Encoding: format.Plain, Count: 1})
		pages = append([]page{*c.dict}, pages...)
	}
	for _, s := range []format.PageEncodingStats{{PageType: format.DataPageV2, Encoding: format.RLEDictionary, Count: c.indexed}, {PageType: format.DataPageV2, Encoding: format.Plain, Count: c.plain}} {
		if s.Count > 0 {
			m.EncodingStats = append(m.EncodingStats, s)
		}
	}
	for _, p := range pages {
		for _, part := range [][]byte{p.head, p.body} {
			if _, err := out.Write(part); err != nil {
				return m, indexes{}, err
			}
		}
	}
	index := c.index(m.DataOffset)
	if c.codec == nil { // bodies that were compressed, or could not be, are no blocks
		for i := range c.pages {
			c.blocks.put(c.pages[i].body)
		}
	}
	clear(c.pages)
	c.file.merge(c.summary)
	*c = chunk{leaf: c.leaf, codec: c.codec, blocks: c.blocks, scratch: c.scratch, file: c.file, pages: c.pages[:0], summary: newSummary(c.leaf)}
	return m, index, nil
}

// Buffers are page buffers for use again, by files that are written one after the other. The zero value is ready; it comes to
// hold about a row group. It is not safe for concurrent use.
type Buffers struct {
	size int
	free [][]byte
}

// use makes the buffers ones of a size.
func (b *Buffers) use(size int) {
	if b.size != size {
		b.size, b.free = size, nil
	}
}

func (b *Buffers) get() []byte {
	n := len(b.free)
	if n == 0 {
		return make([]byte, 0, b.size)
	}
	out := b.free[n-1]
	b.free = b.free[:n-1]
	return out
}

// put takes a buffer back. Those of other sizes are left to the garbage collector.
func (b *Buffers) put(p []byte) {
	if cap(p) == b.size {
		b.free = append(b.free, p[:0])
	}
}

package datafile

import (
	"bytes"
	"hash/crc32"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapexport/snapexport/fault"
)

// chunk is what is finished of a leaf in the row group that is being written.
type chunk struct {
	leaf   leaf
	codec  *packer // nil: not compressed
	blocks *Buffers
	poor   int // pages in a row that compression does not pay for

	file summary // of all row groups before

	pages      []page
	dict       *page
	numValues  int64 // NULLs included
	numRows    int64
	rawBytes   int64 // before compression, with headers
	writeBytes int64 // as written
	plain      int32 // pages in PLAIN
	indexed    int32 // pages of indices into the dictionary
	compressed bool  // any of its pages
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
	body                []byte // of values that are not NULL
	own                 bool   // body is a block that finish takes over
	values, nulls, rows int
	encoding            format.Encoding
	observed            summary
}

func newChunk(l leaf, codec *packer, b *Buffers) chunk {
	return chunk{leaf: l, codec: codec, blocks: b, file: newSummary(l), summary: newSummary(l)}
}

// finish adds a page.
func (c *chunk) finish(d draft) error {
	if n := len(d.rep) + len(d.def) + len(d.body); n > math.MaxInt32 {
		return fault.Limit(opWrite, "one row has %d bytes of the column %q", n, c.leaf.path[0])
	}
	body, compressed := c.pack(d)
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
	body := bytes.Clone(values)
	if c.codec != nil {
		body, c.compressed = c.codec.pack(nil, values), true // also where it is no shorter: dictionary pages can't say that they are not compressed
	}
	head := marshal(pageHeader{
		Type: format.DictionaryPage, Uncompressed: int32(len(values)), Compressed: int32(len(body)), CRC: thrift.New(int32(crc32.ChecksumIEEE(body))),
		Dictionary: thrift.New(format.DictionaryPageHeader{NumValues: int32(n), Encoding: format.Plain}),
	})
	c.dict = &page{head: head, body: body}
	c.rawBytes += int64(len(head) + len(values))
	c.writeBytes += c.dict.size()
}

// Compression pays where it saves a part of the page. A column for which it did not twice in a row, such as one of random
// keys, is tried again only with every rest-th page.
const (
	worth  = 16
	trials = 2
	rest   = 32
)

// pack returns a page's values, compressed where that pays, in bytes of the page's own, and says whether they are.
func (c *chunk) pack(d draft) ([]byte, bool) {
	if c.codec != nil && len(d.body) > 0 && (c.poor < trials || c.poor%rest == 0) {
		c.blocks.packed = c.codec.pack(c.blocks.packed, d.body)
		if n := len(d.body); len(c.blocks.packed) < n-n/worth {
			if d.own {
				c.blocks.put(d.body)
			}
			c.poor, c.compressed = 0, true
			return bytes.Clone(c.blocks.packed), true
		}
	}
	if len(d.body) > 0 { // NULLs tell nothing of the values to come
		c.poor++
	}
	if d.own {
		return d.body, false
	}
	return bytes.Clone(d.body), false
}

// writeTo writes the chunk at offset at, describes it, and begins the next row group's.
func (c *chunk) writeTo(out io.Writer, at int64) (columnMeta, indexes, error) {
	m := columnMeta{
		Type: c.leaf.physical, Path: c.leaf.path, Values: c.numValues, Uncompressed: c.rawBytes, Compressed: c.writeBytes, DataOffset: at,
		Encodings: []format.Encoding{format.Plain, format.RLE}, Stats: c.statistics(),
	}
	if c.compressed {
		m.Codec = c.codec.codec
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
	for i := range c.pages {
		c.blocks.put(c.pages[i].body)
	}
	clear(c.pages)
	c.file.merge(c.summary)
	*c = chunk{leaf: c.leaf, codec: c.codec, blocks: c.blocks, poor: c.poor, file: c.file, pages: c.pages[:0], summary: newSummary(c.leaf)}
	return m, index, nil
}

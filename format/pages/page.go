package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/parquet-go/parquet-go/format"
)

// page is one data page while its rows are taken from it. Exactly one of fixed, bytes and bools is set.
type page struct {
	total int // values, NULLs included; of a flat column that is rows
	pos   int // values taken

	valid []byte // flat: bitmap over total; nil if there is no NULL
	defs  []uint8
	reps  []uint8 // lists: levels of each value
	whole bool    // lists: the last row ends with the page

	fixed fixedValues
	bytes byteValues
	bools []byte // bitmap of the values without gaps
	bool  int    // bits taken of bools
	owned bool   // the page's bytes may be overwritten

	memory []byte // of the decompressed page; nil where it is the file's
}

func (p *page) left() int { return p.total - p.pos }

// finish is called when all values were taken.
func (p *page) finish() error {
	switch v := p.bytes.(type) {
	case *plainBytes:
		if len(v.body) > 0 {
			return fmt.Errorf("%d bytes behind the last value of a page", len(v.body))
		}
	case *lengthBytes:
		if len(v.body) > 0 {
			return fmt.Errorf("%d bytes behind the last value of a page", len(v.body))
		}
	}
	return nil
}

// chunkReader walks over the pages of one chunk.
type chunkReader struct {
	src    source
	col    *Column
	limits Limits
	chunk  *Chunk
	off    int64 // of the next page
	left   int64 // values that are still to come

	seen      bool   // a page was read: a dictionary can't follow
	memory    []byte // of the decompressed dictionary
	dictFixed []byte
	dictBytes *byteDict
	dictSize  int // -1 without a dictionary
}

// next returns the next data page that has values, nil at the end of the chunk.
func (r *chunkReader) next() (*page, error) {
	for r.off < r.chunk.end {
		at := r.off
		h, n, err := r.header()
		if err != nil {
			return nil, err
		}
		body := at + int64(n)
		if err := r.checkSizes(h, body); err != nil {
			return nil, err
		}
		r.off = body + int64(h.Compressed)
		raw, err := r.src.view(body, int(h.Compressed), r.chunk.end)
		if err != nil {
			return nil, err
		}
		p, err := r.page(h, raw)
		if err != nil {
			return nil, located(err, at)
		}
		r.seen = true
		if p != nil && p.total > 0 {
			return p, nil
		}
	}
	if r.left > 0 {
		return nil, corrupt(r.chunk.end, "the chunk is %d values short of the %d it declares", r.left, r.chunk.Values)
	}
	return nil, nil
}

// header reads the page header at r.off and returns its length.
func (r *chunkReader) header() (*pageHeader, int, error) {
	rest := min(r.chunk.end-r.off, maxPageHeader)
	for n := min(rest, 512); ; n = min(rest, n*16) {
		b, err := r.src.view(r.off, int(n), r.chunk.end)
		if err != nil {
			return nil, 0, err
		}
		size, err := thriftLength(b)
		if errors.Is(err, errShort) && n < rest {
			continue
		}
		if err != nil {
			return nil, 0, corrupt(r.off, "page header: %v", err)
		}
		h := new(pageHeader)
		if err := thriftDecode(b[:size], h); err != nil {
			return nil, 0, corrupt(r.off, "page header: %v", err)
		}
		return h, size, nil
	}
}

func (r *chunkReader) checkSizes(h *pageHeader, body int64) error {
	switch {
	case h.Compressed < 0 || h.Uncompressed < 0:
		return corrupt(r.off, "a page of %d bytes, %d decompressed", h.Compressed, h.Uncompressed)
	case int64(h.Compressed) > r.chunk.end-body:
		return corrupt(r.off, "a page of %d bytes in a chunk that has %d left", h.Compressed, r.chunk.end-body)
	case int(h.Uncompressed) > r.limits.Page:
		return tooLarge(r.off, "a page of %d bytes when decompressed; the limit is %d", h.Uncompressed, r.limits.Page)
	}
	return nil
}

func (r *chunkReader) page(h *pageHeader, raw []byte) (*page, error) {
	if h.CRC.Valid && crc32.ChecksumIEEE(raw) != uint32(h.CRC.V) {
		return nil, errors.New("the page's checksum does not match")
	}
	switch format.PageType(h.Type) {
	case format.DictionaryPage:
		if !h.Dict.Valid {
			return nil, errors.New("a dictionary page without its header")
		}
		return nil, r.dictionary(raw, int(h.Uncompressed), h.Dict.V)
	case format.DataPage:
		if !h.Data.Valid {
			return nil, errors.New("a data page without its header")
		}
		return r.dataPage(raw, int(h.Uncompressed), h.Data.V)
	case format.DataPageV2:
		if !h.DataV2.Valid {
			return nil, errors.New("a data page v2 without its header")
		}
		return r.dataPageV2(raw, int(h.Uncompressed), h.DataV2.V)
	case format.IndexPage:
		return nil, nil
	}
	return nil, unsupported(0, "page type %d", h.Type)
}

// expanded are decompressed bytes.
type expanded struct {
	bytes  []byte
	owned  bool   // they may be overwritten
	memory []byte // where they lie; nil where they are the file's
}

func (r *chunkReader) expand(raw []byte, size int, compressed bool) (expanded, error) {
	if r.chunk.codec == format.Uncompressed || !compressed {
		if len(raw) != size {
			return expanded{}, fmt.Errorf("an uncompressed page of %d bytes is declared to have %d", len(raw), size)
		}
		return expanded{bytes: raw, owned: r.src.owned()}, nil
	}
	b, err := decompress(r.chunk.codec, raw, size)
	return expanded{b, true, b}, err
}

func (r *chunkReader) dictionary(raw []byte, size int, h dictHeader) error {
	if r.seen || r.dictSize >= 0 {
		return errors.New("a dictionary page that is not the first of its chunk")
	}
	//lint:ignore SA1019 deprecated for writers; files have it
	if e := format.Encoding(h.Encoding); e != format.Plain && e != format.PlainDictionary {
		return unsupported(0, "a dictionary in %v", e)
	}
	n, width := int(h.Values), r.col.width()
	if n < 0 || width > 0 && int64(n)*int64(width) != int64(size) {
		return fmt.Errorf("a dictionary of %d values in %d bytes", n, size)
	}
	body, err := r.expand(raw, size, true)
	if err != nil {
		return err
	}
	if body.memory == nil && r.src.mem == nil { // what was read ahead does not last as long as a dictionary
		body.bytes = bytes.Clone(body.bytes)
	}
	r.memory = body.memory
	switch {
	case width > 0:
		r.dictFixed = body.bytes
	case r.col.Physical == ByteArray:
		if r.dictBytes, err = newByteDict(body.bytes, n); err != nil {
			return err
		}
	default:
		return fmt.Errorf("a dictionary of %v", r.col.Physical)
	}
	r.dictSize = n
	return nil
}

// checkValues books the values of a page.
func (r *chunkReader) checkValues(n int) error {
	switch {
	case n < 0 || int64(n) > r.left:
		return fmt.Errorf("a page of %d values in a chunk that has %d left", n, r.left)
	case n > maxPageValues || r.col.List && n > maxLevelValues:
		return tooLarge(0, "a page of %d values", n)
	}
	r.left -= int64(n)
	return nil
}

func (r *chunkReader) dataPage(raw []byte, size int, h dataHeader) (*page, error) {
	if err := r.checkValues(int(h.Values)); err != nil {
		return nil, err
	}
	// The commonest page can be checked before anything is decompressed.
	width := r.col.width()
	if r.col.MaxDef == 0 && width > 0 && format.Encoding(h.Encoding) == format.Plain && int64(size) != int64(h.Values)*int64(width) {
		return nil, fmt.Errorf("%d values of %d bytes in a page of %d", h.Values, width, size)
	}
	all, err := r.expand(raw, size, true)
	if err != nil {
		return nil, err
	}
	body := all.bytes
	var reps, defs []byte
	if r.col.MaxRep > 0 {
		if reps, body, err = levelBytes(body, h.RepEncoding); err != nil {
			return nil, err
		}
	}
	if r.col.MaxDef > 0 {
		if defs, body, err = levelBytes(body, h.DefEncoding); err != nil {
			return nil, err
		}
	}
	p := &page{total: int(h.Values), owned: all.owned, memory: all.memory, whole: r.left == 0}
	n, err := r.readLevels(p, reps, defs)
	if err != nil {
		return nil, err
	}
	return p, r.setValues(p, format.Encoding(h.Encoding), body, n)
}

// levelBytes cuts levels with a length prefix, as pages v1 have them.
func levelBytes(body []byte, encoding int32) (levels, rest []byte, err error) {
	if e := format.Encoding(encoding); e != format.RLE {
		return nil, nil, unsupported(0, "levels in %v", e)
	}
	if len(body) < 4 {
		return nil, nil, errValuesEnd
	}
	n := binary.LittleEndian.Uint32(body)
	if uint64(n) > uint64(len(body)-4) {
		return nil, nil, fmt.Errorf("%d bytes of levels in the last %d of the page", n, len(body)-4)
	}
	return body[4 : 4+n], body[4+n:], nil
}

func (r *chunkReader) dataPageV2(raw []byte, size int, h dataV2) (*page, error) {
	if err := r.checkValues(int(h.Values)); err != nil {
		return nil, err
	}
	reps, defs := int(h.RepBytes), int(h.DefBytes)
	if reps < 0 || defs < 0 || reps+defs > len(raw) || reps+defs > size {
		return nil, fmt.Errorf("levels of %d and %d bytes in a page of %d", reps, defs, len(raw))
	}
	compressed := (!h.IsCompressed.Valid || h.IsCompressed.V) && len(raw) > reps+defs
	body, err := r.expand(raw[reps+defs:], size-reps-defs, compressed)
	if err != nil {
		return nil, err
	}
	p := &page{total: int(h.Values), owned: body.owned, memory: body.memory, whole: true}
	n, err := r.readLevels(p, raw[:reps], raw[reps:reps+defs])
	if err != nil {
		return nil, err
	}
	if r.col.MaxRep == 0 && (h.Rows != h.Values || int(h.Nulls) != p.total-n) {
		return nil, fmt.Errorf("a page of %d values has %d rows and %d NULLs, %d are declared", h.Values, h.Rows, p.total-n, h.Nulls)
	}
	return p, r.setValues(p, format.Encoding(h.Encoding), body.bytes, n)
}

// readLevels sets the levels of the page and returns the number of values that are stored.
func (r *chunkReader) readLevels(p *page, reps, defs []byte) (int, error) {
	switch {
	case r.col.MaxDef == 0:
		return p.total, nil
	case !r.col.List:
		h := hybrid{src: defs, width: 1}
		bits, err := h.bits(p.total)
		if err != nil {
			return 0, err
		}
		n := bitutil.CountSetBits(bits, 0, p.total)
		if n < p.total {
			p.valid = bits
		}
		return n, nil
	}
	return r.readListLevels(p, reps, defs)
}

// setValues sets the decoder of the n stored values.
func (r *chunkReader) setValues(p *page, e format.Encoding, body []byte, n int) (err error) {
	width, kind := r.col.width(), r.col.Physical
	unfit := func() error { return unsupported(0, "%v in %v", kind, e) }
	switch e {
	case format.Plain:
		return setPlain(p, kind, width, body, n)
	//lint:ignore SA1019 deprecated for writers; files have it
	case format.PlainDictionary, format.RLEDictionary:
		return r.setDictionary(p, body, n)
	case format.RLE:
		if kind != Boolean {
			return unfit()
		}
		runs, _, err := levelBytes(body, int32(format.RLE))
		if err != nil && n > 0 {
			return err
		}
		h := hybrid{src: runs, width: 1}
		p.bools, err = h.bits(n)
		return err
	case format.DeltaBinaryPacked:
		if kind != Int32 && kind != Int64 {
			return unfit()
		}
		return setDelta(p, width, body, n)
	case format.ByteStreamSplit:
		if width == 0 {
			return unfit()
		}
		if len(body) != n*width {
			return fmt.Errorf("%d values of %d bytes in %d", n, width, len(body))
		}
		p.fixed = &plainFixed{body: unsplit(body, width), width: width}
		return nil
	case format.DeltaLengthByteArray, format.DeltaByteArray:
		if kind != ByteArray {
			return unfit()
		}
		if n > maxLevelValues {
			return tooLarge(0, "a page of %d values in %v", n, e)
		}
		return r.setDeltaBytes(p, e, body, n)
	}
	return unfit()
}

func setPlain(p *page, kind Physical, width int, body []byte, n int) error {
	switch {
	case kind == Boolean:
		if int64(len(body)) != bitutil.BytesForBits(int64(n)) {
			return fmt.Errorf("%d booleans in %d bytes", n, len(body))
		}
		p.bools = body
	case kind == ByteArray:
		if n > len(body)/4 {
			return fmt.Errorf("%d values in %d bytes", n, len(body))
		}
		p.bytes = &plainBytes{body: body}
	default:
		if int64(len(body)) != int64(n)*int64(width) {
			return fmt.Errorf("%d values of %d bytes in %d", n, width, len(body))
		}
		p.fixed = &plainFixed{body: body, width: width}
	}
	return nil
}

func setDelta(p *page, width int, body []byte, n int) error {
	if n == 0 {
		p.fixed = &plainFixed{width: width}
		return nil
	}
	d, err := newDelta(body)
	if err != nil {
		return err
	}
	if d.total != n {
		return fmt.Errorf("%d delta values, %d are expected", d.total, n)
	}
	p.fixed = &deltaFixed{d: d, width: width}
	return nil
}

func (r *chunkReader) setDictionary(p *page, body []byte, n int) error {
	if r.dictSize < 0 {
		return errors.New("a page refers to a dictionary that is not there")
	}
	x, err := newIndexes(body, r.dictSize)
	if err != nil {
		return err
	}
	if r.col.Physical == ByteArray {
		p.bytes = &dictBytes{index: x, dict: r.dictBytes, left: n}
	} else {
		p.fixed = &dictFixed{index: x, dict: r.dictFixed, width: r.col.width()}
	}
	return nil
}

func (r *chunkReader) setDeltaBytes(p *page, e format.Encoding, body []byte, n int) error {
	if n == 0 {
		p.bytes = &plainBytes{}
		return nil
	}
	var prefixes []int32
	var err error
	if e == format.DeltaByteArray {
		if prefixes, body, err = deltaLengths(body, n); err != nil {
			return err
		}
	}
	lengths, rest, err := deltaLengths(body, n)
	if err != nil {
		return err
	}
	suffixes := lengthBytes{lengths: lengths, body: rest}
	if e == format.DeltaByteArray {
		p.bytes = &prefixBytes{prefixes: prefixes, suffixes: suffixes, limit: r.limits.Page}
	} else {
		p.bytes = &suffixes
	}
	return nil
}

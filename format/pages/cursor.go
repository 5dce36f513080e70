package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/buffer"
	"github.com/snapexport/snapexport/fault"
)

// Cursor reads one column from front to back. It is used by one goroutine; there is nothing to close.
type Cursor struct {
	file   *File
	col    *Column
	index  int
	dtype  arrow.DataType
	groups []int // row groups still to be read

	group int
	chunk *chunkReader // nil between row groups
	page  *page
	rows  int64 // of the row group, returned so far
	open  *openRow
	src   source
	err   error

	reuse bool
	lent  [][]byte // memory of the last array that is not the page's
}

// Reuse makes the cursor use memory again: from then on an array is valid until Next is called again.
func (c *Cursor) Reuse() { c.reuse, c.src.reuse = true, true }

// Borrow makes the cursor take the file's bytes from l where it has them.
func (c *Cursor) Borrow(l Lender) { c.src.lender = l }

// End gives up the rest of the rows, and the memory of the last array.
func (c *Cursor) End() {
	c.giveBack()
	if c.page != nil {
		c.release(c.page.memory)
	}
	if c.chunk != nil {
		c.release(c.chunk.memory)
	}
	if c.src.reuse {
		c.src.drop()
	}
	c.page, c.chunk, c.groups, c.open = nil, nil, nil, nil
}

// lend notes memory that ends with the array at hand.
func (c *Cursor) lend(b []byte) {
	if c.reuse {
		c.lent = append(c.lent, b)
	}
}

// giveBack ends the last array.
func (c *Cursor) giveBack() {
	for _, b := range c.lent {
		buffer.Put(b)
	}
	c.lent = c.lent[:0]
}

// release gives back what a page or a dictionary was decompressed into.
func (c *Cursor) release(memory []byte) {
	if c.reuse && memory != nil {
		buffer.Put(memory)
	}
}

// Cursor returns a cursor over all row groups of the column, or over the named ones only. ErrUnsupported if the column's
// shape, codec or type is not read.
func (f *File) Cursor(col int, groups ...int) (*Cursor, error) {
	if col < 0 || col >= len(f.columns) {
		return nil, fault.Missing(op, "column %d of %d", col, len(f.columns))
	}
	c := &Cursor{file: f, col: &f.columns[col], index: col, groups: groups, src: f.src.fork()}
	if groups == nil {
		for g := range f.groups {
			c.groups = append(c.groups, g)
		}
	}
	if c.col.odd != "" {
		return nil, unsupported(fault.NoOffset, "column %q: %s", c.col.Name, c.col.odd)
	}
	for _, g := range c.groups {
		if g < 0 || g >= len(f.groups) {
			return nil, fault.Missing(op, "row group %d of %d", g, len(f.groups))
		}
		if ch := &f.groups[g].Chunks[col]; !readable(ch.codec) {
			return nil, unsupported(ch.start, "codec %v (%s)", ch.codec, c.col.in(g))
		}
	}
	c.dtype = c.col.arrowType()
	return c, nil
}

// Type returns the type of the arrays that Next returns: bool, int32, int64, float32, float64, binary,
// fixed_size_binary[TypeLength], or for a List column list<element: ...> of those.
func (c *Cursor) Type() arrow.DataType { return c.dtype }

// Stats returns the recorded bounds of each row group that the cursor has still to read or is reading.
func (c *Cursor) Stats() []Stats {
	groups := c.groups
	if c.chunk != nil {
		groups = append([]int{c.group}, groups...)
	}
	out := make([]Stats, len(groups))
	for i, g := range groups {
		out[i] = c.file.groups[g].Chunks[c.index].Stats
	}
	return out
}

func (c *Column) arrowType() arrow.DataType {
	var t arrow.DataType
	switch c.Physical {
	case Boolean:
		t = arrow.FixedWidthTypes.Boolean
	case Int32:
		t = arrow.PrimitiveTypes.Int32
	case Int64:
		t = arrow.PrimitiveTypes.Int64
	case Float:
		t = arrow.PrimitiveTypes.Float32
	case Double:
		t = arrow.PrimitiveTypes.Float64
	case ByteArray:
		t = arrow.BinaryTypes.Binary
	case FixedLenByteArray:
		t = &arrow.FixedSizeBinaryType{ByteWidth: c.TypeLength}
	}
	if c.List {
		return arrow.ListOfField(arrow.Field{Name: "element", Type: t, Nullable: c.ElementOptional})
	}
	return t
}

// Next returns the next rows: those of one page, or of a part of it where they had to be built and would be large. Rows of
// one array come from one row group. The array has offset 0, at least one row, and may alias the page; Release is not
// needed. io.EOF comes after the last row, when all counts have been found to agree. After an error the cursor is dead.
func (c *Cursor) Next() (out arrow.Array, err error) {
	if c.err != nil {
		return nil, c.err
	}
	c.giveBack()
	defer func() {
		if r := recover(); r != nil { // a decoder met bytes that it did not foresee; nothing was shared with it
			out, err = nil, corrupt(c.offset(), "decoding failed: %v", r)
		}
		if err != nil {
			c.err = c.explain(err)
			err = c.err
		}
	}()
	for {
		if c.chunk == nil {
			if len(c.groups) == 0 {
				return nil, io.EOF
			}
			c.start()
		}
		if c.page == nil || c.page.left() == 0 {
			more, err := c.turn()
			if err != nil {
				return nil, err
			}
			if !more {
				if out, err = c.endGroup(); out != nil || err != nil {
					return out, err
				}
				continue
			}
		}
		if out, err = c.rowsOfPage(); err != nil {
			return nil, located(err, c.offset())
		}
		if out == nil { // a row goes on in the next page
			continue
		}
		return out, c.count(out.Len())
	}
}

func (c *Cursor) start() {
	c.group, c.groups = c.groups[0], c.groups[1:]
	ch := &c.file.groups[c.group].Chunks[c.index]
	c.chunk = &chunkReader{src: c.src, col: c.col, limits: c.file.limits, chunk: ch, off: ch.start, left: ch.Values, dictSize: -1}
	c.page, c.rows = nil, 0
}

// turn goes to the next page; false at the end of the chunk.
func (c *Cursor) turn() (bool, error) {
	if c.page != nil {
		if err := c.page.finish(); err != nil {
			return false, located(err, c.offset())
		}
		c.release(c.page.memory)
		c.page = nil // also if what follows fails: memory is given back once
	}
	var err error
	c.page, err = c.chunk.next()
	return c.page != nil, err
}

// endGroup returns the last row of a list column that was held back, then checks the row group.
func (c *Cursor) endGroup() (arrow.Array, error) {
	if c.open != nil {
		out := c.closeRow()
		return out, c.count(1)
	}
	want := c.file.groups[c.group].Rows
	if c.rows != want {
		return nil, corrupt(c.chunk.chunk.end, "%d rows were found, %d are declared", c.rows, want)
	}
	c.release(c.chunk.memory)
	c.chunk = nil
	return nil, nil
}

func (c *Cursor) count(rows int) error {
	c.rows += int64(rows)
	if want := c.file.groups[c.group].Rows; c.rows > want {
		return corrupt(c.offset(), "more than the declared %d rows were found", want)
	}
	return nil
}

// offset returns where the cursor is in the file.
func (c *Cursor) offset() int64 {
	if c.chunk == nil {
		return fault.NoOffset
	}
	return c.chunk.off
}

// located gives a decoder's plain error its class and offset.
func located(err error, off int64) error {
	var e *fault.Error
	if errors.As(err, &e) {
		if e.Offset <= 0 {
			e.Offset = off
		}
		return err
	}
	return corrupt(off, "%v", err)
}

// explain adds column and row group.
func (c *Cursor) explain(err error) error {
	var e *fault.Error
	if errors.As(err, &e) && c.chunk != nil {
		e.Detail += " (" + c.col.in(c.group) + ")"
	}
	return err
}

// rowsOfPage takes rows of the current page, which has some left.
func (c *Cursor) rowsOfPage() (arrow.Array, error) {
	switch {
	case c.col.List:
		return c.lists()
	case c.col.Physical == Boolean:
		return c.booleans()
	case c.col.Physical == ByteArray:
		return c.byteArrays()
	default:
		return c.fixedValues()
	}
}

// validity returns the bitmap of n values from p.pos (nil if all are valid) and how many are valid.
func (p *page) validity(n int) ([]byte, int) {
	if p.valid == nil {
		return nil, n
	}
	set := bitutil.CountSetBits(p.valid, p.pos, n)
	if set == n {
		return nil, n
	}
	if p.pos%8 == 0 {
		return p.valid[p.pos/8 : (p.pos+n+7)/8], set
	}
	out := make([]byte, (n+7)/8)
	bitutil.CopyBitmap(p.valid, p.pos, n, out, 0)
	return out, set
}

func (c *Cursor) make(n int, nulls int, valid []byte, buffers ...[]byte) arrow.Array {
	return newArray(c.dtype, n, nulls, valid, buffers...)
}

func newArray(t arrow.DataType, n, nulls int, valid []byte, buffers ...[]byte) arrow.Array {
	bufs := make([]*memory.Buffer, 1, 3)
	if valid != nil {
		bufs[0] = memory.NewBufferBytes(valid)
	}
	for _, b := range buffers {
		bufs = append(bufs, memory.NewBufferBytes(b))
	}
	return array.MakeFromData(array.NewData(t, n, bufs, nil, nulls, 0))
}

func (c *Cursor) fixedValues() (arrow.Array, error) {
	p, width := c.page, c.col.width()
	n := p.left()
	if _, plain := p.fixed.(*plainFixed); !plain || p.valid != nil {
		n = min(n, batchRows(width))
	}
	valid, set := p.validity(n)
	values, err := p.fixed.take(set)
	if err != nil {
		return nil, err
	}
	if _, gathered := p.fixed.(*dictFixed); gathered {
		c.lend(values)
	}
	p.pos += n
	if set < n {
		values = spread(values, width, valid, n)
	}
	return c.make(n, n-set, valid, values), nil
}

// spread puts values where valid has a bit, zeros elsewhere.
func spread(values []byte, width int, valid []byte, n int) []byte {
	out := make([]byte, n*width)
	if width == 8 { // without branches, since NULLs are often scattered
		k := 0
		for i := range n {
			bit := int(valid[i/8] >> (i % 8) & 1)
			binary.LittleEndian.PutUint64(out[8*i:], load(values, 8*k)&-uint64(bit))
			k += bit
		}
		return out
	}
	for i := 0; i < n; {
		if valid[i/8]>>(i%8)&1 == 0 {
			i++
			continue
		}
		end := i + 1
		for end < n && valid[end/8]>>(end%8)&1 != 0 {
			if end%8 == 0 && valid[end/8] == 0xff && end+8 <= n {
				end += 8
			} else {
				end++
			}
		}
		copied := copy(out[i*width:end*width], values)
		values = values[copied:]
		i = end
	}
	return out
}

func (c *Cursor) booleans() (arrow.Array, error) {
	p := c.page
	n := min(p.left(), maxBatchRows)
	valid, set := p.validity(n)
	out := make([]byte, (n+7)/8)
	if set == n {
		bitutil.CopyBitmap(p.bools, p.bool, n, out, 0)
	} else {
		k := p.bool
		for i := range n {
			if bitutil.BitIsSet(valid, i) {
				bitutil.SetBitTo(out, i, bitutil.BitIsSet(p.bools, k))
				k++
			}
		}
	}
	p.bool += set
	p.pos += n
	return c.make(n, n-set, valid, out), nil
}

// sampled is how many values tell how much room those of a whole array need.
const sampled = 256

func (c *Cursor) byteArrays() (arrow.Array, error) {
	if plain, ok := c.page.bytes.(*plainBytes); ok {
		return c.plainByteArrays(plain)
	}
	p := c.page
	most := min(p.left(), maxBatchRows)
	offsets := append(offsetsOf(min(most, 1<<16) + 1)[:0], 0)
	var data []byte
	n := 0
	for n < most && len(data) < maxBatchBytes {
		if p.valid == nil || bitutil.BitIsSet(p.valid, p.pos+n) {
			v, err := p.bytes.next()
			if err != nil {
				return nil, err
			}
			data = append(data, v...)
		}
		if n++; n == sampled { // the rest is likely to be as long
			data = append(buffer.Get(len(data) + min(len(data)/sampled*(most-sampled)*9/8, maxBatchBytes))[:0], data...)
		}
		offsets = append(offsets, int32(len(data)))
	}
	valid, set := p.validity(n)
	p.pos += n
	c.lend(data)
	return c.texts(n, n-set, valid, offsets, data), nil
}

// plainByteArrays drops the length prefixes, in place where the page is ours.
func (c *Cursor) plainByteArrays(plain *plainBytes) (arrow.Array, error) {
	p := c.page
	valid, _ := p.validity(min(p.left(), maxBatchRows))
	offsets, used, err := plainOffsets(plain.body, valid, min(p.left(), maxBatchRows))
	if err != nil {
		return nil, err
	}
	n := len(offsets) - 1
	valid, set := p.validity(n)
	total := int(offsets[n])
	body, out := plain.body[:used], plain.body[:total:total]
	if !p.owned {
		out = buffer.Get(total)
		c.lend(out)
	}
	at := 0
	for i, from := range offsets[:n] {
		if valid != nil && valid[i/8]>>(i%8)&1 == 0 {
			continue
		}
		size := int(offsets[i+1] - from)
		at += 4
		copy(out[from:], body[at:at+size])
		at += size
	}
	plain.body = plain.body[used:]
	p.pos += n
	return c.texts(n, n-set, valid, offsets, out), nil
}

// offsetsOf returns n offsets that mean nothing yet.
func offsetsOf(n int) []int32 { return arrow.Int32Traits.CastFromBytes(buffer.Get(4 * n)) }

// texts makes an array of byte arrays; its offsets end with it.
func (c *Cursor) texts(n, nulls int, valid []byte, offsets []int32, data []byte) arrow.Array {
	at := arrow.Int32Traits.CastToBytes(offsets)
	c.lend(at)
	return c.make(n, nulls, valid, at, data)
}

// plainOffsets makes Arrow offsets from the length prefixes of the next values, at most most of them and about
// maxBatchBytes, and returns the bytes of body that they take.
func plainOffsets(body []byte, valid []byte, most int) (offsets []int32, used int, err error) {
	offsets = offsetsOf(most + 1)
	offsets[0] = 0
	at, sum := 0, 0
	for i := range most {
		if sum >= maxBatchBytes {
			return offsets[:i+1], at, nil
		}
		if valid == nil || valid[i/8]>>(i%8)&1 != 0 {
			if len(body)-at < 4 {
				return nil, 0, errValuesEnd
			}
			size := binary.LittleEndian.Uint32(body[at:])
			at += 4
			if uint64(size) > uint64(len(body)-at) {
				return nil, 0, fmt.Errorf("a value of %d bytes in the last %d of the page", size, len(body)-at)
			}
			at += int(size)
			sum += int(size)
		}
		offsets[i+1] = int32(sum)
	}
	return offsets, at, nil
}

package pages

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A list column has two levels per value. A value is an element, or stands for an empty or NULL list. A row starts where
// the repetition level is 0. In pages v1 a row may go on in the next page, so the last one is held back until it is known
// to be complete.

// openRow is a row that may go on in the next page.
type openRow struct {
	null     bool
	elements int
	values   []byte // spaced
	valid    []bool // of the elements
	fixed    bool   // NULL or empty: no element may follow
}

// levelsOf returns the definition levels of a NULL list (-1: can't be), an empty list and a NULL element (-1: can't be).
func (c *Column) levelsOf() (null, empty, nullElement int) {
	null, nullElement = -1, -1
	if c.Optional {
		null, empty = 0, 1
	}
	if c.ElementOptional {
		nullElement = empty + 1
	}
	return null, empty, nullElement
}

// readListLevels returns the number of stored elements.
func (r *chunkReader) readListLevels(p *page, reps, defs []byte) (int, error) {
	p.reps, p.defs = make([]uint8, p.total), make([]uint8, p.total)
	rep := hybrid{src: reps, width: 1}
	if err := rep.levels(p.reps, 1); err != nil {
		return 0, err
	}
	def := hybrid{src: defs, width: bits.Len(uint(r.col.MaxDef))}
	if err := def.levels(p.defs, r.col.MaxDef); err != nil {
		return 0, err
	}
	_, empty, _ := r.col.levelsOf()
	n := 0
	for i, d := range p.defs {
		if int(d) == r.col.MaxDef {
			n++
		}
		if p.reps[i] == 1 && (int(d) <= empty || i > 0 && int(p.defs[i-1]) <= empty) {
			return 0, errors.New("an element of a list that is empty or NULL")
		}
	}
	return n, nil
}

// lists returns the next rows of a list column; nil if the page ended inside of a row.
func (c *Cursor) lists() (arrow.Array, error) {
	p := c.page
	if p.reps[p.pos] == 1 {
		if c.open == nil {
			return nil, errors.New("a row group starts inside of a row")
		}
		if err := c.growRow(); err != nil || p.left() == 0 {
			return nil, err
		}
	}
	if c.open != nil {
		return c.closeRow(), nil
	}
	return c.wholeRows()
}

// closeRow returns the held row as an array of one row.
func (c *Cursor) closeRow() arrow.Array {
	row := c.open
	c.open = nil
	var valid []byte
	for i, ok := range row.valid {
		if !ok && valid == nil {
			valid = make([]byte, (row.elements+7)/8)
			bitutil.SetBitsTo(valid, 0, int64(i), true)
		}
		if valid != nil {
			bitutil.SetBitTo(valid, i, ok)
		}
	}
	rowValid := []byte(nil)
	if row.null {
		rowValid = []byte{0}
	}
	return c.list([]int32{0, int32(row.elements)}, rowValid, c.elements(row.values, row.elements, valid))
}

// growRow adds the values that continue the held row.
func (c *Cursor) growRow() error {
	p := c.page
	end := p.pos
	for end < p.total && p.reps[end] == 1 {
		end++
	}
	if c.open.fixed {
		return errors.New("an element of a list that is empty or NULL")
	}
	return c.hold(end)
}

// hold moves the elements up to end into the held row.
func (c *Cursor) hold(end int) error {
	p, row := c.page, c.open
	n := end - p.pos
	if size := int64(row.elements+n) * int64(c.col.width()); size > int64(c.file.limits.Page) {
		return tooLarge(0, "a row of %d bytes; the limit is %d", size, c.file.limits.Page)
	}
	values, valid, err := c.take(end)
	if err != nil {
		return err
	}
	row.values = append(row.values, values...)
	row.elements += n
	for i := range n {
		row.valid = append(row.valid, valid == nil || bitutil.BitIsSet(valid, i))
	}
	return nil
}

// take returns the values p.pos..end, all of which are elements, spaced, with their bitmap.
func (c *Cursor) take(end int) (values, valid []byte, err error) {
	p := c.page
	n := end - p.pos
	set := n
	if c.col.ElementOptional {
		valid = make([]byte, (n+7)/8)
		for i, d := range p.defs[p.pos:end] {
			bitutil.SetBitTo(valid, i, int(d) == c.col.MaxDef)
		}
		if set = bitutil.CountSetBits(valid, 0, n); set == n {
			valid = nil
		}
	}
	if values, err = p.fixed.take(set); err != nil {
		return nil, nil, err
	}
	if valid != nil {
		values = spread(values, c.col.width(), valid, n)
	}
	p.pos = end
	return values, valid, nil
}

// wholeRows returns as many rows as are complete and fit an array; what is left of the page becomes the held row.
func (c *Cursor) wholeRows() (arrow.Array, error) {
	p := c.page
	null, empty, _ := c.col.levelsOf()
	maxElements := batchRows(c.col.width())
	if plain, ok := p.fixed.(*plainFixed); ok && !c.col.ElementOptional {
		maxElements = max(maxElements, len(plain.body)/c.col.width())
	}
	offsets := []int32{0}
	present := make([]byte, 0, 64)
	var elements, nulls, last int // last: where the last row starts
	i := p.pos
	for i < p.total && len(offsets) <= maxBatchRows && (elements == 0 || elements < maxElements) {
		last = i
		if int(p.defs[i]) > empty {
			elements++
		}
		for i++; i < p.total && p.reps[i] == 1; i++ {
			elements++
		}
		row := len(offsets) - 1
		if row%8 == 0 {
			present = append(present, 0)
		}
		if int(p.defs[last]) == null {
			nulls++
		} else {
			bitutil.SetBit(present, row)
		}
		offsets = append(offsets, int32(elements))
	}
	if i == p.total && !p.whole { // the last row may go on
		return c.holdLast(last, offsets, present, nulls)
	}
	return c.build(i, offsets, present, nulls)
}

// holdLast returns the rows before the last one, if there are any.
func (c *Cursor) holdLast(last int, offsets []int32, present []byte, nulls int) (out arrow.Array, err error) {
	p := c.page
	null, empty, _ := c.col.levelsOf()
	def := int(p.defs[last])
	if rows := len(offsets) - 2; rows > 0 {
		if def == null {
			nulls--
		}
		if out, err = c.build(last, offsets[:rows+1], present, nulls); err != nil {
			return nil, err
		}
	}
	c.open = &openRow{null: def == null, fixed: def <= empty}
	if c.open.fixed {
		p.pos = p.total
		return out, nil
	}
	return out, c.hold(p.total)
}

// build makes the array of the rows up to end.
func (c *Cursor) build(end int, offsets []int32, present []byte, nulls int) (arrow.Array, error) {
	p := c.page
	elements := int(offsets[len(offsets)-1])
	if size := int64(elements) * int64(c.col.width()); size > int64(c.file.limits.Page)+maxBatchBytes {
		return nil, tooLarge(0, "a row of %d bytes", size)
	}
	_, empty, _ := c.col.levelsOf()
	var values, valid []byte
	var err error
	if elements == end-p.pos {
		values, valid, err = c.take(end)
	} else {
		values, valid, err = c.takeSome(end, elements, empty)
	}
	if err != nil {
		return nil, err
	}
	if nulls == 0 {
		present = nil
	}
	return c.list(offsets, present, c.elements(values, elements, valid)), nil
}

// takeSome is take where empty and NULL lists lie between the elements.
func (c *Cursor) takeSome(end, elements, empty int) (values, valid []byte, err error) {
	p := c.page
	valid = make([]byte, (elements+7)/8)
	k, set := 0, 0
	for _, d := range p.defs[p.pos:end] {
		if int(d) <= empty {
			continue
		}
		if int(d) == c.col.MaxDef {
			bitutil.SetBit(valid, k)
			set++
		}
		k++
	}
	if k != elements {
		return nil, nil, fmt.Errorf("%d list elements, %d were counted", k, elements)
	}
	if values, err = p.fixed.take(set); err != nil {
		return nil, nil, err
	}
	if set == elements {
		valid = nil
	} else {
		values = spread(values, c.col.width(), valid, elements)
	}
	p.pos = end
	return values, valid, nil
}

func (c *Cursor) elements(values []byte, n int, valid []byte) arrow.Array {
	nulls := 0
	if valid != nil {
		nulls = n - bitutil.CountSetBits(valid, 0, n)
	}
	return newArray(c.dtype.(*arrow.ListType).Elem(), n, nulls, valid, values)
}

func (c *Cursor) list(offsets []int32, present []byte, elements arrow.Array) arrow.Array {
	n := len(offsets) - 1
	bufs := []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))}
	nulls := 0
	if present != nil {
		bufs[0] = memory.NewBufferBytes(present)
		nulls = n - bitutil.CountSetBits(present, 0, n)
	}
	return array.MakeFromData(array.NewData(c.dtype, n, bufs, []arrow.ArrayData{elements.Data()}, nulls, 0))
}

package datafile

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
)

// maxPageRows ends pages whose values take no room, such as NULL.
const maxPageRows = 1 << 18

// pager cuts the values of a leaf into pages.
type pager struct {
	chunk
	pageBytes int
	tryDict   bool
	dict      *dictionary // of the row group; nil if there is none
	rep, def  []uint8     // of the page
	levels    []byte      // encoded
	body      values
	entries   int // NULLs included
	nulls     int
	pageRows  int
	observed  summary
}

func newPager(c chunk, o Options) *pager {
	p := &pager{chunk: c, pageBytes: int(o.PageBytes), tryDict: withDictionary(c.leaf, o), observed: newSummary(c.leaf)}
	p.begin()
	return p
}

// begin begins a row group.
func (p *pager) begin() {
	p.dict = nil
	if p.tryDict {
		p.dict = newDictionary(p.pageBytes)
	}
	p.body.dict = p.dict
	p.nextBody(nil)
}

// nextBody begins a page; old is the last one's body, if there was one.
func (p *pager) nextBody(old []byte) {
	switch {
	case p.leaf.vector: // the chunk has kept it
		old = p.blocks.get()
	case old == nil:
		old = p.blocks.take(p.leaf.id)
	}
	p.body.next(old[:0])
}

// full says whether the page ends before the next row.
func (p *pager) full() bool { return p.body.size >= p.pageBytes || p.pageRows >= maxPageRows }

// flush ends the page, if it has rows.
func (p *pager) flush() error {
	if p.pageRows == 0 {
		return nil
	}
	body, encoding := p.body.encoded()
	p.levels = p.levels[:0]
	if w := p.leaf.repWidth(); w > 0 {
		p.levels = appendHybrid(p.levels, p.rep, w)
	}
	rep := len(p.levels)
	if w := p.leaf.defWidth(); w > 0 {
		p.levels = appendHybrid(p.levels, p.def, w)
	}
	d := draft{rep: p.levels[:rep:rep], def: p.levels[rep:], body: body, values: p.entries, nulls: p.nulls, rows: p.pageRows, encoding: encoding, observed: p.observed, own: p.leaf.vector}
	if err := p.finish(d); err != nil {
		return err
	}
	p.rep, p.def, p.entries, p.nulls, p.pageRows, p.observed = p.rep[:0], p.def[:0], 0, 0, 0, newSummary(p.leaf)
	p.nextBody(body)
	return nil
}

func (p *pager) buffered() int64 {
	n := int64(len(p.body.body) + len(p.rep) + len(p.def))
	if p.dict != nil {
		n += int64(len(p.dict.values) + 4*len(p.dict.index))
	}
	return p.writeBytes + n
}

// end ends the row group's chunk. The caller writes it, then calls begin.
func (p *pager) end() error {
	if err := p.flush(); err != nil {
		return err
	}
	if p.dict != nil {
		if p.dict.used {
			p.dictionary(p.dict.values, len(p.dict.ends))
		} else {
			p.tryDict = !p.dict.left || p.dict.seen == 0 // NULLs tell nothing of the values to come
		}
	}
	if !p.leaf.vector {
		p.blocks.keep(p.leaf.id, p.body.body)
	}
	return nil
}

func (p *pager) chunks() []*chunk { return []*chunk{&p.chunk} }

// flat is a top-level column of scalars.
type flat struct {
	*pager
	field arrow.Field
}

func (c flat) write(a arrow.Array) error {
	if err := checkNulls(c.field, a); err != nil {
		return err
	}
	v := viewOf(a)
	for from := 0; from < a.Len(); {
		to := c.fit(v, from, a.Len())
		c.take(a, v, from, to)
		if c.full() {
			if err := c.flush(); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// fit returns where the page ends that goes on with row from: at least one row further.
func (c flat) fit(v view, from, n int) int {
	n = min(n, from+maxPageRows-c.pageRows)
	room := c.pageBytes - c.body.size
	switch {
	case v.offsets != nil:
		to := from + 1
		for to < n && v.plainSize(from, to+1) <= room {
			to++
		}
		return to
	case v.width > 0:
		return max(from+1, min(n, from+room/v.plainSize(0, 1)))
	}
	return max(from+1, min(n, from+8*room))
}

// take appends rows to the page.
func (c flat) take(a arrow.Array, v view, from, to int) {
	c.pageRows += to - from
	c.entries += to - from
	part := array.NewSlice(a, int64(from), int64(to))
	c.observed.observe(part)
	part.Release()
	if c.leaf.maxDef == 0 {
		c.body.add(v, from, to)
		return
	}
	some := a.NullN() > 0
	for from < to {
		valid, end := !some || a.IsValid(from), from+1
		for end < to && (!some || a.IsValid(end) == valid) {
			end++
		}
		if valid {
			c.def = appendLevels(c.def, 1, end-from)
			c.body.add(v, from, end)
		} else {
			c.def = appendLevels(c.def, 0, end-from)
			c.nulls += end - from
		}
		from = end
	}
}

func appendLevels(dst []uint8, level uint8, n int) []uint8 {
	dst = slices.Grow(dst, n)[:len(dst)+n]
	for i := len(dst) - n; i < len(dst); i++ {
		dst[i] = level
	}
	return dst
}

// checkNulls refuses NULL in a required field.
func checkNulls(f arrow.Field, a arrow.Array) error {
	if !f.Nullable && a.NullN() > 0 {
		return fault.Corrupt(opWrite, "NULL in the required field %q", f.Name)
	}
	return nil
}

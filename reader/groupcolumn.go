package reader

import (
	"errors"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/packed"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// groupColumn is one column of a group: a source over the group's files, of the rows in the group's spans. Row groups without
// such a row are not read.
type groupColumn struct {
	group   *group
	field   milvus.Field
	rows    int64
	current *cursor // whose name is that of the file being read

	file    int   // the next one
	base    int64 // the number in the segment of its first row
	pages   *pages.Cursor
	lender  lender
	want    []span        // rows of the open file that are still to come
	groups  []span        // the rows of its row groups that are read
	pos     int64         // the row of the file that pages comes to next
	pending []arrow.Array // parts of a page
}

// Rows returns how many rows there are in all, within spans or not.
func (c *groupColumn) Rows() int64 { return c.rows }

// Next returns the next rows of a page.
func (c *groupColumn) Next() (arrow.Array, error) {
	for {
		switch {
		case len(c.pending) > 0:
			a := c.pending[0]
			c.pending = c.pending[1:]
			return a, nil
		case len(c.want) > 0:
			a, err := c.pages.Next()
			if errors.Is(err, io.EOF) {
				return nil, fault.Corrupt("read column group", "the column ends %d rows early", rowsIn(c.want))
			}
			if err != nil {
				return nil, err
			}
			c.cut(a)
		default:
			c.end()
			if c.file == len(c.group.logs) {
				return nil, io.EOF
			}
			if err := c.advance(); err != nil {
				return nil, err
			}
		}
	}
}

// end gives up the open file.
func (c *groupColumn) end() {
	if c.pages != nil {
		c.pages.End()
		c.lender.end()
		c.pages = nil
	}
}

// advance opens the column in the next file, if rows of it are wanted.
func (c *groupColumn) advance() error {
	g, i := c.group, c.file
	rows, err := g.rowsOf(i)
	if err != nil {
		return err
	}
	first, base := g.logs[i].First, c.base
	c.file, c.base = i+1, base+rows
	if c.want = within(g.spans, base, base+rows, first-base); len(c.want) == 0 {
		return nil
	}
	f, err := g.open(i)
	if err != nil {
		return err
	}
	c.current.name = g.logs[i].File.String()
	index, ok := f.Find(c.field)
	if !ok {
		return fault.Missing("read column group", "the file has no column of field %s (%d)", c.field.Name, c.field.ID).On(c.current.name)
	}
	groups := c.rowGroups(f)
	if c.pages, err = f.Cursor(index, groups...); err != nil {
		return err
	}
	if g.scan.opts.Reuse {
		c.pages.Reuse()
	}
	if g.reads != nil {
		c.lender = lender{ahead: g.readAhead(i, f, groups), field: c.field.ID}
		c.pages.Borrow(&c.lender)
	}
	return nil
}

// rowGroups returns the row groups of the file with rows that are wanted, and notes their rows.
func (c *groupColumn) rowGroups(f *packed.File) []int {
	numbers := []int{} // none is not all
	c.groups = c.groups[:0]
	var first int64
	for i, g := range f.RowGroups() {
		rows := span{first, first + g.Rows}
		if first = rows.end; len(within(c.want, rows.first, rows.end, 0)) > 0 {
			numbers, c.groups = append(numbers, i), append(c.groups, rows)
		}
	}
	if len(c.groups) > 0 {
		c.pos = c.groups[0].first
	}
	return numbers
}

// readAhead returns what reads blocks of file i for all columns, which want the same rows.
func (g *group) readAhead(i int, f *packed.File, groups []int) *ahead {
	if g.aheads[i] == nil {
		a := newAhead(f, g.held, groups, g.scan.blockBytes())
		a.ctx, a.reads, a.reader, a.reuse = g.ctx, g.reads, g.bytes[i], g.scan.opts.Reuse
		g.aheads[i] = a
	}
	return g.aheads[i]
}

// cut puts what is wanted of the next rows of the file into pending.
func (c *groupColumn) cut(a arrow.Array) {
	from, to := c.pos, c.pos+int64(a.Len())
	for _, s := range within(c.want, from, to, -from) {
		c.pending = append(c.pending, array.NewSlice(a, s.first, s.end))
	}
	c.want = slices.DeleteFunc(c.want, func(s span) bool { return s.end <= to })
	if len(c.want) > 0 {
		c.want[0].first = max(c.want[0].first, to)
	}
	if c.pos = to; len(c.groups) > 0 && to == c.groups[0].end {
		if c.groups = c.groups[1:]; len(c.groups) > 0 {
			c.pos = c.groups[0].first
		}
	}
}

// Stats returns nothing for the whole: parts does, by row groups.
func (c *groupColumn) Stats() ([]pages.Stats, bool) { return nil, false }

// parts returns what is known of the rows of each row group.
func (c *groupColumn) parts() (out []part) {
	if c.current.lob {
		return nil // bounds are those of flags
	}
	var base int64
	for i, b := range c.group.logs {
		f, err := c.group.open(i)
		if err != nil {
			return nil // reading the rows will say so
		}
		rows, err := c.group.rowsOf(i)
		index, found := f.Find(c.field)
		if err != nil || !found {
			return nil
		}
		var first int64
		for _, g := range f.RowGroups() {
			stats := g.Chunks[index].Stats
			if rows < f.NumRows() {
				stats.NullCount = -1 // some may be in rows that are not the segment's
			}
			for _, s := range within([]span{{b.First, b.First + rows}}, first, first+g.Rows, base-b.First) {
				out = append(out, part{s, g.Rows, stats})
			}
			first += g.Rows
		}
		base += rows
	}
	return out
}

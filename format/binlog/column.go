package binlog

import (
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// Column reads the one column of an insert log, over all of its events. It is used by one goroutine at a time; there is
// nothing to close.
type Column struct {
	parts  []part
	rows   int64
	at     int // part that cursor reads
	cursor *pages.Cursor
	reuse  bool
}

// part is the payload of one event.
type part struct {
	file *pages.File
	base int64 // offset of the payload
}

// Column opens the payloads of an insert log as those of a field. Rows are taken by position: column 0, whatever its name
// (docs/format/binlog-v1.md 2). The file must be the field's own by its descriptor; collection, partition and segment are not compared,
// for copies of a segment keep the ids of the original.
func (f *File) Column(field milvus.Field) (*Column, error) {
	if f.Descriptor.Field != field.ID {
		return nil, corrupt("the file is one of field %d, want field %d (%s)", f.Descriptor.Field, field.ID, field.Name).At(magicSize + headerSize + 24)
	}
	c := &Column{}
	for i := range f.Events {
		e := &f.Events[i]
		if e.Type != EventInsert {
			return nil, corrupt("%v event in an insert log", e.Type).At(e.Offset + 8)
		}
		p, err := pages.OpenBytes(e.Payload)
		if err != nil {
			return nil, at(err, e.PayloadOffset())
		}
		if n := len(p.Columns()); n != 1 {
			return nil, corrupt("the payload has %d columns, want 1", n).At(e.PayloadOffset())
		}
		c.parts = append(c.parts, part{p, e.PayloadOffset()})
		c.rows += p.NumRows()
	}
	return c, nil
}

// Reuse makes an array of Next valid only until Next is called again, whose memory is used once more.
func (c *Column) Reuse() { c.reuse = true }

// Rows returns the number of rows that the payloads declare. Next fails if they do not have them.
func (c *Column) Rows() int64 { return c.rows }

// Events returns the number of events. Writers make one; other numbers deserve a warning, since Milvus reads only the first.
func (c *Column) Events() int { return len(c.parts) }

// Physical describes the column as the first event stores it.
func (c *Column) Physical() pages.Column { return c.parts[0].file.Columns()[0] }

// Next returns the next rows in storage form, which cell.Decode understands, or io.EOF after the last. The caller releases
// the array; it may point into the file's bytes.
func (c *Column) Next() (arrow.Array, error) {
	for c.at < len(c.parts) {
		p := c.parts[c.at]
		if c.cursor == nil {
			cursor, err := p.file.Cursor(0)
			if err != nil {
				return nil, at(err, p.base)
			}
			if c.cursor = cursor; c.reuse {
				cursor.Reuse()
			}
		}
		a, err := c.cursor.Next()
		if err == nil {
			return a, nil
		}
		if !errors.Is(err, io.EOF) {
			return nil, at(err, p.base)
		}
		c.cursor = nil
		c.at++
	}
	return nil, io.EOF
}

// Stats returns the recorded bounds of the column, one element per row group over all events (genuine files have one).
// ok is false if a row group has none: then nothing is known of its values.
func (c *Column) Stats() (stats []pages.Stats, ok bool) {
	ok = true
	for _, p := range c.parts {
		for _, g := range p.file.RowGroups() {
			s := g.Chunks[0].Stats
			ok = ok && (g.Rows == 0 || s.Min != nil && s.Max != nil)
			stats = append(stats, s)
		}
	}
	return stats, ok
}

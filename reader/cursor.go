package reader

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// cursor walks the rows of one field in one chunk: the pages of its file, or a constant where there is no file.
type cursor struct {
	field milvus.Field
	name  string         // of the file, for errors
	pages *binlog.Column // nil: a constant
	bad   BadRows

	page   arrow.Array // canonical; rows from offset on are not taken yet
	offset int
	bads   []int // rows of page that did not fit, in order
	before int64 // rows of earlier pages
}

// available returns how many rows can be taken at once, 0 at the end of the file. A constant has as many as asked for.
func (c *cursor) available(limit int) (int, error) {
	if c.pages == nil {
		return limit, nil
	}
	for c.page == nil || c.offset == c.page.Len() {
		raw, err := c.pages.Next()
		if errors.Is(err, io.EOF) {
			return 0, nil
		}
		if err != nil {
			return 0, fault.Place(err, c.name)
		}
		if c.page != nil {
			c.before += int64(c.page.Len())
		}
		if err := c.decode(raw); err != nil {
			return 0, err
		}
	}
	return min(limit, c.page.Len()-c.offset), nil
}

func (c *cursor) decode(raw arrow.Array) (err error) {
	c.offset, c.bads = 0, c.bads[:0]
	opts := cell.Options{}
	if c.bad != BadFail {
		opts.OnBad = func(row int, _ error) error {
			c.bads = append(c.bads, row)
			return nil
		}
	}
	c.page, err = cell.Decode(c.field, raw, opts)
	if err != nil {
		return fault.Place(fmt.Errorf("field %s, in the page that starts at row %d: %w", c.field.Name, c.before, err), c.name)
	}
	return nil
}

// take returns the next n rows, which must be available, and the rows among them that did not fit.
func (c *cursor) take(n int) (arrow.Array, []int, error) {
	if c.pages == nil {
		a, err := cell.Constant(c.field, n)
		return a, nil, err
	}
	var bads []int
	for _, row := range c.bads {
		if row >= c.offset && row < c.offset+n {
			bads = append(bads, row-c.offset)
		}
	}
	a := array.NewSlice(c.page, int64(c.offset), int64(c.offset+n))
	c.offset += n
	return a, bads, nil
}

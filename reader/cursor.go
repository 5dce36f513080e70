package reader

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// source gives the stored rows of one field: a binlog's column (V1), or the files of a column group one after the other.
type source interface {
	// Next returns the rows of the next page in storage form, io.EOF after the last.
	Next() (arrow.Array, error)
	// Rows returns how many rows there are in all.
	Rows() int64
	// Stats returns the recorded bounds, one element per row group; false if a row group has none.
	Stats() ([]pages.Stats, bool)
}

// cursor walks the rows of one field in one chunk: the pages of its source, or a constant where there is none.
type cursor struct {
	scan    *Scan
	field   milvus.Field
	name    string // of the file, for errors
	body    []byte // of a V1 file
	pages   source // nil: a constant
	bad     BadRows
	json    bool // check that JSON is JSON
	variant bool // check that JSON can be a variant
	lob     bool // values are texts with a flag in front
	texts   UnreadableText
	lobs    *lobs // resolves the references among them; nil: texts says what becomes of them

	rest   arrow.Array // raw rows of the file's page that are not decoded yet; nil: none
	page   arrow.Array // canonical; rows from offset on are not taken yet
	offset int
	bads   []int // rows of page that did not fit, in order
	unread []int // rows of page that were made NULL by TextNull, in order
	before int64 // rows of the file before page
}

// maxDecoded bounds the bytes of dense vectors that are decoded at once. A page of NULLs takes a few bytes in a file, while
// in a canonical array each NULL is as wide as a vector.
const maxDecoded = 16 << 20

// available returns how many rows can be taken at once, 0 at the end of the file. A constant has as many as asked for, within
// maxDecoded.
func (c *cursor) available(limit int) (int, error) {
	if c.pages == nil {
		return min(limit, cell.MaxRows(c.field, maxDecoded)), nil
	}
	for c.page == nil || c.offset == c.page.Len() {
		if c.rest == nil {
			raw, err := c.pages.Next()
			if errors.Is(err, io.EOF) {
				return 0, nil
			}
			if err != nil {
				return 0, fault.Place(err, c.name)
			}
			c.rest = raw
		}
		if err := c.decode(); err != nil {
			return 0, err
		}
	}
	return min(limit, c.page.Len()-c.offset), nil
}

// decode makes the next rows of rest the page.
func (c *cursor) decode() (err error) {
	if c.page != nil {
		c.before += int64(c.page.Len())
	}
	stored := c.rest
	raw := array.NewSlice(stored, 0, int64(min(stored.Len(), cell.MaxRows(c.field, maxDecoded))))
	c.offset, c.bads = 0, c.bads[:0]
	opts := cell.Options{CheckJSON: c.json, CheckVariant: c.variant}
	if c.bad != BadFail {
		opts.OnBad = func(row int, _ error) error {
			c.bads = append(c.bads, row)
			return nil
		}
	}
	if c.lob {
		if raw, err = c.inline(raw); err != nil {
			return fault.Place(err, c.name)
		}
	}
	c.rest = nil
	if n := raw.Len(); n < stored.Len() {
		c.rest = array.NewSlice(stored, int64(n), int64(stored.Len()))
	}
	c.page, err = cell.Decode(c.field, raw, opts)
	if err != nil {
		return fault.Place(fmt.Errorf("field %s, counted from row %d of the file: %w", c.field.Name, c.before, err), c.name)
	}
	c.page = without(c.page, c.unread)
	return nil
}

// taken are rows of a field, and which of them are not what is stored.
type taken struct {
	rows   arrow.Array
	bads   []int // did not fit
	unread []int // were made NULL by TextNull
}

// take returns the next n rows, which must be available.
func (c *cursor) take(n int) (taken, error) {
	if c.pages == nil {
		a, err := cell.Constant(c.field, n)
		return taken{rows: a}, err
	}
	out := taken{array.NewSlice(c.page, int64(c.offset), int64(c.offset+n)), c.next(c.bads, n), c.next(c.unread, n)}
	c.offset += n
	return out, nil
}

// next returns those of the page's rows that are among the next n, counted from there.
func (c *cursor) next(rows []int, n int) (out []int) {
	for _, row := range rows {
		if row >= c.offset && row < c.offset+n {
			out = append(out, row-c.offset)
		}
	}
	return out
}

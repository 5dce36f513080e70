package cell

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/format/variant"
	"github.com/snapexport/snapexport/milvus"
)

// byteCells are the values of a binary or utf8 array: value i is data[offsets[i]:offsets[i+1]].
type byteCells struct {
	offsets []int32
	data    []byte
}

func bytesOf(a arrow.Array) (byteCells, bool) {
	switch a := a.(type) {
	case *array.Binary:
		return cellsOf(a.Data(), a.ValueOffsets()), true
	case *array.String:
		return cellsOf(a.Data(), nil), true
	}
	return byteCells{}, false
}

func cellsOf(data arrow.ArrayData, offsets []int32) byteCells {
	bufs := data.Buffers()
	if offsets == nil {
		all := arrow.Int32Traits.CastFromBytes(bufs[1].Bytes())
		offsets = all[data.Offset() : data.Offset()+data.Len()+1]
	}
	c := byteCells{offsets: offsets}
	if bufs[2] != nil {
		c.data = bufs[2].Bytes()
	}
	return c
}

func (c byteCells) value(i int) []byte { return c.data[c.offsets[i]:c.offsets[i+1]] }

// text checks UTF-8 and shares the bytes.
func (d *decoder) text() (arrow.Array, error) {
	cells, ok := bytesOf(d.raw)
	if !ok {
		return nil, d.mismatch()
	}
	if !cells.allUTF8() {
		for i := range d.n {
			if !d.isNull(i) && !utf8.Valid(cells.value(i)) {
				if err := d.bad(i, "the text is not UTF-8"); err != nil {
					return nil, err
				}
			}
		}
	}
	if d.field.Type == milvus.TypeJSON {
		if err := d.checkJSON(cells); err != nil {
			return nil, err
		}
	}
	return d.retyped(), nil
}

// checkJSON makes the checks that the options ask for.
func (d *decoder) checkJSON(cells byteCells) error {
	check := variant.Check
	switch {
	case d.opts.CheckVariant:
	case d.opts.CheckJSON:
		check = validJSON
	default:
		return nil
	}
	for i := range d.n {
		if d.isNull(i) {
			continue
		}
		if err := check(cells.value(i)); err != nil {
			if err := d.bad(i, "%v", err); err != nil {
				return err
			}
		}
	}
	return nil
}

func validJSON(text []byte) error {
	if !json.Valid(text) {
		return variant.ErrNotJSON
	}
	return nil
}

// allUTF8 checks all values at once: the whole is UTF-8 and no value starts inside of a character.
func (c byteCells) allUTF8() bool {
	first, last := c.offsets[0], c.offsets[len(c.offsets)-1]
	if !utf8.Valid(c.data[first:last]) {
		return false
	}
	for _, o := range c.offsets {
		if o < last && !utf8.RuneStart(c.data[o]) {
			return false
		}
	}
	return true
}

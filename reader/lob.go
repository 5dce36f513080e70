package reader

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Flags in front of a V3 text (docs/format/storage-v2-v3.md 2.6).
const (
	textInline    = 0
	textReference = 1
)

// referenceSize is the length of a reference: flag, padding, UUID, row.
const referenceSize = 24

// flagged reports whether the field's values have a flag in front.
func flagged(seg *milvus.Segment, f milvus.Field) bool {
	return seg.StorageVersion == milvus.StorageV3 && f.Type == milvus.TypeText
}

// texts says what happens to the field's values in LOB files. A filter can't do without them: on NULL it would drop the row.
func (s *Scan) texts(f milvus.Field) UnreadableText {
	if s.filtered(f) {
		return TextFail
	}
	return s.opts.UnreadableText
}

// errReference is met at a value in a LOB file: those files are Vortex.
func (s *Scan) errReference(f milvus.Field) *fault.Error {
	err := fault.Unsupported("read text", "values of field %s are in LOB files (Vortex), which are not read", f.Name)
	if s.filtered(f) {
		return err.WithHint("the filter needs them: leave the field out of it")
	}
	return err.WithHint("leave the field out with --columns, have NULL in their place with --unreadable-text null, or name a program that reads them with --vortex-helper")
}

// inline strips the flags of V3 texts. References become their texts, as many rows as fit in maxDecoded and at least one, or, where
// they can't be read, empty, and their rows are kept in c.unread.
func (c *cursor) inline(a arrow.Array) (arrow.Array, error) {
	c.unread = c.unread[:0]
	values, ok := a.(*array.Binary)
	if !ok {
		return nil, fault.Corrupt("read text", "field %s is stored as %s", c.field.Name, a.DataType())
	}
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	b.Reserve(values.Len())
	b.ReserveData(len(values.ValueBytes()))
	for i := range values.Len() {
		if c.lobs != nil && b.DataLen() > maxDecoded {
			break
		}
		if values.IsNull(i) {
			b.AppendNull()
			continue
		}
		v := values.Value(i)
		switch {
		case len(v) > 0 && v[0] == textInline:
			b.Append(v[1:])
		case len(v) == referenceSize && v[0] == textReference && c.lobs != nil:
			text, err := c.lobs.text(v)
			if err != nil {
				return nil, err
			}
			b.Append(text)
		case len(v) == referenceSize && v[0] == textReference && c.texts == TextNull:
			b.AppendEmptyValue()
			c.unread = append(c.unread, i)
		case len(v) == referenceSize && v[0] == textReference:
			return nil, c.scan.errReference(c.field)
		default:
			return nil, fault.Corrupt("read text", "row %d of a page of field %s has no text flag", i, c.field.Name)
		}
	}
	return b.NewArray(), nil
}

// without returns the array with NULL in the rows, which are valid.
func without(a arrow.Array, rows []int) arrow.Array {
	if len(rows) == 0 {
		return a
	}
	n, off := a.Len(), a.Data().Offset()
	valid := make([]byte, bitutil.BytesForBits(int64(off+n)))
	for i := range n {
		bitutil.SetBitTo(valid, off+i, a.IsValid(i))
	}
	for _, r := range rows {
		bitutil.ClearBit(valid, off+r)
	}
	buffers := append([]*memory.Buffer{memory.NewBufferBytes(valid)}, a.Data().Buffers()[1:]...)
	return array.MakeFromData(array.NewData(a.DataType(), n, buffers, nil, a.NullN()+len(rows), off))
}

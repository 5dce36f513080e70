package reader

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
)

// Flags in front of a V3 text (docs/format/storage-v2-v3.md 2.6).
const (
	textInline    = 0
	textReference = 1
)

// text strips the flags of V3 texts. A reference into a LOB file can't be followed: those files are Vortex.
func (c *groupColumn) text(a arrow.Array) (arrow.Array, error) {
	if !c.lob {
		return a, nil
	}
	values, ok := a.(*array.Binary)
	if !ok {
		return nil, fault.Corrupt("read text", "field %s is stored as %s", c.field.Name, a.DataType())
	}
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	b.Reserve(values.Len())
	b.ReserveData(len(values.ValueBytes()))
	for i := range values.Len() {
		if values.IsNull(i) {
			b.AppendNull()
			continue
		}
		v := values.Value(i)
		switch {
		case len(v) > 0 && v[0] == textInline:
			b.Append(v[1:])
		case len(v) > 0 && v[0] == textReference:
			return nil, fault.Unsupported("read text", "a value of field %s is in a LOB file (Vortex), which is not read", c.field.Name).
				WithHint("leave the field out with --columns")
		default:
			return nil, fault.Corrupt("read text", "row %d of a page of field %s has no text flag", i, c.field.Name)
		}
	}
	return b.NewArray(), nil
}

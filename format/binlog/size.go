package binlog

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/milvus"
)

// OriginalSize is the size in memory, bytes, that a writer of the dialect declares for the values of a column in storage form
// (docs/format/binlog-v1.md 2.3). Arrays are counted like texts. No reader relies on it.
func OriginalSize(d Dialect, t milvus.DataType, values arrow.Array) int64 {
	if d == Stream {
		return arrowSize(values.Data())
	}
	rows := int64(values.Len())
	const header = 16 // a Go string or slice per row
	switch a := values.(type) {
	case *array.String:
		return rows*header + int64(len(a.ValueBytes()))
	case *array.Binary:
		n := int64(len(a.ValueBytes()))
		if t.IsDenseVector() {
			return n + 4
		}
		return rows*header + n
	case *array.Boolean:
		return rows
	case *array.List:
		return arrowSize(a.Data())
	}
	width := int64(values.DataType().(arrow.FixedWidthDataType).Bytes())
	if t.IsDenseVector() {
		return rows*width + 4 // the dimension
	}
	return rows * width
}

// arrowSize counts the bytes of Arrow buffers that an array uses, those of its children included.
func arrowSize(d arrow.ArrayData) int64 {
	rows := int64(d.Len())
	var n int64
	if d.NullN() > 0 {
		n += (rows + 7) / 8
	}
	switch t := d.DataType().(type) {
	case arrow.BinaryDataType:
		a := array.MakeFromData(d)
		defer a.Release()
		return n + 4*(rows+1) + int64(len(a.(array.BinaryLike).ValueBytes()))
	case *arrow.ListType:
		n += 4 * (rows + 1)
		for _, c := range d.Children() {
			n += arrowSize(c)
		}
	case arrow.FixedWidthDataType:
		n += (rows*int64(t.BitWidth()) + 7) / 8
	}
	return n
}

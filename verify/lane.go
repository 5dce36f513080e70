package verify

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// lane is a column without NULLs whose cells are a constant head and bytes that lie side by side: numbers and vectors (width > 0),
// or texts (offsets). Most columns are, and their rows take no call each. The zero value is no lane.
type lane struct {
	head    []byte // id, null flag, and for a width the length and what a list has before its elements
	data    []byte
	width   int
	offsets []int32
}

// laneOf returns the lane of a column, if it is one; e is its encoder.
func laneOf(id int64, a arrow.Array, e encode) lane {
	if a.NullN() > 0 {
		return lane{}
	}
	head := append(binary.LittleEndian.AppendUint64(nil, uint64(id)), 0)
	switch e := e.(type) {
	case fixedEncoder:
		if e.width == 0 {
			return lane{}
		}
		return lane{head: binary.LittleEndian.AppendUint32(head, uint32(e.width)), data: e.data, width: e.width}
	case listEncoder:
		list, ok := e.list.(*array.FixedSizeList)
		if !ok || e.plain == nil || e.plain.a.NullN() > 0 || list.Len() == 0 {
			return lane{}
		}
		start, end := list.ValueOffsets(0)
		width := int(end-start) * e.plain.width
		head = binary.LittleEndian.AppendUint32(head, uint32(width+5))
		head = append(binary.LittleEndian.AppendUint32(head, uint32(end-start)), 0)
		return lane{head: head, data: e.plain.data[int(start)*e.plain.width:], width: width}
	case bytesEncoder:
		switch a := a.(type) {
		case *array.String:
			return textLane(head, a.Data())
		case *array.Binary:
			return textLane(head, a.Data())
		}
	}
	return lane{}
}

func textLane(head []byte, d arrow.ArrayData) lane {
	offsets, values := d.Buffers()[1], d.Buffers()[2]
	if offsets == nil || values == nil || d.Len() == 0 {
		return lane{}
	}
	return lane{head: head, data: values.Bytes(), offsets: arrow.Int32Traits.CastFromBytes(offsets.Bytes())[d.Offset():]}
}

// append appends the cell of row r, as appendCell does.
func (l *lane) append(dst []byte, r int) []byte {
	dst = append(dst, l.head...)
	if l.width > 0 {
		return append(dst, l.data[r*l.width:(r+1)*l.width]...)
	}
	value := l.data[l.offsets[r]:l.offsets[r+1]]
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}

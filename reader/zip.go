package reader

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// zip joins the lists of a struct array's members into one list of structs. In every row they must be equally long.
func zip(c *column, rows map[milvus.FieldID]arrow.Array, runs []run) (arrow.Array, error) {
	members := make([]*array.List, len(c.array.Members))
	for i, m := range c.array.Members {
		picked, err := compact(rows[m.ID], runs)
		if err != nil {
			return nil, err
		}
		members[i] = picked.(*array.List)
	}
	first := members[0]
	n := first.Len()
	offsets := make([]int32, n+1)
	for r := range n {
		start, end := first.ValueOffsets(r)
		offsets[r+1] = offsets[r] + int32(end-start)
		for i, m := range members[1:] {
			s, e := m.ValueOffsets(r)
			if e-s != end-start || m.IsNull(r) != first.IsNull(r) {
				return nil, fault.Corrupt("zip struct array", "%s: member %s has %d elements, member %s has %d", c.Name,
					c.array.Members[0].Name, end-start, c.array.Members[i+1].Name, e-s)
			}
		}
	}
	elem := c.Type.(*arrow.ListType).Elem().(*arrow.StructType)
	children := make([]arrow.ArrayData, len(members))
	for i, m := range members {
		start, _ := m.ValueOffsets(0)
		values := array.NewSlice(m.ListValues(), start, start+int64(offsets[n]))
		children[i] = values.Data()
	}
	structs := array.NewData(elem, int(offsets[n]), []*memory.Buffer{nil}, children, 0, 0)
	data := array.NewData(c.Type, n, []*memory.Buffer{validity(first), memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))},
		[]arrow.ArrayData{structs}, first.NullN(), 0)
	return array.MakeFromData(data), nil
}

// validity returns the array's validity bitmap from bit 0 on, nil where nothing is NULL.
func validity(a arrow.Array) *memory.Buffer {
	if a.NullN() == 0 {
		return nil
	}
	bits := make([]byte, bitutil.BytesForBits(int64(a.Len())))
	for i := range a.Len() {
		bitutil.SetBitTo(bits, i, a.IsValid(i))
	}
	return memory.NewBufferBytes(bits)
}

package reader

import (
	"strconv"

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
	n := members[0].Len()
	offsets, valid, nulls := make([]int32, n+1), make([]byte, bitutil.BytesForBits(int64(n))), 0
	for r := range n {
		length, null, err := c.elements(members, r)
		if err != nil {
			return nil, err
		}
		offsets[r+1] = offsets[r] + length
		bitutil.SetBitTo(valid, r, !null)
		if null {
			nulls++
		}
	}
	children := make([]arrow.ArrayData, len(members))
	for i, m := range members {
		values, err := listValues(m, valid)
		if err != nil {
			return nil, err
		}
		children[i] = values.Data()
	}
	elem := c.Type.(*arrow.ListType).Elem()
	structs := array.NewData(elem, int(offsets[n]), []*memory.Buffer{nil}, children, 0, 0)
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))}
	if nulls > 0 {
		buffers[0] = memory.NewBufferBytes(valid)
	}
	return array.MakeFromData(array.NewData(c.Type, n, buffers, []arrow.ArrayData{structs}, nulls, 0)), nil
}

// elements returns how many structs row r has, and whether it is NULL.
func (c *column) elements(members []*array.List, r int) (length int32, null bool, err error) {
	nulls := 0
	for _, m := range members {
		if m.IsNull(r) {
			nulls++
		}
	}
	if nulls == len(members) || nulls > 0 && c.partial {
		return 0, true, nil
	}
	start, end := members[0].ValueOffsets(r)
	for i, m := range members {
		if s, e := m.ValueOffsets(r); e-s != end-start || m.IsNull(r) != members[0].IsNull(r) {
			return 0, false, fault.Corrupt("zip struct array", "%s: member %s has %s, member %s has %s", c.Name,
				c.array.Members[0].Name, elementCount(members[0], r), c.array.Members[i].Name, elementCount(m, r))
		}
	}
	return int32(end - start), false, nil
}

// elementCount describes row r of a list in an error.
func elementCount(l *array.List, r int) string {
	if l.IsNull(r) {
		return "NULL"
	}
	start, end := l.ValueOffsets(r)
	return strconv.FormatInt(end-start, 10) + " elements"
}

// listValues returns the elements of the rows whose bit is set.
func listValues(l *array.List, valid []byte) (arrow.Array, error) {
	var runs []run
	for r := range l.Len() {
		start, end := l.ValueOffsets(r)
		if start == end || !bitutil.BitIsSet(valid, r) {
			continue
		}
		if last := len(runs) - 1; last >= 0 && runs[last].end == int(start) {
			runs[last].end = int(end)
		} else {
			runs = append(runs, run{int(start), int(end)})
		}
	}
	if len(runs) == 0 {
		return array.NewSlice(l.ListValues(), 0, 0), nil
	}
	return compact(l.ListValues(), runs)
}

package packed

import (
	"sort"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// rowGroupBytes is the in-memory size at which Milvus cuts row groups.
const rowGroupBytes = 1 << 20

// rowGroup is a range of rows and the bytes that they take in memory.
type rowGroup struct {
	first, rows int
	memory      int64
}

// cut splits the rows of columns of equal length into row groups of at most limit bytes in memory each, or of one row.
func cut(columns []arrow.Array, limit int64) (out []rowGroup) {
	sizes := make([]func(first, n int) int64, len(columns))
	for i, c := range columns {
		sizes[i] = sizer(c.Data())
	}
	memory := func(first, n int) (sum int64) {
		for _, size := range sizes {
			sum += size(first, n)
		}
		return sum
	}
	rows := columns[0].Len()
	for first := 0; first < rows; {
		n := sort.Search(rows-first, func(i int) bool { return memory(first, i+1) > limit })
		n = max(n, 1)
		out = append(out, rowGroup{first, n, memory(first, n)})
		first += n
	}
	return out
}

// sizer returns the bytes of an array's buffers for a range of its rows, as Milvus counts them: values, offsets (one more than
// rows), and validity if the array has NULLs.
func sizer(d arrow.ArrayData) func(first, n int) int64 {
	values := valueSizer(d)
	if d.NullN() == 0 {
		return values
	}
	return func(first, n int) int64 { return values(first, n) + int64(n+7)/8 }
}

func valueSizer(d arrow.ArrayData) func(first, n int) int64 {
	switch t := d.DataType().(type) {
	case arrow.BinaryDataType:
		at := offsets(d)
		return func(first, n int) int64 { return 4*int64(n+1) + int64(at[first+n]-at[first]) }
	case *arrow.ListType:
		at, child := offsets(d), sizer(d.Children()[0])
		return func(first, n int) int64 {
			return 4*int64(n+1) + child(int(at[first]), int(at[first+n]-at[first]))
		}
	case arrow.FixedWidthDataType:
		bits := int64(t.BitWidth())
		return func(_, n int) int64 { return (int64(n)*bits + 7) / 8 }
	}
	return func(int, int) int64 { return 0 } // stored gives no other type
}

func offsets(d arrow.ArrayData) []int32 {
	if d.Len() == 0 {
		return []int32{0}
	}
	return arrow.GetData[int32](d.Buffers()[1].Bytes())[d.Offset() : d.Offset()+d.Len()+1]
}

// spell writes row groups as the footer does: "1048576|4096|0;487424|1904|4096".
func spell(groups []rowGroup) string {
	parts := make([]string, len(groups))
	for i, g := range groups {
		parts[i] = strconv.FormatInt(g.memory, 10) + "|" + strconv.Itoa(g.rows) + "|" + strconv.Itoa(g.first)
	}
	return strings.Join(parts, ";")
}

package cell

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// sparse decodes vectors stored as pairs of a 32-bit index and a float32 (docs/format/binlog-v1.md 5).
func (d *decoder) sparse() (arrow.Array, error) {
	cells, ok := bytesOf(d.raw)
	if _, text := d.raw.(*array.String); !ok || text {
		return nil, d.mismatch()
	}
	most := int(cells.offsets[d.n]-cells.offsets[0]) / 8
	keys, values := make([]int64, 0, most), make([]uint32, 0, most)
	offsets := make([]int32, d.n+1)
	for i := range d.n {
		if !d.isNull(i) {
			start := len(keys)
			var what string
			if keys, values, what = appendSparse(keys, values, cells.value(i)); what != "" {
				keys, values = keys[:start], values[:start]
				if err := d.bad(i, "%s", what); err != nil {
					return nil, err
				}
			}
		}
		offsets[i+1] = int32(len(keys))
	}
	return d.result([]arrow.ArrayData{sparseEntries(keys, values)}, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))), nil
}

// appendSparse appends the pairs of one cell; what says why the cell is none.
func appendSparse(keys []int64, values []uint32, cell []byte) (_ []int64, _ []uint32, what string) {
	if len(cell)%8 != 0 {
		return keys, values, "the length is not a multiple of 8"
	}
	last := int64(-1)
	for ; len(cell) > 0; cell = cell[8:] {
		pair := binary.LittleEndian.Uint64(cell)
		index, bits := int64(uint32(pair)), uint32(pair>>32)
		switch {
		case index <= last:
			return keys, values, "the indices do not ascend"
		case index == math.MaxUint32:
			return keys, values, "the index 4294967295"
		case bits&0x7f800000 == 0x7f800000:
			return keys, values, "a value is not finite"
		}
		keys, values, last = append(keys, index), append(values, bits), index
	}
	return keys, values, ""
}

func sparseEntries(keys []int64, values []uint32) arrow.ArrayData {
	n := len(keys)
	k := array.NewData(arrow.PrimitiveTypes.Int64, n, []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int64Traits.CastToBytes(keys))}, nil, 0, 0)
	v := array.NewData(arrow.PrimitiveTypes.Float32, n, []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Uint32Traits.CastToBytes(values))}, nil, 0, 0)
	return array.NewData(sparseType.Elem(), n, []*memory.Buffer{nil}, []arrow.ArrayData{k, v}, 0, 0)
}

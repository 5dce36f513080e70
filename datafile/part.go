package datafile

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// rowsPerChunk is how many rows of the batch make about chunkBytes.
func rowsPerChunk(batch arrow.RecordBatch) int64 {
	bytes := int64(0)
	for _, c := range batch.Columns() {
		bytes += arrayBytes(c)
	}
	if bytes <= chunkBytes {
		return max(batch.NumRows(), 1)
	}
	return max(batch.NumRows()*chunkBytes/bytes, 1)
}

// arrayBytes is about how large the array's values are.
func arrayBytes(a arrow.Array) int64 {
	n := int64(a.Len())
	switch v := a.(type) {
	case *array.String:
		return n*4 + int64(len(v.ValueBytes()))
	case *array.Binary:
		return n*4 + int64(len(v.ValueBytes()))
	case *array.FixedSizeList:
		return rangeBytes(v.ListValues(), n*int64(v.DataType().(*arrow.FixedSizeListType).Len()))
	case *array.Map:
		return n*4 + listBytes(v.List)
	case *array.List:
		return n*4 + listBytes(v)
	case *array.Struct:
		total := int64(0)
		for i := range v.NumField() {
			total += arrayBytes(v.Field(i))
		}
		return total
	}
	if v, ok := a.(array.ExtensionArray); ok {
		return arrayBytes(v.Storage())
	}
	if f, ok := a.DataType().(arrow.FixedWidthDataType); ok {
		return n * int64(f.BitWidth()) / 8
	}
	return n
}

func listBytes(v *array.List) int64 {
	if v.Len() == 0 {
		return 0
	}
	offsets := v.Offsets()[v.Data().Offset():]
	return rangeBytes(v.ListValues(), int64(offsets[v.Len()]-offsets[0]))
}

// rangeBytes is about how large n of the array's values are.
func rangeBytes(a arrow.Array, n int64) int64 {
	if a.Len() == 0 {
		return 0
	}
	return arrayBytes(a) * n / int64(a.Len())
}

package pages

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// NaNsDiffer reports whether floats, of a list's elements too, have NaNs of several bit patterns. arrow-go's dictionaries take them
// all for one value: such a column must be written without.
func NaNsDiffer(values arrow.Array) bool {
	switch a := values.(type) {
	case array.ListLike:
		return NaNsDiffer(a.ListValues())
	case *array.Float32:
		first := uint32(0)
		for _, v := range a.Float32Values() {
			if v != v {
				bits := math.Float32bits(v)
				if first != 0 && bits != first {
					return true
				}
				first = bits
			}
		}
	case *array.Float64:
		first := uint64(0)
		for _, v := range a.Float64Values() {
			if v != v {
				bits := math.Float64bits(v)
				if first != 0 && bits != first {
					return true
				}
				first = bits
			}
		}
	}
	return false
}

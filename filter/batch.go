package filter

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const opEval = "evaluate filter"

// batch is the rows of one Eval.
type batch struct {
	columns Columns
	rows    int
	arrays  []loaded
}

type loaded struct {
	field milvus.FieldID
	array arrow.Array
}

// array asks for a field's column once.
func (b *batch) array(f milvus.Field) (arrow.Array, error) {
	for _, l := range b.arrays {
		if l.field == f.ID {
			return l.array, nil
		}
	}
	arr, err := b.columns(f.ID)
	if err != nil {
		return nil, err
	}
	if arr == nil || arr.Len() != b.rows {
		return nil, fault.Corrupt(opEval, "field %s (%d): a column of %d rows is needed", f.Name, f.ID, b.rows)
	}
	b.arrays = append(b.arrays, loaded{f.ID, arr})
	return arr, nil
}

// wrongType is the error for a column that is not what cell.Type says.
func wrongType(f milvus.Field, arr arrow.Array) error {
	return fault.Corrupt(opEval, "field %s (%d) is %s, its column %s", f.Name, f.ID, f.Type, arr.DataType())
}

// text returns the column of a string or JSON field.
func (b *batch) text(f milvus.Field) (*array.String, error) {
	arr, err := b.array(f)
	if err != nil {
		return nil, err
	}
	s, ok := arr.(*array.String)
	if !ok {
		return nil, wrongType(f, arr)
	}
	return s, nil
}

func (b *batch) list(f milvus.Field) (*array.List, error) {
	arr, err := b.array(f)
	if err != nil {
		return nil, err
	}
	l, ok := arr.(*array.List)
	if !ok {
		return nil, wrongType(f, arr)
	}
	return l, nil
}

// nulls returns the rows of an array that are NULL; nil if none is.
func nulls(arr arrow.Array) bitmap {
	if arr.NullN() == 0 {
		return nil
	}
	n := arr.Len()
	out := loadBits(arr.NullBitmapBytes(), arr.Data().Offset(), n)
	for i := range out {
		out[i] = ^out[i]
	}
	out.trim(n)
	return out
}

// loadBits copies n bits from bit offset on.
func loadBits(b []byte, offset, n int) bitmap {
	out := zeros(n)
	for w := range out {
		at := offset + w<<6
		word := load64(b, at>>3)
		if shift := at & 7; shift != 0 {
			word = word>>shift | load64(b, at>>3+8)<<(64-shift)
		}
		out[w] = word
	}
	out.trim(n)
	return out
}

// load64 reads eight bytes; those past the end are 0.
func load64(b []byte, at int) uint64 {
	if at+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[at:])
	}
	var last [8]byte
	if at < len(b) {
		copy(last[:], b[at:])
	}
	return binary.LittleEndian.Uint64(last[:])
}

// vector is the values of an operand in one batch: the slice of its kind is set (kindInt, kindFloat, kindBool, kindString, or
// kindJSON for values of any kind). Rows in unknown have no value; what the slice holds for them means nothing.
type vector struct {
	kind    kind
	ints    []int64
	floats  []float64
	bools   bitmap
	texts   []string
	any     []scalar
	unknown bitmap
}

// at returns the value of a row that has one; numbers are not made canonical.
func (v vector) at(i int) scalar {
	switch v.kind {
	case kindInt:
		return intScalar(v.ints[i])
	case kindFloat:
		return floatScalar(v.floats[i])
	case kindBool:
		return boolScalar(v.bools.bit(i))
	case kindString:
		return stringScalar(v.texts[i])
	}
	return v.any[i]
}

// newVector makes room for n values of the kind.
func newVector(k kind, n int) vector {
	v := vector{kind: k}
	switch k {
	case kindInt:
		v.ints = make([]int64, n)
	case kindFloat:
		v.floats = make([]float64, n)
	case kindBool:
		v.bools = zeros(n)
	case kindString:
		v.texts = make([]string, n)
	default:
		v.any = make([]scalar, n)
	}
	return v
}

// put stores the value at j of arr, an array of scalars, in row i; it reports whether arr has the type that v.kind needs.
func (v vector) put(i int, arr arrow.Array, j int) bool {
	switch a := arr.(type) {
	case *array.Int32:
		if v.ints != nil {
			v.ints[i] = int64(a.Value(j))
		}
		return v.ints != nil
	case *array.Int64:
		if v.ints != nil {
			v.ints[i] = a.Value(j)
		}
		return v.ints != nil
	case *array.Timestamp:
		if v.ints != nil {
			v.ints[i] = int64(a.Value(j))
		}
		return v.ints != nil
	case *array.Date32:
		if v.ints != nil {
			v.ints[i] = int64(a.Value(j))
		}
		return v.ints != nil
	case *array.Float32:
		if v.floats != nil {
			v.floats[i] = float64(a.Value(j))
		}
		return v.floats != nil
	case *array.Float64:
		if v.floats != nil {
			v.floats[i] = a.Value(j)
		}
		return v.floats != nil
	case *array.String:
		if v.texts != nil {
			v.texts[i] = a.Value(j)
		}
		return v.texts != nil
	case *array.Boolean:
		if v.bools != nil && a.Value(j) {
			v.bools.set(i)
		}
		return v.bools != nil
	}
	return false
}

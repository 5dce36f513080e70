package engine

import (
	"encoding/json"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

// checkValues refuses what Milvus refuses of a field's values, and whatever could not be written later. It returns the values as
// files are going to have them: halves are rounded.
func checkValues(f milvus.Field, a arrow.Array) (arrow.Array, error) {
	if err := checkPlain(f, a); err != nil {
		return nil, err
	}
	stored, err := cell.Encode(f, a)
	if err != nil {
		return nil, status.Invalid("%v", err)
	}
	half := func(t milvus.DataType) bool { return t == milvus.TypeFloat16Vector || t == milvus.TypeBFloat16Vector }
	if half(f.Type) || half(f.ElementType) {
		return cell.Decode(f, stored, cell.Options{})
	}
	return a, nil
}

// checkPlain checks lengths, capacities, texts and floats.
func checkPlain(f milvus.Field, a arrow.Array) error {
	switch a := a.(type) {
	case *array.String:
		if f.Type == milvus.TypeJSON {
			return checkJSON(f, a)
		}
		return checkTexts(f, a)
	case *array.Float32:
		return checkFloats(f, a.Float32Values(), a)
	case *array.Float64:
		return checkFloats(f, a.Float64Values(), a)
	case *array.FixedSizeList:
		return checkVectors(f, a)
	case *array.Map:
		return nil // cell.Encode checks sparse vectors
	case *array.List:
		return checkLists(f, a)
	}
	return nil
}

func checkTexts(f milvus.Field, a *array.String) error {
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		v := a.Value(i)
		if f.MaxLength > 0 && len(v) > f.MaxLength {
			return status.Invalid("length of varchar field %s exceeds max length, row number: %d, length: %d, max length: %d", f.Name, i, len(v), f.MaxLength)
		}
		if !utf8.ValidString(v) {
			return status.Invalid("the value of field %s in row %d is not UTF-8", f.Name, i)
		}
	}
	return nil
}

func checkJSON(f milvus.Field, a *array.String) error {
	for i := range a.Len() {
		if a.IsNull(i) {
			continue
		}
		v := a.Value(i)
		switch {
		case len(v) > maxJSON:
			return status.Invalid("the length (%d) of json field (%s) exceeds max length (%d)", len(v), f.Name, maxJSON)
		case !utf8.ValidString(v) || !json.Valid([]byte(v)):
			return status.Invalid("the value of json field %s in row %d is not JSON", f.Name, i)
		case f.Dynamic && !isObject(v):
			return status.Invalid("the dynamic field's value in row %d is not a JSON object", i)
		}
	}
	return nil
}

// isObject tells objects from other JSON.
func isObject(valid string) bool {
	for _, c := range []byte(valid) {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c == '{'
		}
	}
	return false
}

// checkFloats refuses NaN and infinity.
func checkFloats[T float32 | float64](f milvus.Field, values []T, a arrow.Array) error {
	for i, v := range values {
		if v-v != 0 && (a == nil || a.IsValid(i)) {
			return status.Invalid("value '%v' of field %s is not a number or infinity", v, f.Name)
		}
	}
	return nil
}

// checkVectors checks the elements of vectors that are not NULL.
func checkVectors(f milvus.Field, a *array.FixedSizeList) error {
	values, ok := a.ListValues().(*array.Float32)
	if !ok {
		return nil // cell.Encode checks small integers
	}
	floats := values.Float32Values()
	width := int(a.DataType().(*arrow.FixedSizeListType).Len())
	first := a.Data().Offset() * width
	if a.NullN() == 0 {
		return checkFloats(f, floats[first:first+a.Len()*width], nil)
	}
	for i := range a.Len() {
		if a.IsValid(i) {
			if err := checkFloats(f, floats[first+i*width:first+(i+1)*width], nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLists checks capacities, and the elements.
func checkLists(f milvus.Field, a *array.List) error {
	for i := range a.Len() {
		if from, to := a.ValueOffsets(i); a.IsValid(i) && to-from > int64(f.MaxCapacity) {
			return status.Invalid("the length (%d) of array field (%s) in row %d exceeds max capacity (%d)", to-from, f.Name, i, f.MaxCapacity)
		}
	}
	if a.Len() == 0 {
		return nil
	}
	from, _ := a.ValueOffsets(0)
	_, to := a.ValueOffsets(a.Len() - 1)
	elements := array.NewSlice(a.ListValues(), from, to)
	element := milvus.Field{Name: f.Name, Type: f.ElementType, MaxLength: f.MaxLength, Dim: f.Dim}
	if f.Type == milvus.TypeArray && f.ElementType != milvus.TypeVarChar && f.ElementType != milvus.TypeText {
		return nil // cell.Encode checks small integers; floats may be anything
	}
	return checkPlain(element, elements)
}

// checkMembers checks that the members of a struct array have equally many elements in every row.
func checkMembers(a milvus.StructArray, columns flush.Chunk) error {
	first := columns[a.Members[0].ID].(*array.List)
	for _, m := range a.Members[1:] {
		c := columns[m.ID].(*array.List)
		for i := range c.Len() {
			from, to := first.ValueOffsets(i)
			otherFrom, otherTo := c.ValueOffsets(i)
			if first.IsNull(i) != c.IsNull(i) || to-from != otherTo-otherFrom {
				return status.Invalid("the fields of struct array field %s have different lengths in row %d", a.Name, i)
			}
		}
	}
	return nil
}

// finite reports whether a number can be a bound of scores.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

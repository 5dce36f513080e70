package cell

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const opConstant = "fill a missing column"

// Constant returns n rows of a field for which a chunk has no file (docs/format/binlog-v1.md 3.3): the field's default, else
// NULL, else "{}" for the dynamic field. ErrMissing if the field is not nullable and has no default, ErrCorrupt if the
// default is not a value of the field.
func Constant(f milvus.Field, n int) (arrow.Array, error) {
	t, err := Type(f)
	if err != nil {
		return nil, err
	}
	value := f.Default
	if value == nil && f.Dynamic && !f.Nullable {
		value = []byte("{}")
	}
	if value == nil {
		if !f.Nullable {
			return nil, fault.Missing(opConstant, "field %q has no file, no default, and is not nullable", f.Name)
		}
		return array.MakeArrayOfNull(memory.DefaultAllocator, t, n), nil
	}
	b := array.NewBuilder(memory.DefaultAllocator, t)
	defer b.Release()
	b.Reserve(n)
	for range n {
		if !appendDefault(b, value) {
			return nil, fault.Corrupt(opConstant, "the default of field %q (%v) is %s", f.Name, f.Type, fmt.Sprintf("%T", value))
		}
	}
	return b.NewArray(), nil
}

// appendDefault appends a default as milvus.Field spells it; false if the builder does not take it.
func appendDefault(b array.Builder, value any) bool {
	switch b := b.(type) {
	case *array.BooleanBuilder:
		return add(b.Append, value)
	case *array.Int32Builder:
		return add(b.Append, value)
	case *array.Int64Builder:
		return add(b.Append, value)
	case *array.Float32Builder:
		return add(b.Append, value)
	case *array.Float64Builder:
		return add(b.Append, value)
	case *array.TimestampBuilder:
		return add(func(v int64) { b.Append(arrow.Timestamp(v)) }, value)
	case *array.Date32Builder:
		return add(func(v int32) { b.Append(arrow.Date32(v)) }, value)
	case *array.StringBuilder:
		return add(b.Append, value) || add(func(v []byte) { b.BinaryBuilder.Append(v) }, value)
	case *array.BinaryBuilder:
		return add(b.Append, value)
	}
	return false
}

func add[T any](append func(T), value any) bool {
	v, ok := value.(T)
	if ok {
		append(v)
	}
	return ok
}

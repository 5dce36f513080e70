package form

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
)

// pairsType is a sparse vector as two lists of one length. They are never NULL where the struct is not, but not declared so:
// pyarrow, and with it PySpark, can't hold a NULL struct with members that are required.
var pairsType = arrow.StructOf(
	arrow.Field{Name: "indices", Nullable: true, Type: arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Int64})},
	arrow.Field{Name: "values", Nullable: true, Type: arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Float32})},
)

// toPairs shares the memory of indices, values and offsets.
func toPairs(m *array.Map) arrow.Array {
	d := m.Data()
	list := func(i int, values arrow.Array) arrow.ArrayData {
		return array.NewData(pairsType.Field(i).Type, d.Len(), []*memory.Buffer{nil, d.Buffers()[1]}, []arrow.ArrayData{values.Data()}, 0, d.Offset())
	}
	return withMembers(m, pairsType, []arrow.ArrayData{list(0, m.Keys()), list(1, m.Items())})
}

// fromPairs makes maps of pairs, whoever wrote them; where there is a NULL inside of a vector, pairs stay as they are. ErrCorrupt if
// there are not as many indices as values.
func fromPairs(s *array.Struct, t *arrow.MapType) (arrow.Array, error) {
	indices, ok := s.Field(0).(*array.List)
	values, ok2 := s.Field(1).(*array.List)
	if !ok || !ok2 || !arrow.TypeEqual(indices.ListValues().DataType(), t.KeyType()) || !arrow.TypeEqual(values.ListValues().DataType(), t.ItemType()) {
		return s, nil
	}
	keys, items := indices.ListValues().(*array.Int64), values.ListValues().(*array.Float32)
	b := array.NewMapBuilderWithType(memory.DefaultAllocator, t)
	defer b.Release()
	for i := range s.Len() {
		if s.IsNull(i) {
			b.AppendNull()
			continue
		}
		from, to := indices.ValueOffsets(i)
		first, last := values.ValueOffsets(i)
		if to-from != last-first {
			return nil, fault.Corrupt("read sparse vectors", "row %d of a batch has %d indices and %d values", i, to-from, last-first)
		}
		if indices.IsNull(i) || values.IsNull(i) {
			return s, nil
		}
		b.Append(true)
		for j := from; j < to; j++ {
			if keys.IsNull(int(j)) || items.IsNull(int(first+j-from)) {
				return s, nil
			}
			b.KeyBuilder().(*array.Int64Builder).Append(keys.Value(int(j)))
			b.ItemBuilder().(*array.Float32Builder).Append(items.Value(int(first + j - from)))
		}
	}
	return b.NewArray(), nil
}

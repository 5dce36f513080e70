package form

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// Canonical returns values of a table in the canonical form of their field, want, which has the Milvus field ids of
// [New]. What is in that form, or in none that is known, stays as it is, variants included, and so do bytes
// of which some are no vectors: whoever compares finds a difference. ErrCorrupt for sparse vectors whose parts differ in length.
func Canonical(collection *milvus.Schema, want arrow.Field, have arrow.Array) (arrow.Array, error) {
	a, err := inverse{collection}.values(want.Type, fieldOf(collection, want), have)
	return a, fault.Place(err, want.Name)
}

// fieldOf returns the Milvus field of a column or struct member; an empty one for struct arrays and system columns.
func fieldOf(collection *milvus.Schema, f arrow.Field) milvus.Field {
	text, _ := f.Metadata.GetValue(metaFieldID)
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return milvus.Field{}
	}
	mf, _ := collection.Field(milvus.FieldID(id))
	return mf
}

type inverse struct{ collection *milvus.Schema }

func (v inverse) values(want arrow.DataType, f milvus.Field, have arrow.Array) (arrow.Array, error) {
	switch want := want.(type) {
	case *arrow.FixedSizeListType:
		if isBinary(have) {
			f.Nullable = true
			if vectors, err := cell.Decode(f, have, cell.Options{}); err == nil {
				return vectors, nil
			}
		}
	case *arrow.MapType:
		if s, ok := have.(*array.Struct); ok && s.NumField() == 2 {
			return fromPairs(s, want)
		}
	case *arrow.ListType:
		list, ok := have.(*array.List)
		if !ok {
			return have, nil
		}
		elements, err := v.elements(want.Elem(), vectorOf(f), list.ListValues())
		if err != nil || elements == list.ListValues() {
			return have, err
		}
		elem := list.DataType().(*arrow.ListType).ElemField()
		elem.Type = elements.DataType()
		return withElements(have, arrow.ListOfField(elem), elements), nil
	}
	return have, nil
}

func (v inverse) elements(want arrow.DataType, f milvus.Field, have arrow.Array) (arrow.Array, error) {
	s, ok := have.(*array.Struct)
	st, ok2 := want.(*arrow.StructType)
	if !ok || !ok2 {
		return v.values(want, f, have)
	}
	fields := append([]arrow.Field(nil), s.DataType().(*arrow.StructType).Fields()...)
	members := make([]arrow.ArrayData, len(fields))
	for i := range fields {
		member := s.Field(i)
		if w, ok := st.FieldByName(fields[i].Name); ok {
			var err error
			if member, err = v.values(w.Type, vectorOf(fieldOf(v.collection, w)), member); err != nil {
				return nil, err
			}
		}
		fields[i].Type, members[i] = member.DataType(), member.Data()
	}
	return withMembers(s, arrow.StructOf(fields...), members), nil
}

func isBinary(a arrow.Array) bool {
	switch a.(type) {
	case *array.Binary, *array.FixedSizeBinary:
		return true
	}
	return false
}

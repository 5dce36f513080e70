package fielddata

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// Answer turns canonical arrays into the columns of an answer: the given fields in their order, members of struct arrays
// together under the struct's name, at the place of the first of them.
func Answer(s *milvus.Schema, fields []milvus.FieldID, columns map[milvus.FieldID]arrow.Array, o Options) ([]*schemapb.FieldData, error) {
	var out []*schemapb.FieldData
	structs := map[milvus.FieldID]*schemapb.FieldData{}
	for _, id := range fields {
		f, ok := s.Field(id)
		a := columns[id]
		if !ok || a == nil {
			return nil, status.New(status.Unexpected, "field %d has no column", id)
		}
		sa := parent(s, id)
		if sa != nil {
			f.Name, f.Nullable = MemberName(sa, &f), f.Nullable || sa.Nullable
		}
		d, err := Encode(f, a, o)
		if err != nil {
			return nil, err
		}
		if sa == nil {
			out = append(out, d)
			continue
		}
		if structs[sa.ID] == nil {
			structs[sa.ID] = &schemapb.FieldData{
				Type: schemapb.DataType_ArrayOfStruct, FieldName: sa.Name, FieldId: int64(sa.ID),
				Field: &schemapb.FieldData_StructArrays{StructArrays: &schemapb.StructArrayField{}},
			}
			out = append(out, structs[sa.ID])
		}
		members := structs[sa.ID].GetStructArrays()
		members.Fields = append(members.Fields, d)
	}
	return out, nil
}

// parent returns the struct array that the field is a member of, nil if it is none.
func parent(s *milvus.Schema, id milvus.FieldID) *milvus.StructArray {
	for i := range s.StructArrays {
		for _, m := range s.StructArrays[i].Members {
			if m.ID == id {
				return &s.StructArrays[i]
			}
		}
	}
	return nil
}

// Encode turns a canonical array into a column of an answer. It may share the array's memory.
func Encode(f milvus.Field, a arrow.Array, o Options) (*schemapb.FieldData, error) {
	d := &schemapb.FieldData{Type: schemapb.DataType(f.Type), FieldName: f.Name, FieldId: int64(f.ID), IsDynamic: f.Dynamic}
	if f.Nullable {
		d.ValidData = make([]bool, a.Len())
		for i := range d.ValidData {
			d.ValidData[i] = a.IsValid(i)
		}
	}
	if f.Type.IsVector() {
		v, err := encodeVectors(f, a)
		d.Field = &schemapb.FieldData_Vectors{Vectors: v}
		return d, err
	}
	s, err := encodeScalars(f, a, o)
	d.Field = &schemapb.FieldData_Scalars{Scalars: s}
	return d, err
}

func encodeScalars(f milvus.Field, a arrow.Array, o Options) (*schemapb.ScalarField, error) {
	switch a := a.(type) {
	case *array.Boolean:
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_BoolData{BoolData: &schemapb.BoolArray{Data: values(a, a.Value)}}}, nil
	case *array.Int32:
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_IntData{IntData: &schemapb.IntArray{Data: shared(a, a.Int32Values(), a.Value)}}}, nil
	case *array.Int64:
		if f.Type == milvus.TypeInt64 {
			return &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: shared(a, a.Int64Values(), a.Value)}}}, nil
		}
	case *array.Float32:
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_FloatData{FloatData: &schemapb.FloatArray{Data: shared(a, a.Float32Values(), a.Value)}}}, nil
	case *array.Float64:
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_DoubleData{DoubleData: &schemapb.DoubleArray{Data: shared(a, a.Float64Values(), a.Value)}}}, nil
	case *array.String:
		if f.Type == milvus.TypeJSON {
			return &schemapb.ScalarField{Data: &schemapb.ScalarField_JsonData{JsonData: &schemapb.JSONArray{
				Data: values(a, func(i int) []byte { return []byte(a.Value(i)) })}}}, nil
		}
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_StringData{StringData: &schemapb.StringArray{Data: values(a, a.Value)}}}, nil
	case *array.Timestamp:
		zone := o.zone()
		return &schemapb.ScalarField{Data: &schemapb.ScalarField_StringData{StringData: &schemapb.StringArray{
			Data: values(a, func(i int) string { return FormatMoment(int64(a.Value(i)), zone) })}}}, nil
	case *array.Binary:
		return encodeGeometry(f, a)
	case *array.List:
		return encodeArrays(f, a)
	}
	return nil, status.Invalid("field %s is of type %v, which answers have no column for", f.Name, f.Type)
}

// values returns one value a row, the zero value for NULL.
func values[T any](a arrow.Array, get func(int) T) []T {
	out := make([]T, a.Len())
	for i := range out {
		if a.IsValid(i) {
			out[i] = get(i)
		}
	}
	return out
}

// shared is the array's own memory if it has no NULLs.
func shared[T any](a arrow.Array, all []T, get func(int) T) []T {
	if a.NullN() == 0 {
		return all
	}
	return values(a, get)
}

func encodeGeometry(f milvus.Field, a *array.Binary) (*schemapb.ScalarField, error) {
	out := make([]string, a.Len())
	for i := range out {
		if a.IsNull(i) {
			continue
		}
		var err error
		if out[i], err = FormatGeometry(a.Value(i)); err != nil {
			return nil, fmt.Errorf("field %s, row %d: %w", f.Name, i, err)
		}
	}
	return &schemapb.ScalarField{Data: &schemapb.ScalarField_GeometryWktData{GeometryWktData: &schemapb.GeometryWktArray{Data: out}}}, nil
}

package pb

import (
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// toDefault returns the field's default as milvus.Field.Default holds it; nil if it has none. Milvus's server keeps a
// default in the member of its own kind; int_data for Int64 and string_data for JSON are what some clients send.
func toDefault(f *milvus.Field, v *ValueField) (any, error) {
	if v == nil || v.Data == nil {
		return nil, nil
	}
	var out any
	switch f.Type {
	case milvus.TypeBool:
		out = oneOf[*ValueField_BoolData](v, func(d *ValueField_BoolData) any { return d.BoolData })
	case milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32:
		out = intDefault(f.Type, v)
	case milvus.TypeInt64:
		switch d := v.Data.(type) {
		case *ValueField_LongData:
			out = d.LongData
		case *ValueField_IntData:
			out = int64(d.IntData)
		}
	case milvus.TypeFloat:
		out = oneOf[*ValueField_FloatData](v, func(d *ValueField_FloatData) any { return d.FloatData })
	case milvus.TypeDouble:
		out = oneOf[*ValueField_DoubleData](v, func(d *ValueField_DoubleData) any { return d.DoubleData })
	case milvus.TypeString, milvus.TypeVarChar, milvus.TypeText:
		out = oneOf[*ValueField_StringData](v, func(d *ValueField_StringData) any { return d.StringData })
	case milvus.TypeJSON, milvus.TypeGeometry:
		switch d := v.Data.(type) {
		case *ValueField_BytesData:
			out = append([]byte{}, d.BytesData...)
		case *ValueField_StringData:
			if f.Type == milvus.TypeGeometry {
				return nil, fault.Unsupported(opSchema, "field %q (%d) has a default in text form", f.Name, f.ID)
			}
			out = []byte(d.StringData)
		}
	case milvus.TypeTimestamptz:
		if _, text := v.Data.(*ValueField_StringData); text {
			return nil, fault.Unsupported(opSchema, "field %q (%d) has a default in text form", f.Name, f.ID)
		}
		out = oneOf[*ValueField_TimestamptzData](v, func(d *ValueField_TimestamptzData) any { return d.TimestamptzData })
	case milvus.TypeDate:
		out = oneOf[*ValueField_DateData](v, func(d *ValueField_DateData) any { return d.DateData })
	case milvus.TypeTime:
		out = oneOf[*ValueField_TimeData](v, func(d *ValueField_TimeData) any { return d.TimeData })
	default:
		return nil, fault.Unsupported(opSchema, "field %q (%d) of type %s has a default", f.Name, f.ID, f.Type)
	}
	if out == nil {
		return nil, fault.Corrupt(opSchema, "field %q (%d) of type %s has a default of another type (%T)", f.Name, f.ID, f.Type, v.Data)
	}
	return out, nil
}

func oneOf[T isValueField_Data](v *ValueField, get func(T) any) any {
	if d, ok := v.Data.(T); ok {
		return get(d)
	}
	return nil
}

func intDefault(t milvus.DataType, v *ValueField) any {
	d, ok := v.Data.(*ValueField_IntData)
	if !ok {
		return nil
	}
	n := d.IntData
	if t == milvus.TypeInt8 && n != int32(int8(n)) || t == milvus.TypeInt16 && n != int32(int16(n)) {
		return nil
	}
	return n
}

func fromDefault(f *milvus.Field) *ValueField {
	switch d := f.Default.(type) {
	case bool:
		return &ValueField{Data: &ValueField_BoolData{BoolData: d}}
	case int32:
		if f.Type == milvus.TypeDate {
			return &ValueField{Data: &ValueField_DateData{DateData: d}}
		}
		return &ValueField{Data: &ValueField_IntData{IntData: d}}
	case int64:
		switch f.Type {
		case milvus.TypeTimestamptz:
			return &ValueField{Data: &ValueField_TimestamptzData{TimestamptzData: d}}
		case milvus.TypeTime:
			return &ValueField{Data: &ValueField_TimeData{TimeData: d}}
		}
		return &ValueField{Data: &ValueField_LongData{LongData: d}}
	case float32:
		return &ValueField{Data: &ValueField_FloatData{FloatData: d}}
	case float64:
		return &ValueField{Data: &ValueField_DoubleData{DoubleData: d}}
	case string:
		return &ValueField{Data: &ValueField_StringData{StringData: d}}
	case []byte:
		return &ValueField{Data: &ValueField_BytesData{BytesData: d}}
	}
	return nil
}

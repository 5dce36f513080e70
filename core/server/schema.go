package server

import (
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/fielddata"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// declared reads the schema of a request to create a collection. Its fields have no ids that count.
func declared(b []byte, zone *time.Location) (milvus.Schema, error) {
	var m pb.CollectionSchema
	if err := proto.Unmarshal(b, &m); err != nil {
		return milvus.Schema{}, status.Invalid("the schema is no CollectionSchema: %v", err)
	}
	// ToSchema sorts by id and wants each once: the order of the declaration is kept
	next := int64(milvus.FirstUserField)
	number := func(fields []*pb.FieldSchema) error {
		for _, f := range fields {
			f.FieldID = next
			next++
			if err := storedDefault(f, zone); err != nil {
				return err
			}
		}
		return nil
	}
	if err := number(m.GetFields()); err != nil {
		return milvus.Schema{}, err
	}
	for _, a := range m.GetStructArrayFields() {
		a.FieldID = next
		next++
		if err := number(a.GetFields()); err != nil {
			return milvus.Schema{}, err
		}
		for _, f := range a.GetFields() {
			f.Nullable = a.GetNullable()
		}
	}
	out, err := pb.ToSchema(&m)
	if err != nil {
		return out, status.Invalid("%v", err)
	}
	return out, nil
}

// declaredField reads the schema of a request to add a field.
func declaredField(b []byte, zone *time.Location) (milvus.Field, error) {
	var m pb.FieldSchema
	if err := proto.Unmarshal(b, &m); err != nil {
		return milvus.Field{}, status.Invalid("the schema is no FieldSchema: %v", err)
	}
	if err := storedDefault(&m, zone); err != nil {
		return milvus.Field{}, err
	}
	f, err := pb.ToField(&m)
	if err != nil {
		return f, status.Invalid("%v", err)
	}
	return f, nil
}

// storedDefault turns the default of a declared field into the form that is stored: text of times and shapes, and the widest
// integers and floats, which is what Python clients make of theirs.
func storedDefault(f *pb.FieldSchema, zone *time.Location) error {
	v := f.GetDefaultValue()
	switch d := v.GetData().(type) {
	case *pb.ValueField_LongData:
		switch milvus.DataType(f.GetDataType()) {
		case milvus.TypeInt8, milvus.TypeInt16, milvus.TypeInt32:
			if d.LongData != int64(int32(d.LongData)) {
				return status.Invalid("the default %d of field %s is out of range", d.LongData, f.GetName())
			}
			v.Data = &pb.ValueField_IntData{IntData: int32(d.LongData)}
		}
	case *pb.ValueField_DoubleData:
		if milvus.DataType(f.GetDataType()) == milvus.TypeFloat {
			v.Data = &pb.ValueField_FloatData{FloatData: float32(d.DoubleData)}
		}
	case *pb.ValueField_StringData:
		return storedText(f, d.StringData, zone)
	}
	return nil
}

func storedText(f *pb.FieldSchema, text string, zone *time.Location) error {
	switch milvus.DataType(f.GetDataType()) {
	case milvus.TypeTimestamptz:
		micros, err := fielddata.ParseMoment(text, zone)
		if err != nil {
			return err
		}
		f.DefaultValue.Data = &pb.ValueField_TimestamptzData{TimestamptzData: micros}
	case milvus.TypeGeometry:
		b, err := fielddata.ParseGeometry(text)
		if err != nil {
			return err
		}
		f.DefaultValue.Data = &pb.ValueField_BytesData{BytesData: b}
	}
	return nil
}

// public is the schema as clients see it: without system fields and $meta, members of struct arrays under their own names.
func public(s *milvus.Schema, zone *time.Location) (*schemapb.CollectionSchema, error) {
	visible := *s
	visible.Fields = nil
	for _, f := range s.Fields {
		if f.ID >= milvus.FirstUserField && !f.Dynamic {
			visible.Fields = append(visible.Fields, f)
		}
	}
	m := pb.FromSchema(&visible)
	for i, a := range m.GetStructArrayFields() {
		for j, f := range a.GetFields() {
			f.Name = fielddata.MemberName(&s.StructArrays[i], &s.StructArrays[i].Members[j])
		}
	}
	for _, f := range m.GetFields() {
		m.AutoID = m.GetAutoID() || f.GetAutoID()
		if err := shownDefault(f, zone); err != nil {
			return nil, err
		}
	}
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	out := &schemapb.CollectionSchema{}
	return out, proto.Unmarshal(b, out)
}

// shownDefault is the inverse of storedText.
func shownDefault(f *pb.FieldSchema, zone *time.Location) error {
	var text string
	switch d := f.GetDefaultValue().GetData().(type) {
	case *pb.ValueField_TimestamptzData:
		text = fielddata.FormatMoment(d.TimestamptzData, zone)
	case *pb.ValueField_BytesData:
		if milvus.DataType(f.GetDataType()) != milvus.TypeGeometry {
			return nil
		}
		var err error
		if text, err = fielddata.FormatGeometry(d.BytesData); err != nil {
			return err
		}
	default:
		return nil
	}
	f.DefaultValue.Data = &pb.ValueField_StringData{StringData: text}
	return nil
}

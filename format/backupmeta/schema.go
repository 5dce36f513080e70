package backupmeta

import (
	"encoding/base64"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// toSchema goes by the message that clusters use, whose conversion checks everything.
func toSchema(s *pb.BackupSchema) (milvus.Schema, error) {
	if s == nil {
		return milvus.Schema{}, fault.Corrupt(op, "the collection has no schema")
	}
	out := &pb.CollectionSchema{
		Name: s.Name, Description: s.Description, AutoID: s.AutoID, EnableDynamicField: s.EnableDynamicField,
		Properties: s.Properties, Functions: s.Functions, Version: s.Version, ExternalSource: s.ExternalSource,
	}
	var err error
	if out.Fields, err = toFields(s.Fields); err != nil {
		return milvus.Schema{}, err
	}
	for _, a := range s.StructArrayFields {
		fields, err := toFields(a.Fields)
		if err != nil {
			return milvus.Schema{}, err
		}
		out.StructArrayFields = append(out.StructArrayFields, &pb.StructArrayFieldSchema{
			FieldID: a.FieldID, Name: a.Name, Description: a.Description, Fields: fields, TypeParams: a.TypeParams, Nullable: a.Nullable,
		})
	}
	return pb.ToSchema(out)
}

func toFields(in []*pb.BackupField) ([]*pb.FieldSchema, error) {
	var out []*pb.FieldSchema
	for _, f := range in {
		value, err := toDefault(f)
		if err != nil {
			return nil, err
		}
		out = append(out, &pb.FieldSchema{
			FieldID: f.FieldID, Name: f.Name, IsPrimaryKey: f.IsPrimaryKey, Description: f.Description, DataType: f.DataType,
			TypeParams: f.TypeParams, IndexParams: f.IndexParams, AutoID: f.AutoID, State: f.State, ElementType: f.ElementType,
			DefaultValue: value, IsDynamic: f.IsDynamic, IsPartitionKey: f.IsPartitionKey, IsClusteringKey: f.IsClusteringKey,
			Nullable: f.Nullable, IsFunctionOutput: f.IsFunctionOutput, ExternalField: f.ExternalField, ElementNullable: f.ElementNullable,
		})
	}
	return out, nil
}

// toDefault reads a default from whichever of the three forms is there.
func toDefault(f *pb.BackupField) (*pb.ValueField, error) {
	b := []byte(f.DefaultValueProto)
	if f.DefaultValueBase64 != "" {
		var err error
		if b, err = base64.StdEncoding.DecodeString(f.DefaultValueBase64); err != nil {
			return nil, fault.Corrupt(op, "field %q: the default is not base64: %v", f.Name, err)
		}
	}
	if len(b) > 0 {
		out := &pb.ValueField{}
		if err := proto.Unmarshal(b, out); err != nil {
			return nil, fault.Corrupt(op, "field %q: the default is not a ValueField", f.Name)
		}
		return out, nil
	}
	return fromOneof(f.GetDefaultValue().GetData()), nil
}

func fromOneof(d *pb.BackupValue_Data) *pb.ValueField {
	switch {
	case d == nil:
		return nil
	case d.BoolData != nil:
		return &pb.ValueField{Data: &pb.ValueField_BoolData{BoolData: *d.BoolData}}
	case d.IntData != nil:
		return &pb.ValueField{Data: &pb.ValueField_IntData{IntData: *d.IntData}}
	case d.LongData != nil:
		return &pb.ValueField{Data: &pb.ValueField_LongData{LongData: *d.LongData}}
	case d.FloatData != nil:
		return &pb.ValueField{Data: &pb.ValueField_FloatData{FloatData: *d.FloatData}}
	case d.DoubleData != nil:
		return &pb.ValueField{Data: &pb.ValueField_DoubleData{DoubleData: *d.DoubleData}}
	case d.StringData != nil:
		return &pb.ValueField{Data: &pb.ValueField_StringData{StringData: *d.StringData}}
	case d.BytesData != nil:
		return &pb.ValueField{Data: &pb.ValueField_BytesData{BytesData: d.BytesData}}
	case d.TimestamptzData != nil:
		return &pb.ValueField{Data: &pb.ValueField_TimestamptzData{TimestamptzData: *d.TimestamptzData}}
	}
	return nil
}

// toIndex finds the field by name; parameters are sorted.
func toIndex(x *pb.BackupIndex, s *milvus.Schema) milvus.Index {
	out := milvus.Index{Name: x.IndexName}
	for _, f := range s.Fields {
		if f.Name == x.FieldName {
			out.Field = f.ID
		}
	}
	for _, k := range slices.Sorted(maps.Keys(x.Params)) {
		out.Params = append(out.Params, milvus.KeyValue{Key: k, Value: x.Params[k]})
	}
	if _, ok := x.Params["index_type"]; !ok && x.IndexType != "" {
		out.Params = append(out.Params, milvus.KeyValue{Key: "index_type", Value: x.IndexType})
	}
	return out
}

package pb

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const opSchema = "read schema"

// MaxDim bounds the dimension of a dense vector; Milvus allows 32768, and 262144 for binary ones.
const MaxDim = 1 << 20

// ToSchema converts a collection's schema. Fields that are being dropped or were dropped are left out; fields are sorted
// by id. Ids must be unique over fields, struct arrays and their members.
func ToSchema(s *CollectionSchema) (milvus.Schema, error) {
	out := milvus.Schema{
		Name: s.GetName(), Database: s.GetDbName(), Description: s.GetDescription(),
		Properties: ToKeyValues(s.GetProperties()), EnableDynamic: s.GetEnableDynamicField(),
		Version: s.GetVersion(), ExternalSource: s.GetExternalSource(),
	}
	var err error
	if out.Fields, err = toFields(s.GetFields()); err != nil {
		return milvus.Schema{}, err
	}
	for _, a := range s.GetStructArrayFields() {
		sa, err := ToStructArray(a)
		if err != nil {
			return milvus.Schema{}, err
		}
		out.StructArrays = append(out.StructArrays, sa)
	}
	slices.SortFunc(out.StructArrays, func(a, b milvus.StructArray) int { return cmp.Compare(a.ID, b.ID) })
	for _, f := range s.GetFunctions() {
		out.Functions = append(out.Functions, ToFunction(f))
	}
	return out, checkIDs(&out)
}

// checkIDs refuses schemas in which one id means two fields.
func checkIDs(s *milvus.Schema) error {
	seen := map[milvus.FieldID]string{}
	add := func(id milvus.FieldID, name string) error {
		if other, dup := seen[id]; dup {
			return fault.Corrupt(opSchema, "fields %q and %q have the same id %d", other, name, id)
		}
		seen[id] = name
		return nil
	}
	for _, f := range s.Fields {
		if err := add(f.ID, f.Name); err != nil {
			return err
		}
	}
	for _, a := range s.StructArrays {
		if err := add(a.ID, a.Name); err != nil {
			return err
		}
		for _, f := range a.Members {
			if err := add(f.ID, f.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func toFields(in []*FieldSchema) ([]milvus.Field, error) {
	var out []milvus.Field
	for _, f := range in {
		if f.GetState() == FieldState_FieldDropping || f.GetState() == FieldState_FieldDropped {
			continue
		}
		field, err := ToField(f)
		if err != nil {
			return nil, err
		}
		out = append(out, field)
	}
	slices.SortFunc(out, func(a, b milvus.Field) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// ToField converts one field, whatever its state. The dimension, length and capacity come from its type parameters.
func ToField(f *FieldSchema) (milvus.Field, error) {
	out := milvus.Field{
		ID: milvus.FieldID(f.GetFieldID()), Name: f.GetName(), Description: f.GetDescription(),
		Type: milvus.DataType(f.GetDataType()), ElementType: milvus.DataType(f.GetElementType()),
		PrimaryKey: f.GetIsPrimaryKey(), AutoID: f.GetAutoID(), PartitionKey: f.GetIsPartitionKey(),
		ClusteringKey: f.GetIsClusteringKey(), Dynamic: f.GetIsDynamic(), Nullable: f.GetNullable(),
		ElementNullable: f.GetElementNullable(), FunctionOutput: f.GetIsFunctionOutput(),
		TypeParams: ToKeyValues(f.GetTypeParams()), IndexParams: ToKeyValues(f.GetIndexParams()),
	}
	if err := checkTypes(&out); err != nil {
		return milvus.Field{}, err
	}
	if err := setTypeParams(&out); err != nil {
		return milvus.Field{}, err
	}
	var err error
	out.Default, err = toDefault(&out, f.GetDefaultValue())
	return out, err
}

func checkTypes(f *milvus.Field) error {
	if f.ID < 0 {
		return fault.Corrupt(opSchema, "field %q has the id %d", f.Name, f.ID)
	}
	if f.Type == milvus.TypeNone {
		return fault.Corrupt(opSchema, "field %q (%d) has no data type", f.Name, f.ID)
	}
	if _, known := DataType_name[int32(f.Type)]; !known {
		return fault.Unsupported(opSchema, "field %q (%d) is of the unknown data type %d", f.Name, f.ID, int32(f.Type)).
			WithHint("a newer Milvus wrote this; look for a newer snapexport")
	}
	if f.Type != milvus.TypeArray && f.Type != milvus.TypeArrayOfVector {
		return nil
	}
	if _, known := DataType_name[int32(f.ElementType)]; !known {
		return fault.Unsupported(opSchema, "field %q (%d) has elements of the unknown data type %d", f.Name, f.ID, int32(f.ElementType)).
			WithHint("a newer Milvus wrote this; look for a newer snapexport")
	}
	vector := f.Type == milvus.TypeArrayOfVector
	if f.ElementType == milvus.TypeNone || f.ElementType.IsVector() != vector {
		return fault.Corrupt(opSchema, "field %q (%d) of type %s has elements of type %s", f.Name, f.ID, f.Type, f.ElementType)
	}
	return nil
}

// setTypeParams reads dim, max_length and max_capacity where the type has a use for them.
func setTypeParams(f *milvus.Field) error {
	var err error
	if f.Type.IsDenseVector() || f.Type == milvus.TypeArrayOfVector && f.ElementType.IsDenseVector() {
		if _, ok := milvus.Lookup(f.TypeParams, "dim"); !ok {
			return fault.Corrupt(opSchema, "field %q (%d) of type %s has no dim", f.Name, f.ID, f.Type)
		}
		if f.Dim, err = positive(f, "dim", MaxDim); err != nil {
			return err
		}
	}
	if f.Type == milvus.TypeVarChar || f.Type == milvus.TypeArray && f.ElementType == milvus.TypeVarChar {
		if f.MaxLength, err = positive(f, "max_length", math.MaxInt32); err != nil {
			return err
		}
	}
	if f.Type == milvus.TypeArray || f.Type == milvus.TypeArrayOfVector {
		f.MaxCapacity, err = positive(f, "max_capacity", math.MaxInt32)
	}
	return err
}

// positive returns the integer in the type parameter, 0 if the parameter is absent.
func positive(f *milvus.Field, key string, limit int64) (int, error) {
	v, ok := milvus.Lookup(f.TypeParams, key)
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n <= 0 {
		return 0, fault.Corrupt(opSchema, "field %q (%d) has %s %q", f.Name, f.ID, key, v)
	}
	if n > limit {
		return 0, fault.Limit(opSchema, "field %q (%d) has %s %d, more than %d", f.Name, f.ID, key, n, limit)
	}
	return int(n), nil
}

// FromField converts a field back. Parameters come from TypeParams alone, which must hold dim and the like.
func FromField(f *milvus.Field) *FieldSchema {
	return &FieldSchema{
		FieldID: int64(f.ID), Name: f.Name, Description: f.Description,
		DataType: DataType(f.Type), ElementType: DataType(f.ElementType),
		IsPrimaryKey: f.PrimaryKey, AutoID: f.AutoID, IsPartitionKey: f.PartitionKey,
		IsClusteringKey: f.ClusteringKey, IsDynamic: f.Dynamic, Nullable: f.Nullable,
		ElementNullable: f.ElementNullable, IsFunctionOutput: f.FunctionOutput,
		TypeParams: FromKeyValues(f.TypeParams), IndexParams: FromKeyValues(f.IndexParams),
		DefaultValue: fromDefault(f),
	}
}

// ToStructArray converts a struct array with its members.
func ToStructArray(a *StructArrayFieldSchema) (milvus.StructArray, error) {
	members, err := toFields(a.GetFields())
	if err != nil {
		return milvus.StructArray{}, err
	}
	for _, m := range members {
		if m.Type != milvus.TypeArray && m.Type != milvus.TypeArrayOfVector {
			return milvus.StructArray{}, fault.Corrupt(opSchema, "member %q (%d) of struct array %q is of type %s", m.Name, m.ID, a.GetName(), m.Type)
		}
	}
	return milvus.StructArray{
		ID: milvus.FieldID(a.GetFieldID()), Name: a.GetName(), Description: a.GetDescription(),
		Nullable: a.GetNullable(), Members: members,
	}, nil
}

// FromStructArray converts a struct array back.
func FromStructArray(a *milvus.StructArray) *StructArrayFieldSchema {
	out := &StructArrayFieldSchema{FieldID: int64(a.ID), Name: a.Name, Description: a.Description, Nullable: a.Nullable}
	for i := range a.Members {
		out.Fields = append(out.Fields, FromField(&a.Members[i]))
	}
	return out
}

// ToFunction converts a function.
func ToFunction(f *FunctionSchema) milvus.Function {
	return milvus.Function{
		ID: f.GetId(), Name: f.GetName(), Description: f.GetDescription(), Type: int32(f.GetType()),
		InputFields: fromInts[milvus.FieldID](f.GetInputFieldIds()), OutputFields: fromInts[milvus.FieldID](f.GetOutputFieldIds()),
		Params: ToKeyValues(f.GetParams()),
	}
}

// FromFunction converts a function back; the names of its fields are looked up in the schema.
func FromFunction(f *milvus.Function, s *milvus.Schema) *FunctionSchema {
	names := func(ids []milvus.FieldID) []string {
		var out []string
		for _, id := range ids {
			field, _ := s.Field(id)
			out = append(out, field.Name)
		}
		return out
	}
	return &FunctionSchema{
		Id: f.ID, Name: f.Name, Description: f.Description, Type: FunctionType(f.Type), Params: FromKeyValues(f.Params),
		InputFieldIds: toInts(f.InputFields), InputFieldNames: names(f.InputFields),
		OutputFieldIds: toInts(f.OutputFields), OutputFieldNames: names(f.OutputFields),
	}
}

// FromSchema converts a schema back. What package milvus has no place for (external_spec and the like) is absent.
func FromSchema(s *milvus.Schema) *CollectionSchema {
	out := &CollectionSchema{
		Name: s.Name, DbName: s.Database, Description: s.Description, Properties: FromKeyValues(s.Properties),
		EnableDynamicField: s.EnableDynamic, Version: s.Version, ExternalSource: s.ExternalSource,
	}
	for i := range s.Fields {
		out.Fields = append(out.Fields, FromField(&s.Fields[i]))
	}
	for i := range s.StructArrays {
		out.StructArrayFields = append(out.StructArrayFields, FromStructArray(&s.StructArrays[i]))
	}
	for i := range s.Functions {
		out.Functions = append(out.Functions, FromFunction(&s.Functions[i], s))
	}
	return out
}

package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

// complete checks a schema that a user declared and returns it with ids, $meta and system fields.
func complete(s milvus.Schema) (milvus.Schema, error) {
	s.Fields = slices.Clone(s.Fields)
	s.StructArrays = slices.Clone(s.StructArrays)
	for i := range s.Fields {
		if err := settleField(&s.Fields[i]); err != nil {
			return s, err
		}
	}
	if s.EnableDynamic {
		s.Fields = append(s.Fields, milvus.Field{Name: dynamicField, Type: milvus.TypeJSON, Dynamic: true, Description: "dynamic schema"})
	}
	next := milvus.FirstUserField
	take := func() milvus.FieldID { next++; return next - 1 }
	for i := range s.Fields {
		s.Fields[i].ID = take()
	}
	for i := range s.StructArrays {
		if err := settleStruct(&s.StructArrays[i], take); err != nil {
			return s, err
		}
	}
	if err := checkSchema(&s); err != nil {
		return s, err
	}
	s.Fields = append(flush.SystemFields(), s.Fields...)
	s.Fields[0].Description, s.Fields[1].Description = "row id", "time stamp"
	return s, nil
}

// settleStruct checks a struct array and its members, and gives them ids. Members are stored under "struct[member]".
func settleStruct(a *milvus.StructArray, take func() milvus.FieldID) error {
	if err := checkName("field", a.Name); err != nil {
		return err
	}
	if len(a.Members) == 0 {
		return status.Invalid("struct array field %s has no fields", a.Name)
	}
	a.ID, a.Members = take(), slices.Clone(a.Members)
	seen := map[string]bool{}
	for i := range a.Members {
		m := &a.Members[i]
		inner := memberName(a.Name, m.Name)
		m.Name = inner
		if err := settleField(m); err != nil {
			return err
		}
		switch {
		case seen[inner]:
			return status.Invalid("duplicated field name %s in struct array field %s", inner, a.Name)
		case m.Type != milvus.TypeArray && m.Type != milvus.TypeArrayOfVector:
			return status.Invalid("fields of struct array field %s must be Array or ArrayOfVector, %s is %v", a.Name, inner, m.Type)
		case m.PrimaryKey || m.PartitionKey || m.ClusteringKey || m.AutoID || m.Default != nil:
			return status.Invalid("field %s of struct array field %s can't be a key or have a default", inner, a.Name)
		}
		seen[inner] = true
		m.ID, m.Name, m.Nullable = take(), a.Name+"["+inner+"]", a.Nullable
	}
	return nil
}

// memberName strips the parent from a member's name.
func memberName(parent, name string) string {
	if inner, ok := strings.CutPrefix(name, parent+"["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return name
}

// checkSchema checks what concerns more than one field.
func checkSchema(s *milvus.Schema) error {
	names := map[string]bool{"RowID": true, "Timestamp": true}
	var keys, partitionKeys, clusteringKeys, vectors int
	for _, f := range s.Fields {
		if names[f.Name] {
			return status.Invalid("duplicated field name %s found", f.Name)
		}
		names[f.Name] = true
		keys += count(f.PrimaryKey)
		partitionKeys += count(f.PartitionKey)
		clusteringKeys += count(f.ClusteringKey)
		vectors += count(f.Type.IsVector())
	}
	for _, a := range s.StructArrays {
		if names[a.Name] {
			return status.Invalid("duplicated field name %s found", a.Name)
		}
		names[a.Name] = true
		for _, m := range a.Members {
			vectors += count(m.Type.IsVector())
		}
	}
	switch {
	case keys != 1:
		return status.Invalid("schema must have exactly one primary key, it has %d", keys)
	case partitionKeys > 1:
		return status.Invalid("there are more than one partition key")
	case clusteringKeys > 1:
		return status.Invalid("there are more than one clustering key")
	case vectors == 0:
		return status.Invalid("schema does not contain vector field")
	case vectors > maxVectorFields:
		return status.Invalid("maximum vector field's number should be limited to %d", maxVectorFields)
	case len(fieldsOf(s)) > maxFields:
		return status.Invalid("maximum field's number should be limited to %d", maxFields)
	case len(s.Functions) > 0:
		return status.Invalid("functions are not supported, compute %s before inserting", s.Functions[0].Name)
	case s.ExternalSource != "":
		return status.Invalid("external collections are not supported")
	}
	return nil
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// settleField checks a field by itself, and has its type parameters and what they say agree.
func settleField(f *milvus.Field) error {
	if err := checkName("field", f.Name); err != nil {
		return err
	}
	if reserved[strings.ToLower(f.Name)] {
		return status.Invalid("Invalid field name: %s. it is a keyword", f.Name)
	}
	f.TypeParams = slices.Clone(f.TypeParams)
	for key, n := range map[string]*int{"dim": &f.Dim, "max_length": &f.MaxLength, "max_capacity": &f.MaxCapacity} {
		if err := settleParam(f, key, n); err != nil {
			return err
		}
	}
	if _, err := cell.Type(*f); err != nil && !f.Type.IsDenseVector() {
		return status.Invalid("field %s: %v", f.Name, err)
	}
	if err := checkSizes(f); err != nil {
		return err
	}
	return checkRoles(f)
}

// settleParam takes a number from the type parameters, or puts it there.
func settleParam(f *milvus.Field, key string, n *int) error {
	text, ok := milvus.Lookup(f.TypeParams, key)
	if !ok {
		if *n != 0 {
			f.TypeParams = append(f.TypeParams, milvus.KeyValue{Key: key, Value: strconv.Itoa(*n)})
			slices.SortStableFunc(f.TypeParams, func(a, b milvus.KeyValue) int { return strings.Compare(a.Key, b.Key) })
		}
		return nil
	}
	v, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return status.Invalid("field %s: %s is %q, not a number", f.Name, key, text)
	}
	*n = v
	return nil
}

// checkSizes checks dimension, length and capacity.
func checkSizes(f *milvus.Field) error {
	vector := f.Type
	if f.Type == milvus.TypeArrayOfVector {
		vector = f.ElementType
	}
	most := maxDim
	if vector == milvus.TypeBinaryVector {
		most = maxBinaryDim
	}
	text := f.Type == milvus.TypeVarChar || f.Type == milvus.TypeArray && f.ElementType == milvus.TypeVarChar
	list := f.Type == milvus.TypeArray || f.Type == milvus.TypeArrayOfVector
	switch {
	case f.Type == milvus.TypeString:
		return status.Invalid("string data type not supported yet, please use VarChar type instead")
	case vector.IsDenseVector() && (f.Dim < minDim || f.Dim > most):
		return status.Invalid("invalid dimension: %d of field %s. it should be in range %d ~ %d", f.Dim, f.Name, minDim, most)
	case vector == milvus.TypeBinaryVector && f.Dim%8 != 0:
		return status.Invalid("invalid dimension: %d of field %s. binary vector dimension should be multiple of 8", f.Dim, f.Name)
	case f.Type == milvus.TypeSparseVector && f.Dim != 0:
		return status.Invalid("dim should not be specified for sparse vector field %s(%d)", f.Name, f.ID)
	case text && (f.MaxLength < 1 || f.MaxLength > maxVarChar):
		return status.Invalid("the maximum length specified for the field(%s) should be in (0, %d], but got %d instead", f.Name, maxVarChar, f.MaxLength)
	case list && (f.MaxCapacity < 1 || f.MaxCapacity > maxCapacity):
		return status.Invalid("the maximum capacity specified for the field(%s) should be in (0, %d], but got %d instead", f.Name, maxCapacity, f.MaxCapacity)
	}
	return nil
}

// checkRoles checks what keys may be, and defaults.
func checkRoles(f *milvus.Field) error {
	keyType := f.Type == milvus.TypeInt64 || f.Type == milvus.TypeVarChar
	switch {
	case f.Dynamic:
		return status.Invalid("cannot explicitly set a field as a dynamic field")
	case f.PrimaryKey && !keyType:
		return status.Invalid("the data type of primary key should be Int64 or VarChar, field %s is %v", f.Name, f.Type)
	case f.PrimaryKey && (f.Nullable || f.Default != nil):
		return status.Invalid("primary field not support null or default_value: %s", f.Name)
	case f.AutoID && !f.PrimaryKey:
		return status.Invalid("only primary field can speficy AutoID with true, field name = %s", f.Name)
	case f.PartitionKey && f.PrimaryKey:
		return status.Invalid("the partition key field must not be primary field")
	case f.PartitionKey && !keyType:
		return status.Invalid("the data type of partition key should be Int64 or VarChar")
	case f.PartitionKey && (f.Nullable || f.Default != nil):
		return status.Invalid("partition key field not support nullable or default_value: %s", f.Name)
	case f.FunctionOutput:
		return status.Invalid("field %s is the output of a function; functions are not supported", f.Name)
	case f.Default != nil && (f.Type.IsVector() || f.Type == milvus.TypeArray || f.Type == milvus.TypeJSON || f.Type == milvus.TypeGeometry):
		return status.Invalid("type not support default_value, type:%v, name:%s", f.Type, f.Name)
	}
	if f.Default == nil {
		return nil
	}
	a, err := cell.Constant(*f, 1)
	if err != nil {
		return status.Invalid("default value of field %s: %v", f.Name, err)
	}
	if _, err := checkValues(*f, a); err != nil {
		return fmt.Errorf("default value: %w", err)
	}
	return nil
}

package milvus

import "slices"

// KeyValue is a property or a parameter.
type KeyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Lookup returns the value of the last pair with the key.
func Lookup(pairs []KeyValue, key string) (string, bool) {
	for _, p := range slices.Backward(pairs) {
		if p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

// Field is a column of a collection, or a member of a struct array.
type Field struct {
	ID          FieldID
	Name        string
	Description string
	Type        DataType
	ElementType DataType // of Array and ArrayOfVector
	Dim         int      // of dense vectors and ArrayOfVector
	MaxLength   int      // of VarChar, bytes
	MaxCapacity int      // of Array

	PrimaryKey      bool
	AutoID          bool
	PartitionKey    bool
	ClusteringKey   bool
	Dynamic         bool // the $meta field
	Nullable        bool
	ElementNullable bool
	FunctionOutput  bool

	// Default is the value of rows that were written before the field was added: bool, int32 (Int8 to Int32), int64,
	// float32, float64, string (VarChar, Text), []byte (JSON, Geometry); Timestamptz as int64 microseconds; nil if none.
	Default any

	TypeParams  []KeyValue // as stored, dim, max_length and max_capacity included
	IndexParams []KeyValue
}

// StructArray is a field whose rows are lists of structs. It has no file of its own; its members have, as Array or
// ArrayOfVector, with equal element counts in each row.
type StructArray struct {
	ID          FieldID
	Name        string
	Description string
	Nullable    bool
	Members     []Field
}

// Function computes output fields from input fields at ingest (BM25, embeddings).
type Function struct {
	ID           int64
	Name         string
	Description  string
	Type         int32
	InputFields  []FieldID
	OutputFields []FieldID
	Params       []KeyValue
}

// Schema is a collection's schema. System fields may be among Fields.
type Schema struct {
	Name           string
	Database       string
	Description    string
	Fields         []Field // by id
	StructArrays   []StructArray
	Functions      []Function
	Properties     []KeyValue
	EnableDynamic  bool
	Version        int32
	ExternalSource string // not empty: the collection has no files of its own
}

// Field returns the field with the id: a column, or a member of a struct array.
func (s *Schema) Field(id FieldID) (Field, bool) {
	for _, f := range s.Fields {
		if f.ID == id {
			return f, true
		}
	}
	for _, a := range s.StructArrays {
		for _, f := range a.Members {
			if f.ID == id {
				return f, true
			}
		}
	}
	return Field{}, false
}

// PrimaryKey returns the key field.
func (s *Schema) PrimaryKey() (Field, bool) {
	for _, f := range s.Fields {
		if f.PrimaryKey {
			return f, true
		}
	}
	return Field{}, false
}

// UserFields returns the fields that users declared and the dynamic field, in order of id: no system fields, no struct arrays.
func (s *Schema) UserFields() []Field {
	var out []Field
	for _, f := range s.Fields {
		if f.ID >= FirstUserField {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b Field) int { return int(a.ID - b.ID) })
	return out
}

// Partition is a partition of a collection.
type Partition struct {
	ID   PartitionID `json:"id"`
	Name string      `json:"name"`
}

// Collection is what a snapshot knows of its collection beside the segments.
type Collection struct {
	ID               CollectionID
	Database         string // "default" where the source does not say
	Schema           Schema
	Partitions       []Partition // by id
	Channels         []string    // virtual channels
	Shards           int
	ConsistencyLevel int32
	Properties       []KeyValue // the collection's own; see Property
}

// Property looks a property up in the collection's properties, then in the schema's (older snapshots keep them there).
func (c *Collection) Property(key string) (string, bool) {
	if v, ok := Lookup(c.Properties, key); ok {
		return v, true
	}
	return Lookup(c.Schema.Properties, key)
}

// PartitionName returns the name of the partition, "" if it is not known.
func (c *Collection) PartitionName(id PartitionID) string {
	for _, p := range c.Partitions {
		if p.ID == id {
			return p.Name
		}
	}
	return ""
}

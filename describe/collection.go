package describe

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/snapexport/snapexport/milvus"
)

// ReportCollection is a collection as a report shows it.
type ReportCollection struct {
	Database         string              `json:"database"`
	Name             string              `json:"name"`
	ID               milvus.CollectionID `json:"id"`
	Shards           int                 `json:"shards"`
	ConsistencyLevel int32               `json:"consistency_level"`
	Properties       []milvus.KeyValue   `json:"properties,omitempty"`
	Schema           ReportSchema        `json:"schema"`
}

// ReportSchema is a schema without its system fields.
type ReportSchema struct {
	Description   string              `json:"description"`
	EnableDynamic bool                `json:"enable_dynamic_field"`
	Fields        []ReportField       `json:"fields"`
	StructArrays  []ReportStructArray `json:"struct_arrays,omitempty"`
}

// ReportField is a field.
type ReportField struct {
	ID             milvus.FieldID `json:"id"`
	Name           string         `json:"name"`
	Type           string         `json:"type"`
	ElementType    string         `json:"element_type,omitempty"`
	Dim            int            `json:"dim,omitempty"`
	MaxLength      int            `json:"max_length,omitempty"`
	MaxCapacity    int            `json:"max_capacity,omitempty"`
	PrimaryKey     bool           `json:"primary_key,omitempty"`
	AutoID         bool           `json:"auto_id,omitempty"`
	PartitionKey   bool           `json:"partition_key,omitempty"`
	ClusteringKey  bool           `json:"clustering_key,omitempty"`
	Dynamic        bool           `json:"dynamic,omitempty"`
	Nullable       bool           `json:"nullable,omitempty"`
	FunctionOutput bool           `json:"function_output,omitempty"`
	Default        any            `json:"default,omitempty"`
	Description    string         `json:"description,omitempty"`
}

// TypeName returns the type with its element type or dimension: "Array<Int64>", "FloatVector(128)".
func (f ReportField) TypeName() string {
	switch {
	case f.ElementType != "":
		return fmt.Sprintf("%s<%s>", f.Type, f.ElementType)
	case f.Dim > 0:
		return fmt.Sprintf("%s(%d)", f.Type, f.Dim)
	}
	return f.Type
}

// Notes returns what a reader should know of the field beside its type: "primary key, auto id".
func (f ReportField) Notes() string {
	var notes []string
	for _, n := range []struct {
		on   bool
		text string
	}{{f.PrimaryKey, "primary key"}, {f.AutoID, "auto id"}, {f.PartitionKey, "partition key"}, {f.Dynamic, "dynamic"}, {f.Nullable, "nullable"}} {
		if n.on {
			notes = append(notes, n.text)
		}
	}
	return strings.Join(notes, ", ")
}

// ReportStructArray is a field whose rows are lists of structs.
type ReportStructArray struct {
	ID      milvus.FieldID `json:"id"`
	Name    string         `json:"name"`
	Members []ReportField  `json:"members"`
}

// ReportIndex is an index.
type ReportIndex struct {
	ID     milvus.IndexID    `json:"id"`
	Field  milvus.FieldID    `json:"field"`
	Name   string            `json:"name"`
	Params []milvus.KeyValue `json:"params,omitempty"`
}

func reportIndexes(in []milvus.Index) []ReportIndex {
	var out []ReportIndex
	for _, x := range in {
		out = append(out, ReportIndex{ID: x.ID, Field: x.Field, Name: x.Name, Params: x.Params})
	}
	return out
}

func reportCollection(c *milvus.Collection) ReportCollection {
	out := ReportCollection{
		Database: databaseOf(c.Database), Name: c.Schema.Name, ID: c.ID, Shards: c.Shards, ConsistencyLevel: c.ConsistencyLevel,
		Properties: c.Properties,
		Schema:     ReportSchema{Description: c.Schema.Description, EnableDynamic: c.Schema.EnableDynamic, Fields: reportFields(c.Schema.UserFields())},
	}
	for _, a := range c.Schema.StructArrays {
		out.Schema.StructArrays = append(out.Schema.StructArrays, ReportStructArray{ID: a.ID, Name: a.Name, Members: reportFields(a.Members)})
	}
	return out
}

func reportFields(in []milvus.Field) []ReportField {
	out := make([]ReportField, len(in))
	for i, f := range in {
		out[i] = ReportField{
			ID: f.ID, Name: f.Name, Type: f.Type.String(), Dim: f.Dim, MaxLength: f.MaxLength, MaxCapacity: f.MaxCapacity,
			PrimaryKey: f.PrimaryKey, AutoID: f.AutoID, PartitionKey: f.PartitionKey, ClusteringKey: f.ClusteringKey, Dynamic: f.Dynamic,
			Nullable: f.Nullable, FunctionOutput: f.FunctionOutput, Default: printableDefault(f.Default), Description: f.Description,
		}
		if f.ElementType != milvus.TypeNone {
			out[i].ElementType = f.ElementType.String()
		}
	}
	return out
}

// printableDefault makes JSON of a default value: bytes that are text become text.
func printableDefault(v any) any {
	switch x := v.(type) {
	case []byte:
		if utf8.Valid(x) {
			return string(x)
		}
	case float32:
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Sprint(x)
		}
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Sprint(x)
		}
	}
	return v
}

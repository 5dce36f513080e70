package main

import (
	"strconv"

	"github.com/snapexport/snapexport/milvus"
)

// manifestsOnly is the workload without rows.
const manifestsOnly = "D6"

// workload says what the rows of a collection are and how they lie in segments.
type workload struct {
	text        string
	dim         int // of the field "vec"
	chunkRows   int // of one flush: about 16 MB of vectors
	segmentRows int // about
	fields      func(dim int) []milvus.Field
	deltas, l0  int // percent of the keys that are deleted in deltalogs of their segment, or in L0 segments
	again       int // percent of the keys that are inserted again after they were deleted
}

// workloads by name.
var workloads = map[string]workload{
	"D1":     {text: "Int64 key, VarChar, JSON and FloatVector(128); 5 % deleted", dim: 128, chunkRows: 25_000, segmentRows: 83_333, fields: dense, deltas: 5},
	"memory": {text: "as D1, much larger than the memory that an export is given", dim: 128, chunkRows: 25_000, segmentRows: 83_333, fields: dense, deltas: 5},
	"D2":     {text: "Int64 key, 20 scalars, dynamic field and FloatVector(768); 5 % deleted", dim: 768, chunkRows: 5_000, segmentRows: 16_667, fields: wide, deltas: 5},
	"D3":     {text: "a field of every common type, vectors of every element type, some NULLs; 5 % deleted", dim: 64, chunkRows: 12_500, segmentRows: 50_000, fields: mixed, deltas: 5},
	"D4":     {text: "fields of D1; 30 % of the keys deleted in deltalogs, 10 % in L0 segments, 20 % inserted again", dim: 128, chunkRows: 25_000, segmentRows: 50_000, fields: dense, deltas: 30, l0: 10, again: 20},
	"D5":     {text: "fields of D1 with FloatVector(16), in segments of 100 rows; 5 % deleted", dim: 16, chunkRows: 100, segmentRows: 100, fields: dense, deltas: 5},
}

// segments returns an even number of segments, so that two workers can have as much to do as one another.
func (w workload) segments(rows int) int {
	return 2 * max(1, (rows+w.segmentRows)/(2*w.segmentRows))
}

// storage is a version with its choice for vectors.
type storage struct {
	version int64
	plain   bool
}

var versions = map[string]storage{
	"v1": {milvus.StorageV1, false},
	"v2": {milvus.StorageV2, false}, "v2-plain": {milvus.StorageV2, true},
	"v3": {milvus.StorageV3, false}, "v3-plain": {milvus.StorageV3, true},
}

func schema(w workload, p Params) milvus.Schema {
	s := milvus.Schema{Name: collectionName, Fields: []milvus.Field{{Name: "id", Type: milvus.TypeInt64, PrimaryKey: true}}}
	s.Fields = append(s.Fields, w.fields(p.Dim)...)
	for i := range s.Fields {
		f := &s.Fields[i]
		f.ID = milvus.FirstUserField + milvus.FieldID(i)
		if f.Dim > 0 {
			f.TypeParams = append(f.TypeParams, milvus.KeyValue{Key: "dim", Value: strconv.Itoa(f.Dim)})
		}
		if f.MaxLength > 0 {
			f.TypeParams = append(f.TypeParams, milvus.KeyValue{Key: "max_length", Value: strconv.Itoa(f.MaxLength)})
		}
		if f.MaxCapacity > 0 {
			f.TypeParams = append(f.TypeParams, milvus.KeyValue{Key: "max_capacity", Value: strconv.Itoa(f.MaxCapacity)})
		}
		s.EnableDynamic = s.EnableDynamic || f.Dynamic
	}
	return s
}

func dense(dim int) []milvus.Field {
	return []milvus.Field{
		{Name: "title", Type: milvus.TypeVarChar, MaxLength: 200},
		{Name: "doc", Type: milvus.TypeJSON},
		{Name: "vec", Type: milvus.TypeFloatVector, Dim: dim},
	}
}

// wide has 20 scalars between the key and the vector.
func wide(dim int) (out []milvus.Field) {
	for i, t := range []milvus.DataType{milvus.TypeInt64, milvus.TypeInt32, milvus.TypeDouble, milvus.TypeFloat, milvus.TypeVarChar} {
		for k := range 4 {
			f := milvus.Field{Name: string(rune('a'+i)) + strconv.Itoa(k), Type: t}
			if t == milvus.TypeVarChar {
				f.MaxLength = 200
			}
			out = append(out, f)
		}
	}
	return append(out, milvus.Field{Name: "vec", Type: milvus.TypeFloatVector, Dim: dim}, milvus.Field{Name: "$meta", Type: milvus.TypeJSON, Dynamic: true})
}

func mixed(dim int) []milvus.Field {
	return []milvus.Field{
		{Name: "flag", Type: milvus.TypeBool},
		{Name: "tiny", Type: milvus.TypeInt8},
		{Name: "small", Type: milvus.TypeInt16},
		{Name: "number", Type: milvus.TypeInt32, Nullable: true},
		{Name: "large", Type: milvus.TypeInt64},
		{Name: "single", Type: milvus.TypeFloat},
		{Name: "double", Type: milvus.TypeDouble, Nullable: true},
		{Name: "title", Type: milvus.TypeVarChar, MaxLength: 200, Nullable: true},
		{Name: "doc", Type: milvus.TypeJSON},
		{Name: "numbers", Type: milvus.TypeArray, ElementType: milvus.TypeInt64, MaxCapacity: 8},
		{Name: "texts", Type: milvus.TypeArray, ElementType: milvus.TypeVarChar, MaxCapacity: 8, MaxLength: 100},
		{Name: "vec", Type: milvus.TypeFloatVector, Dim: dim},
		{Name: "half", Type: milvus.TypeFloat16Vector, Dim: dim},
		{Name: "brain", Type: milvus.TypeBFloat16Vector, Dim: dim},
		{Name: "bytes", Type: milvus.TypeInt8Vector, Dim: dim},
		{Name: "bits", Type: milvus.TypeBinaryVector, Dim: 128},
		{Name: "sparse", Type: milvus.TypeSparseVector},
	}
}

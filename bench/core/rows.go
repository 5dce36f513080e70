package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/protobuf/proto"
)

const (
	dim      = 128
	segments = 6
)

// refused is the error of an answer, if it is one.
func refused(s *commonpb.Status, err error) error {
	if err == nil && s.GetCode() != 0 {
		err = errors.New(s.GetReason())
	}
	return err
}

// create makes a collection of an Int64 key and vectors.
func (s *server) create(ctx context.Context, name string, dim int) error {
	schema, err := proto.Marshal(&schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{
		{Name: "id", DataType: schemapb.DataType_Int64, IsPrimaryKey: true},
		{Name: "vec", DataType: schemapb.DataType_FloatVector, TypeParams: pairs("dim", fmt.Sprint(dim))},
	}})
	if err != nil {
		return err
	}
	return refused(s.api.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{CollectionName: name, Schema: schema, ShardsNum: 1}))
}

func (s *server) load(ctx context.Context, name string) error {
	return refused(s.api.LoadCollection(ctx, &milvuspb.LoadCollectionRequest{CollectionName: name}))
}

func pairs(kv ...string) (out []*commonpb.KeyValuePair) {
	for i := 0; i < len(kv); i += 2 {
		out = append(out, &commonpb.KeyValuePair{Key: kv[i], Value: kv[i+1]})
	}
	return out
}

// batch makes the rows with the keys from first on, seeded by that key.
func batch(name string, first, rows, dim int) *milvuspb.InsertRequest {
	random := rand.New(rand.NewPCG(uint64(first), uint64(dim)))
	keys, floats := make([]int64, rows), make([]float32, rows*dim)
	for i := range keys {
		keys[i] = int64(first + i)
	}
	for i := range floats {
		floats[i] = random.Float32()*2 - 1
	}
	return &milvuspb.InsertRequest{CollectionName: name, NumRows: uint32(rows), FieldsData: []*schemapb.FieldData{
		{FieldName: "id", Type: schemapb.DataType_Int64, Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: keys}}}}},
		{FieldName: "vec", Type: schemapb.DataType_FloatVector, Field: &schemapb.FieldData_Vectors{Vectors: &schemapb.VectorField{Dim: int64(dim), Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: floats}}}}},
	}}
}

func (s *server) insert(ctx context.Context, r *milvuspb.InsertRequest) error {
	out, err := s.api.Insert(ctx, r)
	return refused(out.GetStatus(), err)
}

func (s *server) flush(ctx context.Context, name string) error {
	out, err := s.api.Flush(ctx, &milvuspb.FlushRequest{CollectionNames: []string{name}})
	return refused(out.GetStatus(), err)
}

func (s *server) query(ctx context.Context, name, filter string, fields ...string) (*milvuspb.QueryResults, error) {
	out, err := s.api.Query(ctx, &milvuspb.QueryRequest{CollectionName: name, Expr: filter, OutputFields: fields})
	return out, refused(out.GetStatus(), err)
}

func (s *server) count(ctx context.Context, name, filter string) (int64, error) {
	out, err := s.query(ctx, name, filter, "count(*)")
	if err != nil {
		return 0, err
	}
	return out.FieldsData[0].GetScalars().GetLongData().Data[0], nil
}

// search looks for the nearest of some vectors, exactly.
func (s *server) search(ctx context.Context, name string, vectors, limit int) error {
	line := &commonpb.PlaceholderValue{Tag: "$0", Type: commonpb.PlaceholderType_FloatVector}
	random := rand.New(rand.NewPCG(7, 7))
	for range vectors {
		var b []byte
		for range dim {
			bits := math.Float32bits(random.Float32())
			b = append(b, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
		}
		line.Values = append(line.Values, b)
	}
	group, err := proto.Marshal(&commonpb.PlaceholderGroup{Placeholders: []*commonpb.PlaceholderValue{line}})
	if err != nil {
		return err
	}
	out, err := s.api.Search(ctx, &milvuspb.SearchRequest{
		CollectionName: name, DslType: commonpb.DslType_BoolExprV1, Nq: int64(vectors), SearchInput: &milvuspb.SearchRequest_PlaceholderGroup{PlaceholderGroup: group},
		SearchParams: pairs("anns_field", "vec", "topk", fmt.Sprint(limit), "metric_type", "L2", "params", "{}"),
	})
	if err = refused(out.GetStatus(), err); err == nil && len(out.GetResults().GetScores()) != vectors*limit {
		err = fmt.Errorf("a search returned %d scores", len(out.GetResults().GetScores()))
	}
	return err
}

// contents are what a collection holds: how many rows, and a hash of the multiset of rows. bench/peers/import_genuine.py computes
// the same.
type contents struct {
	Rows int64  `json:"rows"`
	Hash string `json:"hash"`
}

const page = 20_000 // rows of one query

// contents reads all rows back. A row's hash is a mixed linear form of its key and the bits of its floats; those of all rows are added.
func (s *server) contents(ctx context.Context, name string, rows int) (c contents, err error) {
	var sum uint64
	for first := 0; first < rows; first += page {
		out, err := s.query(ctx, name, fmt.Sprintf("id >= %d and id < %d", first, first+page), "id", "vec")
		if err != nil {
			return c, err
		}
		var keys []int64
		var floats []float32
		for _, f := range out.FieldsData {
			if f.FieldName == "id" {
				keys = f.GetScalars().GetLongData().GetData()
			} else {
				floats = f.GetVectors().GetFloatVector().GetData()
			}
		}
		if len(floats) != dim*len(keys) {
			return c, fmt.Errorf("%d keys and %d floats", len(keys), len(floats))
		}
		for i, key := range keys {
			sum += rowHash(key, floats[i*dim:(i+1)*dim])
		}
		c.Rows += int64(len(keys))
	}
	c.Hash = fmt.Sprintf("%016x", sum)
	return c, nil
}

func rowHash(key int64, floats []float32) uint64 {
	const odd = 0x9e3779b97f4a7c15
	h := uint64(key) * odd
	for j, f := range floats {
		h += uint64(math.Float32bits(f)) * (uint64(2*j+3) * odd)
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

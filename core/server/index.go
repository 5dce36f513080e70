package server

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/core/engine"
	"github.com/snapexport/snapexport/core/fielddata"
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// CreateIndex makes an index. It is finished when this returns.
func (s *Server) CreateIndex(ctx context.Context, r *milvuspb.CreateIndexRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	f, found := fieldNamed(c, r.GetFieldName())
	if !found {
		return nil, status.Invalid("cannot create index on non-exist field: %s", r.GetFieldName())
	}
	return ok(s.config.Engine.CreateIndex(ctx, c, engine.IndexSpec{Field: f.ID, Name: r.GetIndexName(), UserParams: toKeyValues(r.GetExtraParams())}))
}

// fieldNamed finds a field, or a member of a struct array as "struct[member]".
func fieldNamed(c *metastore.Collection, name string) (milvus.Field, bool) {
	for _, f := range c.Schema.UserFields() {
		if f.Name == name {
			return f, true
		}
	}
	for i := range c.Schema.StructArrays {
		a := &c.Schema.StructArrays[i]
		for j := range a.Members {
			if a.Name+"["+fielddata.MemberName(a, &a.Members[j])+"]" == name {
				return a.Members[j], true
			}
		}
	}
	return milvus.Field{}, false
}

// indexes returns those of a field, with a name, or all.
func indexes(c *metastore.Collection, field, name string) ([]milvus.Index, error) {
	var out []milvus.Index
	for _, x := range c.Indexes {
		f, _ := c.Schema.Field(x.Field)
		if (name == "" || x.Name == name) && (field == "" || f.Name == field || x.Name == field) {
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		if name == "" {
			name = field
		}
		return nil, status.IndexNotFound(name)
	}
	return out, nil
}

// DescribeIndex describes the indexes of a collection, one field's, or one.
func (s *Server) DescribeIndex(ctx context.Context, r *milvuspb.DescribeIndexRequest) (*milvuspb.DescribeIndexResponse, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	found, err := indexes(c, r.GetFieldName(), r.GetIndexName())
	if err != nil {
		return nil, err
	}
	rows := s.config.Engine.Stats(c)
	out := &milvuspb.DescribeIndexResponse{}
	for _, x := range found {
		f, _ := c.Schema.Field(x.Field)
		p := x.UserParams
		if len(p) == 0 {
			p = x.Params
		}
		out.IndexDescriptions = append(out.IndexDescriptions, &milvuspb.IndexDescription{
			IndexName: x.Name, IndexID: int64(x.ID), Params: fromKeyValues(p), FieldName: f.Name,
			IndexedRows: rows, TotalRows: rows, State: commonpb.IndexState_Finished,
		})
	}
	return out, nil
}

// DropIndex removes an index of a collection that is not loaded; one that is not there is no error.
func (s *Server) DropIndex(ctx context.Context, r *milvuspb.DropIndexRequest) (*commonpb.Status, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	found, err := indexes(c, r.GetFieldName(), r.GetIndexName())
	if err != nil {
		return ok(nil)
	}
	for _, x := range found {
		if f, _ := c.Schema.Field(x.Field); f.Type.IsVector() && s.loaded.any(c.ID) {
			return nil, status.New(status.Unexpected, "vector index cannot be dropped on loaded collection: %d", c.ID)
		}
		if err := s.config.Engine.DropIndex(ctx, c, x.Name); err != nil {
			return nil, err
		}
	}
	return ok(nil)
}

// GetIndexState is how older clients wait for an index.
func (s *Server) GetIndexState(ctx context.Context, r *milvuspb.GetIndexStateRequest) (*milvuspb.GetIndexStateResponse, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	if _, err := indexes(c, r.GetFieldName(), r.GetIndexName()); err != nil {
		return nil, err
	}
	return &milvuspb.GetIndexStateResponse{State: commonpb.IndexState_Finished}, nil
}

// GetIndexBuildProgress is how older clients watch an index being made.
func (s *Server) GetIndexBuildProgress(ctx context.Context, r *milvuspb.GetIndexBuildProgressRequest) (*milvuspb.GetIndexBuildProgressResponse, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	if _, err := indexes(c, r.GetFieldName(), r.GetIndexName()); err != nil {
		return nil, err
	}
	rows := s.config.Engine.Stats(c)
	return &milvuspb.GetIndexBuildProgressResponse{IndexedRows: rows, TotalRows: rows}, nil
}

// ManualCompaction compacts a collection. It has happened when this returns.
func (s *Server) ManualCompaction(ctx context.Context, r *milvuspb.ManualCompactionRequest) (*milvuspb.ManualCompactionResponse, error) {
	c, err := s.described(ctx, &milvuspb.DescribeCollectionRequest{DbName: r.GetDbName(), CollectionName: r.GetCollectionName(), CollectionID: r.GetCollectionID()})
	if err != nil {
		return nil, err
	}
	if err := s.config.Engine.Compact(ctx, c); err != nil {
		return nil, err
	}
	id, err := s.config.Store.IDs(1)
	return &milvuspb.ManualCompactionResponse{CompactionID: id, CompactionPlanCount: 1}, err
}

// GetCompactionState is Completed: ManualCompaction returns at its end.
func (s *Server) GetCompactionState(context.Context, *milvuspb.GetCompactionStateRequest) (*milvuspb.GetCompactionStateResponse, error) {
	return &milvuspb.GetCompactionStateResponse{State: commonpb.CompactionState_Completed, CompletedPlanNo: 1}, nil
}

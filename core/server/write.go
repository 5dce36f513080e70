//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"

	"github.com/snapexport/snapexport/core/engine"
	"github.com/snapexport/snapexport/core/fielddata"
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
)

// Insert adds rows.
func (s *Server) Insert(ctx context.Context, r *milvuspb.InsertRequest) (*milvuspb.MutationResult, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	rows, err := requestRows(c, r)
	if err != nil {
		return nil, err
	}
	done, err := s.config.Engine.Insert(ctx, c, r.GetPartitionName(), rows)
	if err != nil {
		return nil, err
	}
	out, err := mutation(done)
	if err != nil {
		return nil, err
	}
	out.InsertCnt, out.SuccIndex = done.Count, indices(rows.Count)
	return out, nil
}

// Upsert replaces rows by their keys.
func (s *Server) Upsert(ctx context.Context, r *milvuspb.UpsertRequest) (*milvuspb.MutationResult, error) {
	if r.GetPartialUpdate() || len(r.GetFieldOps()) > 0 {
		return nil, status.Invalid("partial updates are not supported: give all fields")
	}
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	rows, err := requestRows(c, r)
	if err != nil {
		return nil, err
	}
	done, err := s.config.Engine.Upsert(ctx, c, r.GetPartitionName(), rows)
	if err != nil {
		return nil, err
	}
	out, err := mutation(done)
	if err != nil {
		return nil, err
	}
	out.InsertCnt, out.DeleteCnt, out.UpsertCnt, out.SuccIndex = done.Count, done.Deleted, done.Count, indices(rows.Count)
	return out, nil
}

// Delete removes the rows that an expression selects.
func (s *Server) Delete(ctx context.Context, r *milvuspb.DeleteRequest) (*milvuspb.MutationResult, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	values, err := templateValues(r.GetExprTemplateValues())
	if err != nil {
		return nil, err
	}
	done, err := s.config.Engine.Delete(ctx, c, r.GetPartitionName(), r.GetExpr(), values)
	if err != nil {
		return nil, err
	}
	// no keys: clients of Milvus 2.3.2 and later take them for the whole answer
	return &milvuspb.MutationResult{Timestamp: uint64(done.Timestamp), Acknowledged: true, IDs: &schemapb.IDs{}, DeleteCnt: done.Count}, nil
}

func requestRows(c *metastore.Collection, r interface {
	GetFieldsData() []*schemapb.FieldData
	GetNumRows() uint32
	GetSchemaTimestamp() uint64
}) (engine.Rows, error) {
	if known := r.GetSchemaTimestamp(); known != 0 && known < uint64(c.Updated) { // values of a field that was added may be among the dynamic ones
		return engine.Rows{}, status.New(status.SchemaMismatch, "collection schema mismatch[collection=%s]", c.Schema.Name)
	}
	n := int(r.GetNumRows())
	if n == 0 {
		return engine.Rows{}, status.Invalid("invalid num_rows: 0, it should be greater than 0")
	}
	if n > MaxRequest { // a row has at least a byte
		return engine.Rows{}, status.Invalid("num_rows %d is more than a request can hold", n)
	}
	zone, err := zoneOf(c.Properties)
	if err != nil {
		return engine.Rows{}, err
	}
	columns, err := fielddata.Columns(&c.Schema, r.GetFieldsData(), n, fielddata.Options{Zone: zone})
	return engine.Rows{Count: n, Columns: columns}, err
}

func mutation(done engine.Result) (*milvuspb.MutationResult, error) {
	keys, err := ids(done.IDs)
	return &milvuspb.MutationResult{Timestamp: uint64(done.Timestamp), Acknowledged: true, IDs: keys}, err
}

// ids are keys on the wire.
func ids(a arrow.Array) (*schemapb.IDs, error) {
	switch a := a.(type) {
	case *array.Int64:
		return &schemapb.IDs{IdField: &schemapb.IDs_IntId{IntId: &schemapb.LongArray{Data: a.Int64Values()}}}, nil
	case *array.String:
		out := make([]string, a.Len())
		for i := range out {
			out[i] = a.Value(i)
		}
		return &schemapb.IDs{IdField: &schemapb.IDs_StrId{StrId: &schemapb.StringArray{Data: out}}}, nil
	}
	return nil, status.New(status.Unexpected, "keys of type %v", a.DataType())
}

func indices(n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = uint32(i)
	}
	return out
}

// Flush puts what was written into files; it has happened when this returns.
func (s *Server) Flush(ctx context.Context, r *milvuspb.FlushRequest) (*milvuspb.FlushResponse, error) {
	if len(r.GetCollectionNames()) == 0 {
		return nil, status.Invalid("collection_names is required for flush")
	}
	out := &milvuspb.FlushResponse{
		DbName: database(ctx, r), CollSegIDs: map[string]*schemapb.LongArray{}, FlushCollSegIDs: map[string]*schemapb.LongArray{},
		CollSealTimes: map[string]int64{}, CollFlushTs: map[string]uint64{},
	}
	for _, name := range r.GetCollectionNames() {
		c, err := s.config.Store.Collection(out.DbName, name)
		if err != nil {
			return nil, err
		}
		done, err := s.config.Engine.Flush(ctx, c)
		if err != nil {
			return nil, err
		}
		segments := make([]int64, len(done.Segments))
		for i, id := range done.Segments {
			segments[i] = int64(id)
		}
		out.CollSegIDs[name] = &schemapb.LongArray{Data: segments}
		out.FlushCollSegIDs[name] = &schemapb.LongArray{Data: segments}
		out.CollSealTimes[name] = done.Timestamp.UnixMilli() / 1000
		out.CollFlushTs[name] = uint64(done.Timestamp)
	}
	return out, nil
}

// GetFlushState is true: Flush returns when the rows are in files.
func (s *Server) GetFlushState(ctx context.Context, r *milvuspb.GetFlushStateRequest) (*milvuspb.GetFlushStateResponse, error) {
	if r.GetCollectionName() != "" {
		if _, err := s.collection(ctx, r); err != nil {
			return nil, err
		}
	}
	return &milvuspb.GetFlushStateResponse{Flushed: true}, nil
}

// FlushAll flushes the collections of one database, or (none named) of all.
func (s *Server) FlushAll(ctx context.Context, r *milvuspb.FlushAllRequest) (*milvuspb.FlushAllResponse, error) {
	db := r.GetDbName()
	if db == "" {
		db = "*"
	}
	all, err := s.config.Store.Collections(db)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if _, err := s.config.Engine.Flush(ctx, c); err != nil && !status.Is(err, status.CollectionMissing) {
			return nil, err
		}
	}
	ts, err := s.config.Store.Timestamp()
	return &milvuspb.FlushAllResponse{FlushAllTs: uint64(ts)}, err
}

// GetFlushAllState is true, as GetFlushState.
func (s *Server) GetFlushAllState(context.Context, *milvuspb.GetFlushAllStateRequest) (*milvuspb.GetFlushAllStateResponse, error) {
	return &milvuspb.GetFlushAllStateResponse{Flushed: true}, nil
}

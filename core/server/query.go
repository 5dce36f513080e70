package server

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"

	"github.com/snapexport/snapexport/core/engine"
	"github.com/snapexport/snapexport/core/fielddata"
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

const countAll = "count(*)"

// maxWindow bounds limit and offset together, Milvus's default.
const maxWindow = 16384

// Query returns live rows, in the order of their keys. Every write that returned before is seen, whatever consistency is asked for.
func (s *Server) Query(ctx context.Context, r *milvuspb.QueryRequest) (*milvuspb.QueryResults, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	partitions, err := s.readable(c, r.GetPartitionNames())
	if err != nil {
		return nil, err
	}
	p := params(r.GetQueryParams())
	if err := p.refuse("order_by_fields", "group_by_fields", "time_fields"); err != nil {
		return nil, err
	}
	q := engine.Query{Filter: r.GetExpr(), Partitions: partitions}
	if q.Values, err = templateValues(r.GetExprTemplateValues()); err != nil {
		return nil, err
	}
	if len(r.GetOutputFields()) == 1 && strings.EqualFold(strings.ReplaceAll(r.GetOutputFields()[0], " ", ""), countAll) {
		return s.count(ctx, c, q, r)
	}
	if err := p.page(&q); err != nil {
		return nil, err
	}
	if strings.TrimSpace(q.Filter) == "" && q.Limit == 0 {
		return nil, status.Invalid("empty expression should be used with limit")
	}
	o, err := outputOf(c, r.GetOutputFields(), true)
	if err != nil {
		return nil, err
	}
	zone, err := p.zone(c)
	if err != nil {
		return nil, err
	}
	ts, err := s.config.Store.Timestamp()
	if err != nil {
		return nil, err
	}
	q.Fields = o.fields
	rows, err := s.config.Engine.Query(ctx, c, q)
	if err != nil {
		return nil, err
	}
	data, err := fielddata.Answer(&c.Schema, o.fields, rows.Columns, fielddata.Options{Zone: zone})
	if err != nil {
		return nil, err
	}
	pk, _ := c.Schema.PrimaryKey()
	return &milvuspb.QueryResults{
		FieldsData: data, CollectionName: r.GetCollectionName(), OutputFields: o.names, SessionTs: uint64(ts), PrimaryFieldName: pk.Name,
	}, nil
}

func (s *Server) count(ctx context.Context, c *metastore.Collection, q engine.Query, r *milvuspb.QueryRequest) (*milvuspb.QueryResults, error) {
	q.Count = true
	rows, err := s.config.Engine.Query(ctx, c, q)
	if err != nil {
		return nil, err
	}
	n := &schemapb.ScalarField{Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: []int64{int64(rows.Count)}}}}
	return &milvuspb.QueryResults{
		FieldsData:     []*schemapb.FieldData{{Type: schemapb.DataType_Int64, FieldName: countAll, Field: &schemapb.FieldData_Scalars{Scalars: n}}},
		CollectionName: r.GetCollectionName(), OutputFields: []string{countAll},
	}, nil
}

// readable returns the partitions to read: those named, else those that are loaded; nil is all. What is not loaded is refused.
func (s *Server) readable(c *metastore.Collection, named []string) ([]string, error) {
	if err := s.checkLoaded(c, named); err != nil || len(named) > 0 {
		return named, err
	}
	var out []string
	for _, id := range s.loaded.only(c.ID) {
		if name := c.PartitionName(id); name != "" {
			out = append(out, name)
		}
	}
	return out, nil
}

// parameters are what clients send beside the expression.
type parameters map[string]string

func params(in []*commonpb.KeyValuePair) parameters {
	out := parameters{}
	for _, p := range in {
		out[p.GetKey()] = p.GetValue()
	}
	return out
}

// refuse reports parameters that would change the result and that nothing here implements.
func (p parameters) refuse(keys ...string) error {
	for _, k := range keys {
		if v := p[k]; v != "" && v != "null" && v != `""` {
			return status.Invalid("%s is not supported here", k)
		}
	}
	return nil
}

func (p parameters) page(q *engine.Query) error {
	var err error
	if q.Limit, err = p.number("limit"); err != nil {
		return err
	}
	if q.Limit < 0 { // how iterators say that there is none
		q.Limit = 0
	}
	if q.Offset, err = p.number("offset"); err != nil {
		return err
	}
	if q.Offset < 0 {
		return status.Invalid("offset [%d] is invalid, it should be greater than or equal to 0", q.Offset)
	}
	if q.Limit > maxWindow || q.Limit > 0 && q.Offset > maxWindow-q.Limit {
		return status.Invalid("invalid max query result window, (offset+limit) should be in range [1, %d], but got %d", maxWindow, q.Offset+q.Limit)
	}
	return nil
}

// number is an integer parameter, 0 if it is absent.
func (p parameters) number(key string) (int64, error) {
	text, ok := p[key]
	if !ok || text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, status.Invalid("%s [%s] is invalid", key, text)
	}
	return n, nil
}

// zone is that of Timestamptz in the reply: the request's, else the collection's.
func (p parameters) zone(c *metastore.Collection) (*time.Location, error) {
	if name := strings.Trim(p[zoneProperty], `"`); name != "" {
		return location(name)
	}
	return zoneOf(c.Properties)
}

// key finds the rows' key field.
func key(c *metastore.Collection) (milvus.Field, error) {
	pk, has := c.Schema.PrimaryKey()
	if !has {
		return pk, status.New(status.Unexpected, "collection %s has no primary key", c.Schema.Name)
	}
	return pk, nil
}

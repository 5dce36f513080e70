package server

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/engine"
	"github.com/snapexport/snapexport/core/fielddata"
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// Search returns the rows nearest to vectors: exactly, whatever index there is.
func (s *Server) Search(ctx context.Context, r *milvuspb.SearchRequest) (*milvuspb.SearchResults, error) {
	c, err := s.collection(ctx, r)
	if err != nil {
		return nil, err
	}
	p := params(r.GetSearchParams())
	if err := refuseSearch(r, p); err != nil {
		return nil, err
	}
	q, err := searchOf(c, p)
	if err != nil {
		return nil, err
	}
	q.Filter = r.GetDsl()
	if q.Partitions, err = s.readable(c, r.GetPartitionNames()); err != nil {
		return nil, err
	}
	if q.Values, err = templateValues(r.GetExprTemplateValues()); err != nil {
		return nil, err
	}
	f, _ := c.Schema.Field(q.Field)
	if q.Vectors, err = queryVectors(f, r.GetPlaceholderGroup()); err != nil {
		return nil, err
	}
	o, err := outputOf(c, r.GetOutputFields(), false)
	if err != nil {
		return nil, err
	}
	q.Fields = o.fields
	hits, err := s.config.Engine.Search(ctx, c, q)
	if err != nil {
		return nil, err
	}
	zone, err := p.zone(c)
	if err != nil {
		return nil, err
	}
	results, err := searchResult(c, hits, o, fielddata.Options{Zone: zone})
	if err != nil {
		return nil, err
	}
	round(results.Scores, p)
	results.TopK = q.Limit
	return &milvuspb.SearchResults{Results: results, CollectionName: r.GetCollectionName()}, nil
}

// refuseSearch names what would change the result and is not here.
func refuseSearch(r *milvuspb.SearchRequest, p parameters) error {
	switch {
	case len(r.GetSubReqs()) > 0 || r.GetFunctionScore() != nil:
		return status.Invalid("rerankers and sub-requests are not supported here")
	case r.GetSearchAggregation() != nil:
		return status.Invalid("search aggregations are not supported here")
	case r.GetHighlighter() != nil:
		return status.Invalid("highlighters are not supported here")
	case len(r.GetPlaceholderGroup()) == 0:
		return status.Invalid("searches by primary keys are not supported here: give vectors")
	}
	return p.refuse("group_by_field", "group_by_fields", "order_by_fields", "search_iter_v2", "time_fields")
}

// searchOf reads the parameters of a search.
func searchOf(c *metastore.Collection, p parameters) (engine.Search, error) {
	q := engine.Search{Metric: strings.ToUpper(strings.Trim(p["metric_type"], `"`))}
	var err error
	if q.Limit, err = p.number("topk"); err != nil {
		return q, err
	}
	if q.Limit <= 0 || q.Limit > 16384 {
		return q, status.Invalid("topk [%d] is invalid, it should be in range [1, 16384]", q.Limit)
	}
	if q.Offset, err = p.number("offset"); err != nil {
		return q, err
	}
	if q.Offset < 0 || q.Offset > 16384 {
		return q, status.Invalid("offset [%d] is invalid, it should be in range [0, 16384]", q.Offset)
	}
	if q.Field, err = annsField(c, strings.Trim(p["anns_field"], `"`)); err != nil {
		return q, err
	}
	var inner struct {
		Radius      *float64 `json:"radius"`
		RangeFilter *float64 `json:"range_filter"`
		MetricType  string   `json:"metric_type"`
	}
	if text := p["params"]; text != "" {
		if err := json.Unmarshal([]byte(text), &inner); err != nil {
			return q, status.Invalid("search params %s: %v", text, err)
		}
	}
	q.Radius, q.RangeFilter = inner.Radius, inner.RangeFilter
	if q.Metric == "" {
		q.Metric = strings.ToUpper(inner.MetricType)
	}
	return q, nil
}

// annsField is the named vector field, or the only one.
func annsField(c *metastore.Collection, name string) (milvus.FieldID, error) {
	var vectors []milvus.Field
	for _, f := range c.Schema.UserFields() {
		if f.Type.IsVector() && f.Type != milvus.TypeArrayOfVector {
			if f.Name == name {
				return f.ID, nil
			}
			vectors = append(vectors, f)
		}
	}
	switch {
	case name != "":
		return 0, status.Invalid("failed to get field schema by name: fieldName(%s) not found", name)
	case len(vectors) == 1:
		return vectors[0].ID, nil
	}
	return 0, status.Invalid("multiple anns_fields exist, please specify a anns_field in search_params")
}

// queryVectors reads the vectors to search for.
func queryVectors(f milvus.Field, group []byte) (arrow.Array, error) {
	var g commonpb.PlaceholderGroup
	if err := proto.Unmarshal(group, &g); err != nil || len(g.GetPlaceholders()) != 1 {
		return nil, status.Invalid("failed to parse the placeholder group of %d placeholders", len(g.GetPlaceholders()))
	}
	p := g.GetPlaceholders()[0]
	asFloats := p.GetType() == commonpb.PlaceholderType_FloatVector && (f.Type == milvus.TypeFloat16Vector || f.Type == milvus.TypeBFloat16Vector)
	if !asFloats && int32(p.GetType()) != int32(f.Type) {
		return nil, status.Invalid("vector type must be the same, field %s - type %v, search info type %v", f.Name, f.Type, p.GetType())
	}
	return fielddata.Vectors(f, p.GetValues(), asFloats)
}

// searchResult joins the hits of all vectors.
func searchResult(c *metastore.Collection, hits []engine.Hits, o output, opts fielddata.Options) (*schemapb.SearchResultData, error) {
	pk, err := key(c)
	if err != nil {
		return nil, err
	}
	out := &schemapb.SearchResultData{NumQueries: int64(len(hits)), OutputFields: o.names, PrimaryFieldName: pk.Name}
	keys := make([]arrow.Array, len(hits))
	for i, h := range hits {
		out.Topks = append(out.Topks, int64(len(h.Scores)))
		out.Scores = append(out.Scores, h.Scores...)
		keys[i] = h.IDs
	}
	all, err := array.Concatenate(keys, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	if out.Ids, err = ids(all); err != nil {
		return nil, err
	}
	columns := map[milvus.FieldID]arrow.Array{}
	for _, id := range o.fields {
		parts := make([]arrow.Array, len(hits))
		for i, h := range hits {
			parts[i] = h.Rows.Columns[id]
		}
		if columns[id], err = array.Concatenate(parts, memory.DefaultAllocator); err != nil {
			return nil, err
		}
	}
	out.FieldsData, err = fielddata.Answer(&c.Schema, o.fields, columns, opts)
	return out, err
}

// round rounds scores to the decimals that were asked for; -1 is not at all.
func round(scores []float32, p parameters) {
	n, err := p.number("round_decimal")
	if _, asked := p["round_decimal"]; !asked || err != nil || n < 0 || n > 6 {
		return
	}
	scale := math.Pow10(int(n))
	for i, v := range scores {
		scores[i] = float32(math.Round(float64(v)*scale) / scale)
	}
}

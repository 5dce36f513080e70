package server

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"google.golang.org/grpc/metadata"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/milvus"
)

const defaultDatabase = "default"

// database is the request's, else the header's, else the default one.
func database(ctx context.Context, r interface{ GetDbName() string }) string {
	if name := r.GetDbName(); name != "" {
		return name
	}
	for _, name := range metadata.ValueFromIncomingContext(ctx, "dbname") {
		if name != "" {
			return name
		}
	}
	return defaultDatabase
}

// collection finds the collection that a request names, by its name or by an alias.
func (s *Server) collection(ctx context.Context, r interface {
	GetDbName() string
	GetCollectionName() string
}) (*metastore.Collection, error) {
	return s.config.Store.Collection(database(ctx, r), r.GetCollectionName())
}

func toKeyValues(in []*commonpb.KeyValuePair) []milvus.KeyValue {
	out := make([]milvus.KeyValue, 0, len(in))
	for _, p := range in {
		out = append(out, milvus.KeyValue{Key: p.GetKey(), Value: p.GetValue()})
	}
	return out
}

func fromKeyValues(in []milvus.KeyValue) []*commonpb.KeyValuePair {
	out := make([]*commonpb.KeyValuePair, 0, len(in))
	for _, p := range in {
		out = append(out, &commonpb.KeyValuePair{Key: p.Key, Value: p.Value})
	}
	return out
}

// merged returns old with the pairs of set put over it and the keys of remove left out.
func merged(old, set []milvus.KeyValue, remove []string) []milvus.KeyValue {
	gone := map[string]bool{}
	for _, k := range remove {
		gone[k] = true
	}
	for _, p := range set {
		gone[p.Key] = true
	}
	var out []milvus.KeyValue
	for _, p := range old {
		if !gone[p.Key] {
			out = append(out, p)
		}
	}
	return append(out, set...)
}

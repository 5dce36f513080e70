package server

import (
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// A time to live that is no number is refused: no query could be answered with it.
func TestAlterTTL(t *testing.T) {
	t.Parallel()
	s := newStage(t, milvus.StorageV2, nil)
	s.fill(t, "docs", 3)
	for value, code := range map[string]status.Code{"soon": status.InvalidParameter, "": status.InvalidParameter, "3600": 0} {
		r, err := s.client.AlterCollection(t.Context(), &milvuspb.AlterCollectionRequest{
			CollectionName: "docs", Properties: []*commonpb.KeyValuePair{{Key: "collection.ttl.seconds", Value: value}},
		})
		if err != nil || r.GetCode() != int32(code) {
			t.Errorf("%q: %v, %v", value, r, err)
		}
	}
	if n := s.count(t, "docs"); n != 3 {
		t.Errorf("%d rows", n)
	}
}

//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/gc"
	"github.com/snapexport/snapexport/core/metastore"
)

// The tests in semantics_*_test.go are Milvus's documented behaviour of snapshots, line by line, as a client sees it over TCP.

// replied returns the Status of a call's reply.
func replied(t *testing.T) func(reply any, err error) *commonpb.Status {
	return func(reply any, err error) *commonpb.Status {
		t.Helper()
		if err != nil {
			t.Error(err)
			return &commonpb.Status{Code: -1, Reason: err.Error()}
		}
		if st, is := reply.(*commonpb.Status); is {
			return st
		}
		return reply.(interface{ GetStatus() *commonpb.Status }).GetStatus()
	}
}

// refused compares both numbers and the whole reason of a Status.
func refused(t *testing.T, what string, st *commonpb.Status, code int32, legacy commonpb.ErrorCode, reason string) {
	t.Helper()
	if st.GetCode() != code || st.GetErrorCode() != legacy || st.GetReason() != reason || st.GetRetriable() || code != 0 && st.GetDetail() == "" {
		t.Errorf("%s: %v\nwant %d %v %s", what, st, code, legacy, reason)
	}
}

func (s *stage) create(t *testing.T, collection, name string) {
	t.Helper()
	r, err := s.client.CreateSnapshot(t.Context(), &milvuspb.CreateSnapshotRequest{CollectionName: collection, Name: name})
	success(t, r, err)
}

func (s *stage) list(t *testing.T, collection string) []string {
	t.Helper()
	r, err := s.client.ListSnapshots(t.Context(), &milvuspb.ListSnapshotsRequest{CollectionName: collection})
	success(t, r, err)
	return r.GetSnapshots()
}

func (s *stage) describe(t *testing.T, collection, name string) *milvuspb.DescribeSnapshotResponse {
	t.Helper()
	r, err := s.client.DescribeSnapshot(t.Context(), &milvuspb.DescribeSnapshotRequest{CollectionName: collection, Name: name})
	success(t, r, err)
	return r
}

func (s *stage) drop(t *testing.T, collection, name string) *commonpb.Status {
	t.Helper()
	return replied(t)(s.client.DropSnapshot(t.Context(), &milvuspb.DropSnapshotRequest{CollectionName: collection, Name: name}))
}

func (s *stage) dropCollection(t *testing.T, name string) {
	t.Helper()
	r, err := s.client.DropCollection(t.Context(), &milvuspb.DropCollectionRequest{CollectionName: name})
	success(t, r, err)
}

func (s *stage) pin(t *testing.T, collection, name string, seconds int64) int64 {
	t.Helper()
	r, err := s.client.PinSnapshotData(t.Context(), &milvuspb.PinSnapshotDataRequest{CollectionName: collection, Name: name, TtlSeconds: seconds})
	success(t, r, err)
	if r.GetPinId() <= 0 {
		t.Errorf("pin %d", r.GetPinId())
	}
	return r.GetPinId()
}

func (s *stage) unpin(t *testing.T, id int64) {
	t.Helper()
	r, err := s.client.UnpinSnapshotData(t.Context(), &milvuspb.UnpinSnapshotDataRequest{PinId: id})
	success(t, r, err)
}

// restore begins one.
func (s *stage) restore(t *testing.T, source, name, target string) int64 {
	t.Helper()
	r, err := s.client.RestoreSnapshot(t.Context(), &milvuspb.RestoreSnapshotRequest{CollectionName: source, Name: name, TargetCollectionName: target})
	success(t, r, err)
	if r.GetJobId() <= 0 {
		t.Errorf("job %d", r.GetJobId())
	}
	return r.GetJobId()
}

// completed restores and waits.
func (s *stage) completed(t *testing.T, source, name, target string) *milvuspb.RestoreSnapshotInfo {
	t.Helper()
	info := s.restored(t, s.restore(t, source, name, target))
	if info.GetState() != milvuspb.RestoreSnapshotState_RestoreSnapshotCompleted || info.GetProgress() != 100 {
		t.Fatalf("%v", info)
	}
	return info
}

func (s *stage) describeCollection(t *testing.T, name string) *milvuspb.DescribeCollectionResponse {
	t.Helper()
	r, err := s.client.DescribeCollection(t.Context(), &milvuspb.DescribeCollectionRequest{CollectionName: name})
	success(t, r, err)
	return r
}

func (s *stage) meta(t *testing.T, name string) *metastore.Collection {
	t.Helper()
	c, err := s.Store.Collection("", name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *stage) exists(t *testing.T, name string) bool {
	t.Helper()
	return replied(t)(s.client.DescribeCollection(t.Context(), &milvuspb.DescribeCollectionRequest{CollectionName: name})).GetCode() == 0
}

// insert puts rows with the keys from up to before to into a collection of fill.
func (s *stage) insert(t *testing.T, collection, partition string, from, to int64) {
	t.Helper()
	r, err := s.client.Insert(t.Context(), &milvuspb.InsertRequest{CollectionName: collection, PartitionName: partition, NumRows: uint32(to - from), FieldsData: columns(from, to, 0)})
	success(t, r, err)
}

func (s *stage) delete(t *testing.T, collection, expr string) {
	t.Helper()
	r, err := s.client.Delete(t.Context(), &milvuspb.DeleteRequest{CollectionName: collection, Expr: expr})
	success(t, r, err)
}

func (s *stage) flush(t *testing.T, collection string) {
	t.Helper()
	r, err := s.client.Flush(t.Context(), &milvuspb.FlushRequest{CollectionNames: []string{collection}})
	success(t, r, err)
}

func (s *stage) createPartition(t *testing.T, collection, name string) {
	t.Helper()
	r, err := s.client.CreatePartition(t.Context(), &milvuspb.CreatePartitionRequest{CollectionName: collection, PartitionName: name})
	success(t, r, err)
}

// columns are keys and vectors whose second number is mark.
func columns(from, to int64, mark float32) []*schemapb.FieldData {
	var keys []int64
	var floats []float32
	for k := from; k < to; k++ {
		keys, floats = append(keys, k), append(floats, float32(k), mark)
	}
	return []*schemapb.FieldData{
		{FieldName: "id", Type: schemapb.DataType_Int64, Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
			Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: keys}}}}},
		{FieldName: "vec", Type: schemapb.DataType_FloatVector, Field: &schemapb.FieldData_Vectors{Vectors: &schemapb.VectorField{
			Dim: 2, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: floats}}}}},
	}
}

// declare makes a collection with a request that change may alter.
func (s *stage) declare(t *testing.T, name string, schema *schemapb.CollectionSchema, change func(*milvuspb.CreateCollectionRequest)) {
	t.Helper()
	text, err := proto.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	r := &milvuspb.CreateCollectionRequest{CollectionName: name, Schema: text, ShardsNum: 1}
	if change != nil {
		change(r)
	}
	created, err := s.client.CreateCollection(t.Context(), r)
	success(t, created, err)
}

// sweep collects garbage, with hardly any time of grace.
func (s *stage) sweep(t *testing.T) gc.Report {
	t.Helper()
	r, err := gc.New(s.Store, s.files, s.Snapshots, gc.Config{Root: s.Root, Grace: 1, Pending: 1, Now: s.now}).Sweep(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pass moves the clock.
func (s *stage) pass(d time.Duration) { s.ahead.Add(int64(d)) }

// at calls f at every step of restores from now on; nil ends that.
func (s *stage) at(f func(point string) error) {
	if f == nil {
		s.fault.Store(nil)
		return
	}
	s.fault.Store(&f)
}

// keyFiles are the keys of the objects below a prefix.
func (s *stage) keyFiles(t *testing.T, prefix string) (out []string) {
	t.Helper()
	for o, err := range s.files.List(t.Context(), prefix) {
		if err != nil {
			break // no such directory yet
		}
		out = append(out, o.Key)
	}
	return out
}

//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/snapexport/snapexport/core/engine"
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/restore"
	"github.com/snapexport/snapexport/core/snapshot"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// stage is a server with all of its parts, on loopback.
type stage struct {
	address string
	client  milvuspb.MilvusServiceClient
	server  *Server
	web     http.Handler

	bucket string // the directory of the files
	files  objstore.Store
	Config
	ahead atomic.Int64                             // of the true time: nanoseconds
	fault atomic.Pointer[func(point string) error] // called at every step of a restore
}

// now is the clock of all parts.
func (s *stage) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

func (s *stage) step(point string) error {
	if f := s.fault.Load(); f != nil {
		return (*f)(point)
	}
	return nil
}

// newStage starts a server that ends with the test. change may alter its settings.
func newStage(t *testing.T, storage int64, change func(*Config)) *stage {
	t.Helper()
	dir, root := t.TempDir(), "files"
	st := &stage{bucket: filepath.Join(dir, "bucket")}
	ctx, stop := context.WithCancel(context.Background())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	files, err := objstore.NewOpener(objstore.Config{}).Open(ctx, st.bucket)
	must(err)
	meta, err := metastore.Open(ctx, metastore.Config{Dir: filepath.Join(dir, "etcd"), Storage: root, NoFsync: true, Now: st.now})
	must(err)
	t.Cleanup(func() { must(meta.Close()) })
	snapshots := snapshot.New(meta, files, snapshot.Config{Root: root, NoFsync: true, Now: st.now, Random: rand.Uint64})
	rows, err := engine.Open(ctx, meta, files, engine.Config{Dir: dir, Root: root, StorageVersion: storage, NoFsync: true, Now: st.now, Protected: snapshots.Protected})
	must(err)
	t.Cleanup(func() { must(rows.Close()) })
	must(snapshots.Recover(ctx))
	restores := restore.New(meta, files, snapshots, restore.Config{Root: root, Now: st.now, Fault: st.step})
	c := Config{Store: meta, Engine: rows, Snapshots: snapshots, Restores: restores, Bucket: "lake", Root: root, Version: "test", Now: st.now}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	ended := make(chan error, 2)
	go func() { ended <- s.Serve(ctx, l) }()
	go func() { _ = restores.Run(ctx); ended <- nil }()
	t.Cleanup(func() {
		stop()
		for range cap(ended) {
			must(<-ended)
		}
	})
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	t.Cleanup(func() { conn.Close() })
	st.address, st.client, st.server, st.web = l.Addr().String(), milvuspb.NewMilvusServiceClient(conn), s, s.Handler()
	st.files, st.Config = files, c
	return st
}

func (s *stage) get(path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.web.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// success fails the test unless the call worked.
func success(t *testing.T, reply any, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	st, is := reply.(*commonpb.Status)
	if !is {
		st = reply.(interface{ GetStatus() *commonpb.Status }).GetStatus()
	}
	if st == nil || st.GetCode() != 0 || st.GetErrorCode() != 0 {
		t.Fatalf("%v", st)
	}
}

// fill makes a collection of rows keys 0, 1, ... with vectors, and flushes it.
func (s *stage) fill(t *testing.T, name string, rows int) {
	t.Helper()
	ctx := t.Context()
	schema, err := proto.Marshal(&schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{
		{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
		{Name: "vec", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "2"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	created, err := s.client.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{CollectionName: name, Schema: schema, ShardsNum: 1})
	success(t, created, err)
	keys, floats := make([]int64, rows), make([]float32, 2*rows)
	for i := range keys {
		keys[i], floats[2*i] = int64(i), float32(i)
	}
	inserted, err := s.client.Insert(ctx, &milvuspb.InsertRequest{CollectionName: name, NumRows: uint32(rows), FieldsData: []*schemapb.FieldData{
		{FieldName: "id", Type: schemapb.DataType_Int64, Field: &schemapb.FieldData_Scalars{Scalars: &schemapb.ScalarField{
			Data: &schemapb.ScalarField_LongData{LongData: &schemapb.LongArray{Data: keys}}}}},
		{FieldName: "vec", Type: schemapb.DataType_FloatVector, Field: &schemapb.FieldData_Vectors{Vectors: &schemapb.VectorField{
			Dim: 2, Data: &schemapb.VectorField_FloatVector{FloatVector: &schemapb.FloatArray{Data: floats}}}}},
	}})
	success(t, inserted, err)
	if inserted.GetInsertCnt() != int64(rows) || len(inserted.GetSuccIndex()) != rows || len(inserted.GetIDs().GetIntId().GetData()) != rows {
		t.Fatalf("%v", inserted)
	}
	flushed, err := s.client.Flush(ctx, &milvuspb.FlushRequest{CollectionNames: []string{name}})
	success(t, flushed, err)
	if len(flushed.GetCollSegIDs()[name].GetData()) == 0 || flushed.GetCollFlushTs()[name] == 0 {
		t.Fatalf("%v", flushed)
	}
}

// count loads a collection and counts its rows.
func (s *stage) count(t *testing.T, name string) int64 {
	t.Helper()
	loaded, err := s.client.LoadCollection(t.Context(), &milvuspb.LoadCollectionRequest{CollectionName: name})
	success(t, loaded, err)
	r, err := s.client.Query(t.Context(), &milvuspb.QueryRequest{CollectionName: name, OutputFields: []string{"count(*)"}})
	success(t, r, err)
	return r.GetFieldsData()[0].GetScalars().GetLongData().GetData()[0]
}

// restored waits for a restore.
func (s *stage) restored(t *testing.T, job int64) *milvuspb.RestoreSnapshotInfo {
	t.Helper()
	for range 600 {
		r, err := s.client.GetRestoreSnapshotState(t.Context(), &milvuspb.GetRestoreSnapshotStateRequest{JobId: job})
		success(t, r, err)
		if st := r.GetInfo().GetState(); st == milvuspb.RestoreSnapshotState_RestoreSnapshotCompleted || st == milvuspb.RestoreSnapshotState_RestoreSnapshotFailed {
			return r.GetInfo()
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("job %d does not end", job)
	return nil
}

var versions = map[string]int64{"V1": milvus.StorageV1, "V2": milvus.StorageV2, "V3": milvus.StorageV3}

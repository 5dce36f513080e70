//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	rpc "google.golang.org/grpc/status"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// TestEarlierProtocol: snapshots as clients before Milvus 3.0 ask for them, without the source's name.
func TestEarlierProtocol(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t, milvus.StorageV2, nil), t.Context()
	s.fill(t, "docs", 30)
	s.fill(t, "others", 5)
	for _, c := range [][2]string{{"docs", "s1"}, {"docs", "twice"}, {"others", "twice"}} {
		made, err := s.client.CreateSnapshot(ctx, &milvuspb.CreateSnapshotRequest{CollectionName: c[0], Name: c[1]})
		success(t, made, err)
	}
	list, err := s.client.ListSnapshots(ctx, &milvuspb.ListSnapshotsRequest{})
	success(t, list, err)
	if got := strings.Join(list.GetSnapshots(), " "); got != "s1 twice twice" {
		t.Errorf("list: %s", got)
	}
	d, err := s.client.DescribeSnapshot(ctx, &milvuspb.DescribeSnapshotRequest{Name: "s1"})
	success(t, d, err)
	if d.GetCollectionName() != "docs" || !strings.HasPrefix(d.GetS3Location(), "lake/files/snapshots/") {
		t.Errorf("describe: %v", d)
	}
	r, err := s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{Name: "s1", CollectionName: "restored"})
	success(t, r, err)
	if info := s.restored(t, r.GetJobId()); info.GetState() != milvuspb.RestoreSnapshotState_RestoreSnapshotCompleted || info.GetProgress() != 100 || info.GetCollectionName() != "restored" {
		t.Errorf("restore: %v", info)
	}
	if n := s.count(t, "restored"); n != 30 {
		t.Errorf("%d rows restored", n)
	}
	for _, name := range []string{"s1", "s1", "never"} {
		dropped, err := s.client.DropSnapshot(ctx, &milvuspb.DropSnapshotRequest{Name: name})
		success(t, dropped, err)
	}
	twice, err := s.client.DropSnapshot(ctx, &milvuspb.DropSnapshotRequest{Name: "twice"})
	if err != nil || twice.GetCode() != int32(status.InvalidParameter) || !strings.Contains(twice.GetReason(), "docs") || !strings.Contains(twice.GetReason(), "others") {
		t.Errorf("twice: %v %v", twice, err)
	}
}

// TestErrors: both numbers and the reason, as Milvus sends them.
func TestErrors(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t, milvus.StorageV2, nil), t.Context()
	s.fill(t, "docs", 1)
	for _, c := range []struct {
		name   string
		call   func() (interface{ GetStatus() *commonpb.Status }, error)
		code   int32
		legacy commonpb.ErrorCode
		reason string
	}{
		{"no collection", func() (interface{ GetStatus() *commonpb.Status }, error) {
			return s.client.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{CollectionName: "nope"})
		}, 100, commonpb.ErrorCode_CollectionNotExists, "collection not found[database=default][collection=nope]"},
		{"no database", func() (interface{ GetStatus() *commonpb.Status }, error) {
			return s.client.DescribeCollection(metadata.AppendToOutgoingContext(ctx, "dbname", "db1"), &milvuspb.DescribeCollectionRequest{CollectionName: "docs"})
		}, 800, commonpb.ErrorCode_UnexpectedError, "database not found[database=db1]"},
		{"no partition", func() (interface{ GetStatus() *commonpb.Status }, error) {
			return s.client.GetLoadingProgress(ctx, &milvuspb.GetLoadingProgressRequest{CollectionName: "docs", PartitionNames: []string{"p"}})
		}, 200, commonpb.ErrorCode_MetaFailed, "partition not found[partition=p]"},
		{"no index", func() (interface{ GetStatus() *commonpb.Status }, error) {
			return s.client.DescribeIndex(ctx, &milvuspb.DescribeIndexRequest{CollectionName: "docs"})
		}, 700, commonpb.ErrorCode_IndexNotExist, "index not found"},
		{"no rows", func() (interface{ GetStatus() *commonpb.Status }, error) {
			return s.client.Insert(ctx, &milvuspb.InsertRequest{CollectionName: "docs"})
		}, 1100, commonpb.ErrorCode_IllegalArgument, "num_rows"},
		{"no such snapshot", func() (interface{ GetStatus() *commonpb.Status }, error) {
			return s.client.DescribeSnapshot(ctx, &milvuspb.DescribeSnapshotRequest{CollectionName: "docs", Name: "s"})
		}, 2600, commonpb.ErrorCode_UnexpectedError, "snapshot not found[snapshot=s]"},
		{"no name", func() (interface{ GetStatus() *commonpb.Status }, error) {
			return s.client.DescribeSnapshot(ctx, &milvuspb.DescribeSnapshotRequest{CollectionName: "docs"})
		}, 1100, commonpb.ErrorCode_IllegalArgument, "snapshot name should be not empty"},
		{"no job", func() (interface{ GetStatus() *commonpb.Status }, error) {
			return s.client.GetRestoreSnapshotState(ctx, &milvuspb.GetRestoreSnapshotStateRequest{JobId: 123})
		}, 2100, commonpb.ErrorCode_UnexpectedError, "restore job not found: jobID=123: importing data failed"},
		{"no target", func() (interface{ GetStatus() *commonpb.Status }, error) {
			return s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{Name: "s"})
		}, 1100, commonpb.ErrorCode_IllegalArgument, "target_collection_name is required for restore snapshot"},
		{"negative ttl", func() (interface{ GetStatus() *commonpb.Status }, error) {
			made, err := s.client.CreateSnapshot(ctx, &milvuspb.CreateSnapshotRequest{CollectionName: "docs", Name: "s0"})
			success(t, made, err)
			return s.client.PinSnapshotData(ctx, &milvuspb.PinSnapshotDataRequest{CollectionName: "docs", Name: "s0", TtlSeconds: -1 << 62})
		}, 1100, commonpb.ErrorCode_IllegalArgument, "ttl_seconds must be non-negative"},
	} {
		reply, err := c.call()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		st := reply.GetStatus()

		if st.GetCode() != c.code || st.GetErrorCode() != c.legacy || !strings.Contains(st.GetReason(), c.reason) || st.GetRetriable() {
			t.Errorf("%s: %v", c.name, st)
		}
	}
	if _, err := s.client.GetReplicas(ctx, &milvuspb.GetReplicasRequest{}); rpc.Code(err) != codes.Unimplemented {
		t.Errorf("a call that is not there: %v", err)
	}
}

// TestPanic: a handler that panics, or fails in a way that nobody foresaw, answers all the same.
func TestPanic(t *testing.T) {
	t.Parallel()
	s := newStage(t, milvus.StorageV2, nil)
	for want, handle := range map[string]grpc.UnaryHandler{
		"internal error in Query: boom": func(context.Context, any) (any, error) { panic("boom") },
		"disk full":                     func(context.Context, any) (any, error) { return nil, errors.New("disk full") },
	} {
		info := &grpc.UnaryServerInfo{FullMethod: "/milvus.proto.milvus.MilvusService/Query"}
		reply, err := s.server.answer(t.Context(), &milvuspb.QueryRequest{}, info, handle)
		r, is := reply.(*milvuspb.QueryResults)
		if err != nil || !is || r.GetStatus().GetCode() != int32(status.Unexpected) || r.GetStatus().GetReason() != want {
			t.Errorf("%v %v", reply, err)
		}
	}
}

// TestAuthorization: gRPC errors with Milvus's texts; health needs no token.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	s := newStage(t, milvus.StorageV2, func(c *Config) { c.Credentials = NewCredentials("s3cret") })
	token := func(text string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "authorization", base64.StdEncoding.EncodeToString([]byte(text)))
	}
	for _, c := range []struct {
		ctx  context.Context
		want string
	}{
		{t.Context(), "missing authorization in header"},
		{token("root:Milvus"), "auth check failure, please check username and password are correct"},
		{token("other:s3cret"), "auth check failure"},
		{token("s3cret"), "auth check failure"},
		{metadata.AppendToOutgoingContext(t.Context(), "authorization", "!"), "auth check failure"},
		{token("root:s3cret"), ""},
	} {
		_, err := s.client.Connect(c.ctx, &milvuspb.ConnectRequest{})
		if c.want == "" && err != nil || c.want != "" && (rpc.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if !NewCredentials(DefaultPassword).IsDefault() || NewCredentials("s3cret").IsDefault() {
		t.Error("the default password is not known")
	}
	if w := s.get("/healthz"); w.Code != 200 {
		t.Errorf("%v", w)
	}
	if text := s.get("/metrics").Body.String(); !strings.Contains(text, `snapexport_calls_total{code="Unauthenticated",method="Connect"} 5`) || !strings.Contains(text, "snapexport_collections 0") {
		t.Errorf("%s", text)
	}
}

type keptLoads struct{ all []Load }

func (k *keptLoads) Read() ([]Load, error)  { return k.all, nil }
func (k *keptLoads) Write(all []Load) error { k.all = all; return nil }

func TestLoadedIsKept(t *testing.T) {
	keep := &keptLoads{}
	l, _ := newLoaded(keep)
	for _, err := range []error{l.load(1, nil), l.load(2, []milvus.PartitionID{5}), l.load(2, []milvus.PartitionID{7, 5}), l.load(3, nil), l.release(3, nil), l.load(4, nil), l.release(4, []milvus.PartitionID{9})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	again, err := newLoaded(keep)
	if err != nil || !again.partition(1, 99) || !again.partition(2, 5) || !again.partition(2, 7) || again.partition(2, 6) || again.any(3) || !again.partition(4, 9) || again.partition(4, 8) {
		t.Errorf("%v %v", keep.all, err)
	}
}

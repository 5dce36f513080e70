//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"context"
	"errors"
	"path"
	"runtime/debug"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	rpc "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/filter"
)

// replies are the types of the service's replies by method.
var replies = replyTypes()

func replyTypes() map[string]protoreflect.MessageType {
	out := map[string]protoreflect.MessageType{}
	methods := milvuspb.File_milvus_proto.Services().ByName("MilvusService").Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		if t, err := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName()); err == nil {
			out[string(m.Name())] = t
		}
	}
	return out
}

// answer turns the error of a handler into a reply with a Status, and gives replies without one the Status of success.
func (s *Server) answer(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (reply any, err error) {
	method := path.Base(info.FullMethod)
	t, ours := replies[method]
	if !ours {
		return handle(ctx, request)
	}
	reply, err = s.guard(ctx, method, request, handle)
	if err == nil {
		return withStatus(reply.(proto.Message), func() *commonpb.Status { return &commonpb.Status{} }), nil
	}
	if code := rpc.Code(err); code == codes.Unimplemented {
		return nil, err
	}
	if ended := ctx.Err(); ended != nil {
		return nil, rpc.FromContextError(ended).Err()
	}
	st := statusOf(err)
	var expected *status.Error
	if st.Code == int32(status.Unexpected) && !errors.As(err, &expected) { // nobody's mistake but ours, or the store's
		s.config.Log.Warn("call failed", "method", method, "error", err)
	}
	return withStatus(t.New().Interface(), func() *commonpb.Status { return st }), nil
}

// guard calls the handler and turns a panic into an error.
func (s *Server) guard(ctx context.Context, method string, request any, handle grpc.UnaryHandler) (reply any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.metrics.panics.Inc()
			s.config.Log.Error("panic", "method", method, "panic", p, "stack", string(debug.Stack()))
			reply, err = nil, status.New(status.Unexpected, "internal error in %s: %v", method, p)
		}
	}()
	return handle(ctx, request)
}

// withStatus sets the reply's Status if it has none. The reply may be a Status itself.
func withStatus(reply proto.Message, make func() *commonpb.Status) proto.Message {
	if _, is := reply.(*commonpb.Status); is {
		if st := make(); st.Code != 0 {
			return st
		}
		return reply
	}
	m := reply.ProtoReflect()
	if f := m.Descriptor().Fields().ByName("status"); f != nil && !m.Has(f) {
		m.Set(f, protoreflect.ValueOfMessage(make().ProtoReflect()))
	}
	return reply
}

// legacy are the older error codes of those that older clients look at; any other is UnexpectedError.
var legacy = map[status.Code]commonpb.ErrorCode{
	status.CollectionMissing: commonpb.ErrorCode_CollectionNotExists,
	status.InvalidParameter:  commonpb.ErrorCode_IllegalArgument,
	status.SchemaMismatch:    commonpb.ErrorCode_SchemaMismatch,
	status.PartitionMissing:  commonpb.ErrorCode_MetaFailed,
	status.IndexMissing:      commonpb.ErrorCode_IndexNotExist,
}

// statusOf is the error on the wire.
func statusOf(err error) *commonpb.Status {
	code, reason := status.Of(err)
	if code == status.Unexpected && errors.Is(err, filter.ErrInvalid) {
		code, reason = status.InvalidParameter, "failed to create query plan: cannot parse expression: "+reason
	}
	older, known := legacy[code]
	if !known {
		older = commonpb.ErrorCode_UnexpectedError
	}

	return &commonpb.Status{ErrorCode: older, Reason: reason, Code: int32(code), Detail: err.Error()}
}

// ok is the reply of calls that answer with nothing else.
func ok(err error) (*commonpb.Status, error) {
	if err != nil {
		return nil, err
	}
	return &commonpb.Status{}, nil
}

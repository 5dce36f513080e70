package pb

import (
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/msgpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestPublicNames compares our descriptions with Milvus's public ones, message by message and enum by enum. That both are
// linked into this test also shows that they do not get into each other's way.
func TestPublicNames(t *testing.T) {
	for _, c := range []struct{ ours, theirs proto.Message }{
		{&KeyValuePair{}, &commonpb.KeyValuePair{}},
		{&KeyDataPair{}, &commonpb.KeyDataPair{}},
		{&MsgPosition{}, &msgpb.MsgPosition{}},
		{&FieldSchema{}, &schemapb.FieldSchema{}},
		{&FunctionSchema{}, &schemapb.FunctionSchema{}},
		{&StructArrayFieldSchema{}, &schemapb.StructArrayFieldSchema{}},
		{&CollectionSchema{}, &schemapb.CollectionSchema{}},
		{&ValueField{}, &schemapb.ValueField{}},
	} {
		compareMessages(t, c.ours.ProtoReflect().Descriptor(), c.theirs.ProtoReflect().Descriptor())
	}
	for _, c := range []struct{ ours, theirs protoreflect.Enum }{
		{DataType(0), schemapb.DataType(0)},
		{FieldState(0), schemapb.FieldState(0)},
		{FunctionType(0), schemapb.FunctionType(0)},
		{ConsistencyLevel(0), commonpb.ConsistencyLevel(0)},
		{SegmentState(0), commonpb.SegmentState(0)},
		{IndexState(0), commonpb.IndexState(0)},
		{WALName(0), commonpb.WALName(0)},
	} {
		ours, theirs := c.ours.Descriptor(), c.theirs.Descriptor()
		for i := range theirs.Values().Len() {
			want := theirs.Values().Get(i)
			if got := ours.Values().ByName(want.Name()); got == nil || got.Number() != want.Number() {
				t.Errorf("%s.%s is %d there and %v here", theirs.Name(), want.Name(), want.Number(), got)
			}
		}
	}
}

// compareMessages wants every public field here, with its number, names and type. Ours may have newer ones.
func compareMessages(t *testing.T, ours, theirs protoreflect.MessageDescriptor) {
	t.Helper()
	for i := range theirs.Fields().Len() {
		want := theirs.Fields().Get(i)
		got := ours.Fields().ByNumber(want.Number())
		if got == nil || got.Name() != want.Name() || got.JSONName() != want.JSONName() || got.Kind() != want.Kind() || got.Cardinality() != want.Cardinality() {
			t.Errorf("%s: %v there, %v here", theirs.FullName(), want, got)
		}
	}
}

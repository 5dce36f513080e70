//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"context"
	"fmt"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"google.golang.org/grpc/metadata"

	"github.com/snapexport/snapexport/milvus"
)

// TestSnapshotErrors is the table of errors: code, older code and reason, call by call.
func TestSnapshotErrors(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t, milvus.StorageV2, nil), t.Context()
	s.fill(t, "docs", 1)
	s.fill(t, "taken", 1)
	s.create(t, "docs", "s1")
	s.create(t, "docs", "pinned")
	s.pin(t, "docs", "pinned", 0)
	alias, err := s.client.CreateAlias(ctx, &milvuspb.CreateAliasRequest{CollectionName: "taken", Alias: "other_name"})
	success(t, alias, err)
	id := s.meta(t, "docs").ID
	type call func(ctx context.Context, collection, name string) (any, error)
	create := func(protection int64) call {
		return func(ctx context.Context, c, n string) (any, error) {
			return s.client.CreateSnapshot(ctx, &milvuspb.CreateSnapshotRequest{CollectionName: c, Name: n, CompactionProtectionSeconds: protection})
		}
	}
	drop := func(ctx context.Context, c, n string) (any, error) {
		return s.client.DropSnapshot(ctx, &milvuspb.DropSnapshotRequest{CollectionName: c, Name: n})
	}
	describe := func(ctx context.Context, c, n string) (any, error) {
		return s.client.DescribeSnapshot(ctx, &milvuspb.DescribeSnapshotRequest{CollectionName: c, Name: n})
	}
	list := func(ctx context.Context, c, _ string) (any, error) {
		return s.client.ListSnapshots(ctx, &milvuspb.ListSnapshotsRequest{CollectionName: c})
	}
	restore := func(db, target string) call {
		return func(ctx context.Context, c, n string) (any, error) {
			return s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{CollectionName: c, Name: n, TargetDbName: db, TargetCollectionName: target})
		}
	}
	pin := func(ttl int64) call {
		return func(ctx context.Context, c, n string) (any, error) {
			return s.client.PinSnapshotData(ctx, &milvuspb.PinSnapshotDataRequest{CollectionName: c, Name: n, TtlSeconds: ttl})
		}
	}
	state := func(job int64) call {
		return func(ctx context.Context, _, _ string) (any, error) {
			return s.client.GetRestoreSnapshotState(ctx, &milvuspb.GetRestoreSnapshotStateRequest{JobId: job})
		}
	}
	unpin := func(ctx context.Context, _, _ string) (any, error) {
		return s.client.UnpinSnapshotData(ctx, &milvuspb.UnpinSnapshotDataRequest{PinId: 77})
	}
	type row struct {
		name                 string
		call                 call
		collection, snapshot string
		code                 int32
		legacy               commonpb.ErrorCode
		reason               string
	}
	const illegal, other, absent = commonpb.ErrorCode_IllegalArgument, commonpb.ErrorCode_UnexpectedError, commonpb.ErrorCode_CollectionNotExists
	missing := fmt.Sprintf("collection %d: snapshot not found[snapshot=no]", id)
	rows := []row{
		{"duplicate", create(0), "docs", "s1", 1100, illegal, fmt.Sprintf("snapshot name s1 already exists in collection %d: invalid parameter", id)},
		{"create without collection", create(0), "", "s2", 1100, illegal, "collection_name is required for create snapshot: invalid parameter"},
		{"restore without collection", restore("", "x"), "", "s1", 1100, illegal, "collection_name is required for restore snapshot: invalid parameter"},
		{"restore without target", restore("", ""), "", "s1", 1100, illegal, "target_collection_name is required for restore snapshot: invalid parameter"},
		{"snapshot missing: describe", describe, "docs", "no", 2600, other, missing},
		{"snapshot missing: restore", restore("", "x"), "docs", "no", 2600, other, missing},
		{"snapshot missing: pin", pin(1), "docs", "no", 2600, other, missing},
		{"snapshot missing: drop", drop, "docs", "no", 0, 0, ""},
		{"pinned", drop, "docs", "pinned", 2601, other, "active pins exist, unpin before dropping: snapshot is pinned[snapshot=pinned]"},
		{"protection -1", create(-1), "docs", "s2", 1100, illegal, "compaction_protection_seconds must be non-negative: invalid parameter"},
		{"protection 604801", create(604801), "docs", "s2", 1100, illegal, "compaction_protection_seconds must not exceed 604800: invalid parameter"},
		{"protection, greatest number", create(1<<63 - 1), "docs", "s2", 1100, illegal, "compaction_protection_seconds must not exceed 604800: invalid parameter"},
		{"protection, least number", create(-1 << 63), "docs", "s2", 1100, illegal, "compaction_protection_seconds must be non-negative: invalid parameter"},
		{"target exists", restore("", "taken"), "docs", "s1", 65535, other, "create duplicate collection with different parameters, collection: taken"},
		{"target is the source", restore("", "docs"), "docs", "s1", 65535, other, "create duplicate collection with different parameters, collection: docs"},
		{"target is an alias", restore("", "other_name"), "docs", "s1", 65535, other, "collection name [other_name] conflicts with an existing alias, please choose a unique name"},
		{"target database missing", restore("db1", "x"), "docs", "s1", 800, other, "database not found[database=db1]"},
		{"job unknown", state(123), "", "", 2100, other, "restore job not found: jobID=123: importing data failed"},
		{"job 0", state(0), "", "", 2100, other, "restore job not found: jobID=0: importing data failed"},
		{"ttl -1", pin(-1), "docs", "s1", 1100, illegal, "ttl_seconds must be non-negative: invalid parameter"},
		{"ttl 2592001", pin(2592001), "docs", "s1", 1100, illegal, "ttl_seconds exceeds maximum of 2592000 (30 days): invalid parameter"},
		{"ttl, greatest number", pin(1<<63 - 1), "docs", "s1", 1100, illegal, "ttl_seconds exceeds maximum of 2592000 (30 days): invalid parameter"},
		{"unpin unknown", unpin, "", "", 0, 0, ""},
	}
	for name, c := range map[string]call{"create": create(0), "drop": drop, "describe": describe, "list": list, "restore": restore("", "x"), "pin": pin(1)} {
		rows = append(rows, row{"collection missing: " + name, c, "nope", "s1", 100, absent, "collection not found[database=default][collection=nope]"})
	}
	for _, r := range rows {
		refused(t, r.name, replied(t)(r.call(ctx, r.collection, r.snapshot)), r.code, r.legacy, r.reason)
	}
	elsewhere := metadata.AppendToOutgoingContext(ctx, "dbname", "db1") // the database of a header counts, too
	for _, c := range []call{create(0), drop, describe, list, restore("", "x"), pin(1)} {
		refused(t, "database missing", replied(t)(c(elsewhere, "docs", "s1")), 800, other, "database not found[database=db1]")
	}
	for _, c := range []call{create(604800), pin(2592000)} { // the limits themselves are within
		success(t, replied(t)(c(ctx, "docs", "limit")), nil)
	}
	if s.exists(t, "x") {
		t.Error("a restore that was refused made a collection")
	}
}

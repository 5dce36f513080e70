//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/milvus"
)

// TestNamesOfSnapshots: which names are good, and that all calls have one rule.
func TestNamesOfSnapshots(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t, milvus.StorageV2, nil), t.Context()
	s.fill(t, "docs", 3)
	calls := map[string]func(name string) *commonpb.Status{
		"create": func(name string) *commonpb.Status {
			return replied(t)(s.client.CreateSnapshot(ctx, &milvuspb.CreateSnapshotRequest{CollectionName: "docs", Name: name}))
		},
		"describe": func(name string) *commonpb.Status {
			return replied(t)(s.client.DescribeSnapshot(ctx, &milvuspb.DescribeSnapshotRequest{CollectionName: "docs", Name: name}))
		},
		"drop": func(name string) *commonpb.Status { return s.drop(t, "docs", name) },
		"restore": func(name string) *commonpb.Status {
			return replied(t)(s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{CollectionName: "docs", Name: name, TargetCollectionName: "x"}))
		},
		"pin": func(name string) *commonpb.Status {
			return replied(t)(s.client.PinSnapshotData(ctx, &milvuspb.PinSnapshotDataRequest{CollectionName: "docs", Name: name, TtlSeconds: 1}))
		},
		"earlier describe": func(name string) *commonpb.Status {
			return replied(t)(s.client.DescribeSnapshot(ctx, &milvuspb.DescribeSnapshotRequest{Name: name}))
		},
		"earlier drop": func(name string) *commonpb.Status { return s.drop(t, "", name) },
		"earlier restore": func(name string) *commonpb.Status {
			return replied(t)(s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{CollectionName: "x", Name: name}))
		},
	}
	const allowed = "snapshot name can only contain numbers, letters, underscores, and allowed characters ($.-), found %c at %d: invalid parameter"
	for name, reason := range map[string]string{
		"":                       "snapshot name should be not empty: invalid parameter[expected=not empty][actual=]",
		" \t\n":                  "snapshot name should be not empty: invalid parameter[expected=not empty][actual=]",
		strings.Repeat("x", 256): "the length of snapshot name must be not greater than limit: invalid parameter[256 out of range 0 <= value <= 255]",
		strings.Repeat("ä", 150): "the length of snapshot name must be not greater than limit: invalid parameter[300 out of range 0 <= value <= 255]",
		"1":                      "the first character of snapshot name must be an underscore or letter: invalid parameter[expected=95][actual=49]",
		".a":                     "the first character of snapshot name must be an underscore or letter: invalid parameter[expected=95][actual=46]",
		"-a":                     "the first character of snapshot name must be an underscore or letter: invalid parameter[expected=95][actual=45]",
		"$a":                     "the first character of snapshot name must be an underscore or letter: invalid parameter[expected=95][actual=36]",
		"ä":                      "the first character of snapshot name must be an underscore or letter: invalid parameter[expected=95][actual=195]",
		"a b":                    fmt.Sprintf(allowed, ' ', 1),
		"a/b":                    fmt.Sprintf(allowed, '/', 1),
		"abc\x00":                fmt.Sprintf(allowed, 0, 3),
		"aé":                     fmt.Sprintf(allowed, 'é', 1),
		"a%":                     fmt.Sprintf(allowed, '%', 1),
	} {
		for call, f := range calls {
			refused(t, fmt.Sprintf("%s %q", call, name), f(name), 1100, commonpb.ErrorCode_IllegalArgument, reason)
		}
	}
	good := []string{"v2.1_production_release", "backup_20240101", "_", "A", "a$.-_09", "nightly-2024-01-01", strings.Repeat("y", 255)}
	for _, name := range good {
		s.create(t, "docs", "\t "+name+" ") // the spaces do not count, here or anywhere
		if d := s.describe(t, "docs", " "+name); d.GetName() != name {
			t.Errorf("%q is %q", name, d.GetName())
		}
		refused(t, name, calls["create"](name+" "), 1100, commonpb.ErrorCode_IllegalArgument,
			fmt.Sprintf("snapshot name %s already exists in collection %d: invalid parameter", name, s.meta(t, "docs").ID))
	}
	if got := s.list(t, "docs"); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(good))) {
		t.Errorf("list: %q", got)
	}
	s.unpin(t, s.pin(t, "docs", " _ ", 60))
	s.completed(t, "docs", " _\n", "of_blanks")
	for _, name := range good {
		if st := s.drop(t, "docs", "  "+name); st.GetCode() != 0 {
			t.Errorf("%v", st)
		}
	}
	if got := s.list(t, "docs"); len(got) != 0 {
		t.Errorf("list: %q", got)
	}
}

// TestNamesOfTargets: a restore makes no collection that no one could have made.
func TestNamesOfTargets(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t, milvus.StorageV2, nil), t.Context()
	s.fill(t, "docs", 3)
	s.create(t, "docs", "s1")
	for _, name := range []string{"1x", "a b", "a/b", "../x", strings.Repeat("z", 256), "ä"} {
		for what, st := range map[string]*commonpb.Status{
			"restore":         replied(t)(s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{CollectionName: "docs", Name: "s1", TargetCollectionName: name})),
			"earlier restore": replied(t)(s.client.RestoreSnapshot(ctx, &milvuspb.RestoreSnapshotRequest{CollectionName: name, Name: "s1"})),
			"rename":          replied(t)(s.client.RenameCollection(ctx, &milvuspb.RenameCollectionRequest{OldName: "docs", NewName: name})),
		} {
			if st.GetCode() != 1100 || st.GetErrorCode() != commonpb.ErrorCode_IllegalArgument || !strings.Contains(st.GetReason(), "collection name") {
				t.Errorf("%s %q: %v", what, name, st)
			}
		}
	}
	jobs, err := s.client.ListRestoreSnapshotJobs(ctx, &milvuspb.ListRestoreSnapshotJobsRequest{})
	success(t, jobs, err)
	if len(jobs.GetJobs()) != 0 || len(s.list(t, "docs")) != 1 {
		t.Errorf("%v", jobs)
	}
	if st := s.drop(t, "docs", "s1"); st.GetCode() != 0 {
		t.Errorf("a pin is left: %v", st)
	}
}

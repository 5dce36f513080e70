//lint:file-ignore SA1019 clients send and read the deprecated fields, too

package server

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/milvus"
)

// TestRestoreFails (traps T20 and T21): a missing or damaged file: the job says why, and of the target there is nothing, not
// even its name.
func TestRestoreFails(t *testing.T) {
	t.Parallel()
	for version, storage := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, storage, nil)
			s.fill(t, "src", 50)
			s.delete(t, "src", "id < 5")
			s.flush(t, "src")
			s.create(t, "src", "s")
			rows := filepath.Join(s.bucket, s.keyFiles(t, fmt.Sprintf("files/insert_log/%d/", s.meta(t, "src").ID))[0])
			whole, err := os.ReadFile(rows)
			if err != nil {
				t.Fatal(err)
			}
			metadata := filepath.Join(s.bucket, s.keyFiles(t, "files/snapshots/")[0])
			kept, err := os.ReadFile(metadata)
			if err != nil {
				t.Fatal(err)
			}
			before := s.keyFiles(t, "files/")
			for name, harm := range map[string]func() error{
				"missing": func() error { return os.Remove(rows) },
				"cut":     func() error { return os.WriteFile(rows, whole[:len(whole)-1], 0o600) },
				"longer":  func() error { return os.WriteFile(rows, append(slices.Clone(whole), 0), 0o600) },
			} {
				if err := harm(); err != nil {
					t.Fatal(err)
				}
				info := s.restored(t, s.restore(t, "src", "s", "dst"))
				if info.GetState() != milvuspb.RestoreSnapshotState_RestoreSnapshotFailed || !strings.Contains(info.GetReason(), filepath.Base(rows)) || info.GetTimeCost() < 1 || info.GetProgress() == 100 {
					t.Errorf("%s: %v", name, info)
				}
				s.unseen(t, "dst")
				if err := os.WriteFile(rows, whole, 0o600); err != nil {
					t.Fatal(err)
				}
				if after := s.keyFiles(t, "files/"); !slices.Equal(after, before) {
					t.Errorf("%s: %d files, %d before: %v", name, len(after), len(before), after)
				}
			}
			for name, text := range map[string][]byte{"damaged metadata": []byte(`{"snapshot_info": {`), "no metadata": nil} {
				if err := os.Remove(metadata); err != nil {
					t.Fatal(err)
				}
				if text != nil {
					if err := os.WriteFile(metadata, text, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				st := replied(t)(s.client.RestoreSnapshot(t.Context(), &milvuspb.RestoreSnapshotRequest{CollectionName: "src", Name: "s", TargetCollectionName: "dst"}))
				if st.GetCode() == 0 || st.GetRetriable() || st.GetReason() == "" {
					t.Errorf("%s: %v", name, st)
				}
				s.unseen(t, "dst")
				if err := os.WriteFile(metadata, kept, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s.completed(t, "src", "s", "dst") // the name is free
			if n := s.count(t, "dst"); n != 45 {
				t.Errorf("%d rows", n)
			}
			if st := s.drop(t, "src", "s"); st.GetCode() != 0 {
				t.Errorf("a pin is left: %v", st)
			}
		})
	}
}

// TestSnapshotKeepsWhatItNeeds (trap T22): indexes are dropped, segments compacted, garbage collected; then the restore is whole.
func TestSnapshotKeepsWhatItNeeds(t *testing.T) {
	t.Parallel()
	for version, storage := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s, ctx := newStage(t, storage, nil), t.Context()
			s.everything(t, "src")
			s.fillAll(t, "src")
			s.create(t, "src", "s")
			before := s.count(t, "src")
			want := s.query(t, "src")
			indexed := len(s.indexFiles(t, "src"))
			released, err := s.client.ReleaseCollection(ctx, &milvuspb.ReleaseCollectionRequest{CollectionName: "src"})
			success(t, released, err)
			for _, name := range []string{"on_vec", "on_tenant"} {
				r, err := s.client.DropIndex(ctx, &milvuspb.DropIndexRequest{CollectionName: "src", IndexName: name})
				success(t, r, err)
			}
			s.delete(t, "src", "id >= 200")
			s.flush(t, "src")
			compacted, err := s.client.ManualCompaction(ctx, &milvuspb.ManualCompactionRequest{CollectionName: "src"})
			success(t, compacted, err)
			s.sweep(t)
			s.sweep(t)
			s.completed(t, "src", "s", "dst")
			if n := s.count(t, "dst"); n != before {
				t.Errorf("%d rows, want %d", n, before)
			}
			if got := s.query(t, "dst"); got != want {
				t.Error("rows differ")
			}
			r, err := s.client.DescribeIndex(ctx, &milvuspb.DescribeIndexRequest{CollectionName: "dst"})
			success(t, r, err)
			if len(r.GetIndexDescriptions()) != 2 || indexed == 0 || len(s.indexFiles(t, "dst")) != indexed {
				t.Errorf("%d index files, %d of the source: %v", len(s.indexFiles(t, "dst")), indexed, r)
			}
			if st := s.drop(t, "src", "s"); st.GetCode() != 0 {
				t.Fatalf("%v", st)
			}
			held := len(s.keyFiles(t, "files/"))
			if report := s.sweep(t); len(s.keyFiles(t, "files/")) >= held {
				t.Errorf("nothing goes after the snapshot: %+v", report)
			}
		})
	}
}

// indexFiles are those that the collection's segments have, and that are there.
func (s *stage) indexFiles(t *testing.T, name string) (out []string) {
	t.Helper()
	for _, seg := range s.Store.Segments(s.meta(t, name).ID) {
		for _, x := range seg.Indexes {
			for _, f := range x.Files {
				if _, err := os.Stat(filepath.Join(s.bucket, f.Key)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				out = append(out, f.Key)
			}
		}
	}
	return out
}

// TestProtection: compaction leaves a protected snapshot's segments alone, until its time is over.
func TestProtection(t *testing.T) {
	t.Parallel()
	s, ctx := newStage(t, milvus.StorageV2, nil), t.Context()
	s.fill(t, "docs", 40)
	s.delete(t, "docs", "id < 20")
	s.flush(t, "docs")
	r, err := s.client.CreateSnapshot(ctx, &milvuspb.CreateSnapshotRequest{CollectionName: "docs", Name: "s", CompactionProtectionSeconds: 3600})
	success(t, r, err)
	ids := func() (out []int64) {
		for _, seg := range s.Store.Segments(s.meta(t, "docs").ID) {
			out = append(out, int64(seg.ID))
		}
		return out
	}
	compact := func() {
		c, err := s.client.ManualCompaction(ctx, &milvuspb.ManualCompactionRequest{CollectionName: "docs"})
		success(t, c, err)
	}
	before := ids()
	compact()
	if got := ids(); !slices.Equal(got, before) {
		t.Errorf("compacted although protected: %v, %v before", got, before)
	}
	s.pass(time.Hour + time.Second)
	compact()
	if got := ids(); slices.Equal(got, before) {
		t.Errorf("still %v", got)
	}
	if n := s.count(t, "docs"); n != 20 {
		t.Errorf("%d rows", n)
	}
}

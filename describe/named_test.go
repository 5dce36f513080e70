package describe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
)

func TestNames(t *testing.T) {
	bucket := filepath.Join(testkit.Acceptance(t), "snapshots", "milvus-2.3.5", "bucket")
	opts := caseOptions(bucket, "a-bucket")
	for _, c := range []struct {
		name string
		id   int64
		err  error
		says string
	}{
		{"files#compacted/latest", 470646500000000492, nil, ""},
		{"files/#compacted/latest", 470646500000000492, nil, ""},
		{"#compacted/470646500000000436", 470646500000000436, nil, ""},
		{"files#default.compacted/latest", 470646500000000492, nil, ""},
		{"files#470646366078901496/470646500000000424", 470646500000000424, nil, ""},
		{"files#db2.arrays/latest", 470646500000000680, nil, ""},
		{"files#arrays/latest", 470646500000000165, nil, ""},
		{"moved#arrays/latest", 470646500000000195, nil, ""},
		{"files#nothing/latest", 0, fault.ErrMissing, "default.compacted/"},
		{"files#compacted/nothing", 0, fault.ErrMissing, "default.compacted/"},
		{"files#compacted", 0, ErrUsage, "ROOT#"},
		{"files#", 0, ErrUsage, "ROOT#"},
		{"nothing#compacted/latest", 0, fault.ErrMissing, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, name, _ := strings.Cut(c.name, "#")
			snap, err := Resolve(context.Background(), filepath.Join(bucket, root)+"#"+name, opts)
			if c.err != nil {
				if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("%v; want %v with %q", err, c.err, c.says)
				}
				return
			}
			if err != nil || int64(snap.ID) != c.id {
				t.Fatalf("%+v, %v; want %d", snap, err, c.id)
			}
		})
	}
}

func TestDirectoryWithoutName(t *testing.T) {
	for _, source := range []string{t.TempDir(), "s3://bucket/root", "s3://bucket"} {
		if _, err := Resolve(context.Background(), source, caseOptions(".", "a")); !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v; want ErrUsage", source, err)
		}
	}
}

// TestSeveralOfOneName: a name that means two snapshots is not guessed at.
func TestSeveralOfOneName(t *testing.T) {
	from := filepath.Join(testkit.Acceptance(t), "traps", "t15-format-5", "bucket", "files", "snapshots")
	dir := t.TempDir()
	copyTree(t, from, filepath.Join(dir, "a", "files", "snapshots"))
	copyTree(t, from, filepath.Join(dir, "b", "files", "snapshots"))
	opts := caseOptions(dir, "a-bucket")
	_, err := Resolve(context.Background(), dir+"#t15_format_5/latest", opts)
	if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "a/files/") || !strings.Contains(err.Error(), "b/files/") {
		t.Fatal(err)
	}
	if _, err = Resolve(context.Background(), filepath.Join(dir, "a")+"#t15_format_5/latest", opts); err != nil {
		t.Fatal(err)
	}
}

// TestUnreadableNeighbour: a metadata file that does not parse is warned of and hides nothing.
func TestUnreadableNeighbour(t *testing.T) {
	dir := t.TempDir()
	acceptance := testkit.Acceptance(t)
	copyTree(t, filepath.Join(acceptance, "traps", "t15-format-5", "bucket"), dir)
	copyTree(t, filepath.Join(acceptance, "damaged", "format-version-6", "bucket"), dir)
	if err := os.WriteFile(filepath.Join(dir, "files", "snapshots", "41540", "metadata", "9.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	opts := caseOptions(dir, "a-bucket")
	snap, err := Resolve(context.Background(), dir+"#t15_format_5/latest", opts)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, w := range snap.Warnings {
		if w.Kind == WarnUnreadable {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d warnings of unreadable metadata, want 2: %v", n, snap.Warnings)
	}
	list, err := List(context.Background(), dir, opts)
	if err != nil || len(list.Entries) != 1 || len(list.Warnings) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
}

// TestListBucket: every snapshot of the bucket, with a source that resolves to it.
func TestListBucket(t *testing.T) {
	bucket := filepath.Join(testkit.Acceptance(t), "snapshots", "milvus-2.3.5", "bucket")
	opts := caseOptions(bucket, "a-bucket")
	list, err := List(context.Background(), bucket, opts)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	for _, c := range testkit.Cases(t, "snapshot") {
		if strings.HasPrefix(c.Name, "snapshots/milvus-2.3.5/") {
			want["file://"+filepath.Join(bucket, filepath.FromSlash(c.Snapshot))] = c.Rows
		}
	}
	if len(list.Entries) != len(want) {
		t.Errorf("%d entries, want %d", len(list.Entries), len(want))
	}
	for _, e := range list.Entries {
		if rows, ok := want[e.Source]; !ok || e.Rows < rows || e.Problem != "" || e.CreateTime == "" {
			t.Errorf("%+v; want at least %d rows", e, rows)
		}
		snap, err := Resolve(context.Background(), e.Source, opts)
		if err != nil || snap.ID != e.SnapshotID || snap.Collection.Schema.Name != e.Collection {
			t.Errorf("%s: %v", e.Source, err)
		}
	}
	one, err := List(context.Background(), bucket+"#db2.arrays", opts)
	if err != nil || len(one.Entries) != 1 || one.Entries[0].Database != "db2" || one.Entries[0].Rows < 10 {
		t.Errorf("%+v, %v", one, err)
	}
}

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// later are the storage versions of column groups. What the acceptance cases have of a trap for V1 only, the tests below have for
// these; they belong to the traps of the same numbers.
var later = []int64{milvus.StorageV2, milvus.StorageV3}

// eachVersion lays the same documents out in each of the later versions, and in V1, whose rows are wanted.
func eachVersion(t *testing.T, test func(t *testing.T, c *fixture.Collection, want string)) {
	t.Parallel()
	shape := fixture.Shape{Segments: 2, Rows: 30, Deletes: 4}
	dir := t.TempDir()
	want := catText(t, filepath.Join(dir, fixture.Documents(t, dir, shape).Snapshot(t, "s", 7001, nil)))
	if n := strings.Count(want, "\n"); n != 52 {
		t.Fatalf("%d rows, want 52", n)
	}
	for _, shape.Version = range later {
		t.Run(fmt.Sprint("V", shape.Version), func(t *testing.T) { test(t, fixture.Documents(t, t.TempDir(), shape), want) })
	}
}

// catText returns the live rows as lines, whatever the warnings.
func catText(t *testing.T, snapshot string, more ...string) string {
	t.Helper()
	o := invoke(t, nil, append([]string{"cat", snapshot}, more...)...)
	if o.code != 0 {
		t.Fatal(o)
	}
	return o.out
}

// Segments without rows are no trap, and are told of.
func TestT06EmptySegmentsOfGroups(t *testing.T) {
	eachVersion(t, func(t *testing.T, c *fixture.Collection, want string) {
		empty := c.Add(t, fixture.Segment{ID: 9, Partition: fixture.DocumentsPartition, Level: milvus.LevelL1, Channel: fixture.DocumentsChannel})
		if c.Files.Version == milvus.StorageV3 {
			c.Segments[len(c.Segments)-1].ManifestPath = fmt.Sprintf(`{"ver":0,"base_path":"files/insert_log/%d/%d/9"}`, empty.Collection, empty.Partition)
		}
		snapshot := filepath.Join(c.Dir, c.Snapshot(t, "s", 7001, nil))
		o := invoke(t, nil, "cat", snapshot)
		if o.code != 0 || o.out != want || !strings.Contains(o.errs, "segment 9 ") {
			t.Errorf("%s", o)
		}
		only := filepath.Join(c.Dir, c.Snapshot(t, "only", 7002, c.Segments[len(c.Segments)-1:]))
		var got exported
		succeed(t, nil, &got, "export", only, "--to", filepath.Join(t.TempDir(), "table"))
		if got.Rows != 0 {
			t.Errorf("%d rows of an empty segment", got.Rows)
		}
	})
}

// Paths of column groups, delta logs and manifests in every form.
func TestT11PathsOfGroups(t *testing.T) {
	eachVersion(t, func(t *testing.T, c *fixture.Collection, want string) {
		for i, form := range []string{"%s", "s3://a-bucket/%s", "s3://s3.eu-central-1.amazonaws.com/a-bucket/%s", "minio://minio.example:9000/a-bucket/%s",
			"https://objects.example/a-bucket/%s", "gs://a-bucket/%s", "azure://account1.blob.core.windows.net/a-bucket/%s"} {
			var segments []milvus.Segment
			for _, seg := range c.Segments {
				seg.Binlogs, seg.Deltalogs = withPaths(seg.Binlogs, form), withPaths(seg.Deltalogs, form)
				seg.Statslogs, seg.BM25logs = nil, nil
				seg.ManifestPath = strings.Replace(seg.ManifestPath, `"base_path":"files/`, `"base_path":"`+fmt.Sprintf(form, "files/"), 1)
				segments = append(segments, seg)
			}
			snapshot := filepath.Join(c.Dir, c.Snapshot(t, "s", milvus.SnapshotID(7001+i), segments))
			if got := catText(t, snapshot, "--map", "s3://a-bucket="+c.Dir); got != want {
				t.Errorf("%s gives other rows", form)
			}
		}
	})
}

func withPaths(logs []milvus.FieldBinlog, form string) []milvus.FieldBinlog {
	out := slices.Clone(logs)
	for i := range out {
		out[i].Binlogs = slices.Clone(out[i].Binlogs)
		for j := range out[i].Binlogs {
			if b := &out[i].Binlogs[j]; b.File.Key != "" { // V3 lists placeholders
				b.File.Key = fmt.Sprintf(form, b.File.Key)
			}
		}
	}
	return out
}

// A field that was added later is in the groups of later segments alone: rows of earlier ones have its default. A file that
// lacks a column of its group is refused, not filled in.
func TestT16FieldsAddedToGroups(t *testing.T) {
	eachVersion(t, func(t *testing.T, c *fixture.Collection, want string) {
		c.Collection.Schema.Fields = append(c.Collection.Schema.Fields, milvus.Field{ID: 110, Name: "rank", Type: milvus.TypeInt64, Nullable: true, Default: int64(7)})
		chunk := flush.Chunk{
			milvus.TimestampField: fixture.Int64s(int64(fixture.DocumentsTime), int64(fixture.DocumentsTime)), 100: fixture.Int64s(-1, -2),
			101: fixture.Strings("a", "b"), 102: fixture.FloatVectors(4, 1, 2, 3, 4, 5, 6, 7, 8), 110: fixture.Int64s(41, 42),
		}
		added := c.Add(t, fixture.Segment{ID: 999_999_999_999_999_999, Partition: fixture.DocumentsPartition, Level: milvus.LevelL1, Channel: fixture.DocumentsChannel, Chunks: []flush.Chunk{maps.Clone(chunk)}})
		got := strings.SplitAfter(catText(t, filepath.Join(c.Dir, c.Snapshot(t, "s", 7001, nil)), "--columns", "id,rank"), "\n")
		if len(got) != 55 || strings.Count(strings.Join(got, ""), `"rank":7}`) != 52 {
			t.Fatalf("%d lines: %s", len(got), got)
		}
		if tail := strings.Join(got[52:], ""); tail != `{"id":-1,"rank":41}`+"\n"+`{"id":-2,"rank":42}`+"\n" {
			t.Errorf("the rows that have it: %s", tail)
		}
		if c.Files.Version == milvus.StorageV3 {
			return // its manifest has the columns
		}
		lacking := c.Segments[0]
		lacking.Binlogs = slices.Clone(lacking.Binlogs)
		for i, fb := range lacking.Binlogs {
			if slices.Contains(fb.ChildFields, 101) {
				lacking.Binlogs[i].ChildFields = append(slices.Clone(fb.ChildFields), 110)
			}
		}
		table := filepath.Join(t.TempDir(), "table")
		o := invoke(t, nil, "export", filepath.Join(c.Dir, c.Snapshot(t, "lacking", 7002, []milvus.Segment{lacking, added})), "--to", table, "--json")
		if f := failureIn(t, o); f.Class != "ErrMissing" || !strings.Contains(f.Message, "rank (110)") {
			t.Errorf("%+v", f)
		}
		nothingWritten(t, table)
	})
}

// Segments that the snapshot does not name, files that no list names, and newer manifests lie in the bucket.
func TestT19LeftoversOfGroups(t *testing.T) {
	eachVersion(t, func(t *testing.T, c *fixture.Collection, want string) {
		snapshot := filepath.Join(c.Dir, c.Snapshot(t, "s", 7001, c.Segments[:1]))
		for _, beside := range []string{"_data", "_delta", "_stats", "_metadata", "0", "1", "102"} {
			dir := filepath.Join(c.Dir, "files", "insert_log", fmt.Sprint(c.Collection.ID), fmt.Sprint(fixture.DocumentsPartition), fmt.Sprint(c.Segments[0].ID), beside)
			if _, err := os.Stat(dir); err != nil {
				continue
			}
			for _, name := range []string{"999999999999999999", "0_00000000-0000-0000-0000-000000000000.parquet", "manifest-9999.avro"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("not of the snapshot"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		lines := strings.SplitAfter(want, "\n")
		if got := catText(t, snapshot); got != strings.Join(lines[:26], "") {
			t.Errorf("other rows:\n%s", got)
		}
	})
}

// The deletes of V2 are in its delta logs, those of V3 in its manifest: a delta log that metadata or manifest do not name
// deletes nothing.
func TestT07DeletesOfGroups(t *testing.T) {
	eachVersion(t, func(t *testing.T, c *fixture.Collection, want string) {
		if got := catText(t, filepath.Join(c.Dir, c.Snapshot(t, "s", 7001, nil))); got != want {
			t.Errorf("other rows:\n%s", got)
		}
		without := slices.Clone(c.Segments)
		for i := range without {
			without[i].Deltalogs = nil
		}
		rows := strings.Count(catText(t, filepath.Join(c.Dir, c.Snapshot(t, "without", 7002, without))), "\n")
		if c.Files.Version == milvus.StorageV3 && rows != 52 || c.Files.Version == milvus.StorageV2 && rows != 60 {
			t.Errorf("%d rows without the delta logs of metadata", rows)
		}
	})
}

// A segment says its version itself, whatever its files are: groups that are called 1 or 4 are refused.
func TestT14VersionsOfGroups(t *testing.T) {
	eachVersion(t, func(t *testing.T, c *fixture.Collection, _ string) {
		for _, version := range []int64{1, 4} {
			segments := slices.Clone(c.Segments)
			segments[1].StorageVersion = version
			table := filepath.Join(t.TempDir(), "table")
			o := invoke(t, nil, "export", filepath.Join(c.Dir, c.Snapshot(t, "s", milvus.SnapshotID(8000+version), segments)), "--to", table, "--json")
			if f := failureIn(t, o); f.Class != "ErrUnsupported" || !strings.Contains(f.Message, fmt.Sprint("version ", version)) {
				t.Errorf("%+v", f)
			}
			nothingWritten(t, table)
		}
	})
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// The traps that other tools fell into, by number.
func TestT01ReinsertAfterDelete(t *testing.T)            { trap(t, "t01-", "v-upsert-") }
func TestT02OlderTombstoneAfterNewer(t *testing.T)       { trap(t, "t02-") }
func TestT04L0ScopeIsPartitionAndChannel(t *testing.T)   { trap(t, "t04-", "v-delete-apply-start") }
func TestT05InterleavedDeletes(t *testing.T)             { trap(t, "t05-") }
func TestT06EmptySegments(t *testing.T)                  { trap(t, "t06-") }
func TestT07DeletesOfV3AreInItsManifest(t *testing.T)    { trap(t, "t07-") }
func TestT08NothingAfterTheCut(t *testing.T)             { trap(t, "t08-", "v-cut-inclusive") }
func TestT09CutBeforeCollapse(t *testing.T)              { trap(t, "t09-") }
func TestT10CommitTimestamp(t *testing.T)                { trap(t, "t10-") }
func TestT11EveryFormOfPaths(t *testing.T)               { trap(t, "t11-") }
func TestT12FieldIDsAreNotPositions(t *testing.T)        { trap(t, "t12-", "f-dropped-field") }
func TestT13TruncatedRowGroup(t *testing.T)              { trap(t, "t13-") }
func TestT14StorageVersions(t *testing.T)                { trap(t, "t14-") }
func TestT15EveryByteOfAManifestIsConsumed(t *testing.T) { trap(t, "t15-") }
func TestT16FieldsAddedLaterAlignToTheRight(t *testing.T) {
	trap(t, "t16-", "f-log-order")
}

// trap runs the acceptance cases whose names begin so, as a user would.
func trap(t *testing.T, prefixes ...string) {
	t.Helper()
	t.Parallel()
	dir, tables := testkit.Acceptance(t), t.TempDir()
	var runs []checkRun
	for _, c := range testkit.Cases(t, "") {
		name, isTrap := strings.CutPrefix(c.Name, "traps/")
		if !isTrap || !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		table := filepath.Join(tables, name)
		o := exportCase(t, dir, c, table)
		if c.Refuse != "" {
			checkRefusal(t, o, c, table)
			continue
		}
		checkExport(t, o, c)
		runs = append(runs, checkRun{c.Name, table})
	}
	if len(runs) > 0 {
		trapChecks.Lock() // one Python at a time
		defer trapChecks.Unlock()
		compareWithTruth(t, dir, runs)
	}
}

var trapChecks sync.Mutex

// A deltalog that can't be read fails the export, whatever is wrong with it.
func TestT03UnreadableDeletesFail(t *testing.T) {
	trap(t, "t03-")
	dir := t.TempDir()
	c := fixture.Documents(t, dir, fixture.Shape{Segments: 1, Rows: 20, Deletes: 3})
	c.Add(t, fixture.Segment{ID: 9, Partition: fixture.DocumentsPartition, Level: milvus.LevelL0, Channel: fixture.DocumentsChannel,
		Deletes: []*deltalog.Deletes{fixture.Int64Deletes(fixture.DocumentsTime+1, 5)}})
	meta := filepath.Join(dir, c.Snapshot(t, "s", 7001, nil))
	for _, seg := range c.Segments {
		file := filepath.Join(dir, seg.Deltalogs[0].Binlogs[0].File.Key)
		whole := testkit.ReadFile(t, file)
		for name, spoil := range map[string]func() error{
			"missing":   func() error { return os.Remove(file) },
			"truncated": func() error { return os.WriteFile(file, whole[:len(whole)-9], 0o600) },
			"empty":     func() error { return os.WriteFile(file, nil, 0o600) },
			"a folder": func() error {
				if err := os.Remove(file); err != nil {
					return err
				}
				return os.Mkdir(file, 0o755)
			},
		} {
			table := filepath.Join(t.TempDir(), "table")
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if o := invoke(t, nil, "export", meta, "--to", table); o.code == 0 || o.code == exitUsage {
				t.Errorf("%s deletes of segment %d: %s", name, seg.ID, o)
			}
			nothingWritten(t, table)
			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// parquetFooter is what pyarrow sees of a file.
type parquetFooter struct {
	File      string
	KeyValues map[string]string `json:"key_values"`
	Fields    map[string]*int
	Columns   int
}

func footers(t *testing.T, dirs ...string) []parquetFooter {
	t.Helper()
	var out []parquetFooter
	if err := json.Unmarshal(testkit.RunPython(t, filepath.Join("testdata", "footers.py"), dirs...), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Every field of every file has its id, nested ones too; the ids are the table's; and engines that open the plain folder find
// the rows by name.
func TestT17FieldIDsOnEveryLeaf(t *testing.T) {
	t.Parallel()
	dir := testkit.Acceptance(t)
	engines := testkit.Engines(t)
	for _, c := range testkit.Cases(t, "trap") {
		if !slices.Contains([]string{"traps/f-nullable-dialect-a", "traps/f-array-encodings", "traps/t12-field-ids-v1"}, c.Name) {
			continue
		}
		table := filepath.Join(t.TempDir(), "table")
		checkExport(t, exportCase(t, dir, c, table), c)
		var inMetadata any
		if err := json.Unmarshal(testkit.ReadFile(t, table, "metadata", "v1.metadata.json"), &inMetadata); err != nil {
			t.Fatal(err)
		}
		want := map[int]bool{}
		fieldIDs(inMetadata.(map[string]any)["schemas"], want)
		all := footers(t, table)
		if len(all) == 0 {
			t.Fatal("no files")
		}
		for _, f := range all {
			seen := map[int]bool{}
			for path, id := range f.Fields {
				if id == nil || seen[*id] || !want[*id] {
					t.Errorf("%s: field %s has id %v; the table has %v", f.File, path, id, want)
					continue
				}
				seen[*id] = true
			}
			if len(seen) != len(want) || len(seen) < f.Columns {
				t.Errorf("%s: %d fields with ids, the table has %d", f.File, len(seen), len(want))
			}
		}
		truth := filepath.Join(dir, c.Truth)
		for _, engine := range []string{testkit.PyArrow, testkit.DuckDB, testkit.Spark} {
			engines.Compare(t, engine, testkit.Table{URI: table, Data: true}, truth)
		}
	}
}

// fieldIDs collects the ids of an Iceberg schema in JSON.
func fieldIDs(v any, out map[int]bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			fieldIDs(e, out)
		}
	case map[string]any:
		for key, e := range v {
			if n, ok := e.(float64); ok && slices.Contains([]string{"id", "element-id", "key-id", "value-id"}, key) {
				out[int(n)] = true
			}
			fieldIDs(e, out)
		}
	}
}

// Numbers above 2^53 that differ by one, through every JSON that we print.
func TestT18LargeIDsSurvive(t *testing.T) {
	trap(t, "t18-")
	dir := testkit.Acceptance(t)
	cases := testkit.Cases(t, "trap")
	c := cases[slices.IndexFunc(cases, func(c testkit.Case) bool { return c.Name == "traps/t18-big-ids" })]
	bucket := filepath.Join(dir, c.BucketDir)
	snapshotID := strings.TrimSuffix(filepath.Base(c.Snapshot), ".json")
	numbers := regexp.MustCompile(`[0-9]{16,}`)
	odd := regexp.MustCompile(`[0-9]\.[0-9]{6,}[eE]\+?[0-9]+|[0-9]{16,}\.[0-9]`) // doubles
	known := map[string]bool{}
	for _, file := range append([]string{filepath.Join(bucket, c.Snapshot), filepath.Join(dir, c.Truth)}, manifestsOf(t, bucket)...) {
		for _, n := range numbers.FindAllString(string(testkit.ReadFile(t, file))+file, -1) {
			known[n] = true
		}
	}
	for _, args := range [][]string{
		append([]string{"describe", "--segments"}, sourceArgs(dir, c)...),
		{"list", bucket},
		append([]string{"export", "--dry-run", "--to", "t"}, sourceArgs(dir, c)...),
		append([]string{"cat"}, sourceArgs(dir, c)...),
	} {
		o := invoke(t, nil, append(args, "--json")...)
		if o.code != 0 {
			t.Error(o)
			continue
		}
		if args[0] != "cat" && !strings.Contains(o.out, snapshotID) {
			t.Errorf("%s: no %s in %s", args[0], snapshotID, o.out)
		}
		if found := odd.FindString(o.out); found != "" {
			t.Errorf("%s prints %s", args[0], found)
		}
		if args[0] != "cat" {
			continue
		}
		for _, n := range numbers.FindAllString(o.out, -1) {
			if !known[n] {
				t.Errorf("%s prints %s, which is not in the data", args[0], n)
			}
		}
	}
}

func manifestsOf(t *testing.T, bucket string) (out []string) {
	t.Helper()
	out, err := filepath.Glob(filepath.Join(bucket, "*", "snapshots", "*", "manifests", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Files of segments that the snapshot does not name lie beside those that it names.
func TestT19LeftoversInTheBucket(t *testing.T) {
	trap(t, "t19-")
	dir := t.TempDir()
	c := fixture.Documents(t, dir, fixture.Shape{Segments: 3, Rows: 20})
	meta := filepath.Join(dir, c.Snapshot(t, "s", 7001, c.Segments[1:2]))
	for _, fb := range c.Segments[1].Binlogs {
		beside := filepath.Join(dir, filepath.Dir(fb.Binlogs[0].File.Key))
		if err := os.WriteFile(filepath.Join(beside, "999999999999999999"), []byte("not of the snapshot"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got exported
	succeed(t, nil, &got, "export", meta, "--to", filepath.Join(t.TempDir(), "table"))
	if got.Rows != 20 {
		t.Errorf("%d rows, want 20", got.Rows)
	}
}

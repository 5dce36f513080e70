package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
)

func commit(t testing.TB, p place, name string, c Change) Result {
	t.Helper()
	r, err := Commit(t.Context(), p.path(), Ident(p.table(name)), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func load(t testing.TB, p place, name string) *Table {
	t.Helper()
	tbl, err := Load(t.Context(), p.path(), Ident(p.table(name)))
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

// paths lists a snapshot's data files by the last part of their names.
func paths(t testing.TB, tbl *Table, id int64) []string {
	t.Helper()
	data, deletes, err := tbl.Files(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if len(deletes) > 0 {
		t.Errorf("%d delete files", len(deletes))
	}
	out := []string{}
	for _, f := range data {
		out = append(out, filepath.Base(f.FilePath()))
	}
	slices.Sort(out)
	return out
}

// TestEnginesRead is the whole way: every type through every engine, from every kind of location, with time travel.
func TestEnginesRead(t *testing.T) {
	truth := filepath.Join(t.TempDir(), "films.jsonl")
	if err := os.WriteFile(truth, []byte(filmTruth), 0o600); err != nil {
		t.Fatal(err)
	}
	engines := testkit.Engines(t)
	for _, p := range []place{local(t), plainPath(t), versitygw(t)} {
		t.Run(p.name, func(t *testing.T) {
			s := schemaOf(t, films(), SchemaOptions{Identifier: []string{"id"}})
			first := commit(t, p, "films", Change{ExportID: "e1", Schema: s, Tag: "backup_1", Files: []iceberg.DataFile{p.write(t, p.table("films"), "a.parquet", s, filmRows)}})
			if !first.Created || first.AlreadyCommitted || first.MetadataLocation != p.table("films")+"/metadata/v1.metadata.json" {
				t.Errorf("got %+v", first)
			}
			more := strings.Replace(filmRows, `"id": 1,`, `"id": 7,`, 1)
			commit(t, p, "films", Change{ExportID: "e2", Schema: s, Tag: "7", Files: []iceberg.DataFile{p.write(t, p.table("films"), "b.parquet", s, more)}})

			for _, engine := range []string{testkit.PyIceberg, testkit.DuckDB, testkit.Spark} {
				tbl := testkit.Table{URI: p.table("films"), S3: p.s3}
				if engine == testkit.PyIceberg {
					tbl.Ignore = []string{"clips"} // 0.11.1 makes an empty list of a NULL list of structs
				}
				old := tbl
				old.Ref = "backup_1"
				engines.Compare(t, engine, old, truth)
				if c := engines.Diff(t, engine, tbl, truth); c.Rows != 6 || c.Equal != 3 {
					t.Errorf("%s: %+v", engine, c)
				}
				for _, where := range pruned[engine] {
					if got := engines.Query(t, engine, tbl, "select count(*) from t where "+where).Rows[0][0]; str(got) != "2" {
						t.Errorf("%s: where %s: %v rows, want 2", engine, where, got)
					}
				}
			}
		})
	}
}

// pruned are conditions that hold for two rows, one in each file; wrong bounds would lose some.
var pruned = map[string][]string{
	testkit.DuckDB: {"id = 9007199254740993", "score < 0", "weight < -1e299", "title = 'Grüße 😀'", "ok", "year = -32768", "title is null", "day < DATE '1970-01-01'", "t.at > TIMESTAMPTZ '2024-02-29 23:59:59.999998+00'"},
	testkit.Spark:  {"score < 0 and weight < -1e299 and year = -32768 and not ok and day < DATE '1970-01-01'", "title = 'Grüße 😀' and t.at > TIMESTAMP '2024-02-29 23:59:59.999998'"},
}

func TestSummaryAndProperties(t *testing.T) {
	p := inMemory(t)
	s := schemaOf(t, ids(), SchemaOptions{Identifier: []string{"id"}})
	r := commit(t, p, "t", Change{ExportID: "e1", Schema: s, Tag: "main", Files: []iceberg.DataFile{p.write(t, p.table("t"), "a", s, row("1"))},
		Summary: map[string]string{"milvus.snapshot-id": "7001"}, Properties: map[string]string{"milvus.collection": "films", "write.parquet.compression-codec": "none"}})
	tbl := load(t, p, "t")
	if got := tbl.Metadata.Version(); got != 2 {
		t.Errorf("format version %d", got)
	}
	now := tbl.Current
	if now.ID != r.SnapshotID || now.Parent != NoSnapshot || now.Operation != "append" || now.Summary["milvus.snapshot-id"] != "7001" || now.Summary["total-records"] != "1" {
		t.Errorf("snapshot %+v", now)
	}
	slices.Sort(now.Tags)
	if !slices.Equal(now.Tags, []string{"main", "milvus-main"}) {
		t.Errorf("refs %v", now.Tags)
	}
	for k, want := range map[string]string{"milvus.collection": "films", "milvus.field-ids": `{"id":100,"vec":101}`, "write.parquet.compression-codec": "none", "write.metadata.metrics.column.vec.element": "none"} {
		if tbl.Properties[k] != want {
			t.Errorf("%s = %q", k, tbl.Properties[k])
		}
	}
	if tbl.Metadata.NameMapping() == nil || !slices.Equal(tbl.Schema.IdentifierFieldIDs, []int{1}) || tbl.Schema.Field(0).Doc != "key" {
		t.Errorf("schema %s, name mapping %v", tbl.Schema, tbl.Metadata.NameMapping())
	}
	if got := p.get(t, p.table("t")+"/metadata/version-hint.text"); got != "1" {
		t.Errorf("hint %q", got)
	}
	if s, ok := tbl.Export("e1"); !ok || s.ID != r.SnapshotID {
		t.Error("the export is not found")
	}
	if s, ok := tbl.Tagged("milvus-main"); !ok || s.ID != r.SnapshotID {
		t.Error("the tag is not found")
	}
}

func TestLaterExports(t *testing.T) {
	for _, p := range []place{inMemory(t), local(t)} {
		t.Run(p.name, func(t *testing.T) {
			s := schemaOf(t, ids(), SchemaOptions{})
			file := func(n string) iceberg.DataFile { return p.write(t, p.table("t"), n, s, row(n)) }
			one, two, three := file("1"), file("2"), file("3")
			e1 := commit(t, p, "t", Change{ExportID: "e1", Schema: s, Tag: "s1", Files: []iceberg.DataFile{one, two}, Parent: int64p(NoSnapshot)})

			// One file of the first export is no longer right, one stays.
			e2 := commit(t, p, "t", Change{ExportID: "e2", Schema: s, Tag: "s2", Files: []iceberg.DataFile{three}, Remove: []string{two.FilePath()}, Parent: &e1.SnapshotID})
			tbl := load(t, p, "t")
			if got := paths(t, tbl, e2.SnapshotID); !slices.Equal(got, []string{"1", "3"}) {
				t.Errorf("second export has %v", got)
			}
			if got := paths(t, tbl, e1.SnapshotID); !slices.Equal(got, []string{"1", "2"}) {
				t.Errorf("first export has %v", got)
			}

			// A plan on what is not there any more.
			_, err := Commit(t.Context(), p.path(), Ident(p.table("t")), Change{ExportID: "e3", Schema: s, Files: []iceberg.DataFile{file("4")}, Parent: &e1.SnapshotID})
			conflict(t, err, "planned on")
			_, err = Commit(t.Context(), p.path(), Ident(p.table("t")), Change{ExportID: "e3", Schema: s, Remove: []string{two.FilePath()}})
			conflict(t, err, "no file")
			_, err = Commit(t.Context(), p.path(), Ident(p.table("t")), Change{ExportID: "e3", Schema: s, Tag: "s1", Files: []iceberg.DataFile{file("4")}})
			conflict(t, err, "tag")

			// Replace: everything but a file that comes again goes, and the tag moves.
			e4 := commit(t, p, "t", Change{ExportID: "e4", Schema: s, Tag: "s1", Files: []iceberg.DataFile{file("5"), one}, Replace: true})
			tbl = load(t, p, "t")
			if got := paths(t, tbl, tbl.Current.ID); tbl.Current.ID != e4.SnapshotID || !slices.Equal(got, []string{"1", "5"}) || tbl.Current.Operation != "overwrite" {
				t.Errorf("replaced: %v %+v", got, tbl.Current)
			}
			if s1, _ := tbl.Tagged("s1"); s1 == nil || s1.ID != e4.SnapshotID {
				t.Errorf("s1 is %+v", s1)
			}
			if tbl.Current.Summary["total-records"] != "2" || tbl.Current.Summary["deleted-data-files"] != "1" {
				t.Errorf("summary %v", tbl.Current.Summary)
			}

			// The same export again changes nothing, even though others came after it.
			again := commit(t, p, "t", Change{ExportID: "e2", Schema: s, Tag: "s2", Files: []iceberg.DataFile{three}, Remove: []string{two.FilePath()}, Parent: &e1.SnapshotID})
			if !again.AlreadyCommitted || again.SnapshotID != e2.SnapshotID {
				t.Errorf("again: %+v", again)
			}
			if got := len(load(t, p, "t").Snapshots); got != 3 {
				t.Errorf("%d snapshots", got)
			}
		})
	}
}

func conflict(t testing.TB, err error, says string) {
	t.Helper()
	if !errors.Is(err, fault.ErrConflict) || errors.Is(err, table.ErrCommitFailed) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want a conflict about %q", err, says)
	}
}

func TestEmptyExport(t *testing.T) {
	p := local(t)
	s := schemaOf(t, films(), SchemaOptions{})
	commit(t, p, "t", Change{ExportID: "e1", Schema: s, Tag: "nothing"})
	tbl := load(t, p, "t")
	if got := paths(t, tbl, tbl.Current.ID); len(got) != 0 || len(tbl.Current.Tags) != 2 {
		t.Errorf("%v %+v", got, tbl.Current)
	}
	e := testkit.Engines(t)
	for _, engine := range []string{testkit.PyIceberg, testkit.DuckDB} {
		if n := e.Rows(t, engine, testkit.Table{URI: p.table("t")}, filepath.Join(t.TempDir(), "rows")); n != 0 {
			t.Errorf("%s: %d rows", engine, n)
		}
	}
	// From something to nothing.
	f := p.write(t, p.table("t"), "a.parquet", s, filmRows)
	commit(t, p, "t", Change{ExportID: "e2", Schema: s, Files: []iceberg.DataFile{f}})
	commit(t, p, "t", Change{ExportID: "e3", Schema: s, Replace: true})
	tbl = load(t, p, "t")
	if got := paths(t, tbl, tbl.Current.ID); len(got) != 0 || tbl.Current.Summary["total-records"] != "0" {
		t.Errorf("%v %+v", got, tbl.Current)
	}
}

func TestSchemaGrows(t *testing.T) {
	p := local(t)
	s := schemaOf(t, ids(), SchemaOptions{})
	e1 := commit(t, p, "t", Change{ExportID: "e1", Schema: s, Tag: "before", Files: []iceberg.DataFile{p.write(t, p.table("t"), "a.parquet", s, row("1"))}})
	year := milvusField("year", films().Field(10).Type, true, "102", "added later")
	later := schemaOf(t, appended(ids(), year), SchemaOptions{Table: load(t, p, "t")})
	commit(t, p, "t", Change{ExportID: "e2", Schema: later, Files: []iceberg.DataFile{p.write(t, p.table("t"), "b.parquet", later, `[{"id": 2, "vec": [2, 0], "year": 1999}]`)}})

	tbl := load(t, p, "t")
	if got := tbl.Properties[FieldIDsProperty]; got != `{"id":100,"vec":101,"year":102}` {
		t.Errorf("field ids %s", got)
	}
	if got := tbl.SchemaOf(e1.SnapshotID).NumFields(); got != 2 {
		t.Errorf("the first snapshot has %d columns", got)
	}
	e := testkit.Engines(t)
	for _, where := range []string{"year is null and id = 1", "year = 1999 and id = 2"} {
		if got := e.Query(t, testkit.DuckDB, testkit.Table{URI: p.table("t")}, "select count(*) from t where "+where).Rows[0][0]; str(got) != "1" {
			t.Errorf("where %s: %v rows", where, got)
		}
	}
	// A schema that was made for the table of before.
	_, err := Commit(t.Context(), p.path(), Ident(p.table("t")), Change{ExportID: "e3", Schema: schemaOf(t, appended(ids(), milvusField("other", films().Field(10).Type, true, "103", "")), SchemaOptions{})})
	conflict(t, err, `id 4 is "year" int in the table`)
}

func str(v any) string { return fmt.Sprint(v) }

func TestRefusedChanges(t *testing.T) {
	p := inMemory(t)
	s := schemaOf(t, ids(), SchemaOptions{})
	for name, c := range map[string]Change{
		"no export id":            {Schema: s},
		"no schema":               {ExportID: "e"},
		"replace and remove":      {ExportID: "e", Schema: s, Replace: true, Remove: []string{"x"}},
		"remove of nothing":       {ExportID: "e", Schema: s, Remove: []string{"x"}},
		"planned on what is gone": {ExportID: "e", Schema: s, Parent: int64p(5)},
	} {
		if _, err := Commit(t.Context(), p.path(), Ident(p.table("t")), c); !errors.Is(err, fault.ErrConflict) && !errors.Is(err, fault.ErrMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := p.names(t, p.table("t")); len(got) != 0 {
		t.Errorf("refused changes left %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Commit(ctx, local(t).path(), Ident("/nonexistent/t"), Change{ExportID: "e", Schema: s}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

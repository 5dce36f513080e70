// Package catalogtest is what every catalog must do for exports, as tests: a table and its first snapshot in one commit, tags,
// races, answers that get lost, schemas that grow. Only tests import it.
package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	icebergcatalog "github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/fault"
)

// Subject is a catalog under test.
type Subject struct {
	// Open connects to it anew, as another process would.
	Open func(t testing.TB) *catalog.Named
	// Fail connects so that the next commit takes place and its answer is lost.
	Fail func(t testing.TB) icebergcatalog.Catalog
	// Namespace is one that no test has used.
	Namespace string
	// ServerPlaces says that the catalog's server places and numbers new tables by itself.
	ServerPlaces bool
	// Write puts a data file of one row, {"id": id, "vec": [id, 0]}, below a location and describes it.
	Write func(t testing.TB, location string, s *catalog.Schema, id int) iceberg.DataFile
	// Read gives the table to engines outside: they must find so many rows. May be nil.
	Read func(t testing.TB, ident table.Identifier, rows int)
}

// Run tests the catalog.
func Run(t *testing.T, s Subject) {
	t.Run("create and append", s.create)
	t.Run("race", s.race)
	t.Run("lost answer", s.lost)
	t.Run("schema grows", s.grows)
	t.Run("refusals", s.refusals)
}

// Columns are the columns of the suite's tables.
func Columns() *arrow.Schema {
	field := func(name string, t arrow.DataType, id string) arrow.Field {
		return arrow.Field{Name: name, Type: t, Metadata: arrow.NewMetadata([]string{catalog.MilvusIDKey}, []string{id})}
	}
	vec := arrow.FixedSizeListOfField(2, arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Float32})
	return arrow.NewSchema([]arrow.Field{field("id", arrow.PrimitiveTypes.Int64, "100"), field("vec", vec, "101")}, nil)
}

// prepare makes what an export makes before its files, and gives the schema to write them with.
func (s Subject) prepare(t testing.TB, cat *catalog.Named, name string, columns *arrow.Schema) (table.Identifier, *catalog.Preparation) {
	t.Helper()
	ident := table.Identifier{s.Namespace, name}
	if err := cat.EnsureNamespace(t.Context(), ident); err != nil {
		t.Fatal(err)
	}
	at, _, err := cat.Where(t.Context(), ident, "")
	if err != nil {
		t.Fatal(err)
	}
	prep, err := catalog.Prepare(t.Context(), cat, ident, columns, catalog.SchemaOptions{}, at, nil)
	if err != nil || prep.Location == "" {
		t.Fatalf("%+v, %v", prep, err)
	}
	return ident, prep
}

func load(t testing.TB, cat icebergcatalog.Catalog, ident table.Identifier) *catalog.Table {
	t.Helper()
	tbl, err := catalog.Load(t.Context(), cat, ident)
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

func (s Subject) create(t *testing.T) {
	cat := s.Open(t)
	ident, prep := s.prepare(t, cat, "films", Columns())
	if !s.ServerPlaces {
		if exists, err := cat.CheckTableExists(t.Context(), ident); err != nil || exists {
			t.Errorf("before its first commit the table is there: %v, %v", exists, err)
		}
	}
	c := catalog.Change{ExportID: "e1", Schema: prep.Schema, Tag: "backup_1", Location: prep.Location, Properties: map[string]string{"milvus.collection-id": "1"},
		Files: []iceberg.DataFile{s.Write(t, prep.Location, prep.Schema, 1)}}
	for run := range 2 {
		r, err := catalog.Commit(t.Context(), cat, ident, c)
		if err != nil || r.AlreadyCommitted != (run == 1) {
			t.Fatalf("run %d: %+v, %v", run, r, err)
		}
	}
	tbl := load(t, s.Open(t), ident)
	first, tagged := tbl.Tagged("backup_1")
	if !tagged || tbl.Current == nil || first.ID != tbl.Current.ID || len(tbl.Snapshots) != 1 || tbl.Properties["milvus.collection-id"] != "1" {
		t.Fatalf("%+v", tbl)
	}
	if tbl.Location != prep.Location || !tbl.Schema.Equals(prep.Schema.Iceberg) || !tbl.SchemaOf(first.ID).Equals(prep.Schema.Iceberg) || len(tbl.Metadata.Schemas()) != 1 {
		t.Errorf("at %s with %d schemas, now %s; files have %s", tbl.Location, len(tbl.Metadata.Schemas()), tbl.Schema, prep.Schema.Iceberg)
	}
	more := catalog.Change{ExportID: "e2", Schema: prep.Schema, Tag: "backup_2", Parent: &first.ID, Files: []iceberg.DataFile{s.Write(t, prep.Location, prep.Schema, 2)}}
	if _, err := catalog.Commit(t.Context(), cat, ident, more); err != nil {
		t.Fatal(err)
	}
	if s.Read != nil {
		s.Read(t, ident, 2)
	}
	replace := catalog.Change{ExportID: "e3", Schema: prep.Schema, Tag: "backup_1", Replace: true, Files: []iceberg.DataFile{s.Write(t, prep.Location, prep.Schema, 3)}}
	if _, err := catalog.Commit(t.Context(), cat, ident, replace); err != nil {
		t.Fatal(err)
	}
	tbl = load(t, cat, ident)
	data, deletes, err := tbl.Files(t.Context(), tbl.Current.ID)
	if err != nil || len(data) != 1 || len(deletes) != 0 || len(tbl.Snapshots) != 3 {
		t.Errorf("after a replacement: %d files, %d snapshots, %v", len(data), len(tbl.Snapshots), err)
	}
}

// race: exporters that begin with no table at all end with one that has the rows of each once.
func (s Subject) race(t *testing.T) {
	const writers = 4
	cat := s.Open(t)
	ident, prep := s.prepare(t, cat, "race", Columns())
	var files [writers]iceberg.DataFile
	var cats [writers]*catalog.Named
	for i := range writers {
		files[i], cats[i] = s.Write(t, prep.Location, prep.Schema, i), s.Open(t)
	}
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			c := catalog.Change{ExportID: fmt.Sprint("e", i/2), Schema: prep.Schema, Location: prep.Location, Tag: fmt.Sprint("s", i/2), Files: []iceberg.DataFile{files[i]}}
			if _, err := catalog.Commit(t.Context(), cats[i], ident, c); err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	all.Wait()
	tbl := load(t, cat, ident)
	if tbl.Current == nil {
		t.Fatal("no snapshot")
	}
	data, _, err := tbl.Files(t.Context(), tbl.Current.ID)
	if err != nil || len(tbl.Snapshots) != writers/2 || len(data) != writers/2 {
		t.Errorf("%d exports, each by two, made %d snapshots with %d files: %v", writers/2, len(tbl.Snapshots), len(data), err)
	}
}

// lost: of a commit whose answer did not come, the table tells.
func (s Subject) lost(t *testing.T) {
	ident, prep := s.prepare(t, s.Open(t), "lost", Columns())
	for i, id := range []string{"e1", "e2"} { // the first makes the table
		c := catalog.Change{ExportID: id, Schema: prep.Schema, Location: prep.Location, Files: []iceberg.DataFile{s.Write(t, prep.Location, prep.Schema, i)}}
		r, err := catalog.Commit(t.Context(), s.Fail(t), ident, c)
		if err != nil || !r.AlreadyCommitted {
			t.Fatalf("%s: %+v, %v", id, r, err)
		}
		if tbl := load(t, s.Open(t), ident); len(tbl.Snapshots) != i+1 {
			t.Fatalf("%s: %d snapshots", id, len(tbl.Snapshots))
		}
	}
}

func (s Subject) grows(t *testing.T) {
	cat := s.Open(t)
	ident, prep := s.prepare(t, cat, "grows", Columns())
	if _, err := catalog.Commit(t.Context(), cat, ident, catalog.Change{ExportID: "e1", Schema: prep.Schema, Location: prep.Location, Files: []iceberg.DataFile{s.Write(t, prep.Location, prep.Schema, 1)}}); err != nil {
		t.Fatal(err)
	}
	year := arrow.Field{Name: "year", Type: arrow.PrimitiveTypes.Int32, Nullable: true}
	fields := Columns().Fields()
	fields[1].Nullable = true // made optional
	later, err := catalog.FromArrow(arrow.NewSchema(append(fields, year), nil), catalog.SchemaOptions{Table: load(t, cat, ident)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := catalog.Commit(t.Context(), cat, ident, catalog.Change{ExportID: "e2", Schema: later}); err != nil {
		t.Fatal(err)
	}
	tbl := load(t, s.Open(t), ident)
	if f, found := tbl.Schema.FindFieldByName("year"); !found || f.ID <= tbl.Schema.Field(1).ID || tbl.Schema.Field(1).Required || !tbl.Schema.Field(0).Required {
		t.Errorf("schema %s", tbl.Schema)
	}
	narrow := Columns().Fields()
	narrow[0].Type = arrow.PrimitiveTypes.Int32
	if _, err := catalog.FromArrow(arrow.NewSchema(narrow, nil), catalog.SchemaOptions{Table: tbl}); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("a narrower column: %v", err)
	}
}

func (s Subject) refusals(t *testing.T) {
	cat := s.Open(t)
	ident, prep := s.prepare(t, cat, "refusals", Columns())
	gone := int64(5)
	c := catalog.Change{ExportID: "e1", Schema: prep.Schema, Location: prep.Location, Tag: "s"}
	if _, err := catalog.Commit(t.Context(), cat, ident, c); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]catalog.Change{
		"planned on": {ExportID: "e2", Schema: prep.Schema, Parent: &gone},
		"tag":        {ExportID: "e3", Schema: prep.Schema, Tag: "s"},
		"another's":  {ExportID: "e4", Schema: prep.Schema, Check: func(*catalog.Table) error { return fault.Conflict("check", "it is another's") }},
	} {
		if _, err := catalog.Commit(t.Context(), cat, ident, change); !errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), says) {
			t.Errorf("want a conflict about %q, got %v", says, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := catalog.Load(ctx, cat, table.Identifier{s.Namespace, "none"}); !errors.Is(err, fault.ErrMissing) {
		t.Errorf("a table that is not there: %v", err)
	}
	names, err := cat.Tables(ctx)
	if err != nil || !strings.Contains(fmt.Sprint(names), "refusals") {
		t.Errorf("tables %v, %v", names, err)
	}
}

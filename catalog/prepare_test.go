package catalog

import (
	"errors"
	"slices"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog/hadoop"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
)

func TestPreparePath(t *testing.T) {
	p := inMemory(t)
	at := Ident(p.table("t"))
	first, err := Prepare(t.Context(), p.path(), at, ids(), SchemaOptions{}, "", nil)
	if err != nil || first.Table != nil || len(p.names(t, p.table("t"))) != 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	commit(t, p, "t", Change{ExportID: "a", Schema: first.Schema})
	later, err := Prepare(t.Context(), p.path(), at, ids(), SchemaOptions{}, "", nil)
	if err != nil || later.Table == nil || later.Location != p.table("t") || !later.Schema.Iceberg.Equals(first.Schema.Iceberg) {
		t.Errorf("%+v, %v", later, err)
	}
}

// TestOtherCatalogs commits to a catalog that is not ours.
func TestOtherCatalogs(t *testing.T) {
	p := plainPath(t)
	cat, err := hadoop.NewCatalog("h", p.base, nil)
	if err != nil {
		t.Fatal(err)
	}
	ident := table.Identifier{"db", "t"}
	if _, err := Prepare(t.Context(), cat, ident, ids(), SchemaOptions{}, "", nil); !errors.Is(err, fault.ErrMissing) {
		t.Errorf("without a namespace: %v", err)
	}
	if err := cat.CreateNamespace(t.Context(), table.Identifier{"db"}, nil); err != nil {
		t.Fatal(err)
	}
	prep, err := Prepare(t.Context(), cat, ident, ids(), SchemaOptions{}, "", map[string]string{"milvus.collection": "films"})
	if err != nil || prep.Location == "" || prep.Table.Current != nil {
		t.Fatalf("%+v, %v", prep, err)
	}
	c := Change{ExportID: "a", Schema: prep.Schema, Tag: "s1", Parent: int64p(NoSnapshot), Files: []iceberg.DataFile{p.write(t, prep.Location, "1", prep.Schema, row("1"))}}
	for run := range 2 {
		r, err := Commit(t.Context(), cat, ident, c)
		if err != nil || r.AlreadyCommitted != (run == 1) {
			t.Fatalf("run %d: %+v, %v", run, r, err)
		}
	}
	tbl, err := Load(t.Context(), cat, ident)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := tbl.Tagged("s1"); !ok || !slices.Equal(paths(t, tbl, s.ID), []string{"1"}) || tbl.Properties["milvus.collection"] != "films" {
		t.Errorf("got %+v", tbl)
	}
	if _, err := Commit(t.Context(), cat, table.Identifier{"db", "direct"}, Change{ExportID: "a", Schema: prep.Schema}); err != nil {
		t.Errorf("without Prepare: %v", err)
	}
}

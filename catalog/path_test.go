package catalog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/fault"
)

func TestNoTable(t *testing.T) {
	for _, p := range []place{inMemory(t), local(t)} {
		_, err := Load(t.Context(), p.path(), Ident(p.table("t")))
		if !errors.Is(err, fault.ErrMissing) || !errors.Is(err, catalog.ErrNoSuchTable) {
			t.Errorf("%s: %v", p.name, err)
		}
		if ok, err := p.path().CheckTableExists(t.Context(), Ident(p.table("t"))); ok || err != nil {
			t.Errorf("%s: exists %v, %v", p.name, ok, err)
		}
	}
}

func TestCreateTable(t *testing.T) {
	p := inMemory(t)
	s := schemaOf(t, ids(), SchemaOptions{})
	tbl, err := p.path().CreateTable(t.Context(), Ident(p.table("t")), s.Iceberg)
	if err != nil {
		t.Fatal(err)
	}
	if tbl.CurrentSnapshot() != nil || !tbl.Schema().Equals(s.Iceberg) {
		t.Errorf("got %s", tbl.Schema())
	}
	if _, err := p.path().CreateTable(t.Context(), Ident(p.table("t")), s.Iceberg); !errors.Is(err, catalog.ErrTableAlreadyExists) || !errors.Is(err, fault.ErrConflict) {
		t.Errorf("again: %v", err)
	}
	if got := load(t, p, "t"); got.Current != nil {
		t.Errorf("current %+v", got.Current)
	}
	commit(t, p, "t", Change{ExportID: "a", Schema: s, Parent: int64p(NoSnapshot)})
}

func TestLocations(t *testing.T) {
	p := local(t)
	s := schemaOf(t, ids(), SchemaOptions{})
	if _, err := Commit(t.Context(), p.path(), Ident(t.TempDir()+"/my table"), Change{ExportID: "a", Schema: s}); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("a space: %v", err)
	}
	if _, err := p.path().LoadTable(t.Context(), table.Identifier{"db", "t"}); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("two names: %v", err)
	}
	// The same table by another spelling of its place.
	commit(t, p, "t", Change{ExportID: "a", Schema: s})
	plain := strings.TrimPrefix(p.base, "file://")
	if tbl, err := Load(t.Context(), p.path(), Ident(plain+"/t")); err != nil || tbl.Location != p.table("t") {
		t.Errorf("by path: %v", err)
	}
}

func TestForeignDirectories(t *testing.T) {
	p := inMemory(t)
	s := schemaOf(t, ids(), SchemaOptions{})
	commit(t, p, "t", Change{ExportID: "a", Schema: s})
	body := []byte(p.get(t, p.table("t")+"/metadata/v1.metadata.json"))

	p.put(t, p.table("moved")+"/metadata/v1.metadata.json", body)
	p.put(t, p.table("catalogued")+"/metadata/00000-aaaa.metadata.json", body)
	p.put(t, p.table("damaged")+"/metadata/v1.metadata.json", body[:len(body)/2])
	for name, class := range map[string]error{"moved": fault.ErrUnsupported, "catalogued": fault.ErrUnsupported, "damaged": fault.ErrCorrupt} {
		_, err := Load(t.Context(), p.path(), Ident(p.table(name)))
		var e *fault.Error
		if !errors.Is(err, class) || !errors.As(err, &e) || e.Object == "" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Commit(t.Context(), p.path(), Ident(p.table(name)), Change{ExportID: "b", Schema: s}); !errors.Is(err, class) {
			t.Errorf("commit to %s: %v", name, err)
		}
	}
}

func TestPackedMetadata(t *testing.T) {
	p := inMemory(t)
	s := schemaOf(t, ids(), SchemaOptions{})
	commit(t, p, "t", Change{ExportID: "a", Schema: s})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := io.WriteString(z, p.get(t, p.table("t")+"/metadata/v1.metadata.json")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	p.put(t, p.table("t")+"/metadata/v2.gz.metadata.json", packed.Bytes())
	if got := load(t, p, "t"); !strings.HasSuffix(got.MetadataLocation, "/v2.gz.metadata.json") {
		t.Errorf("read %s", got.MetadataLocation)
	}
	if r := commit(t, p, "t", Change{ExportID: "b", Schema: s}); !strings.HasSuffix(r.MetadataLocation, "/v3.metadata.json") {
		t.Errorf("committed %s", r.MetadataLocation)
	}
	_, err := Commit(t.Context(), p.path(), Ident(p.table("t")), Change{ExportID: "c", Schema: s, Properties: map[string]string{table.MetadataCompressionKey: "gzip"}})
	if !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("asked for gzip: %v", err)
	}
}

func TestDamagedManifests(t *testing.T) {
	p := inMemory(t)
	s := schemaOf(t, ids(), SchemaOptions{})
	commit(t, p, "t", Change{ExportID: "a", Schema: s, Files: []iceberg.DataFile{p.write(t, p.table("t"), "1", s, row("1"))}})
	for _, n := range p.names(t, p.table("t")+"/metadata") {
		if !strings.HasSuffix(n, ".avro") {
			continue
		}
		uri := p.table("t") + "/metadata/" + n
		whole := p.get(t, uri)
		for cut := 0; cut < len(whole); cut += 97 {
			p.put(t, uri, []byte(whole[:cut]))
			tbl := load(t, p, "t")
			data, _, err := tbl.Files(t.Context(), tbl.Current.ID)
			if err != nil && !errors.Is(err, fault.ErrCorrupt) {
				t.Fatalf("%s cut at %d: %v", n, cut, err)
			}
			if err == nil && len(data) == 1 {
				t.Fatalf("%s cut at %d is read as if it were whole", n, cut)
			}
		}
		p.put(t, uri, []byte(whole))
	}
}

func TestFilesOutside(t *testing.T) {
	p := inMemory(t)
	r, err := p.path().at(t.Context(), Ident(p.table("t")))
	if err != nil {
		t.Fatal(err)
	}
	files := fileIO{ctx: t.Context(), root: r}
	for _, uri := range []string{"s3://lake/wh/t2/x", "s3://lake/wh/t", "s3://other/wh/t/x", "file:///wh/t/x", "/etc/passwd", "s3://lake/wh/t/../x", "https://lake/wh/t/x"} {
		if _, err := files.Open(uri); err == nil || errors.Is(err, fault.ErrMissing) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	for _, uri := range []string{"s3://lake/wh/t/x", "s3a://lake/wh/t/metadata/y"} {
		if _, err := files.Open(uri); !errors.Is(err, fault.ErrMissing) {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestLargeFilesAreReadInBlocks(t *testing.T) {
	p := inMemory(t)
	body := bytes.Repeat([]byte("0123456789"), (wholeBytes+12345)/10)
	p.put(t, p.table("t")+"/data/big", body)
	r, err := p.path().at(t.Context(), Ident(p.table("t")))
	if err != nil {
		t.Fatal(err)
	}
	f, err := fileIO{ctx: t.Context(), root: r}.Open(p.table("t") + "/data/big")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	tail := make([]byte, 7)
	if _, err := f.ReadAt(tail, int64(len(body))-7); err != nil || string(tail) != string(body[len(body)-7:]) {
		t.Errorf("tail %q, %v", tail, err)
	}
}

func TestVersionOf(t *testing.T) {
	for name, want := range map[string]int{
		"v1.metadata.json": 1, "v20.metadata.json": 20, "v3.gz.metadata.json": 3, "v.metadata.json": 0, "v-1.metadata.json": 0,
		"v+1.metadata.json": 0, "00001-ab.metadata.json": 0, "v1.json": 0, "v0.metadata.json": 0, "v99999999999.metadata.json": 0,
	} {
		if got, ok := versionOf(name); ok != (want > 0) || ok && got != want {
			t.Errorf("%s: %d, %v", name, got, ok)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	b := newMemory()
	p := over(b)
	s, err := FromArrow(films(), SchemaOptions{})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := Commit(f.Context(), p.path(), Ident(p.table("t")), Change{ExportID: "a", Schema: s, Tag: "x"}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.objects["wh/t/metadata/v1.metadata.json"])
	f.Add([]byte(`{"format-version": 2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		meta, err := parse(body)
		if err != nil {
			if !errors.Is(err, fault.ErrCorrupt) {
				t.Fatalf("no class: %v", err)
			}
			return
		}
		_ = meta.CurrentSchema()
		_ = meta.CurrentSnapshot()
	})
}

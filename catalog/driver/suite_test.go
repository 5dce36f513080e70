package driver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	icebergcatalog "github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/snapexport/snapexport/catalog"
	"github.com/snapexport/snapexport/catalog/catalogtest"
	"github.com/snapexport/snapexport/catalog/config"
	"github.com/snapexport/snapexport/catalog/driver"
	"github.com/snapexport/snapexport/datafile"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/objstore"
)

// settings gives a catalog's settings as flags do.
func settings(t testing.TB, props map[string]string) config.Settings {
	t.Helper()
	all, err := config.Read(nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := all.Get("lake", props)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lossy commits, and says once that it does not know.
type lossy struct {
	icebergcatalog.Catalog
	lost bool
}

func (l *lossy) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	meta, at, err := l.Catalog.CommitTable(ctx, ident, reqs, updates)
	if err == nil && !l.lost {
		l.lost = true
		return nil, "", io.ErrUnexpectedEOF
	}
	return meta, at, err
}

// subject is the suite's view of a catalog with these properties, whose files openers reach.
func subject(props map[string]string, stores objstore.Config) catalogtest.Subject {
	open := func(t testing.TB) *catalog.Named {
		t.Helper()
		cat, err := driver.Open(t.Context(), settings(t, props), objstore.NewOpener(stores).Open)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := cat.Close(); err != nil {
				t.Error(err)
			}
		})
		return cat
	}
	return catalogtest.Subject{
		Namespace: "docs", Open: open, ServerPlaces: strings.HasPrefix(props["uri"], "http"),
		Fail: func(t testing.TB) icebergcatalog.Catalog {
			cat := open(t)
			cat.Catalog = &lossy{Catalog: cat.Catalog}
			return cat
		},
		Write: func(t testing.TB, location string, s *catalog.Schema, id int) iceberg.DataFile {
			t.Helper()
			return write(t, stores, location, s, id)
		},
	}
}

func write(t testing.TB, stores objstore.Config, location string, s *catalog.Schema, id int) iceberg.DataFile {
	t.Helper()
	rows := fmt.Sprintf(`[{"id": %d, "vec": [%d, 0]}]`, id, id)
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, s.Arrow, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	w, err := datafile.Create(&body, s.Arrow, datafile.Options{Keys: []string{"id"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	stats, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	uri := fmt.Sprintf("%s/data/%d.parquet", location, id)
	store, key, err := objstore.NewOpener(stores).OpenObject(t.Context(), uri)
	if err == nil {
		err = store.Put(t.Context(), key, body.Bytes())
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := catalog.DataFile(uri, stats)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// pyiceberg reads tables through the catalog with the same properties.
func pyiceberg(props map[string]string) func(t testing.TB, ident table.Identifier, rows int) {
	return func(t testing.TB, ident table.Identifier, rows int) {
		t.Helper()
		args := []string{testkit.CatalogPackages(t), strings.Join(ident, ".")}
		for key, value := range props {
			args = append(args, key+"="+value)
		}
		out := strings.TrimSpace(string(testkit.RunPython(t, filepath.Join("testdata", "read.py"), args...)))
		want := []string{}
		for id := range rows {
			want = append(want, fmt.Sprintf("%d:%d.0,0.0", id+1, id+1))
		}
		if out != strings.Join(want, " ") {
			t.Errorf("pyiceberg reads %q", out)
		}
	}
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	props := map[string]string{"uri": "sqlite:///" + filepath.Join(dir, "catalog.db"), "warehouse": filepath.Join(dir, "warehouse")}
	s := subject(props, objstore.Config{})
	s.Read = pyiceberg(props)
	catalogtest.Run(t, s)
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	props := map[string]string{"uri": testkit.StartPostgres(t), "warehouse": "file://" + filepath.Join(t.TempDir(), "warehouse")}
	catalogtest.Run(t, subject(props, objstore.Config{}))
}

func TestREST(t *testing.T) {
	t.Parallel()
	props := map[string]string{"uri": testkit.StartREST(t, filepath.Join(t.TempDir(), "warehouse"))}
	s := subject(props, objstore.Config{})
	s.Read = pyiceberg(props)
	catalogtest.Run(t, s)
}

func TestGlue(t *testing.T) {
	t.Parallel()
	v := testkit.StartVersitygw(t)
	v.MakeBucket(t, "lake")
	props := map[string]string{"type": "glue", "glue.endpoint": testkit.StartMoto(t), "glue.region": "us-east-1", "glue.access-key-id": "id", "glue.secret-access-key": "secret", "warehouse": "s3a://lake/warehouse"}
	catalogtest.Run(t, subject(props, objstore.Config{Settings: objstore.Settings{Endpoint: v.Endpoint, Region: "us-east-1", AccessKey: v.AccessKey, SecretKey: objstore.Secret(v.SecretKey)}}))
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for uri, class := range map[string]error{
		"postgresql://user:never-shown@127.0.0.1:1/db?connect_timeout=2": objstore.ErrFailed,
		"http://127.0.0.1:1":   objstore.ErrFailed,
		"thrift://127.0.0.1:1": objstore.ErrFailed,
		"sqlite://":            fault.ErrUnsupported,
		"mysql://h/db":         fault.ErrUnsupported,
	} {
		cat, err := driver.Open(t.Context(), settings(t, map[string]string{"uri": uri, "token": "never-shown"}), nil)
		if err == nil {
			_, err = cat.Tables(t.Context())
		}
		if !errors.Is(err, class) || strings.Contains(fmt.Sprint(err), "never-shown") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

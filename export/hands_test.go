package export_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/export"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/reader"
)

// Ten incremental exports, one of them late and so beside main: in each engine, each tag has the rows of a full export.
func TestNightsInEngines(t *testing.T) {
	t.Parallel()
	engines := testkit.Engines(t)
	n := newNights(t, 1)
	truths := map[string]string{}
	var late func()
	for i := range 10 {
		n.pass()
		name := fmt.Sprint("night", i)
		snap := resolve(t, n.a.opener, filepath.Join(n.Dir, n.SnapshotAt(t, name, milvus.SnapshotID(100+i), second(n.clock), nil)))
		full := newAgain(t)
		full.must(snap, reader.Options{}, export.Options{})
		truths[name] = filepath.Join(t.TempDir(), name+".jsonl")
		engines.Rows(t, testkit.PyIceberg, testkit.Table{URI: full.target}, truths[name])
		if i == 5 {
			late = func() { n.a.must(snap, reader.Options{}, export.Options{}) }
			continue
		}
		n.a.must(snap, reader.Options{}, export.Options{})
	}
	late()
	for _, engine := range []string{testkit.PyIceberg, testkit.DuckDB, testkit.Spark} {
		for tag, truth := range truths {
			engines.Compare(t, engine, testkit.Table{URI: n.a.target, Ref: tag}, truth)
		}
		engines.Compare(t, engine, testkit.Table{URI: n.a.target}, truths["night9"])
	}
}

// Someone else's hands between two exports: what changed rows or files stops the next, which says what it found; snapshots that
// expired are no matter.
func TestOthersHands(t *testing.T) {
	t.Parallel()
	engines := testkit.Engines(t)
	for name, c := range map[string]struct {
		sql  string
		says string // "": the next export is right
	}{
		"delete":  {"DELETE FROM %[1]s WHERE id = 5", "delete"},
		"insert":  {"INSERT INTO %[1]s SELECT id + 10000, embedding FROM %[1]s WHERE id < 3", "append"},
		"rewrite": {"CALL %[2]s.system.rewrite_data_files(table => '%[1]s', options => map('rewrite-all', 'true'))", "replace"},
		"expire":  {"CALL %[2]s.system.expire_snapshots(table => '%[1]s', older_than => TIMESTAMP '2200-01-01 00:00:00', retain_last => 1)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwins(t, milvus.StorageV1)
			w.a.target = filepath.Join(t.TempDir(), "table")
			w.a.must(w.snapshot("first", 1, 2000), reader.Options{}, export.Options{})
			w.l0(601, left, 2050, 7)
			w.a.must(w.snapshot("second", 2, 2100), reader.Options{}, export.Options{})
			others := "others_" + name // a session keeps the catalogs that it has used
			spark := testkit.Table{Conf: map[string]string{"spark.sql.catalog." + others: "org.apache.iceberg.spark.SparkCatalog",
				"spark.sql.catalog." + others + ".type": "hadoop", "spark.sql.catalog." + others + ".warehouse": filepath.Dir(w.a.target)}}
			engines.Query(t, testkit.Spark, spark, fmt.Sprintf(c.sql, others+".table", others))
			w.segment(503, left, 5000, 10, 2200)
			snap := w.snapshot("third", 3, 2300)
			got, err := w.a.try(snap, reader.Options{}, export.Options{})
			if c.says == "" {
				if err != nil || got.Reuse == nil || got.Reuse.FilesKept != 2 {
					t.Fatalf("%v, %+v", err, got)
				}
			} else {
				if !errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("%v; want ErrConflict with %q", err, c.says)
				}
				w.a.must(snap, reader.Options{}, export.Options{Replace: true})
			}
			w.verify(snap, reader.Options{})
		})
	}
}

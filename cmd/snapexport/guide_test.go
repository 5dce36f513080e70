package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// Every block of the guides that is marked sh and begins with snapexport is run, in the order of the page, in a folder that
// guideFolder prepares for the page. A last line "# exit N" says which exit code a block must have. A block marked text that
// follows is what it prints, where "..." stands for anything. On pages that have a server (withServer), blocks marked python that
// import a client are run as well, each by itself, and localhost is where the server is. On pages of readers (withPython) every
// block marked python is run.
func TestGuidesAreTrue(t *testing.T) {
	t.Parallel()
	bin := program(t)
	pages, err := filepath.Glob(filepath.Join(testkit.Root(t), "docs", "guide", "*.md"))
	if err != nil || len(pages) < 6 {
		t.Fatalf("%d guides, %v", len(pages), err)
	}
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			t.Parallel()
			name := strings.TrimSuffix(filepath.Base(page), ".md")
			steps := stepsOf(string(testkit.ReadFile(t, page)), withPython[name])
			if len(steps) == 0 {
				return
			}
			dir, env := guideFolder(t)
			env = append(env, "PATH="+bin+":"+os.Getenv("PATH"))
			local := strings.NewReplacer()
			if withPython[name] {
				duckExtensions(t, dir)
				env = append(env, "PYTHONPATH="+testkit.CatalogPackages(t)) // pyiceberg's SQL catalog wants SQLAlchemy
			}
			if start := withServer[name]; start != nil {
				server := start(t, env)
				local = strings.NewReplacer("localhost:19530", server.address, "milvus://localhost/", "milvus://"+server.address+"/")
				env = append(env, "SNAPEXPORT_URI="+server.address, "PYTHONPATH="+filepath.Join(testkit.Root(t), "python", "src"), "PYTHONDONTWRITEBYTECODE=1")
				defer func() {
					if server.run == nil {
						return
					}
					if err := server.run(t.Context()); err != nil {
						t.Errorf("in Go: %v", err)
					}
				}()
			}
			for _, s := range steps {
				s.script = local.Replace(s.script)
				s.run(t, dir, env)
			}
		})
	}
}

// withPython are pages whose programs need nothing but the tests' Python and what the page did before.
var withPython = map[string]bool{"duckdb": true, "pyiceberg": true}

// duckExtensions installs DuckDB's extensions, which the tests' Python has as wheels, where DuckDB looks for them.
func duckExtensions(t *testing.T, home string) {
	t.Helper()
	const script = `
import glob, os, shutil, sys, duckdb
platform = duckdb.sql("PRAGMA platform").fetchone()[0]
to = os.path.join(sys.argv[1], ".duckdb", "extensions", "v" + duckdb.__version__, platform)
os.makedirs(to)
for name in ("iceberg", "avro", "httpfs"):
    package = __import__("duckdb_extension_" + name)
    for file in glob.glob(os.path.join(package.__path__[0], "**", name + ".duckdb_extension"), recursive=True):
        shutil.copy(file, to)
`
	if out, err := exec.Command(testkit.Python(t), "-c", script, home).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// withServer starts what a page needs, by the page's name. The slim build has none.
var withServer = map[string]func(t *testing.T, env []string) guideServer{}

// guideServer is a running server.
type guideServer struct {
	address string
	run     func(context.Context) error // the page's flow in Go, if it has one
}

// step is a block to run and what it must print.
type step struct {
	line   int
	python bool
	script string
	code   string
	output string
}

var (
	fence    = regexp.MustCompile("(?ms)^```(sh|text|python)\n(.*?)^```$")
	imports  = regexp.MustCompile(`(?m)^from (snapexport|pymilvus) import`)
	exitLine = regexp.MustCompile(`# exit (\d+)\s*$`)
)

func stepsOf(page string, programs bool) (steps []step) {
	end := -1
	for _, m := range fence.FindAllStringSubmatchIndex(page, -1) {
		kind, body := page[m[2]:m[3]], page[m[4]:m[5]]
		switch {
		case kind == "sh" && strings.HasPrefix(body, "snapexport"):
			s := step{line: 1 + strings.Count(page[:m[0]], "\n"), script: body, code: "0"}
			if code := exitLine.FindStringSubmatch(body); code != nil {
				s.code = code[1]
			}
			steps = append(steps, s)
			end = m[1]
		case kind == "python" && (programs || imports.MatchString(body)):
			steps = append(steps, step{line: 1 + strings.Count(page[:m[0]], "\n"), python: true, script: body, code: "0"})
			end = m[1]
		case kind == "text" && end >= 0 && strings.TrimSpace(page[end:m[0]]) == "":
			steps[len(steps)-1].output = body
		default:
			end = -1
		}
	}
	return steps
}

func (s step) run(t *testing.T, dir string, env []string) {
	t.Helper()
	cmd := exec.Command("sh", "-e", "-c", s.script)
	if s.python {
		cmd = exec.Command(testkit.Python(t), "-c", s.script)
	}
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	if code := fmt.Sprint(cmd.ProcessState.ExitCode()); code != s.code {
		t.Errorf("line %d: exit %s, not %s\n%s\n%s", s.line, code, s.code, s.script, out)
	}
	if s.output == "" {
		return
	}
	want := strings.ReplaceAll(regexp.QuoteMeta(s.output), `\.\.\.`, `.*`)
	if !regexp.MustCompile(`\A` + want + `\z`).Match(out) {
		t.Errorf("line %d:\n%s\nprints\n%s", s.line, s.script, out)
	}
}

// guideFolder lays out what the guides name: ./bucket is the bucket s3://milvus-bucket with two snapshots of the collection
// docs, etcd.json and ./milvus are the metadata and files of a genuine Milvus, s3://lake is empty.
func guideFolder(t *testing.T) (dir string, env []string) {
	t.Helper()
	dir, stores := t.TempDir(), t.TempDir()
	bucket := filepath.Join(stores, "milvus-bucket")
	docsCollection(t, bucket)
	for from, to := range map[string]string{bucket: "bucket", testkit.Data(t, "milvus-2.3.5"): "milvus"} {
		if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(dir, "milvus", "etcd.json"), filepath.Join(dir, "etcd.json")); err != nil {
		t.Fatal(err)
	}
	s3 := testkit.StartVersitygwOver(t, stores)
	s3.MakeBucket(t, "lake")
	return dir, []string{"HOME=" + dir, "TMPDIR=" + t.TempDir(), "AWS_ENDPOINT_URL=" + s3.Endpoint, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + s3.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s3.SecretKey,
		"LAKE_ACCESS_KEY_ID=" + s3.AccessKey, "LAKE_SECRET_ACCESS_KEY=" + s3.SecretKey}
}

const (
	docsID      milvus.CollectionID = 100
	docsDefault milvus.PartitionID  = 101
	docsArchive milvus.PartitionID  = 102
)

// docsCollection has 20 rows in a segment of _default, of which 3 are deleted, and 10 in a segment of archive, which the first
// of the snapshots does not have.
func docsCollection(t *testing.T, dir string) {
	t.Helper()
	const dim = 4
	length := []milvus.KeyValue{{Key: "max_length", Value: "64"}}
	c := fixture.New(dir, milvus.Collection{
		ID: docsID, Database: "default", Partitions: []milvus.Partition{{ID: docsDefault, Name: "_default"}, {ID: docsArchive, Name: "archive"}},
		Schema: milvus.Schema{Name: "docs", EnableDynamic: true, Fields: []milvus.Field{
			{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
			{ID: 101, Name: "title", Type: milvus.TypeVarChar, MaxLength: 64, TypeParams: length},
			{ID: 102, Name: "lang", Type: milvus.TypeVarChar, MaxLength: 64, TypeParams: length},
			{ID: 103, Name: "price", Type: milvus.TypeDouble},
			{ID: 104, Name: "embedding", Type: milvus.TypeFloatVector, Dim: dim, TypeParams: []milvus.KeyValue{{Key: "dim", Value: fmt.Sprint(dim)}}},
			{ID: 105, Name: "$meta", Type: milvus.TypeJSON, Dynamic: true},
		}},
	})
	chunk := func(first, n int) flush.Chunk {
		ids, times, titles, langs, prices, vectors := make([]int64, n), make([]int64, n), make([]string, n), make([]string, n), make([]float64, n), make([]float32, n*dim)
		meta := make([]string, n)
		for i := range n {
			id := first + i
			ids[i], times[i] = int64(id), int64(fixture.DocumentsTime)
			titles[i], langs[i], prices[i] = fmt.Sprintf("Title %d", id), []string{"en", "de", "fr"}[id%3], float64(id)/2
			meta[i] = fmt.Sprintf(`{"color": "%s"}`, []string{"red", "blue"}[id%2])
			vectors[i*dim] = float32(id)
		}
		double := array.NewFloat64Builder(memory.DefaultAllocator)
		double.AppendValues(prices, nil)
		return flush.Chunk{milvus.TimestampField: fixture.Int64s(times...), 100: fixture.Int64s(ids...), 101: fixture.Strings(titles...), 102: fixture.Strings(langs...),
			103: double.NewArray(), 104: fixture.FloatVectors(dim, vectors...), 105: fixture.Strings(meta...)}
	}
	const channel = "by-dev-rootcoord-dml_0_100v0"
	deletes := fixture.Int64Deletes(milvus.NewTimestamp(1_700_000_001_000, 0), 4, 5, 6)
	first := c.Add(t, fixture.Segment{ID: 1000, Partition: docsDefault, Level: milvus.LevelL1, Channel: channel,
		Chunks: []flush.Chunk{chunk(0, 12), chunk(12, 8)}, Deletes: []*deltalog.Deletes{deletes}})
	c.Add(t, fixture.Segment{ID: 1001, Partition: docsArchive, Level: milvus.LevelL1, Channel: channel, Chunks: []flush.Chunk{chunk(20, 10)}})
	c.Snapshot(t, "backup_20240101", 7001, []milvus.Segment{first})
	c.Snapshot(t, "backup_20240201", 7002, nil)
}

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// G2 and G4 are proved in package export, G3 there and here.

// All verbs over a source that may be read only, succeeding and failing: not a byte, tag or time of it changes. The rows that
// arrive at the other server are the truth.
func TestG1NothingOfTheSourceChanges(t *testing.T) {
	t.Parallel()
	dir := testkit.Acceptance(t)
	cases := testkit.Cases(t, "snapshot")
	c := cases[slices.IndexFunc(cases, func(c testkit.Case) bool { return strings.HasPrefix(c.Name, "snapshots/milvus-2.3.5/lifecycle@") })]
	s := newStage(t, fixture.Shape{Segments: 1, Rows: 10})
	s.milvus.Fill(t, milvusBucket, filepath.Join(dir, c.BucketDir))
	remote, local := "s3://"+milvusBucket, filepath.Join(dir, c.BucketDir)
	renamed := []string{"--map", "s3://" + c.Bucket + "=s3://" + milvusBucket}
	before, localBefore := s.milvus.Contents(t, milvusBucket), testkit.DirContents(t, local)
	verbs := func(place, target string) {
		source := place + "/" + c.Snapshot
		for _, args := range [][]string{
			{"list", place}, {"describe", source, "--check"}, {"export", source, "--to", target, "--dry-run"}, {"export", source, "--to", target},
			{"export", source, "--to", target}, {"export", source, "--to", target, "--replace"}, {"verify", source, target}, {"cat", source},
			{"export", source, "--to", target + "-files", "--format", "parquet"},
		} {
			if place == local {
				renamed = []string{"--map", "s3://" + c.Bucket + "=" + local}
			}
			if o := invoke(t, s.env, s.args(append(args, renamed...)...)...); o.code != 0 {
				t.Errorf("%v: %s", args, o)
			}
		}
	}
	verbs(remote, "s3://lake/tables/lifecycle")
	verbs(local, filepath.Join(t.TempDir(), "lifecycle"))
	// into the source itself, where nothing may be written, by name and by its other server
	for _, target := range []string{remote + "/table", remote} {
		if o := invoke(t, s.env, s.args("export", s.both, "--to", target, "--unsafe-commits")...); o.code != exitAuth {
			t.Errorf("export to %s: %s", target, o)
		}
	}
	swapped := append(slices.Clone(s.env), "SOURCE_SECRET_ACCESS_KEY=wrong")
	if o := invoke(t, swapped, s.export(s.both)...); o.code != exitAuth {
		t.Errorf("with a wrong key: %s", o)
	}
	if after := s.milvus.Contents(t, milvusBucket); after != before {
		t.Errorf("the bucket changed from\n%s\nto\n%s", before, after)
	}
	if after := testkit.DirContents(t, local); after != localBefore {
		t.Errorf("the directory changed from\n%s\nto\n%s", localBefore, after)
	}
	if open := s.milvus.OpenUploads(t, milvusBucket); len(open) > 0 {
		t.Errorf("uploads in the source: %v", open)
	}
	engines := testkit.Engines(t)
	for _, engine := range []string{testkit.PyIceberg, testkit.DuckDB} {
		engines.Compare(t, engine, testkit.Table{URI: "s3://lake/tables/lifecycle", S3: s.lake.Settings()}, filepath.Join(dir, c.Truth))
	}
}

// Exit 0 means that every file that the plan selects was read: each is deleted and shortened once.
func TestG3EveryFileOrFailure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := fixture.Documents(t, dir, fixture.Shape{Segments: 1, Rows: 30, Deletes: 2})
	meta := filepath.Join(dir, c.Snapshot(t, "s", 7001, nil))
	for _, fb := range append(slices.Clone(c.Segments[0].Binlogs), c.Segments[0].Deltalogs...) {
		file := filepath.Join(dir, fb.Binlogs[0].File.Key)
		if fb.Field == milvus.RowIDField && strings.Contains(file, "insert_log") {
			continue // not selected
		}
		whole := testkit.ReadFile(t, file)
		for _, rest := range [][]byte{nil, whole[:len(whole)-1], whole[:len(whole)/2]} {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if rest != nil {
				if err := os.WriteFile(file, rest, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			table := filepath.Join(t.TempDir(), "table")
			o := invoke(t, nil, "export", meta, "--to", table, "--json")
			if o.code != exitBadSource || !strings.Contains(failureIn(t, o).Message, filepath.Base(file)) {
				t.Errorf("%d bytes left of %s: %s", len(rest), file, o)
			}
			nothingWritten(t, table)
			if err := os.WriteFile(file, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What is not known is refused by its name before anything is written.
func TestG5UnknownIsNamed(t *testing.T) {
	t.Parallel()
	dir := testkit.Acceptance(t)
	for name, want := range map[string]string{
		"damaged/format-version-6": "6", "damaged/storage-version-9": "9", "damaged/type-77": "77", "damaged/edek": "encrypt",
		"damaged/pare": "encrypt", "damaged/type-name-unknown": "", "traps/t14-storage-version-4": "4",
	} {
		cases := testkit.Cases(t, "")
		c := cases[slices.IndexFunc(cases, func(c testkit.Case) bool { return c.Name == name })]
		table := filepath.Join(t.TempDir(), "table")
		o := exportCase(t, dir, c, table)
		if f := failureIn(t, o); o.code != exitUnsupported || !strings.Contains(f.Message, want) {
			t.Errorf("%s: %q is not named: %s", name, want, o)
		}
		nothingWritten(t, table)
	}
	t.Run("codec", unknownCodec)
	t.Run("type", unknownType)
}

// unknownCodec changes the codec in the footer of a binlog's Parquet file: 8 is none that exists.
func unknownCodec(t *testing.T) {
	dir := t.TempDir()
	c := fixture.Documents(t, dir, fixture.Shape{Segments: 1, Rows: 30})
	meta := filepath.Join(dir, c.Snapshot(t, "s", 7001, nil))
	file := filepath.Join(dir, c.Segments[0].Binlogs[2].Binlogs[0].File.Key)
	body := testkit.ReadFile(t, file)
	// in the thrift compact form of ColumnMetaData, path_in_schema (field 3, a list of one string) is followed by codec (field 4, an i32)
	at := bytes.LastIndex(body, []byte("\x19\x18\x03val\x15"))
	if at < 0 {
		t.Fatalf("no column metadata in %q", body[len(body)-400:])
	}
	body[at+7] = 8 << 1
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	table := filepath.Join(t.TempDir(), "table")
	o := invoke(t, nil, "export", meta, "--to", table, "--json")
	if o.code != exitUnsupported || !strings.Contains(failureIn(t, o).Message, "8") {
		t.Error(o)
	}
	nothingWritten(t, table)
}

func unknownType(t *testing.T) {
	dir := t.TempDir()
	c := fixture.Documents(t, dir, fixture.Shape{Segments: 1, Rows: 30})
	c.Collection.Schema.Fields[1].Type = 99
	meta := filepath.Join(dir, c.Snapshot(t, "s", 7001, nil))
	o := invoke(t, nil, "export", meta, "--to", "table", "--json")
	if f := failureIn(t, o); o.code != exitUnsupported || !strings.Contains(f.Message, "99") || !strings.Contains(f.Message, "title") {
		t.Error(o)
	}
}

// A snapshot of V1 and V2: from disk to disk, ten times --memory, and from S3 to S3, where more is needed for each request, eight
// times and a half.
func TestG6PeakMemoryStaysUnderTheBound(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	server := testkit.StartVersitygwOver(t, root)
	server.MakeBucket(t, "lake")
	server.MakeBucket(t, milvusBucket)
	env := []string{"AWS_ENDPOINT_URL=" + server.Endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=" + server.AccessKey, "AWS_SECRET_ACCESS_KEY=" + server.SecretKey}
	for name, version := range map[string]int64{"V1": milvus.StorageV1, "V2": milvus.StorageV2} {
		shape := fixture.Shape{Segments: 70, Rows: 10_000, Dim: 512, Deletes: 100, Linked: true, Version: version} // of 19.5 MiB each
		dir := filepath.Join(root, milvusBucket, name)
		c := fixture.Documents(t, dir, shape)
		meta := c.Snapshot(t, "s", 7001, nil)
		local := filepath.Join(t.TempDir(), "table")
		for place, way := range map[string]struct {
			from, to string
			memory   int64 // MiB
		}{
			"disk": {filepath.Join(dir, meta), local, 136},
			"S3":   {"s3://" + milvusBucket + "/" + name + "/" + meta, "s3://lake/" + name, 160},
		} {
			t.Run(name+" "+place, func(t *testing.T) {
				start := time.Now()
				var got exported
				o := succeed(t, env, &got, "export", way.from, "--to", way.to, "--memory", fmt.Sprint(way.memory, "MiB"), "--workers", "4")
				t.Logf("peak %d MiB, %.1f s of CPU, %.1f s", o.peakKiB>>10, o.cpu.Seconds(), time.Since(start).Seconds())
				if want := int64(shape.Segments * (shape.Rows - shape.Deletes)); got.Rows != want {
					t.Errorf("%d rows, want %d", got.Rows, want)
				}
				if bytes := got.Rows * int64(shape.Dim) * 4; bytes < 8*way.memory<<20 {
					t.Errorf("only %d bytes", bytes)
				}
				if o.peakKiB == 0 || o.peakKiB > way.memory<<10 {
					t.Errorf("peak memory %d MiB, the bound is %d", o.peakKiB>>10, way.memory)
				}
			})
		}
	}
}

// All verbs with secrets in variables, flags and files, succeeding and failing: no output, table or data file holds any.
func TestG7SecretsNeverAppear(t *testing.T) {
	t.Parallel()
	s := newStage(t, fixture.Shape{Segments: 1, Rows: 10})
	secrets := []string{"hunter2", s.lake.SecretKey, "reader-key-secret"}
	local := t.TempDir()
	c := fixture.Documents(t, local, fixture.Shape{Segments: 1, Rows: 10})
	for _, fb := range c.Segments[0].Binlogs[:1] { // of the row ids, which nobody asks for
		fb.Binlogs[0].File.Key = "https://user:hunter2@" + milvusBucket + "/" + fb.Binlogs[0].File.Key + "?X-Amz-Signature=hunter2"
	}
	hostile := c.Snapshot(t, "hostile", 7009, nil)
	s.milvus.Fill(t, milvusBucket, local)
	config := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(config, []byte("stores:\n  s3://lake:\n    secret-key: hunter2\n  - hunter2: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(slices.Clone(s.env), "AWS_ACCESS_KEY_ID=other", "AWS_SECRET_ACCESS_KEY=hunter2", "AWS_SESSION_TOKEN=hunter2",
		"SNAPEXPORT_PASSWORD=hunter2", "SNAPEXPORT_ETCD_PASSWORD=hunter2", "BAD_ACCESS_KEY_ID=other", "BAD_SECRET_ACCESS_KEY=hunter2")
	files := filepath.Join(t.TempDir(), "table")
	bad := "s3://" + milvusBucket + "=endpoint=" + s.milvus.Endpoint + ",region=us-east-1,credentials=env:BAD"
	all := [][]string{
		{"list", "s3://" + milvusBucket}, {"describe", s.both, "--check", "--segments"}, {"export", s.both, "--to", stageTable}, {"export", s.both, "--to", stageTable},
		{"export", s.both, "--to", files}, {"export", s.both, "--to", stageTable, "--dry-run"}, {"verify", s.both, stageTable}, {"cat", s.both}, {"version"},
		{"store", "check", "s3://lake"}, {"store", "check", "s3://" + milvusBucket},
		{"describe", "s3://" + milvusBucket + "/" + hostile}, {"describe", "s3://" + milvusBucket + "/absent"}, {"export", s.both, "--to", "s3://absent/table"},
		{"export", "etcd://user:hunter2@127.0.0.1:1/by-dev?storage=" + local + "#documents", "--to", "t"},
		{"export", "https://user:hunter2@127.0.0.1:1/files/x.json?X-Amz-Signature=hunter2", "--to", "t"},
		{"export", "s3://user:hunter2@" + milvusBucket + "/files/x.json", "--to", "t"},
		{"export", s.both, "--to", "s3://user:hunter2@lake/table"},
		{"list", "backup:s3://user:hunter2@b/x"}, {"export", s.both, "--to", stageTable, "--map", "s3://a=s3://user:hunter2@b"},
		{"export", s.both, "--to", stageTable, "--allow-prefix", "s3://user:hunter2@b/x"}, {"list", "s3://" + milvusBucket, "--config", config},
		{"list", "s3://" + milvusBucket, "--s3-endpoint", "http://user:hunter2@127.0.0.1:1"},
		{"list", "s3://" + milvusBucket, "--store", bad}, {"list", "s3://" + milvusBucket, "--store", "s3://x=endpoint=http://u:hunter2@h"},
		{"list", "s3://" + milvusBucket, "--store", "s3://x=secret-key=hunter2"}, {"list", "s3://" + milvusBucket, "--store", "s3://x=credentials=hunter2"},
	}
	succeeded := 0
	for _, args := range all {
		for _, more := range [][]string{nil, {"--json"}} {
			o := invoke(t, env, append(s.args(args...), more...)...)
			if o.code == 0 {
				succeeded++
			}
			for _, secret := range secrets {
				if strings.Contains(o.out+o.errs, secret) {
					t.Errorf("%v %v shows %s: %s", args, more, secret, o)
				}
			}
		}
	}
	if succeeded < 2*9 {
		t.Errorf("only %d of %d invocations succeeded", succeeded, 2*len(all))
	}
	noneHolds(t, append(secrets, "parquet.avro.schema"), files, filepath.Join(s.lake.Root, lakeBucket))
	for _, f := range footers(t, files, filepath.Join(s.lake.Root, lakeBucket)) {
		for key := range f.KeyValues {
			if !strings.HasPrefix(key, "milvus.") && !strings.HasPrefix(key, "snapexport.") {
				t.Errorf("%s has %s in its footer", f.File, key)
			}
		}
	}
}

// noneHolds fails the test if a file below the directories holds one of the texts.
func noneHolds(t *testing.T, texts []string, dirs ...string) {
	t.Helper()
	looked := 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			looked++
			body, err := os.ReadFile(path)
			for _, text := range texts {
				if bytes.Contains(body, []byte(text)) {
					t.Errorf("%s holds %s", path, text)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if looked < 8 {
		t.Errorf("only %d files", looked)
	}
}

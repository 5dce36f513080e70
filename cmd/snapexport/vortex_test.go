package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
)

// fakeHelper makes the test binary behave as a Vortex helper. Beside FILE must lie FILE.arrow, the stream of all columns.
const fakeHelper = "VORTEX_TEST_HELPER"

func init() {
	mode := os.Getenv(fakeHelper)
	if mode == "" {
		return
	}
	if err := fakeConvert(mode, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	os.Exit(0)
}

func fakeConvert(mode, file string, columns []string) error {
	switch {
	case mode == "exit", mode == "exit-lob" && strings.HasSuffix(file, ".vx"):
		fmt.Println("half a stream")
		return fmt.Errorf("unknown layout milvus.v2_zoned_row_group")
	case mode == "garbage":
		fmt.Println("Hello, here is your data")
		return nil
	case mode == "hang":
		time.Sleep(time.Hour)
	}
	in, err := os.Open(file + ".arrow")
	if err != nil {
		return err
	}
	r, err := ipc.NewReader(in)
	if err != nil {
		return err
	}
	fields, at := make([]arrow.Field, len(columns)), make([]int, len(columns))
	for i, name := range columns {
		at[i] = r.Schema().FieldIndices(name)[0]
		fields[i] = r.Schema().Field(at[i])
	}
	if mode == "columns" {
		fields[0].Name = "another"
	}
	schema := arrow.NewSchema(fields, nil)
	w := ipc.NewWriter(os.Stdout, ipc.WithSchema(schema))
	for r.Next() {
		batch := r.RecordBatch()
		picked := make([]arrow.Array, len(at))
		for i := range at {
			picked[i] = batch.Column(at[i])
		}
		n := batch.NumRows()
		if mode == "rows" && n > 0 && !strings.HasSuffix(file, ".vx") {
			n--
		}
		if err := w.Write(array.NewRecordBatch(schema, picked, batch.NumRows()).NewSlice(0, n)); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	return w.Close()
}

// fake is the --vortex-helper of a mode.
func fake(mode string) string { return fmt.Sprintf("env %s=%s '%s'", fakeHelper, mode, os.Args[0]) }

const (
	vortexRows = 300
	vortexLOB  = "01020304-0506-0708-090a-0b0c0d0e0f10"
)

// vortexSnapshot lays out a V3 segment whose keys and names are Parquet and whose other fields are the Vortex files of
// testdata/vortex, which make.py wrote.
func vortexSnapshot(t *testing.T) (dir, source string) {
	t.Helper()
	dir = t.TempDir()
	dim := []milvus.KeyValue{{Key: "dim", Value: "4"}}
	c := fixture.New(dir, milvus.Collection{
		ID: 100, Database: "default", Partitions: []milvus.Partition{{ID: 101, Name: "_default"}},
		Schema: milvus.Schema{Name: "docs", Fields: []milvus.Field{
			{ID: 100, Name: "id", Type: milvus.TypeInt64, PrimaryKey: true},
			{ID: 101, Name: "name", Type: milvus.TypeVarChar, MaxLength: 64, TypeParams: []milvus.KeyValue{{Key: "max_length", Value: "64"}}},
			{ID: 102, Name: "small", Type: milvus.TypeInt8},
			{ID: 103, Name: "v", Type: milvus.TypeFloatVector, Dim: 4, TypeParams: dim},
			{ID: 104, Name: "word", Type: milvus.TypeVarChar, Nullable: true, MaxLength: 64, TypeParams: []milvus.KeyValue{{Key: "max_length", Value: "64"}}},
			{ID: 105, Name: "body", Type: milvus.TypeText, Nullable: true},
			{ID: 106, Name: "meta", Type: milvus.TypeJSON},
			{ID: 107, Name: "w", Type: milvus.TypeFloatVector, Nullable: true, Dim: 4, TypeParams: dim},
		}},
	})
	c.Files.Version = milvus.StorageV3
	ids, times, names := make([]int64, vortexRows), make([]int64, vortexRows), make([]string, vortexRows)
	for i := range ids {
		ids[i], times[i], names[i] = int64(i), int64(fixture.DocumentsTime), fmt.Sprint("name ", i)
	}
	seg := c.Add(t, fixture.Segment{ID: 1000, Partition: 101, Level: milvus.LevelL1, Channel: "channel",
		Chunks: []flush.Chunk{{milvus.TimestampField: fixture.Int64s(times...), 100: fixture.Int64s(ids...), 101: fixture.Strings(names...)}}})
	base, manifest := manifestOf(t, dir, seg)
	addVortexGroup(t, manifest)
	for from, to := range map[string]string{"group.vortex": base + "/_data/1_group.vortex", vortexLOB + ".vx": filepath.Dir(base) + "/lobs/105/_data/" + vortexLOB + ".vx"} {
		writeFile(t, to, testkit.ReadFile(t, "testdata", "vortex", from))
	}
	return dir, filepath.Join(dir, c.Snapshot(t, "samples", 7001, nil))
}

func writeFile(t *testing.T, name string, body []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, body, 0o644); err != nil {
		t.Fatal(err)
	}
}

// manifestOf returns the segment's folder and the path of its manifest.
func manifestOf(t *testing.T, dir string, seg milvus.Segment) (base, manifest string) {
	t.Helper()
	var m struct {
		Version int64  `json:"ver"`
		Base    string `json:"base_path"`
	}
	if err := json.Unmarshal([]byte(seg.ManifestPath), &m); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, m.Base), filepath.Join(dir, loon.Key(m.Base, m.Version))
}

func addVortexGroup(t *testing.T, manifest string) {
	t.Helper()
	m, err := loon.Decode(testkit.ReadFile(t, manifest))
	if err != nil {
		t.Fatal(err)
	}
	m.Groups = append(m.Groups, loon.ColumnGroup{Columns: []string{"102", "103", "104", "105", "106", "107"}, Format: loon.FormatVortex,
		Files: []loon.File{{Path: "1_group.vortex", End: vortexRows}}})
	body, err := loon.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, manifest, body)
}

// withStreams puts the Arrow streams for the fake helper beside the snapshot's Vortex files.
func withStreams(t *testing.T, dir string) {
	t.Helper()
	streams := t.TempDir()
	testkit.RunPython(t, "testdata/vortex/make.py", streams, "--arrow")
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		switch {
		case err != nil:
		case strings.HasSuffix(path, ".vortex"):
			writeFile(t, path+".arrow", testkit.ReadFile(t, streams, "group.vortex.arrow"))
		case strings.HasSuffix(path, ".vx"):
			writeFile(t, path+".arrow", testkit.ReadFile(t, streams, vortexLOB+".vx.arrow"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// vortexTruth are the rows as JSON lines, by the formulas of make.py.
func vortexTruth(t *testing.T) []string {
	t.Helper()
	type row struct {
		ID    int64     `json:"id"`
		Name  string    `json:"name"`
		Small int       `json:"small"`
		V     []float32 `json:"v"`
		Word  *string   `json:"word"`
		Body  *string   `json:"body"`
		Meta  string    `json:"meta"`
		W     []float32 `json:"w"`
	}
	var out []string
	for i := range vortexRows {
		f := float32(i)
		r := row{ID: int64(i), Name: fmt.Sprint("name ", i), Small: i%100 - 50, V: []float32{f, f + 0.5, 0 - f, 0}, Meta: fmt.Sprintf(`{"row": %d}`, i)}
		if i%7 != 0 {
			word := fmt.Sprint("v", i)
			r.Word = &word
		}
		if i%5 != 0 {
			r.W = []float32{f, f, f, f}
		}
		switch body := fmt.Sprintf("short %d é", i); i % 3 {
		case 0:
			body = strings.Repeat(fmt.Sprintf("text %d ", i/3), 900+i/3)
			r.Body = &body
		case 1:
			r.Body = &body
		}
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(line))
	}
	return out
}

// sameRows compares JSON lines by value, so that the order of keys does not matter.
func sameRows(t *testing.T, got string, want []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d rows, want %d", len(lines), len(want))
	}
	for i := range lines {
		var g, w any
		if err := json.Unmarshal([]byte(lines[i]), &g); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(want[i]), &w); err != nil {
			t.Fatal(err)
		}
		if a, b := fmt.Sprint(g), fmt.Sprint(w); a != b {
			t.Fatalf("row %d is %.300s, want %.300s", i, a, b)
		}
	}
}

// Every verb that reads rows reads Parquet and Vortex groups side by side, and texts inline and in LOB files.
func TestVortexThroughHelper(t *testing.T) {
	t.Parallel()
	dir, source := vortexSnapshot(t)
	withStreams(t, dir)
	checkVortex(t, source, fake("ok"))
}

// The same with the script of this repository over genuine Vortex files.
func TestVortexThroughTheScript(t *testing.T) {
	t.Parallel()
	python := os.Getenv("SNAPEXPORT_VORTEX_PYTHON")
	if python == "" {
		t.Skip("no Python with vortex-data: set SNAPEXPORT_VORTEX_PYTHON to run scripts/vortex-to-arrow")
	}
	_, source := vortexSnapshot(t)
	checkVortex(t, source, fmt.Sprintf("'%s' '%s'", python, filepath.Join(testkit.Root(t), "scripts", "vortex-to-arrow")))
}

func checkVortex(t *testing.T, source, helper string) {
	t.Helper()
	temp := t.TempDir()
	env := []string{"TMPDIR=" + temp}
	truth := vortexTruth(t)
	flag := "--vortex-helper=" + helper
	o := succeed(t, env, nil, "cat", source, flag)
	sameRows(t, o.out, truth)
	o = succeed(t, env, nil, "cat", source, flag, "--where", `small == -50 and id > 100`, "--memory", "512MiB")
	sameRows(t, o.out, []string{truth[200]})
	for _, format := range []string{"iceberg", "parquet"} {
		table := filepath.Join(t.TempDir(), "table")
		var result struct {
			Written int64            `json:"rows_written"`
			Unread  map[string]int64 `json:"unreadable_text"`
		}
		succeed(t, env, &result, "export", source, "--to", table, flag, "--format", format)
		if result.Written != vortexRows || len(result.Unread) != 0 {
			t.Errorf("%+v", result)
		}
		if format == "iceberg" {
			succeed(t, env, nil, "verify", source, table, flag)
		}
		if out, _ := exec.Command("grep", "-rlF", "VORTEX_TEST_HELPER", table).Output(); len(out) > 0 {
			t.Errorf("the table names the helper: %s", out)
		}
	}
	// neither column takes the helper
	succeed(t, env, nil, "cat", source, "--vortex-helper=false", "--columns", "id,name")
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What a helper does wrong is an error that names segment and file, nothing is committed, and no file is left.
func TestVortexHelperFailures(t *testing.T) {
	t.Parallel()
	dir, source := vortexSnapshot(t)
	withStreams(t, dir)
	for mode, want := range map[string][]string{
		"exit":     {"ErrHelper", "segment 1000", "exit status 3", "unknown layout milvus.v2_zoned_row_group", "/_data/1_group.vortex"},
		"exit-lob": {"ErrHelper", "segment 1000", "exit status 3", "/lobs/105/_data/" + vortexLOB + ".vx"},
		"garbage":  {"ErrCorrupt", "segment 1000", "no Arrow IPC stream", `"Hell"`, "/_data/1_group.vortex"},
		"rows":     {"ErrCorrupt", "segment 1000", "metadata says 300", "/_data/1_group.vortex"},
		"columns":  {"ErrCorrupt", "segment 1000", `no column "102"`, "/_data/1_group.vortex"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			temp, table := t.TempDir(), filepath.Join(t.TempDir(), "table")
			o := invoke(t, []string{"TMPDIR=" + temp}, "export", source, "--to", table, "--vortex-helper", fake(mode), "--json")
			f := failureIn(t, o)
			said := strings.Join([]string{f.Class, f.Message, f.Object}, " ")
			for _, w := range want {
				if !strings.Contains(said, w) {
					t.Errorf("exit %d: %q has no %q", o.code, said, w)
				}
			}
			if left, _ := os.ReadDir(temp); len(left) > 0 || o.code == 0 {
				t.Errorf("exit %d, left behind: %v", o.code, left)
			}
			if _, err := os.Stat(filepath.Join(table, "metadata", "version-hint.text")); err == nil {
				t.Error("something was committed")
			}
		})
	}
}

// An interrupt ends a helper that hangs.
func TestVortexHelperHangs(t *testing.T) {
	t.Parallel()
	dir, source := vortexSnapshot(t)
	withStreams(t, dir)
	temp := t.TempDir()
	cmd := command(t, []string{"TMPDIR=" + temp}, "export", source, "--to", filepath.Join(t.TempDir(), "table"), "--vortex-helper", fake("hang"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(10 * time.Millisecond) {
		if left, _ := os.ReadDir(temp); len(left) > 0 { // the helper runs, or is about to
			break
		}
	}
	time.Sleep(200 * time.Millisecond)
	start := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is looked at
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || time.Since(start) > 20*time.Second {
		t.Errorf("exit %d after %v: %s", code, time.Since(start), errs.String())
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestVortexHelperUsage(t *testing.T) {
	t.Parallel()
	_, source := vortexSnapshot(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUnsupported, `format "vortex"`},
		{[]string{"--vortex-helper", "no-such-program-here x"}, exitUsage, "no-such-program-here"},
		{[]string{"--vortex-helper", "cat 'x"}, exitUsage, "every quote closed"},
		{[]string{"--vortex-helper", "false", "--unreadable-text", "null"}, exitUsage, "exclude each other"},
	} {
		o := invoke(t, nil, append([]string{"cat", source}, c.args...)...)
		if o.code != c.code || !strings.Contains(o.errs, c.want) {
			t.Errorf("%v: exit %d\n%s", c.args, o.code, o.errs)
		}
	}
}

// The files of the genuine writer: a Vortex group, and a text in a LOB file beside Parquet.
func TestVortexSamplesThroughTheScript(t *testing.T) {
	t.Parallel()
	python := os.Getenv("SNAPEXPORT_VORTEX_PYTHON")
	if python == "" {
		t.Skip("no Python with vortex-data: set SNAPEXPORT_VORTEX_PYTHON to run scripts/vortex-to-arrow")
	}
	helper := fmt.Sprintf("--vortex-helper='%s' '%s'", python, filepath.Join(testkit.Root(t), "scripts", "vortex-to-arrow"))
	cases := refuseCases(t)
	find := func(name string) refuseCase {
		return cases[slices.IndexFunc(cases, func(c refuseCase) bool { return c.Name == name })]
	}
	plain, vortex := succeed(t, nil, nil, "cat", find("plain").snapshot(t), "--as-of=none"), succeed(t, nil, nil, "cat", find("vortex").snapshot(t), helper, "--as-of=none")
	if plain.out != vortex.out || strings.Count(vortex.out, "\n") != 51 {
		t.Errorf("Parquet:\n%s\nVortex:\n%s", plain.out, vortex.out)
	}
	texts := succeed(t, nil, nil, "cat", find("text_lob").snapshot(t), helper, "--as-of=none")
	for i := range 3 {
		if want := strings.Repeat(fmt.Sprintf("long %d ", i), 10); !strings.Contains(texts.out, `"`+want+`"`) {
			t.Errorf("no text %d in %.400s", i, texts.out)
		}
	}
}

func TestHelpersGetNoSecrets(t *testing.T) {
	got := withoutSecrets([]string{"PATH=/bin", "AWS_PROFILE=x", "LAKE_SECRET_ACCESS_KEY=hunter2", "SNAPEXPORT_PASSWORD=hunter2", "db_password=hunter2", "HOME=/"})
	if want := []string{"PATH=/bin", "HOME=/"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

package demo

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
)

// build returns a snapexport that was built for this test.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "snapexport")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", bin, "./cmd/snapexport")
	cmd.Dir = testkit.Root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// TestDemo runs what `make demo` runs. The numbers are those that Milvus returned for the collection.
func TestDemo(t *testing.T) {
	cmd := exec.Command(filepath.Join(testkit.Root(t), "scripts", "demo"))
	cmd.Env = append(os.Environ(), "SNAPEXPORT="+build(t), "SNAPEXPORT_PYTHON="+testkit.Python(t), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"default.lifecycle", // in the list
		"as an Iceberg table: 85 rows",
		"its data folder as plain Parquet: 85 rows",
		"deleted in Milvus: 3,4,5,100,205\nof these the table has: none",
		"the 5 nearest to",
		"Done.",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// cell is what a code cell of a notebook gave.
type cell struct {
	Text     string   `json:"text"`
	Pictures []string `json:"pictures"`
}

func TestNotebook(t *testing.T) {
	root := testkit.Root(t)
	out := filepath.Join(t.TempDir(), "cells.json")
	t.Setenv("SNAPEXPORT", build(t))
	t.Setenv("TABLE", filepath.Join(t.TempDir(), "multi_binlog"))
	t.Setenv("IPYTHONDIR", t.TempDir())
	testkit.RunPython(t, "execute.py", filepath.Join(root, "notebooks", "explore.ipynb"), out)
	var cells []cell
	if err := json.Unmarshal(testkit.ReadFile(t, out), &cells); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	plots := 0
	for _, c := range cells {
		text.WriteString(c.Text + "\n")
		if slices.Contains(c.Pictures, "image/png") {
			plots++
		}
	}
	for _, want := range []string{"multi_binlog: ", "656 rows", "656 written", "'cosine'"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the notebook does not say %q", want)
		}
	}
	if plots != 1 {
		t.Errorf("%d plots, want 1", plots)
	}
	if t.Failed() {
		t.Log(text.String())
	}
}

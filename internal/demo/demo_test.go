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

// TestNotebooks executes the notebooks on one sample collection, and looks for what they must say.
func TestNotebooks(t *testing.T) {
	root, sample := testkit.Root(t), filepath.Join(t.TempDir(), "sample")
	t.Setenv("SNAPEXPORT_BINARY", build(t))
	t.Setenv("SAMPLE", sample)
	t.Setenv("TABLE", filepath.Join(t.TempDir(), "articles"))
	t.Setenv("IPYTHONDIR", t.TempDir())
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	testkit.RunPython(t, filepath.Join(root, "scripts", "sample_collection.py"), sample)
	for name, n := range map[string]struct {
		plots int
		says  []string
	}{
		"explore":    {1, []string{"articles: 12 segments, 4600 rows", "3875 of 4600 rows live", "3875 written", "'cosine': 1.0"}},
		"embeddings": {2, []string{"3875 vectors of 32 dimensions", "8 norms and 10 places stand out"}},
		"drift":      {3, []string{"3626 rows, then 3875: 500 came, 251 went, the vectors of 100 changed", "sports     what came lies", "<- drift"}},
	} {
		t.Run(name, func(t *testing.T) {
			text, plots := execute(t, filepath.Join(root, "notebooks", name+".ipynb"))
			for _, want := range n.says {
				if !strings.Contains(text, want) {
					t.Errorf("the notebook does not say %q", want)
				}
			}
			if plots != n.plots {
				t.Errorf("%d plots, want %d", plots, n.plots)
			}
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}

// execute returns the text that a notebook's code cells give, and how many plots.
func execute(t *testing.T, notebook string) (text string, plots int) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "cells.json")
	testkit.RunPython(t, "execute.py", notebook, "--cells", out)
	var cells []cell
	if err := json.Unmarshal(testkit.ReadFile(t, out), &cells); err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		text += c.Text + "\n"
		if slices.Contains(c.Pictures, "image/png") {
			plots++
		}
	}
	return text, plots
}

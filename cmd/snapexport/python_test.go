package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
)

// pythonRows runs testdata/rows.py with the package of python/, for which this test binary is the program.
func pythonRows(t *testing.T, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command(testkit.Python(t), append([]string{"-X", "dev", "testdata/rows.py"}, args...)...)
	source := filepath.Join(testkit.Root(t), "python", "src")
	cmd.Env = append(cmd.Environ(), runAsCommand+"=1", "SNAPEXPORT_BINARY="+os.Args[0], "PYTHONPATH="+source, "PYTHONDONTWRITEBYTECODE=1", "OUT="+t.TempDir(), "PYSPARK_PYTHON="+testkit.Python(t))
	cmd.Env = append(cmd.Env, env...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
}

// TestPythonRows reads a snapshot of a genuine Milvus as Arrow, pandas and polars, and as a data source of Spark 4.0.
func TestPythonRows(t *testing.T) {
	t.Parallel()
	source := etcdFileSource(t, "lifecycle")
	truth := filepath.Join(t.TempDir(), "files")
	succeed(t, nil, &exported{}, "export", source, "--to", truth, "--format", "parquet")
	pythonRows(t, nil, source, truth, "python")
	pythonRows(t, testkit.SparkEnv(t, testkit.Spark), source, truth, "spark")
}

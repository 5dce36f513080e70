package testkit

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Python returns the interpreter that has pyarrow, pyiceberg, duckdb and pyspark: $SNAPEXPORT_PYTHON, else the one in
// .tools/venv below the module's root. Where there is none the test fails: a judge that is away must not look like a verdict.
func Python(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("SNAPEXPORT_PYTHON"); p != "" {
		return p
	}
	p := filepath.Join(Root(t), ".tools", "venv", "bin", "python")
	if _, err := os.Stat(p); err != nil {
		t.Fatalf("testkit: no Python: %v\nrun 'make tools', or set SNAPEXPORT_PYTHON", err)
	}
	return p
}

// RunPython runs a script of the caller's own folder and returns its standard output; the test fails, with the script's
// standard error, if it does not exit with 0.
func RunPython(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(Python(t), append([]string{script}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s\n%s", script, args, err, out, stderr.Bytes())
	}
	return out
}

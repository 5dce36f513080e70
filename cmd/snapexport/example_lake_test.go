//go:build !slim

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
)

// TestSparkExamples runs the scripts of spark-examples/ with every Spark, in one session each, on two snapshots that pymilvus made
// of a server. What they print is compared with what numpy makes of the rows as they were sent.
func TestSparkExamples(t *testing.T) {
	t.Parallel()
	root, sample, truth := testkit.Root(t), t.TempDir(), t.TempDir()
	env := []string{runAsCommand + "=1", "SNAPEXPORT_BINARY=" + os.Args[0], "PYTHONDONTWRITEBYTECODE=1"}
	python := func(t *testing.T, env []string, args ...string) string {
		t.Helper()
		cmd := exec.Command(testkit.Python(t), args...)
		cmd.Env = append(cmd.Environ(), env...)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", args[0], err, out, errs.String())
		}
		return strings.TrimSpace(string(out))
	}
	python(t, env, filepath.Join(root, "scripts", "sample_collection.py"), sample, "--rows", "1200", "--truth", truth)
	for release, version := range map[string]string{testkit.Spark: "4.0.1", testkit.Spark35: "3.5.6"} {
		t.Run(release, func(t *testing.T) {
			got := python(t, append(testkit.SparkEnv(t, release), env...), "testdata/spark_examples.py", filepath.Join(root, "spark-examples"), sample, truth, t.TempDir())
			if got != "ok "+version {
				t.Error(got)
			}
		})
	}
}

package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
)

// spark-examples/read_table.py reads a table with every Spark, in a session of its own.
func TestReadTableInSpark(t *testing.T) {
	t.Parallel()
	table := filepath.Join(t.TempDir(), "table")
	succeed(t, nil, &exported{}, "export", etcdFileSource(t, "lifecycle"), "--to", table)
	for release, version := range map[string]string{testkit.Spark: "Spark 4.0.1", testkit.Spark35: "Spark 3.5.6"} {
		script := filepath.Join(testkit.Root(t), "spark-examples", "read_table.py")
		cmd := exec.Command(testkit.Python(t), script, "file://"+table, "--key", "id", "--absent", "3,4,5,100,205", "--vector", "v", "--top", "2")
		cmd.Env = append(cmd.Environ(), testkit.SparkEnv(t, release)...)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v\n%s", release, err, errs.String())
			continue
		}
		for _, want := range []string{version, "as an Iceberg table: 85 rows", "as plain Parquet: 85 rows", "of these the table has: none", "the 2 nearest to", " 1.0|"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s does not say %q:\n%s", release, want, out)
			}
		}
	}
}

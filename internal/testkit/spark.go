package testkit

import (
	"fmt"
	"path/filepath"
	"testing"
)

// SparkEnv returns the variables with which [Python] runs a Spark of [Sparks], for scripts that bring their own session:
// SNAPEXPORT_JARS is the folder of the jars for Iceberg and S3.
func SparkEnv(t testing.TB, release string) []string {
	t.Helper()
	tools := filepath.Join(Root(t), ".tools")
	env, err := sparkEnv(tools, release)
	if err != nil {
		t.Fatal(err)
	}
	return append(env, "SNAPEXPORT_JARS="+sparkJars(tools, release), "SPARK_LOCAL_IP=127.0.0.1")
}

func sparkJars(tools, release string) string { return filepath.Join(tools, "jars", release) }

// sparkEnv says where a release lies: the newest is a package of the Python, others are folders beside it.
func sparkEnv(tools, release string) ([]string, error) {
	if jars, _ := filepath.Glob(filepath.Join(sparkJars(tools, release), "iceberg-spark-runtime-*.jar")); len(jars) == 0 {
		return nil, fmt.Errorf("testkit: no jars for Spark in %s: run 'make tools'", sparkJars(tools, release))
	}
	if release == Spark {
		return nil, nil
	}
	home := filepath.Join(tools, release)
	if jars, _ := filepath.Glob(filepath.Join(home, "deps", "jars", "spark-core_*.jar")); len(jars) == 0 {
		return nil, fmt.Errorf("testkit: no Spark in %s: run 'make tools'", home)
	}
	return []string{"PYTHONPATH=" + home, "SPARK_HOME=" + filepath.Join(home, "deps")}, nil
}

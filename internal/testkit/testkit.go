// Package testkit gives tests their data and their outside judges: the module's testdata, the unpacked acceptance cases,
// data of other projects, a Python with pyarrow, a genuine Milvus. Only tests import it.
package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// Root returns the absolute path of the module's root folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("testkit: no go.mod in this folder or above it")
		}
		dir = parent
	}
}

// Data returns the absolute path of an element of the module's testdata folder.
func Data(t testing.TB, elem ...string) string {
	t.Helper()
	return filepath.Join(append([]string{Root(t), "testdata"}, elem...)...)
}

// Shared returns the folder of data that belongs to other projects and is therefore not in ours:
// $SNAPEXPORT_SHARED, else "shared" beside the module. The test is skipped where there is none.
func Shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SNAPEXPORT_SHARED")
	if dir == "" {
		dir = filepath.Join(filepath.Dir(Root(t)), "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err != nil {
		t.Skipf("data of other projects is not here: %v (set SNAPEXPORT_SHARED)", err)
	}
	return dir
}

// ReadFile returns the bytes of a file, or ends the test.
func ReadFile(t testing.TB, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

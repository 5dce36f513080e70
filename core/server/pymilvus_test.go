package server

import (
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

// runPython runs a script with pymilvus against the server.
func runPython(t *testing.T, s *stage, script string) {
	t.Helper()
	if out := testkit.RunPython(t, "testdata/"+script, "http://"+s.address); strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("%s: %s", script, out)
	}
}

// TestGuide is the user guide's flow with the real client: every row of the restored collection equals the source's at the time
// of the snapshot.
func TestGuide(t *testing.T) {
	t.Parallel()
	for name, storage := range versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runPython(t, newStage(t, storage, nil), "guide.py")
		})
	}
}

// TestEveryType: values of every data type, growing, flushed, restored and compacted.
func TestEveryType(t *testing.T) {
	t.Parallel()
	for name, storage := range versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runPython(t, newStage(t, storage, nil), "alltypes.py")
		})
	}
}

// TestSurface is what else clients do.
func TestSurface(t *testing.T) {
	t.Parallel()
	runPython(t, newStage(t, milvus.StorageV2, nil), "surface.py")
}

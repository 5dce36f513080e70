//go:build !slim

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snapexport/snapexport/internal/testkit"
)

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	for tries, want := range map[int]time.Duration{1: 10 * time.Second, 2: 20 * time.Second, 5: 160 * time.Second, 8: 1280 * time.Second, 9: longestPause, 100: longestPause} {
		if got := pauseAfter(tries); got != want {
			t.Errorf("after %d: %v, want %v", tries, got, want)
		}
	}
}

// TestExportIsTriedAgain: an export that failed comes to its end without a restart when what was in the way is gone; until then
// the metrics and the log tell.
func TestExportIsTriedAgain(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := startServer(t, data)
	if out := testkit.RunPython(t, "testdata/serve.py", "fill", "http://"+s.Address); strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%s", out)
	}
	s.stop(t)
	inserts := filepath.Join(data, "bucket", "files", "insert_log")
	if err := os.Rename(inserts, inserts+".away"); err != nil {
		t.Fatal(err)
	}
	s = startServer(t, data, "--export-on-snapshot", "--gc-interval", "0")
	defer s.stop(t)
	metric := func(line string) func() bool {
		return func() bool { return strings.Contains(get(t, s.Metrics+"/metrics"), line+"\n") }
	}
	waitFor(t, metric(`snapexport_exports_total{result="failed"} 1`))
	if !metric("snapexport_exports_failing 1")() || !metric("snapexport_exports_waiting 1")() {
		t.Errorf("%s", get(t, s.Metrics+"/metrics"))
	}
	if err := os.Rename(inserts+".away", inserts); err != nil {
		t.Fatal(err)
	}
	waitFor(t, metric(`snapexport_exports_total{result="made"} 1`))
	if !metric("snapexport_exports_failing 0")() {
		t.Errorf("%s", get(t, s.Metrics+"/metrics"))
	}
}

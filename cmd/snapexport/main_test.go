package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/snapexport/snapexport/internal/testkit"
)

// runAsCommand makes the test binary behave as snapexport, so that tests see a process of its own: exit code, memory, signals.
const runAsCommand = "SNAPEXPORT_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runAsCommand) != "" {
		a := newApp()
		if file := os.Getenv(killFile); file != "" {
			a.fault, a.now, a.leastGrace = killAt(file), ahead(file), 0
		}
		code := a.run()
		recordPeak()
		os.Exit(code)
	}
	code := m.Run()
	testkit.StopEngines()
	os.Exit(code)
}

// peakFile names the file that an invocation writes its peak memory to.
const peakFile = "SNAPEXPORT_TEST_PEAK"

// recordPeak writes the most memory that this process had resident, in KiB. The kernel's count for a child that has ended
// would begin with that of the process it was forked from.
func recordPeak() {
	status, err := os.ReadFile("/proc/self/status")
	name := os.Getenv(peakFile)
	if err != nil || name == "" {
		return // not Linux: the test takes what it has
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_ = os.WriteFile(name, []byte(strings.Fields(value)[0]), 0o600) // the reader says if it is not there
		}
	}
}

// outcome is what one invocation did.
type outcome struct {
	code      int
	out, errs string
	peakKiB   int64 // 0 where it is not known
	cpu       time.Duration
}

// command prepares an invocation in a folder of its own, with no AWS settings but those in env.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{runAsCommand + "=1", peakFile + "=" + peakPath(cmd), "HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "AWS_EC2_METADATA_DISABLED=true"}, env...)
	return cmd
}

func invoke(t *testing.T, env []string, args ...string) outcome {
	t.Helper()
	cmd := command(t, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	peak, _ := os.ReadFile(peakPath(cmd))
	kib, _ := strconv.ParseInt(string(peak), 10, 64) // 0: not known
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String(), kib, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

func peakPath(cmd *exec.Cmd) string { return filepath.Join(cmd.Dir, "peak") }

// succeed invokes and decodes the JSON on standard output into v, if v is not nil.
func succeed(t *testing.T, env []string, v any, args ...string) outcome {
	t.Helper()
	o := invoke(t, env, append(args, "--json")...)
	if o.code != 0 {
		t.Fatalf("snapexport %s: exit %d\n%s", strings.Join(args, " "), o.code, o.errs)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(o.out), v); err != nil {
			t.Fatalf("snapexport %s: %v\n%s", strings.Join(args, " "), err, o.out)
		}
	}
	return o
}

// failureIn returns the error object on standard error.
func failureIn(t *testing.T, o outcome) failure {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(o.errs), "\n")
	var f struct{ Error failure }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &f); err != nil {
		t.Fatalf("standard error does not end with an error object: %v\n%s", err, o.errs)
	}
	return f.Error
}

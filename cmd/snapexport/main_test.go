package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapexport/snapexport/internal/testkit"
)

// runAsCommand makes the test binary behave as snapexport, so that tests see a process of its own: exit code, memory, signals.
const runAsCommand = "SNAPEXPORT_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runAsCommand) != "" {
		os.Exit(run())
	}
	code := m.Run()
	testkit.StopEngines()
	os.Exit(code)
}

// outcome is what one invocation did.
type outcome struct {
	code      int
	out, errs string
	peakKiB   int64
	cpu       time.Duration
}

// command prepares an invocation in a folder of its own, with no AWS settings but those in env.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{runAsCommand + "=1", "HOME=" + cmd.Dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "AWS_EC2_METADATA_DISABLED=true"}, env...)
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
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String(), usage.Maxrss, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

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

//go:build unix

package vortex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"vortex-to-arrow":                      {"vortex-to-arrow"},
		" a\tb  c\n":                           {"a", "b", "c"},
		`'/opt/my tools/py' -c "it's" x''y ''`: {"/opt/my tools/py", "-c", "it's", "xy", ""},
		`a\ b "c\"d\n" 'e\f' \'`:               {"a b", `c"d\n`, `e\f`, "'"},
		`$HOME * ; | && > x`:                   {"$HOME", "*", ";", "|", "&&", ">", "x"},
		"":                                     nil,
		"  ":                                   nil,
		"'' x":                                 nil,
		"a 'b":                                 nil,
		`a "b`:                                 nil,
		`é "ü ö"`:                              {"é", "ü ö"},
	} {
		got, err := Split(line)
		if !slices.Equal(got, want) || (want == nil) != errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("Split(%q) = %q, %v; want %q", line, got, err, want)
		}
	}
}

// remote hides that a store is local.
type remote struct{ objstore.Store }

// setUp returns a store with an object "a/b c.vortex" of the given bytes, and a helper that is a shell script.
func setUp(t *testing.T, script, body string) (*Helper, objstore.Store, objstore.Object) {
	t.Helper()
	bucket, dir, program := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "helper.sh")
	for name, text := range map[string]string{program: script, filepath.Join(bucket, "a", "b c.vortex"): body} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store := objstore.Local(bucket)
	obj, err := store.Stat(t.Context(), "a/b c.vortex")
	if err != nil {
		t.Fatal(err)
	}
	return &Helper{Command: []string{"/bin/sh", program, "first"}, Dir: dir, Timeout: time.Minute, MaxOutput: 1 << 20}, store, obj
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestConvert(t *testing.T) {
	t.Parallel()
	h, store, obj := setUp(t, `echo "$# $1 $3 $4"; echo "$2"; cat "$2"`, strings.Repeat("x", copyChunk/1000))
	for name, s := range map[string]objstore.Store{"local": store, "remote": remote{store}} {
		out, err := h.Convert(t.Context(), s, obj, []string{"1", "100"})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitN(string(body), "\n", 3)
		if lines[0] != "4 first 1 100" || lines[2] != strings.Repeat("x", copyChunk/1000) {
			t.Errorf("%s: %.100q", name, lines)
		}
		if path, _ := objstore.LocalPath(store, obj.Key); (lines[1] == path) != (name == "local") || filepath.Ext(lines[1]) != ".vortex" {
			t.Errorf("%s: the file is %s", name, lines[1])
		}
		if _, err := out.Seek(0, io.SeekStart); err != nil {
			t.Error(err)
		}
		if err := out.Close(); err != nil {
			t.Error(err)
		}
		empty(t, h.Dir)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		class  error
		want   string
	}{
		"exit code":   {"echo part; echo lost >&2; head -c 5000 /dev/zero | tr '\\0' - >&2; printf 'the\\033 end\\n' >&2; exit 7", ErrHelper, "--the  end"},
		"signal":      {"kill -9 $$", ErrHelper, "killed"},
		"silent":      {"exit 1", ErrHelper, "exit status 1"},
		"too much":    {"cat /dev/zero", fault.ErrLimit, "more than 1048576 bytes"},
		"no end":      {"echo waiting >&2; sleep 1000", ErrHelper, "did not end within 500ms: waiting"},
		"left behind": {"sleep 1000 & echo x", ErrHelper, "WaitDelay"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, store, obj := setUp(t, c.script, "VTXF")
			if name == "no end" {
				h.Timeout = 500 * time.Millisecond
			}
			_, err := h.Convert(t.Context(), remote{store}, obj, nil)
			if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "a/b c.vortex") || strings.Contains(err.Error(), "lost") {
				t.Errorf("%v", err)
			}
			empty(t, h.Dir)
		})
	}
	t.Run("no program", func(t *testing.T) {
		t.Parallel()
		h, store, obj := setUp(t, "", "VTXF")
		h.Command = []string{"/no/such/program"}
		if _, err := h.Convert(t.Context(), store, obj, nil); !errors.Is(err, ErrHelper) {
			t.Error(err)
		}
		empty(t, h.Dir)
	})
	t.Run("changed", func(t *testing.T) {
		t.Parallel()
		h, store, obj := setUp(t, "", "VTXF")
		obj.ETag = "another"
		if _, err := h.Convert(t.Context(), remote{store}, obj, nil); !errors.Is(err, fault.ErrConflict) {
			t.Error(err)
		}
		empty(t, h.Dir)
	})
}

// A cancelled conversion ends the helper with what it started.
func TestCancel(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pids")
	h, store, obj := setUp(t, fmt.Sprintf("sleep 1000 & echo $! $$ > '%s.new'; mv '%s.new' '%s'; sleep 1000", pids, pids, pids), "VTXF")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 1000 {
			if _, err := os.Stat(pids); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	if _, err := h.Convert(ctx, store, obj, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	empty(t, h.Dir)
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		if !ended(pid) {
			t.Errorf("process %d goes on", pid)
		}
	}
}

// ended waits a little for a process to end. One that nobody reaps counts: it does nothing more.
func ended(pid int) bool {
	for range 200 {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || strings.Contains(string(stat), ") Z ") {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

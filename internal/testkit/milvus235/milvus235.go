// Package milvus235 is the severest judge of V1 files: a genuine Milvus 2.3.5 that imports them, and returns their rows.
package milvus235

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
)

const (
	startTime = 5 * time.Minute // a busy machine
	replyTime = 10 * time.Minute
	stopTime  = 30 * time.Second
)

// Server is a running Milvus. It listens in a network namespace of its own, where nothing else can meet it.
type Server struct {
	Folder string // of the server; files that it is to import must be readable to it, anywhere
	in     io.WriteCloser
	lines  chan []byte
	stderr *os.File
}

// Partition names the folders of a partition's files: Insert has <segment>/<field>/<log>, Delta <segment>/<log>.
type Partition struct {
	Name   string `json:"name"`
	Insert string `json:"insert"`
	Delta  string `json:"delta,omitempty"`
}

// Reply is what the server returned: its rows by column name (numbers are json.Number, binary vectors base64, JSON the stored
// text) and its count(*).
type Reply struct {
	Rows  []map[string]any `json:"rows"`
	Count int64            `json:"count"`
	Error string           `json:"error"`
}

// Start starts a server for the test. It is skipped unless SNAPEXPORT_MILVUS is set, as `make test` does, and where the
// machine gives it no network namespace, which takes root, or user namespaces. Without .tools/milvus-venv it fails.
func Start(t testing.TB) *Server {
	t.Helper()
	if os.Getenv("SNAPEXPORT_MILVUS") == "" {
		t.Skip("set SNAPEXPORT_MILVUS=1 to import into a genuine Milvus 2.3.5 ('make tools' installs it)")
	}
	root := testkit.Root(t)
	s := &Server{Folder: t.TempDir(), lines: make(chan []byte)}
	script := filepath.Join(root, "internal", "testkit", "milvus235", "driver.py")
	python := filepath.Join(root, ".tools", "milvus-venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("no genuine Milvus: %v\nrun 'make tools'", err)
	}
	cmd := exec.Command(python, "-W", "ignore", "-B", script, s.Folder)
	cmd.SysProcAttr = alone()
	cmd.WaitDelay = stopTime
	s.start(t, cmd)
	var ready struct{ Ready float64 }
	if err := json.Unmarshal(s.read(t, startTime), &ready); err != nil || ready.Ready == 0 {
		t.Fatalf("Milvus does not start: %v\n%s", err, s.log())
	}
	t.Logf("Milvus 2.3.5 is up after %.1f s", ready.Ready)
	return s
}

// alone gives the process a network of its own, in which the driver brings up the loopback, and a group to end it by.
func alone() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

func (s *Server) start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	var err error
	if s.stderr, err = os.Create(filepath.Join(t.TempDir(), "stderr")); err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = s.stderr
	if s.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EACCES) {
		s.stderr.Close()
		t.Skipf("this machine gives Milvus no network namespace of its own (root, or user namespaces, can have one): %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.lines)
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadBytes('\n')
			if err != nil {
				return
			}
			s.lines <- line
		}
	}()
	t.Cleanup(func() {
		s.in.Close() // asks it to stop
		timer := time.AfterFunc(stopTime, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		for range s.lines {
		}
		cmd.Wait()
		timer.Stop()
		s.stderr.Close()
	})
}

func (s *Server) read(t testing.TB, patience time.Duration) []byte {
	t.Helper()
	select {
	case line, ok := <-s.lines:
		if !ok {
			t.Fatalf("Milvus has ended\n%s", s.log())
		}
		return line
	case <-time.After(patience):
		t.Fatalf("Milvus does not answer within %v\n%s", patience, s.log())
	}
	return nil
}

// log returns the end of what the server wrote.
func (s *Server) log() []byte {
	b, _ := os.ReadFile(s.stderr.Name())
	return b[max(0, len(b)-4000):]
}

// Import creates a collection with the schema's user fields, whose ids must be 100, 101, ... in order, imports the
// partitions and returns all of the rows that the server then has.
func (s *Server) Import(t testing.TB, schema *milvus.Schema, partitions ...Partition) (Reply, error) {
	t.Helper()
	request := struct {
		Collection string           `json:"collection"`
		Dynamic    bool             `json:"dynamic"`
		Fields     []map[string]any `json:"fields"`
		Partitions []Partition      `json:"partitions"`
	}{Collection: schema.Name, Dynamic: schema.EnableDynamic, Partitions: partitions}
	for i, f := range schema.UserFields() {
		if f.ID != milvus.FirstUserField+milvus.FieldID(i) {
			t.Fatalf("field %s has id %d, Milvus will give it %d", f.Name, f.ID, int(milvus.FirstUserField)+i)
		}
		if f.Dynamic {
			continue
		}
		request.Fields = append(request.Fields, map[string]any{
			"name": f.Name, "type": f.Type, "primary": f.PrimaryKey, "dim": f.Dim, "max_length": f.MaxLength, "element": f.ElementType, "max_capacity": f.MaxCapacity,
		})
	}
	line, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("%v\n%s", err, s.log())
	}
	dec := json.NewDecoder(bytes.NewReader(s.read(t, replyTime)))
	dec.UseNumber()
	var r Reply
	if err := dec.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("import: %s", r.Error)
	}
	return r, nil
}

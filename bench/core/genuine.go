package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// genuine is a running Milvus 2.3.5, in a network namespace of its own, where nothing else can meet it.
type genuine struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Reader
	errs  *bytes.Buffer
}

// startGenuine returns when it is up: that is not measured.
func startGenuine(ctx context.Context, o *options, dir string) (*genuine, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	g := &genuine{errs: &bytes.Buffer{}}
	g.cmd = exec.CommandContext(ctx, o.milvus, "-W", "ignore", "-B", filepath.Join("bench", "peers", "import_genuine.py"), dir)
	g.cmd.Stderr, g.cmd.WaitDelay = g.errs, 30*time.Second
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		g.cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		g.cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		g.cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	var err error
	if g.in, err = g.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := g.cmd.StdoutPipe()
	if err == nil {
		err = g.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("the genuine Milvus (-milvus '' leaves it out): %w", err)
	}
	g.lines = bufio.NewReader(out)
	var ready struct{ Ready float64 }
	if err := g.read(&ready); err != nil || ready.Ready == 0 {
		g.stop()
		return nil, fmt.Errorf("the genuine Milvus does not start: %w", err)
	}
	fmt.Fprintf(os.Stderr, "Milvus 2.3.5 is up after %.1f s\n", ready.Ready)
	return g, nil
}

func (g *genuine) read(out any) error {
	line, err := g.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, out)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, g.errs.Bytes()[max(0, g.errs.Len()-2000):])
	}
	return nil
}

// stop ends it by closing its standard input, then by force.
func (g *genuine) stop() {
	g.in.Close()
	timer := time.AfterFunc(30*time.Second, func() { _ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	_ = g.cmd.Wait() // it was killed, perhaps
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL)
}

// measure imports the binlogs of a partition until Milvus calls that completed, and compares the rows that it returns.
func (g *genuine) measure(r *Results, folder string, from *filled) error {
	request, err := json.Marshal(map[string]any{"insert": folder, "dim": dim, "rows": from.Rows})
	if err != nil {
		return err
	}
	m := Measurement{Load: load()}
	if _, err := g.in.Write(append(request, '\n')); err != nil {
		return err
	}
	var answer struct {
		Wall   float64 `json:"wall_s"`
		Server float64 `json:"server_s"`
		Error  string  `json:"error"`
		contents
	}
	if err := g.read(&answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return errors.New("import into the genuine Milvus: " + answer.Error)
	}
	if answer.contents != from.contents {
		return fmt.Errorf("the genuine Milvus has %+v, the source %+v", answer.contents, from.contents)
	}
	m.Wall, m.CPU = answer.Wall, answer.Server
	_, bytes, err := size(folder)
	r.add("local", importName, m, float64(bytes)/1e6, rowsUnit)
	return err
}

const importName = "bulk import into the genuine Milvus 2.3.5"

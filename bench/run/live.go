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

const rawName, iteratorName = "raw Query calls, batch 16384", "pymilvus query_iterator, batch 16384"

// liveSection sets exports beside clients of a genuine Milvus 2.3.5 that has imported the same binlogs. The server runs during
// this section only: it is never quite idle.
func liveSection(o options, d *dataset, out string) *section {
	s := &section{id: "live " + d.id(), data: d, out: out, title: "B4 export beside the live query API of a genuine Milvus 2.3.5: " + d.title()}
	m := &liveMilvus{python: o.milvus, data: d.dir}
	query := func(name, how string, most int) *Case {
		c := &Case{Name: name, kind: kindExport, most: most, Command: []string{"bench/peers/milvus_query.py", how, outMark}}
		c.run = func(_ context.Context, out string) (Measurement, error) { return m.run(how, out) }
		return c
	}
	s.cases = []*Case{
		o.export(d, "parquet", 1), o.export(d, "parquet", 2), query(rawName, "raw", 0), query(iteratorName, "iterator", o.slow),
	}
	for _, of := range []measure{ofWall, ofCPU} {
		s.goals = append(s.goals,
			goal{ours: oursName("parquet", 1), beside: rawName, of: of}, goal{ours: oursName("parquet", 2), beside: rawName, of: of, least: 20},
			goal{ours: oursName("parquet", 1), beside: iteratorName, of: of}, goal{ours: oursName("parquet", 2), beside: iteratorName, of: of, least: 150})
	}
	s.start = func(ctx context.Context, s *section) (func(), error) {
		ready, stop, err := m.start(ctx)
		if errors.Is(err, errNoMilvus) {
			fmt.Fprintln(os.Stderr, s.id+": left out:", err)
			s.cases, s.goals, s.text = nil, nil, "Left out: "+err.Error()+"."
			return func() {}, nil
		}
		s.text = fmt.Sprintf("The server was ready after %.1f s, had imported the binlogs after %.1f s and loaded the collection, with an index of type FLAT, after %.1f s; none of that counts. "+
			"CPU seconds are those of client and server together; the server also does what it does when nobody asks. Peak memory is of both. The clients write vectors uncompressed and scalars zstd-1.",
			ready.Ready, ready.Import, ready.Load)
		return stop, err
	}
	return s
}

// liveMilvus is a server with a driver that runs its clients (peers/milvus_live.py), in a network of their own.
type liveMilvus struct {
	python, data string
	in           io.Writer
	out          *bufio.Reader
}

type liveReady struct {
	Ready, Import, Load float64
	Rows                int
	Error               string
}

var errNoMilvus = errors.New("no genuine Milvus here")

// start returns when the collection is loaded.
func (m *liveMilvus) start(ctx context.Context) (ready liveReady, stop func(), err error) {
	if _, err := os.Stat(m.python); err != nil {
		return ready, nil, fmt.Errorf("%w: %w ('make tools-milvus' installs it)", errNoMilvus, err)
	}
	folder, err := os.MkdirTemp("", "snapexport-bench-milvus-")
	if err != nil {
		return ready, nil, err
	}
	cmd := exec.CommandContext(ctx, m.python, "-W", "ignore", "-B", "bench/peers/milvus_live.py", m.data, folder)
	cmd.SysProcAttr = alone()
	var output bytes.Buffer
	cmd.Stderr = &output
	in, err := cmd.StdinPipe()
	if err != nil {
		return ready, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return ready, nil, err
	}
	if err := cmd.Start(); err != nil {
		return ready, nil, errors.Join(fmt.Errorf("%w: no network namespace: %w", errNoMilvus, err), os.RemoveAll(folder))
	}
	m.in, m.out = in, bufio.NewReader(out)
	stop = func() {
		in.Close() // asks it to stop
		timer := time.AfterFunc(30*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		_ = cmd.Wait()
		timer.Stop()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what the driver has started
		os.RemoveAll(folder)
	}
	if err = m.answer(&ready); err == nil && ready.Error != "" {
		err = errors.New(ready.Error)
	}
	if err != nil {
		stop()
		return ready, nil, fmt.Errorf("genuine Milvus: %w\n%s", err, output.Bytes())
	}
	return ready, stop, nil
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

// run has the driver run one client.
func (m *liveMilvus) run(how, out string) (Measurement, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return Measurement{}, err
	}
	line, err := json.Marshal([]string{how, out})
	if err != nil {
		return Measurement{}, err
	}
	begun := load()
	if _, err := m.in.Write(append(line, '\n')); err != nil {
		return Measurement{}, err
	}
	var got struct {
		Measurement
		Error string
	}
	if err := m.answer(&got); err != nil {
		return Measurement{}, err
	}
	if got.Error != "" {
		return Measurement{}, errors.New(got.Error)
	}
	got.Load = begun
	return got.Measurement, nil
}

func (m *liveMilvus) answer(to any) error {
	line, err := m.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, to)
}

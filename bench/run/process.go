package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Measurement is one run of a process and its children.
type Measurement struct {
	Wall   float64 `json:"wall_s"`
	User   float64 `json:"user_s"`
	System float64 `json:"system_s"`
	Peak   int64   `json:"peak_bytes"`         // resident, summed over the processes that run at once
	Output int64   `json:"output_bytes"`       // of the files that it wrote
	Load   float64 `json:"load"`               // of the machine when it began, over a minute
	Server float64 `json:"server_s,omitempty"` // processor time of a server that did a part of the work
}

// CPU returns seconds of processor time, those of a server included.
func (m Measurement) CPU() float64 { return m.User + m.System + m.Server }

// Case is something that is measured.
type Case struct {
	Name     string
	Command  []string // OUT stands for the output
	Measured []Measurement

	kind string // kindExport, if it writes the live rows, or ""
	most int    // rounds, if it shall have fewer than others
	env  []string
	log  string // of the S3 server, if there is one
	note string
	// run does it where the command is not one to be started here.
	run func(ctx context.Context, out string) (Measurement, error)
}

const (
	outMark    = "OUT"
	kindExport = "export"
)

// once runs the case, with nothing at out before, and leaves what it wrote.
func (c *Case) once(ctx context.Context, out string) (Measurement, error) {
	if c.run != nil {
		m, err := c.run(ctx, out)
		if err == nil {
			m.Output, err = size(out)
		}
		return m, err
	}
	args := make([]string, len(c.Command))
	for i, a := range c.Command {
		args[i] = strings.ReplaceAll(a, outMark, out)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	m := Measurement{Load: load()}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return m, err
	}
	ended, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- watch(cmd.Process.Pid, ended) }()
	err := cmd.Wait()
	m.Wall = time.Since(begun).Seconds()
	close(ended)
	m.Peak = <-peak
	if err != nil {
		return m, fmt.Errorf("%s: %w\n%s", c.Name, err, output.Bytes())
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	m.User, m.System = cmd.ProcessState.UserTime().Seconds(), cmd.ProcessState.SystemTime().Seconds()
	m.Peak = max(m.Peak, usage.Maxrss<<10)
	m.Output, err = size(out)
	return m, err
}

// watch returns the largest sum of resident bytes of a process and its children. The system's own record, wait4, is exact
// and knows only the largest process of them.
func watch(pid int, ended <-chan struct{}) (most int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return most
		case <-tick.C:
			if pids := tree(pid); len(pids) > 1 {
				most = max(most, resident(pids))
			}
		}
	}
}

func tree(pid int) []int {
	out := []int{pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // gone: it has ended
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for _, text := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(text); err == nil {
				out = append(out, tree(child)...)
			}
		}
	}
	return out
}

func resident(pids []int) (sum int64) {
	for _, pid := range pids {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if f := strings.Fields(string(b)); len(f) > 1 {
			pages, _ := strconv.ParseInt(f[1], 10, 64)
			sum += pages * int64(os.Getpagesize())
		}
	}
	return sum
}

func load() float64 {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	v, _ := strconv.ParseFloat(first, 64)
	return v
}

// size sums the files below a folder, which need not exist.
func size(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

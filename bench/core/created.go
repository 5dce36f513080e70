package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Created is how long making a snapshot took, in milliseconds.
type Created struct {
	Where    string  `json:"where"` // disk, memory
	Segments int     `json:"segments"`
	Fsync    bool    `json:"fsync"`
	Millis   float64 `json:"ms"`       // the mean of Created of them
	Floor    float64 `json:"floor_ms"` // creating as many files of that size in a plain loop, and syncing them at once with fsync
}

// created measures the making of snapshots with 1 to 10,000 segments by the benchmark that stands beside the code, and that of files.
func created(ctx context.Context, o *options, r *Results, dir string) error {
	if err := independence(ctx, o, r, filepath.Join(dir, "independent")); err != nil {
		return err
	}
	for _, place := range []struct{ name, dir string }{{"disk", dir}, {"memory", o.memory}} {
		if place.dir == "" {
			continue
		}
		temp, err := os.MkdirTemp(place.dir, "created-")
		if err != nil {
			return err
		}
		err = createdIn(ctx, o, r, place.name, temp)
		if err := firstError(err, os.RemoveAll(temp)); err != nil {
			return err
		}
	}
	return nil
}

// line is one of the benchmark's.
var line = regexp.MustCompile(`^BenchmarkCreate/segments=(\d+)/fsync=(true|false)\S*\s+\d+\s+(\d+) ns/op`)

func createdIn(ctx context.Context, o *options, r *Results, place, temp string) error {
	floors := map[string]float64{}
	for _, n := range []int{1, 100, 1000, 10_000} { // before anything is removed there
		for _, sync := range []bool{false, true} {
			ms, err := floor(filepath.Join(temp, fmt.Sprintf("floor-%d-%v", n, sync)), n, sync)
			if err != nil {
				return err
			}
			floors[fmt.Sprint(n, sync)] = ms
		}
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkCreate$", "-benchtime", fmt.Sprint(o.created, "x"), "-timeout", "60m", "./core/snapshot")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, text)
	}
	found := 0
	for l := range strings.Lines(string(text)) {
		f := line.FindStringSubmatch(l)
		if f == nil {
			continue
		}
		found++
		n, _ := strconv.Atoi(f[1])
		ns, _ := strconv.ParseFloat(f[3], 64)
		c := Created{Where: place, Segments: n, Fsync: f[2] == "true", Millis: ns / 1e6, Floor: floors[f[1]+" "+f[2]]}
		fmt.Fprintf(os.Stderr, "create_snapshot of %d segments, %s, fsync %v: %.2f ms (files alone %.2f ms)\n", n, place, c.Fsync, c.Millis, c.Floor)
		r.Created = append(r.Created, c)
	}
	if found == 0 {
		return fmt.Errorf("the benchmark printed no figures\n%s", text)
	}
	return nil
}

// manifestBytes is the size of a manifest of the benchmark's.
const manifestBytes = 2300

// floor creates n files in a new folder, one after the other, and returns the milliseconds.
func floor(dir string, n int, sync bool) (float64, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	body := make([]byte, manifestBytes)
	begun := time.Now()
	for i := range n {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(i, ".avro")), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return 0, err
		}
		_, err = f.Write(body)
		if err := firstError(err, f.Close()); err != nil {
			return 0, err
		}
	}
	if sync {
		d, err := os.Open(dir)
		if err != nil {
			return 0, err
		}
		defer d.Close()
		if err := unix.Syncfs(int(d.Fd())); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(begun).Microseconds()) / 1e3, nil
}

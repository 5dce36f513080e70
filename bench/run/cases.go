package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// exportCases are the ways from binlogs to files.
func exportCases(o options) []*Case {
	dump, files := filepath.Join(o.data, "etcd.json"), filepath.Join(o.data, "files")
	source := "etcd+file:" + dump + "?storage=" + o.data + "#bench"
	var out []*Case
	add := func(name, note string, command ...string) {
		out = append(out, &Case{Name: name, note: note, Command: command})
	}
	for _, format := range []string{"iceberg", "parquet"} {
		for _, workers := range []string{"1", "2"} {
			add("snapexport, "+format+", "+plural(workers), "export", o.binary, "export", source, "--to", outMark, "--format", format, "--workers", workers, "--progress", "none")
		}
	}
	for _, codec := range []string{"zstd", "none"} {
		for _, workers := range []string{"1", "2"} {
			name := "pyarrow script, " + map[string]string{"zstd": "zstd-3", "none": "uncompressed"}[codec] + ", " + plural(workers)
			add(name, "export", o.python, "bench/peers/pyarrow_export.py", o.data, outMark, "--workers", workers, "--codec", codec)
		}
	}
	add("cp -r of the binlogs", "copy", "cp", "-r", files, outMark)
	add("cp -r and fsync of each file", "copy", "sh", "-c", "cp -r '"+files+"' OUT && find OUT -type f -exec sync {} +")
	return out
}

func plural(workers string) string {
	if workers == "1" {
		return "1 worker"
	}
	return workers + " workers"
}

// Comparison tells what rows each export wrote.
type Comparison struct {
	Rows    int      `json:"rows"`
	Hash    string   `json:"hash"` // of the multiset of rows, by pyarrow
	Columns []string `json:"columns"`
}

// compare runs each export once and fails unless all of them wrote the same rows, as many as are live.
func compare(ctx context.Context, o options, cases []*Case, out string, live int) (Comparison, error) {
	var first Comparison
	table := filepath.Join(out, "table")
	for _, c := range cases {
		if c.note != "export" {
			continue
		}
		if _, err := c.once(ctx, table); err != nil {
			return first, err
		}
		text, err := exec.CommandContext(ctx, o.python, "bench/peers/compare.py", table).Output()
		if err != nil {
			return first, fmt.Errorf("compare %s: %w", c.Name, err)
		}
		if err := os.RemoveAll(table); err != nil {
			return first, err
		}
		var got Comparison
		if err := json.Unmarshal(text, &got); err != nil {
			return first, err
		}
		fmt.Fprintf(os.Stderr, "compare: %-42s %d rows, %s\n", c.Name, got.Rows, got.Hash)
		if first.Columns == nil {
			first = got
		}
		if got.Rows != live || got.Hash != first.Hash {
			return first, fmt.Errorf("%s wrote %d rows with hash %s; %d are live, %s wrote %s", c.Name, got.Rows, got.Hash, live, cases[0].Name, first.Hash)
		}
	}
	return first, nil
}

// describeCases are describe over manifests, from a folder and from an S3 server, which stop ends.
func describeCases(ctx context.Context, o options, snapshot, dir string) (out []*Case, stop func(), err error) {
	out = []*Case{{Name: "describe, local files", Command: []string{o.binary, "describe", filepath.Join(o.data, snapshot), "--json"}}}
	if o.gateway == "" {
		return out, func() {}, nil
	}
	bucket, key, _ := strings.Cut(snapshot, "/")
	log := filepath.Join(dir, "access.log")
	endpoint, stop, err := startGateway(ctx, o, dir, log)
	if err != nil {
		return nil, func() {}, err
	}
	out = append(out, &Case{
		Name: "describe, S3 on loopback", Command: []string{o.binary, "describe", "s3://" + bucket + "/" + key, "--json"}, log: log,
		env: []string{"AWS_ENDPOINT_URL=" + endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench-secret"},
	})
	return out, stop, nil
}

// startGateway serves the folders of the data as buckets.
func startGateway(ctx context.Context, o options, dir, log string) (endpoint string, stop func(), err error) {
	if dir, err = filepath.Abs(dir); err == nil { // the server changes its own folder
		log, err = filepath.Abs(log)
	}
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address := l.Addr().String()
	l.Close()
	cmd := exec.CommandContext(ctx, o.gateway, "--port", address, "--quiet", "--keep-alive", "--health", "/healthz", "--access-log", log,
		"--iam-dir", dir, "posix", o.data)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=bench", "ROOT_SECRET_KEY=bench-secret")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended already
		_ = cmd.Wait()
	}
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(20 * time.Millisecond) {
		if r, err := http.Get("http://" + address + "/healthz"); err == nil {
			r.Body.Close()
			return "http://" + address, stop, nil
		}
	}
	stop()
	return "", nil, fmt.Errorf("%s does not answer: %s", o.gateway, output.Bytes())
}

// requests counts what describe asked the server for, per run; a listing is an error.
func requests(cases []*Case, runs int) error {
	for _, c := range cases {
		if c.log == "" {
			continue
		}
		f, err := os.Open(c.log)
		if err != nil {
			return err
		}
		defer f.Close()
		gets, lists := 0, 0
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "log starts"):
			case strings.Contains(line, "LIST") || strings.Contains(line, "ListObjects") || strings.Contains(line, "REST.GET.BUCKET"):
				lists++
			default:
				gets++
			}
		}
		c.note = fmt.Sprintf("%d requests, %d of them LIST", (gets+lists)/runs, lists/runs)
		if lists > 0 {
			return fmt.Errorf("%s lists the bucket: %s", c.Name, c.note)
		}
	}
	return nil
}

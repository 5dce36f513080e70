package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// describeSection is describe over manifests, from a folder and from an S3 server.
func describeSection(o options, d *dataset, out string) *section {
	s := &section{
		id: "describe", data: d, out: out, title: fmt.Sprintf("B1 describe: %d segments with %d files, manifests only", d.Params.Segments, 10*d.Params.Segments),
		text: "Goal: under 3 s and 300 MB from S3 on loopback, no listing.",
	}
	s.cases = []*Case{{Name: "describe, local files", Command: []string{o.binary, "describe", filepath.Join(d.dir, d.Snapshot), "--json"}}}
	if o.gateway == "" {
		return s
	}
	bucket, key, _ := strings.Cut(d.Snapshot, "/")
	c := &Case{Name: "describe, S3 on loopback", Command: []string{o.binary, "describe", "s3://" + bucket + "/" + key, "--json"}, log: filepath.Join(out, "access.log")}
	s.cases = append(s.cases, c)
	s.goals = []goal{{ours: c.Name, of: ofSeconds, most: 3}, {ours: c.Name, of: ofPeak, most: 300}}
	s.start = func(ctx context.Context, _ *section) (func(), error) {
		endpoint, stop, err := startGateway(ctx, o, d.dir, out, c.log)
		c.env = s3Environment(endpoint)
		return stop, err
	}
	s.finish = func(*section) error { return requests(c) }
	return s
}

func s3Environment(endpoint string) []string {
	return []string{"AWS_ENDPOINT_URL=" + endpoint, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench-secret"}
}

// startGateway serves the folders of the data as buckets.
func startGateway(ctx context.Context, o options, data, dir, log string) (endpoint string, stop func(), err error) {
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
		"--iam-dir", dir, "posix", data)
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
func requests(c *Case) error {
	runs := len(c.Measured)
	if runs == 0 {
		return nil
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
	return lines.Err()
}

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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/snapexport/snapexport/client"
)

// server is a running `snapexport serve` with a connection to it.
type server struct {
	api    milvuspb.MilvusServiceClient
	client *client.Client
	conn   *grpc.ClientConn
	cmd    *exec.Cmd
	errs   *bytes.Buffer
}

const maxMessage = 256 << 20

func startServer(ctx context.Context, o *options, data string, env []string, args ...string) (*server, error) {
	s := &server{errs: &bytes.Buffer{}}
	s.cmd = exec.Command(o.binary, append([]string{"serve", "--json", "--data", data, "--address", "127.0.0.1:0", "--metrics", "", "--storage-version", "1", "--log-level", "warn"}, args...)...)
	s.cmd.Env, s.cmd.Stderr = append(os.Environ(), env...), s.errs
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var greeting struct{ Address string }
	if err == nil {
		err = json.Unmarshal(line, &greeting)
	}
	if err == nil {
		s.conn, err = grpc.NewClient(greeting.Address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	}
	if err == nil {
		s.api = milvuspb.NewMilvusServiceClient(s.conn)
		s.client, err = client.New(ctx, client.Config{Address: greeting.Address})
	}
	if err != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		return nil, fmt.Errorf("snapexport serve: %w\n%s", err, s.errs)
	}
	return s, nil
}

// stop ends the server as an init system does.
func (s *server) stop() error {
	s.client.Close()
	s.conn.Close()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("snapexport serve: %w\n%s", err, s.errs)
	}
	return nil
}

// timed measures the wall time of f and the server's processor time meanwhile.
func (s *server) timed(f func() error) (m Measurement, err error) {
	m.Load = load()
	cpu, begun := processorTime(s.cmd.Process.Pid), time.Now()
	err = f()
	m.Wall, m.CPU = time.Since(begun).Seconds(), processorTime(s.cmd.Process.Pid)-cpu
	return m, err
}

// ticks is the kernel's USER_HZ, the same on every Linux that Go runs on.
const ticks = 100

// processorTime returns what a process has used, in seconds.
func processorTime(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / ticks
}

func load() float64 {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	v, _ := strconv.ParseFloat(first, 64)
	return v
}

// startGateway serves the folders below a directory as buckets; env are the settings of its clients.
func startGateway(ctx context.Context, o *options, dir string) (env []string, stop func(), err error) {
	buckets, users := filepath.Join(dir, "buckets"), filepath.Join(dir, "users")
	for _, d := range []string{filepath.Join(buckets, "bench"), users} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, nil, err
		}
	}
	program, err := filepath.Abs(o.gateway)
	if err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	address := l.Addr().String()
	l.Close()
	cmd := exec.CommandContext(ctx, program, "--port", address, "--quiet", "--keep-alive", "--health", "/healthz", "--iam-dir", users, "posix", buckets)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=bench", "ROOT_SECRET_KEY=bench-secret")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended already
		_ = cmd.Wait()
	}
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(20 * time.Millisecond) {
		if r, err := http.Get("http://" + address + "/healthz"); err == nil {
			r.Body.Close()
			return []string{"AWS_ENDPOINT_URL=http://" + address, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench-secret"}, stop, nil
		}
	}
	stop()
	return nil, nil, fmt.Errorf("%s does not answer: %s", o.gateway, output.Bytes())
}

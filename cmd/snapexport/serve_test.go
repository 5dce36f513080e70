//go:build !slim

package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapexport/snapexport/internal/testkit"
)

// served is a running `snapexport serve`.
type served struct {
	greeting
	cmd  *exec.Cmd
	errs *bytes.Buffer
}

// startServer runs the command as a process of its own; it is stopped with the test, if it has not been before.
func startServer(t *testing.T, data string, args ...string) *served {
	t.Helper()
	return startServerIn(t, nil, data, args...)
}

func startServerIn(t *testing.T, env []string, data string, args ...string) *served {
	t.Helper()
	s := &served{errs: &bytes.Buffer{}}
	s.cmd = command(t, env, append([]string{"serve", "--json", "--data", data, "--address", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, args...)...)
	s.cmd.Stderr = s.errs
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill() // this one process; the test has failed already
			_ = s.cmd.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &s.greeting) != nil {
		t.Fatalf("greeting %q: %v\n%s", line, err, s.errs)
	}
	return s
}

// stop ends it as an init system does.
func (s *served) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, s.errs)
	}
}

// TestServeKeepsEverything: what was written, flushed or not, and what was loaded, is there after a stop and a start; so is the
// snapshot, which the exporter reads from the bucket.
func TestServeKeepsEverything(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for _, phase := range []string{"fill", "check"} {
		s := startServer(t, data, "--storage-version", map[string]string{"fill": "2", "check": "3"}[phase])
		if out := testkit.RunPython(t, "testdata/serve.py", phase, "http://"+s.Address); strings.TrimSpace(string(out)) != "ok" {
			t.Errorf("%s: %s", phase, out)
		}
		for path, want := range map[string]string{"/healthz": "OK", "/metrics": "snapexport_collections 1"} {
			if got := get(t, s.Metrics+path); !strings.Contains(got, want) {
				t.Errorf("%s: %s", path, got)
			}
		}
		s.stop(t)
	}
	o := invoke(t, nil, "describe", filepath.Join(data, "bucket")+"#docs/s1", "--json", "--check")
	var report struct {
		Totals struct{ Rows int64 }
	}
	if o.code != 0 || json.Unmarshal([]byte(o.out), &report) != nil || report.Totals.Rows != 10 {
		t.Errorf("%s", o)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("%s: %s %v", url, r.Status, err)
	}
	return string(text)
}

// TestServeAuthorization: pymilvus with the right token, with a wrong one and without, over TLS.
func TestServeAuthorization(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key, password := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "password")
	selfSigned(t, certificate, key)
	if err := os.WriteFile(password, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, filepath.Join(dir, "data"), "--root-password-file", password, "--tls-cert", certificate, "--tls-key", key)
	if !s.Authorization || !s.TLS {
		t.Errorf("%+v", s.greeting)
	}
	if out := testkit.RunPython(t, "testdata/serve.py", "auth", "https://"+s.Address, certificate); strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("%s", out)
	}
	s.stop(t)
	if strings.Contains(s.errs.String(), "s3cret") {
		t.Errorf("the password is in the log: %s", s.errs)
	}
}

func selfSigned(t *testing.T, certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestServeRefuses: flags that are wrong, or that would let anyone in.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	known := filepath.Join(dir, "known")
	if err := os.WriteFile(known, []byte("Milvus"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"would let anyone who reaches it do everything": {"--address", "0.0.0.0:0"},
		"default password would let anyone":             {"--address", ":0", "--auth"},
		"Milvus's default password":                     {"--address", "[::]:0", "--root-password-file", known},
		"--storage-version":                             {"--storage-version", "4"},
		"--gc-grace at least 1m":                        {"--gc-grace", "1s"},
		"--s3-location":                                 {"--s3-location", "elsewhere"},
		"there are auto, copy, reflink and link":        {"--restore-by", "magic"},
		"--restore-by link is for directories":          {"--restore-by", "link", "--bucket", "s3://lake"},
		"go together":                                   {"--tls-cert", known},
		"a bucket alone":                                {"--bucket", "s3://lake/files"},
		"are about a cluster":                           {"--etcd-cacert", known},
		"no certificate (PEM)":                          {"--etcd", "127.0.0.1:1", "--etcd-cacert", known},
		"its key go together":                           {"--etcd", "127.0.0.1:1", "--etcd-key", known},
		"goes with --etcd-user":                         {"--etcd", "127.0.0.1:1", "--etcd-password-file", known},
		"no such file":                                  {"--root-password-file", filepath.Join(dir, "none")},
	} {
		if o := invoke(t, nil, append([]string{"serve", "--data", dir}, args...)...); o.code != exitUsage || !strings.Contains(o.errs, want) {
			t.Errorf("%q: %s", args, o)
		}
	}
	if found, _ := os.ReadDir(dir); len(found) != 1 {
		t.Errorf("something was made: %v", found)
	}
}

// TestSlimBuild: the build for wheels and workers has no server and no etcd server.
func TestSlimBuild(t *testing.T) {
	t.Parallel()
	for tags, want := range map[string]bool{"slim": false, "": true} {
		out, err := exec.Command("go", "list", "-deps", "-tags", tags, ".").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, pkg := range []string{"go.etcd.io/etcd/server/v3/embed", "google.golang.org/grpc/health", "github.com/snapexport/snapexport/core/server"} {
			if got := strings.Contains(string(out), pkg+"\n"); got != want {
				t.Errorf("tags %q: %s is in it: %v", tags, pkg, got)
			}
		}
	}
	if out, err := exec.Command("go", "vet", "-tags", "slim", ".").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

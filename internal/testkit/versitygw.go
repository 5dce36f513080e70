package testkit

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Versitygw is a running S3 server whose buckets are the directories of Root. Region is us-east-1, addressing by path.
type Versitygw struct {
	Endpoint  string // http://127.0.0.1:port
	AccessKey string // of the root user, who may do everything
	SecretKey string
	Root      string // bucket b is Root/b, its object a/b the file Root/b/a/b
	bin       string
}

// User is a pair of keys.
type User struct{ AccessKey, SecretKey string }

// versitygwBinary finds the server: SNAPEXPORT_VERSITYGW, .tools/bin of the module, PATH.
func versitygwBinary(t testing.TB) string {
	t.Helper()
	if bin := os.Getenv("SNAPEXPORT_VERSITYGW"); bin != "" {
		return bin
	}
	bin := filepath.Join(Root(t), ".tools", "bin", "versitygw")
	if _, err := os.Stat(bin); err == nil {
		return bin
	}
	bin, err := exec.LookPath("versitygw")
	if err != nil {
		t.Fatal("versitygw is neither named by SNAPEXPORT_VERSITYGW nor in .tools/bin nor in PATH: run make tools")
	}
	return bin
}

// StartVersitygw starts a server on a free loopback port, over a temporary directory. It ends with the test. Several may run
// at once; one start takes about 0.2 s.
func StartVersitygw(t testing.TB) Versitygw {
	t.Helper()
	return StartVersitygwOver(t, t.TempDir())
}

// StartVersitygwOver is StartVersitygw over an existing directory.
func StartVersitygwOver(t testing.TB, root string) Versitygw {
	t.Helper()
	v := Versitygw{AccessKey: "snapexport-root", SecretKey: "snapexport-root-secret", Root: root, bin: versitygwBinary(t)}
	iam := t.TempDir()
	const attempts = 5
	for range attempts { // another process may take the port in between
		if v.start(t, iam) {
			return v
		}
	}
	t.Fatalf("versitygw did not start in %d attempts", attempts)
	return v
}

func (v *Versitygw) start(t testing.TB, iam string) bool {
	t.Helper()
	address := freePort(t)
	v.Endpoint = "http://" + address
	cmd := exec.Command(v.bin, "--port", address, "--quiet", "--keep-alive", "--health", "/healthz", "--iam-dir", iam, "--iam-cache-disable", "posix", v.Root)
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + v.AccessKey, "ROOT_SECRET_KEY=" + v.SecretKey, "PATH=" + os.Getenv("PATH"), "HOME=" + iam}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatalf("start versitygw: %v", err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	stop := func() {
		_ = cmd.Process.Kill() // by its pid; it may have ended already
		<-exited
	}
	if !v.healthy(exited) {
		stop()
		t.Logf("versitygw on %s: %s", address, output.String())
		return false
	}
	t.Cleanup(stop)
	return true
}

// healthy waits until the server answers; false if it exits or is too slow.
func (v *Versitygw) healthy(exited <-chan struct{}) bool {
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if r, err := client.Get(v.Endpoint + "/healthz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-exited:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// S3 returns a client of the root user, with path-style addressing.
func (v Versitygw) S3() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(v.Endpoint), Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(v.AccessKey, v.SecretKey, ""),
	})
}

// MakeBucket creates a bucket.
func (v Versitygw) MakeBucket(t testing.TB, bucket string) {
	t.Helper()
	if _, err := v.S3().CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatalf("make bucket %s: %v", bucket, err)
	}
}

// AddUser creates a user without any rights.
func (v Versitygw) AddUser(t testing.TB, accessKey string) User {
	t.Helper()
	u := User{AccessKey: accessKey, SecretKey: accessKey + "-secret"}
	cmd := exec.Command(v.bin, "admin", "--access", v.AccessKey, "--secret", v.SecretKey, "--endpoint-url", v.Endpoint,
		"create-user", "--access", u.AccessKey, "--secret", u.SecretKey, "--role", "user")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("add user %s: %v: %s", accessKey, err, out)
	}
	return u
}

// ReadOnlyUser creates a user who may list and read one bucket and nothing else. It replaces the bucket's policy.
func (v Versitygw) ReadOnlyUser(t testing.TB, bucket, accessKey string) User {
	t.Helper()
	u := v.AddUser(t, accessKey)
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[%q]},
		"Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::%s","arn:aws:s3:::%s/*"]}]}`, u.AccessKey, bucket, bucket)
	if _, err := v.S3().PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy}); err != nil {
		t.Fatalf("set the policy of %s: %v", bucket, err)
	}
	return u
}

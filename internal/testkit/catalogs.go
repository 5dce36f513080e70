package testkit

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const serverStart = 2 * time.Minute

// server runs a program until the test ends. It is up once ready says so.
func server(t testing.TB, cmd *exec.Cmd, ready func() bool) {
	t.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its own group
		<-exited
	})
	for deadline := time.Now().Add(serverStart); time.Now().Before(deadline); {
		if ready() {
			return
		}
		select {
		case <-exited:
			t.Fatalf("%s ended: %s", cmd.Path, output.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("%s is not up after %v", cmd.Path, serverStart)
}

func answers(url string) func() bool {
	client := &http.Client{Timeout: 2 * time.Second}
	return func() bool {
		r, err := client.Get(url)
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode < http.StatusInternalServerError
	}
}

// StartPostgres starts a server over an empty database and returns its URI, postgresql://... The programs are those of
// Debian's package postgresql, or in the folder SNAPEXPORT_POSTGRES; the test is skipped where there are none. Postgres does not
// run as root: root's tests run it as the user postgres.
func StartPostgres(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if dir := os.Getenv("SNAPEXPORT_POSTGRES"); dir != "" {
		found = []string{filepath.Join(dir, "initdb")}
	}
	if len(found) == 0 {
		t.Skip("no Postgres: install Debian's package postgresql, or set SNAPEXPORT_POSTGRES to the folder of initdb")
	}
	slices.Sort(found)
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "snapexport-postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var as *syscall.SysProcAttr
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Skipf("Postgres does not run as root, and there is no other user for it: %v", err)
		}
		uid, _ := strconv.Atoi(u.Uid) // the system's own file
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--pgdata", data, "--username", "snapexport", "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	_, port, _ := strings.Cut(freePort(t), ":")
	postgres := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	postgres.Dir = dir
	if as != nil {
		own := *as
		postgres.SysProcAttr = &own
	}
	server(t, postgres, func() bool {
		return exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", port, "-U", "snapexport").Run() == nil
	})
	return "postgresql://snapexport@127.0.0.1:" + port + "/postgres"
}

// StartREST starts Iceberg's own REST catalog over a warehouse directory and returns its URI. The test is skipped where `make tools`
// did not get its jars; Hadoop's, which it reads files by, are those of pyspark.
func StartREST(t testing.TB, warehouse string) string {
	t.Helper()
	tools := filepath.Join(Root(t), ".tools")
	jars := filepath.Join(tools, "jars", "rest-catalog")
	if dir := os.Getenv("SNAPEXPORT_REST_CATALOG"); dir != "" {
		jars = dir
	}
	hadoop, _ := filepath.Glob(filepath.Join(tools, "venv", "lib", "python*", "site-packages", "pyspark", "jars", "hadoop-client-*.jar"))
	if found, _ := filepath.Glob(filepath.Join(jars, "iceberg-open-api-*.jar")); len(found) == 0 || len(hadoop) == 0 {
		t.Skipf("no REST catalog in %s: run 'make tools'", jars)
	}
	address := freePort(t)
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.Command("java", "-Xmx256m", "-cp", strings.Join(append(hadoop, filepath.Join(jars, "*")), ":"), "org.apache.iceberg.rest.RESTCatalogServer")
	// one connection: SQLite's default is a database in memory for each
	cmd.Env = append(os.Environ(), "CATALOG_URI=jdbc:sqlite:"+filepath.Join(t.TempDir(), "rest.db"), "CATALOG_CLIENTS=1", "CATALOG_WAREHOUSE=file://"+warehouse, "CATALOG_IO__IMPL=org.apache.iceberg.hadoop.HadoopFileIO", "CATALOG_REST_PORT="+port)
	server(t, cmd, answers("http://"+address+"/v1/config"))
	return "http://" + address
}

// CatalogPackages returns a folder of Python packages that tests of catalogs need beside those of [Python]: moto, SQLAlchemy. The
// test is skipped where `make tools` did not install them.
func CatalogPackages(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(Root(t), ".tools", "moto")
	if d := os.Getenv("SNAPEXPORT_MOTO"); d != "" {
		dir = d
	}
	if _, err := os.Stat(filepath.Join(dir, "moto")); err != nil {
		t.Skipf("no moto in %s: run 'make tools'", dir)
	}
	return dir
}

// StartMoto starts moto, which stands in for AWS Glue, and returns its endpoint.
func StartMoto(t testing.TB) string {
	t.Helper()
	address := freePort(t)
	_, port, _ := strings.Cut(address, ":")
	cmd := exec.Command(Python(t), "-B", "-m", "moto.server", "--host", "127.0.0.1", "--port", port)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+CatalogPackages(t))
	server(t, cmd, answers("http://"+address+"/moto-api/data.json"))
	return "http://" + address
}

//go:build !slim

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/internal/testkit/etcd"
)

// TestServeSecuredEtcd: the metadata lies in a cluster that demands a certificate and a password, and etcd:// exports from there
// with the same.
func TestServeSecuredEtcd(t *testing.T) {
	t.Parallel()
	e, dir := etcd.StartSecured(t), t.TempDir()
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(e.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	s := startServer(t, data, "--etcd", e.Address, "--etcd-cacert", e.CA, "--etcd-cert", e.Certificate, "--etcd-key", e.Key, "--etcd-user", e.User, "--etcd-password-file", password)
	if out := testkit.RunPython(t, "testdata/serve.py", "fill", "http://"+s.Address); strings.TrimSpace(string(out)) != "ok" {
		t.Fatalf("%s", out)
	}
	source := "etcd://" + e.Address + "/by-dev?storage=" + filepath.Join(data, "bucket") + "&user=" + e.User + "#docs"
	env := []string{"SNAPEXPORT_ETCD_CACERT=" + e.CA, "SNAPEXPORT_ETCD_CERT=" + e.Certificate, "SNAPEXPORT_ETCD_KEY=" + e.Key, "SNAPEXPORT_ETCD_PASSWORD=" + e.Password}
	var result struct {
		Rows int64 `json:"rows_written"`
	}
	succeed(t, env, &result, "export", source, "--to", filepath.Join(dir, "table"))
	if result.Rows != 10 {
		t.Errorf("%d rows", result.Rows)
	}
	if o := invoke(t, env[:3], "describe", source); o.code != exitAuth || strings.Contains(o.errs, e.Password) {
		t.Errorf("without the password: %s", o)
	}
	s.stop(t)
	if strings.Contains(s.errs.String(), e.Password) || strings.Contains(s.errs.String(), "clear text") {
		t.Errorf("%s", s.errs)
	}
}

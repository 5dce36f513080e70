package etcd

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

// Secured is an etcd that demands a certificate of its clients, and a user with a password.
type Secured struct {
	Address              string // host:port
	CA, Certificate, Key string // files: the authority's certificate, the client's and its key
	User, Password       string // who may read and write by-dev/ and nothing else
}

// StartSecured runs a real etcd on loopback for the test that takes encrypted connections only, from clients with a certificate,
// and knows two users: root, and the one that is returned.
func StartSecured(t testing.TB) Secured {
	t.Helper()
	dir := t.TempDir()
	s := Secured{User: "milvus", Password: "hunter2"}
	authority := newAuthority(t)
	s.CA = authority.write(t, dir, "ca")
	s.Certificate, s.Key = authority.issue(t, dir, "client")
	certificate, key := authority.issue(t, dir, "server")
	s.Address = run(t, func(c *embed.Config) {
		c.ClientTLSInfo = transport.TLSInfo{CertFile: certificate, KeyFile: key, TrustedCAFile: s.CA, ClientCertAuth: true}
		c.ListenClientUrls[0].Scheme = "https"
		c.AdvertiseClientUrls[0].Scheme = "https"
	})
	s.enable(t)
	return s
}

// enable makes the users, and has etcd ask for them.
func (s *Secured) enable(t testing.TB) {
	t.Helper()
	config, err := transport.TLSInfo{CertFile: s.Certificate, KeyFile: s.Key, TrustedCAFile: s.CA}.ClientConfig()
	must(t, err)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Address}, DialTimeout: 10 * time.Second, TLS: config})
	must(t, err)
	defer client.Close()
	ctx := context.Background()
	for user, password := range map[string]string{"root": "root", s.User: s.Password} {
		_, err = client.UserAdd(ctx, user, password)
		must(t, err)
		_, err = client.RoleAdd(ctx, user)
		must(t, err)
		_, err = client.UserGrantRole(ctx, user, user)
		must(t, err)
	}
	_, err = client.RoleGrantPermission(ctx, s.User, "by-dev/", clientv3.GetPrefixRangeEnd("by-dev/"), clientv3.PermissionType(clientv3.PermReadWrite))
	must(t, err)
	_, err = client.AuthEnable(ctx)
	must(t, err)
}

// authority issues certificates for loopback.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{certificate, key}
}

func (a *authority) write(t testing.TB, dir, name string) string {
	return writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", a.certificate.Raw)
}

// issue writes a certificate for loopback, of a server or a client, and its key.
func (a *authority) issue(t testing.TB, dir, name string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &private.PublicKey, a.key)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der), writePEM(t, filepath.Join(dir, name+".key"), "PRIVATE KEY", pkcs8)
}

func writePEM(t testing.TB, path, kind string, der []byte) string {
	t.Helper()
	must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

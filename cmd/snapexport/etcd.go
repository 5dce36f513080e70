package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
)

// etcdFiles say how a connection to an etcd is encrypted.
type etcdFiles struct {
	on                   bool   // also without files
	ca, certificate, key string // PEM
}

// etcdFilesOf are those that the environment names, for SOURCEs.
func etcdFilesOf(getenv func(string) string) etcdFiles {
	return etcdFiles{ca: getenv("SNAPEXPORT_ETCD_CACERT"), certificate: getenv("SNAPEXPORT_ETCD_CERT"), key: getenv("SNAPEXPORT_ETCD_KEY")}
}

// config reads the files; nil if nothing asks for encryption.
func (f etcdFiles) config() (*tls.Config, error) {
	if f == (etcdFiles{}) {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New(f.ca + ": no certificate (PEM) is in it")
		}
	}
	if (f.certificate == "") != (f.key == "") {
		return nil, errors.New("a certificate and its key go together")
	}
	if f.certificate == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return nil, err
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

//go:build !slim

package main

import (
	"crypto/tls"

	"github.com/snapexport/snapexport/objstore"
)

// clusterAccess is how the server may enter an etcd cluster.
type clusterAccess struct {
	tls      *tls.Config
	password objstore.Secret
}

// access reads the certificates and the password of --etcd.
func (s *serveSettings) access(a *app) (err error) {
	if len(s.etcd) == 0 {
		if s.etcdTLS != (etcdFiles{}) || s.etcdUser != "" || s.etcdPassword != "" {
			return usage("--etcd-tls, --etcd-cacert, --etcd-cert, --etcd-key, --etcd-user and --etcd-password-file are about a cluster: give --etcd")
		}
		return nil
	}
	if s.cluster.tls, err = s.etcdTLS.config(); err != nil {
		return usage("--etcd-cacert, --etcd-cert, --etcd-key: %w", err)
	}
	switch {
	case s.etcdUser == "" && s.etcdPassword != "":
		return usage("--etcd-password-file goes with --etcd-user")
	case s.etcdUser == "":
		return nil
	}
	password := a.getenv("SNAPEXPORT_ETCD_PASSWORD")
	if s.etcdPassword != "" {
		if password, err = readPassword("--etcd-password-file", s.etcdPassword); err != nil {
			return err
		}
	}
	if s.cluster.tls == nil {
		s.log.Warn("etcd's password crosses the network in clear text: --etcd-tls prevents that")
	}
	s.cluster.password = objstore.Secret(password)
	return nil
}

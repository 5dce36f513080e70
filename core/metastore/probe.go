package metastore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"github.com/snapexport/snapexport/fault"
)

// grumble is how long a server may take to say that it does not like a certificate: of TLS 1.3, after the handshake.
const grumble = 300 * time.Millisecond

// probe connects to the endpoints until one answers. etcd's client would try again and again, and then say that it took too long.
func probe(ctx context.Context, c Config) (err error) {
	for _, endpoint := range c.Endpoints {
		if err = probeOne(ctx, endpoint, c.TLS); err == nil {
			return nil
		}
	}
	return fault.New(errEtcd, op, "%w", err).On(strings.Join(c.Endpoints, ",")).WithHint("is etcd at this address, and does it want certificates?")
}

func probeOne(ctx context.Context, endpoint string, config *tls.Config) error {
	if scheme, address, has := strings.Cut(endpoint, "://"); has {
		endpoint = address
		switch {
		case scheme != "http" && scheme != "https":
			return nil // a socket: etcd's client knows
		case scheme == "https" && config == nil:
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if config == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", endpoint)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", endpoint)
	if err != nil {
		return err
	}
	defer conn.Close()
	brief, done := context.WithTimeout(ctx, grumble)
	defer done()
	until, _ := brief.Deadline()
	if err := conn.SetReadDeadline(until); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

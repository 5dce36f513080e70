package objstore

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/snapexport/snapexport/fault"
)

// errBlocked is the cause of a request that was not sent because of where it would have gone.
var errBlocked = errors.New("address not allowed")

// guard is an HTTP client's idea of where requests may go: https, or http if the operator's endpoint says so; no link-local
// or metadata address unless the endpoint is that address; redirects only within one origin.
type guard struct {
	allowHTTP bool
	address   netip.Addr // the endpoint's, if it is a literal
}

// trust takes the operator's endpoint, "" for AWS, before the first request.
func (g *guard) trust(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return fault.New(ErrFailed, "S3 settings", "endpoint %q is not a URL", printable(endpoint))
	}
	g.allowHTTP = u.Scheme == "http"
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		g.address = a.Unmap().WithZone("")
	}
	return nil
}

func (g *guard) client() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, ControlContext: g.dialing}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    128,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 256 << 10,
	}
	return &http.Client{Transport: guarded{g, t}, CheckRedirect: sameOrigin}
}

// dialing sees the address that a name was resolved to.
func (g *guard) dialing(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil // not an IP socket
	}
	if a := ap.Addr().Unmap().WithZone(""); blocked(a) && a != g.address {
		return errBlocked
	}
	return nil
}

// metadataV6 is the address of the instance metadata service of AWS over IPv6, which is not link-local.
var metadataV6 = netip.MustParseAddr("fd00:ec2::254")

func blocked(a netip.Addr) bool {
	return a.IsLinkLocalUnicast() || a.IsMulticast() || a == metadataV6
}

type guarded struct {
	g    *guard
	next http.RoundTripper
}

func (t guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !t.g.allowHTTP {
		return nil, errBlocked
	}
	return t.next.RoundTrip(r)
}

// sameOrigin follows redirects that keep method, scheme, host and port; others are returned as the answer that they are.
func sameOrigin(r *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL
	kept := r.Response != nil && (r.Response.StatusCode == http.StatusTemporaryRedirect || r.Response.StatusCode == http.StatusPermanentRedirect)
	if !kept || len(via) > 3 || r.URL.Scheme != from.Scheme || r.URL.Host != from.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

// A request has allowance to be answered, and its body as long as it takes at slowest bytes a second.
const (
	allowance = 2 * time.Minute
	slowest   = 64 << 10
	slowCopy  = 4 << 20 // of copies within the server
)

var errSlow = errors.New("the server was too slow")

// watch bounds the time of one request that moves n bytes at no less than rate a second. extend gives a response's body its
// time; stop ends the watch.
func watch(ctx context.Context, n, rate int64) (watched context.Context, extend func(n int64), stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(timeFor(n, rate), func() { cancel(errSlow) })
	return watched, func(n int64) { timer.Reset(timeFor(n, slowest)) }, func() { timer.Stop(); cancel(nil) }
}

func timeFor(n, rate int64) time.Duration {
	return allowance + time.Duration(n/rate)*time.Second
}

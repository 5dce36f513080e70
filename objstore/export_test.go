package objstore

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// SetCopyPart makes server-side copies of more than n bytes go by parts of n bytes.
func SetCopyPart(s Store, n int64) { bare(s).(*s3Store).copyPart = n }

// Pending returns how many uploads are open in a store.
func Pending(ctx context.Context, s Store) (int, error) { return bare(s).(pender).pending(ctx, "") }

// Dialing tells whether a client with the endpoint would connect to an address.
func Dialing(endpoint, address string) error {
	g := &guard{}
	if err := g.trust(endpoint); err != nil {
		return err
	}
	return g.dialing(context.Background(), "tcp", address, nil)
}

// RoundTrip sends a GET through the client of an endpoint.
func RoundTrip(endpoint, url string) error {
	g := &guard{}
	c := g.client()
	if err := g.trust(endpoint); err != nil {
		return err
	}
	r, err := c.Get(url)
	if err == nil {
		r.Body.Close()
	}
	return err
}

// Requests returns the requests for an object that are sent directly, nil if none is, and by the SDK.
func Requests(ctx context.Context, settings Settings, in *s3.GetObjectInput) (direct, sdk *http.Request, err error) {
	srv, err := newServer(ctx, settings.withDefaults(), RetryPolicy{})
	if err != nil {
		return nil, nil, err
	}
	var last sent
	client := s3.New(srv.client.Options(), func(o *s3.Options) { o.HTTPClient = &last })
	d := newDirect(ctx, client.Options(), *in.Bucket)
	if d == nil {
		return nil, nil, nil
	}
	if _, err = d.get(ctx, in); err != nil {
		return nil, nil, err
	}
	direct = last.request
	_, err = client.GetObject(ctx, in)
	return direct, last.request, err
}

// sent keeps the last request and answers with nothing.
type sent struct{ request *http.Request }

func (s *sent) Do(r *http.Request) (*http.Response, error) {
	s.request = r
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

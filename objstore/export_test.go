package objstore

import "context"

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

package client

import (
	"context"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"

	"github.com/snapexport/snapexport/fault"
)

// PinSnapshot keeps a snapshot from being dropped and returns the pin.
func (c *Client) PinSnapshot(ctx context.Context, o *PinSnapshotOption) (int64, error) {
	const op = "pin snapshot"
	of, err := c.locate(ctx, op, o.subject)
	if err != nil {
		return 0, err
	}
	r, err := c.api.PinSnapshotData(c.with(ctx), &milvuspb.PinSnapshotDataRequest{
		Name: of.name, DbName: of.database, CollectionName: of.collection, TtlSeconds: wholeSeconds(o.ttl),
	})
	if err := failed(op, r, err); err != nil {
		return 0, err
	}
	return r.GetPinId(), nil
}

// UnpinSnapshot ends a pin; one that is not there is no error.
func (c *Client) UnpinSnapshot(ctx context.Context, pin int64) error {
	const op = "unpin snapshot"
	s, err := c.api.UnpinSnapshotData(c.with(ctx), &milvuspb.UnpinSnapshotDataRequest{PinId: pin})
	if err != nil {
		return refused(op, err)
	}
	return check(op, s)
}

// Hold is a pin that is renewed until it is released. If the program dies, the server ends it after the time to live.
type Hold struct {
	client  *Client
	option  PinSnapshotOption
	stop    context.CancelFunc
	ended   chan struct{}
	release sync.Once

	mu  sync.Mutex
	pin int64
	err error // why the last renewal failed
}

// Hold pins a snapshot with a time to live of at least two seconds and renews the pin when half of it has passed. The caller
// must call Release.
func (c *Client) Hold(ctx context.Context, o *PinSnapshotOption) (*Hold, error) {
	if o.ttl < 2*time.Second {
		return nil, invalid("pin snapshot", "a time to live of %v is too short to be renewed", o.ttl)
	}
	of, err := c.locate(ctx, "pin snapshot", o.subject)
	if err != nil {
		return nil, err
	}
	h := &Hold{client: c, option: PinSnapshotOption{of, o.ttl}, ended: make(chan struct{})}
	if h.pin, err = c.PinSnapshot(ctx, &h.option); err != nil {
		return nil, err
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	go h.renew(renewing)
	return h, nil
}

// renew replaces the pin again and again: the new one first, so that there is always one.
func (h *Hold) renew(ctx context.Context) {
	defer close(h.ended)
	for sleep(ctx, h.option.ttl/2) == nil {
		next, err := h.client.PinSnapshot(ctx, &h.option)
		h.mu.Lock()
		last := h.pin
		if h.err = err; err == nil {
			h.pin = next
		}
		h.mu.Unlock()
		if err == nil {
			_ = h.client.UnpinSnapshot(ctx, last) // ends by itself
		}
	}
}

// releaseTimeout bounds the call that ends a pin, which must also happen when the context of the work is done.
const releaseTimeout = 10 * time.Second

// Release ends the pin, also when ctx is cancelled; further calls do nothing. Its error says that the snapshot may have been
// without a pin, or that the pin could not be ended and ends by itself.
func (h *Hold) Release(ctx context.Context) (err error) {
	h.release.Do(func() {
		h.stop()
		<-h.ended
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		err = h.client.UnpinSnapshot(ctx, h.pin)
		if h.err != nil {
			err = fault.New(ErrFailed, "pin snapshot", "could not be renewed: %w", h.err)
		}
	})
	return err
}

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

	// of renew; Release reads them after its end
	pin int64
	gap error // why renewals failed until the pin had ended
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

// renewTries is how often a renewal is tried before the pin ends: at the half of its time, and each eighth after it.
const renewTries = 4

// renew replaces the pin again and again: the new one first, so that there is always one. It ends between two calls, as nobody
// would know the pin of a call that was cut off.
func (h *Hold) renew(ctx context.Context) {
	defer close(h.ended)
	retry := h.option.ttl / 8
	for pause, failures := h.option.ttl/2, 0; sleep(ctx, pause) == nil; {
		err := h.replace(ctx, min(retry, releaseTimeout))
		if err == nil {
			pause, failures = h.option.ttl/2, 0
			continue
		}
		if pause, failures = retry, failures+1; failures >= renewTries {
			h.gap = err
		}
	}
}

// replace makes a new pin and ends the last one.
func (h *Hold) replace(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	next, err := h.client.PinSnapshot(ctx, &h.option)
	if err != nil {
		return err
	}
	_ = h.client.UnpinSnapshot(ctx, h.pin) // ends by itself
	h.pin = next
	return nil
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
		if h.gap != nil {
			err = fault.New(ErrFailed, "pin snapshot", "could not be renewed in time: %w", h.gap)
		}
	})
	return err
}

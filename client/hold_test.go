package client

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v3/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v3/milvuspb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	rpc "google.golang.org/grpc/status"
)

// pins is a server that knows pins and nothing else. Calls are numbered from 1; answer may delay or refuse them.
type pins struct {
	milvuspb.UnimplementedMilvusServiceServer
	answer func(ctx context.Context, call int64) error

	mu    sync.Mutex
	calls int64
	held  map[int64]bool
}

func (p *pins) PinSnapshotData(ctx context.Context, _ *milvuspb.PinSnapshotDataRequest) (*milvuspb.PinSnapshotDataResponse, error) {
	p.mu.Lock()
	p.calls++
	call := p.calls
	p.mu.Unlock()
	if err := p.answer(ctx, call); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[call] = true
	return &milvuspb.PinSnapshotDataResponse{Status: &commonpb.Status{}, PinId: call}, nil
}

func (p *pins) UnpinSnapshotData(_ context.Context, r *milvuspb.UnpinSnapshotDataRequest) (*commonpb.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, r.GetPinId())
	return &commonpb.Status{}, nil
}

func (p *pins) count() (calls int64, held int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls, len(p.held)
}

// hold holds a snapshot of a server of its own.
func hold(t *testing.T, ttl time.Duration, answer func(ctx context.Context, call int64) error) (*pins, *Hold) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, s := &pins{answer: answer, held: map[int64]bool{}}, grpc.NewServer()
	milvuspb.RegisterMilvusServiceServer(s, p)
	go s.Serve(l) // ends with Stop
	t.Cleanup(s.Stop)
	c, err := New(t.Context(), Config{Address: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	h, err := c.Hold(t.Context(), NewPinSnapshotOption("s", ttl).WithCollection("c"))
	if err != nil {
		t.Fatal(err)
	}
	return p, h
}

// A renewal that fails is tried again well before the pin's end, and then nothing is wrong.
func TestHoldTriesAgain(t *testing.T) {
	t.Parallel()
	p, h := hold(t, 2*time.Second, func(_ context.Context, call int64) error {
		if call == 2 {
			return rpc.Error(codes.Unavailable, "busy")
		}
		return nil
	})
	time.Sleep(1700 * time.Millisecond)
	if calls, held := p.count(); calls < 3 || held == 0 {
		t.Errorf("%d calls, %d pins shortly before the end of the first", calls, held)
	}
	if err := h.Release(t.Context()); err != nil {
		t.Error(err)
	}
	if _, held := p.count(); held != 0 {
		t.Errorf("%d pins are left", held)
	}
}

// A pin that ended is said, even if a later renewal succeeded.
func TestHoldSaysGaps(t *testing.T) {
	t.Parallel()
	p, h := hold(t, 2*time.Second, func(_ context.Context, call int64) error {
		if call >= 2 && call <= 5 {
			return rpc.Error(codes.Unavailable, "busy")
		}
		return nil
	})
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if calls, _ := p.count(); calls >= 6 {
			break
		}
	}
	time.Sleep(100 * time.Millisecond)
	if err := h.Release(t.Context()); !errors.Is(err, ErrFailed) {
		t.Errorf("%v", err)
	}
}

// A release during a renewal leaves no pin behind and reports no failure.
func TestReleaseDuringRenewal(t *testing.T) {
	t.Parallel()
	renewing := make(chan struct{})
	p, h := hold(t, 2*time.Second, func(_ context.Context, call int64) error {
		if call == 2 {
			close(renewing)
			time.Sleep(200 * time.Millisecond)
		}
		return nil
	})
	<-renewing
	if err := h.Release(t.Context()); err != nil {
		t.Error(err)
	}
	time.Sleep(300 * time.Millisecond)
	if _, held := p.count(); held != 0 {
		t.Errorf("%d pins are left", held)
	}
}

package reader

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/snapexport/snapexport/fault"
)

// DefaultMemory is the budget where none is given, in bytes.
const DefaultMemory = 1 << 30

// Budget bounds the memory of everything that reads and writes at the same time. Safe for concurrent use.
// To be free of deadlocks, a goroutine acquires once, for all that it is going to hold.
type Budget struct {
	sem  *semaphore.Weighted
	left atomic.Int64 // what is not kept for good
}

// NewBudget returns a budget of the given bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{sem: semaphore.NewWeighted(bytes)}
	b.left.Store(bytes)
	return b
}

// Total returns the bytes that can be acquired at all.
func (b *Budget) Total() int64 { return b.left.Load() }

// Acquire waits until n bytes are free. What can never fit is ErrLimit.
func (b *Budget) Acquire(ctx context.Context, n int64) error {
	if left := b.left.Load(); n > left {
		return fault.Limit("reserve memory", "%d bytes are needed at once, %d are left of the budget", n, left).
			WithHint("raise --memory by %d MiB", (n-left)>>20+1)
	}
	return b.sem.Acquire(ctx, n)
}

// Release gives n bytes back.
func (b *Budget) Release(n int64) { b.sem.Release(n) }

// Keep takes n bytes for good. It must come before what is acquired for a while.
func (b *Budget) Keep(ctx context.Context, n int64) error {
	if err := b.Acquire(ctx, n); err != nil {
		return err
	}
	b.left.Add(-n)
	return nil
}

// Hold makes n bytes that the caller has acquired kept for good.
func (b *Budget) Hold(n int64) { b.left.Add(-n) }

// Return gives back n bytes that were kept for good.
func (b *Budget) Return(n int64) {
	b.left.Add(n)
	b.sem.Release(n)
}

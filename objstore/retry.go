package objstore

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/snapexport/snapexport/fault"
)

// RetryPolicy says how often and after what pauses a call is repeated that failed with ErrTransient. The zero policy never
// repeats.
type RetryPolicy struct {
	Attempts int           // in all, the first included; 0 is 1
	Base     time.Duration // the longest first pause; it doubles with every attempt
	Cap      time.Duration // the longest pause; 0 is none
	// Sleep waits or returns the context's error. Without it nothing is repeated. See [Sleep].
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns numbers in [0,1): a pause is between half and all of what the doubling gives. nil is always all.
	Jitter func() float64
	// OnRetry, if not nil, is told of every repetition before its pause: the attempt that failed (from 1) and why.
	OnRetry func(op, key string, attempt int, err error)
}

// DefaultRetry is six attempts with pauses of up to 0.1, 0.2, 0.4, 0.8 and 1.6 seconds.
func DefaultRetry(jitter func() float64) RetryPolicy {
	return RetryPolicy{Attempts: 6, Base: 100 * time.Millisecond, Cap: 10 * time.Second, Sleep: Sleep, Jitter: jitter}
}

// Sleep waits for d or returns ctx's error as soon as it is done.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// again reports whether to repeat after the given failed attempt (from 1), having paused if so.
func (p RetryPolicy) again(ctx context.Context, op, key string, attempt int, err error) bool {
	if attempt >= p.Attempts || p.Sleep == nil || ctx.Err() != nil || !errors.Is(err, ErrTransient) {
		return false
	}
	if p.OnRetry != nil {
		p.OnRetry(op, key, attempt, err)
	}
	return p.Sleep(ctx, p.pause(attempt)) == nil
}

// pause returns the pause after the given attempt (from 1).
func (p RetryPolicy) pause(attempt int) time.Duration {
	d := p.Base
	for i := 1; i < attempt && d < 1<<50; i++ {
		d *= 2
	}
	if p.Cap > 0 {
		d = min(d, p.Cap)
	}
	if p.Jitter != nil {
		d = d/2 + time.Duration(p.Jitter()*float64(d/2))
	}
	return d
}

// interrupted says that a failing call is not repeated because the context is done.
func interrupted(ctx context.Context, op, key string, err error) error {
	if ctx.Err() == nil || !errors.Is(err, ErrTransient) {
		return err
	}
	return fault.New(ctx.Err(), op, "stopped after: %w", err).On(printable(key))
}

// do calls f until it succeeds, fails for good, or the policy gives up; it returns f's last error.
func (p RetryPolicy) do(ctx context.Context, op, key string, f func() error) error {
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil {
			return nil
		}
		if !p.again(ctx, op, key, attempt, err) {
			return interrupted(ctx, op, key, err)
		}
	}
}

// WithRetry returns s with its calls repeated by the policy, except Create (see the package comment), Copy and the writes of
// an Upload: the S3 store repeats the requests that those are made of by itself, and attempts must not multiply.
func WithRetry(s Store, p RetryPolicy) Store { return &retryStore{Store: s, policy: p} }

type retryStore struct {
	Store
	policy RetryPolicy
}

func (r *retryStore) Unwrap() Store { return r.Store }

// List lists again after a failure and leaves out what it has yielded. Progress makes the attempts count from one again.
func (r *retryStore) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return resume(ctx, r.policy, "list", prefix, r.Store.List, func(o Object) string { return o.Key })
}

func (r *retryStore) Dirs(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return resume(ctx, r.policy, "list directories", prefix, r.Store.Dirs, func(s string) string { return s })
}

func resume[T any](ctx context.Context, p RetryPolicy, op, prefix string, list func(context.Context, string) iter.Seq2[T, error], key func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		last, attempt := "", 1
		for {
			var failed error
			for item, err := range list(ctx, prefix) {
				if err != nil {
					failed = err
					break
				}
				if k := key(item); last == "" || k > last {
					last, attempt = k, 1
					if !yield(item, nil) {
						return
					}
				}
			}
			if failed == nil {
				return
			}
			if !p.again(ctx, op, prefix, attempt, failed) {
				var none T
				yield(none, interrupted(ctx, op, prefix, failed))
				return
			}
			attempt++
		}
	}
}

func (r *retryStore) Stat(ctx context.Context, key string) (o Object, err error) {
	err = r.policy.do(ctx, "stat", key, func() error { o, err = r.Store.Stat(ctx, key); return err })
	return o, err
}

func (r *retryStore) ReadAll(ctx context.Context, key string, limit int64) (b []byte, o Object, err error) {
	err = r.policy.do(ctx, "read", key, func() error { b, o, err = r.Store.ReadAll(ctx, key, limit); return err })
	return b, o, err
}

func (r *retryStore) ReadRange(ctx context.Context, key string, off, n int64, etag string) (b []byte, err error) {
	err = r.policy.do(ctx, "read range", key, func() error { b, err = r.Store.ReadRange(ctx, key, off, n, etag); return err })
	return b, err
}

func (r *retryStore) Put(ctx context.Context, key string, body []byte) error {
	return r.policy.do(ctx, "put", key, func() error { return r.Store.Put(ctx, key, body) })
}

func (r *retryStore) Upload(ctx context.Context, key string) (u Upload, err error) {
	err = r.policy.do(ctx, "upload", key, func() error { u, err = r.Store.Upload(ctx, key); return err })
	return u, err
}

func (r *retryStore) Delete(ctx context.Context, keys ...string) error {
	name := ""
	if len(keys) > 0 {
		name = keys[0]
	}
	return r.policy.do(ctx, "delete", name, func() error { return r.Store.Delete(ctx, keys...) })
}

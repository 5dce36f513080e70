// Package faultstore decorates a store with faults, for tests of what must survive them.
//
// A [Rule] has a predicate over calls and an effect. For each call the rules are asked in order; the first whose predicate
// holds takes effect. Predicates compose with [All], [Any] and [Not]; [Nth], [First] and [Every] count, so a rule can strike
// once and then never again.
//
//	s := faultstore.New(inner,
//		faultstore.Rule{When: faultstore.All(faultstore.On(faultstore.Create), faultstore.Nth(1)), Do: faultstore.LoseAnswer(objstore.ErrUnknownOutcome)},
//		faultstore.Rule{When: faultstore.Suffix(".parquet"), Do: faultstore.FlipBit(17)})
package faultstore

import (
	"context"
	"io"
	"iter"
	"sync"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// Op is a kind of call.
type Op string

// The kinds of calls. Write and Commit are those of an Upload; Entry is each object that List yields.
const (
	List, Dirs, Entry         Op = "list", "dirs", "entry"
	Stat, ReadAll, ReadRange  Op = "stat", "read", "read range"
	Put, Create, Delete, Copy Op = "put", "create", "delete", "copy"
	Upload, Write, Commit     Op = "upload", "write", "commit"
)

// Call is what a predicate sees.
type Call struct {
	Op  Op
	Key string // the prefix of listings; the first key of Delete; the target's of Copy
}

// Effect changes a call. Fields that are nil or zero change nothing.
type Effect struct {
	Before func(ctx context.Context, c Call) error // an error keeps the call from being made
	After  func(c Call) error                      // an error replaces the answer of a call that succeeded
	Body   func(c Call, body []byte) ([]byte, error)
	Object func(o objstore.Object) objstore.Object // changes what is said about an object
}

// Rule applies an effect to the calls for which its predicate holds.
type Rule struct {
	When Predicate
	Do   Effect
}

// Store is a store with faults. It does not unwrap: copies read through it.
type Store struct {
	inner objstore.Store
	mu    sync.Mutex
	rules []Rule
	calls map[Op]int
}

var _ objstore.Store = (*Store)(nil)

// New returns inner with faults.
func New(inner objstore.Store, rules ...Rule) *Store {
	return &Store{inner: inner, rules: rules, calls: map[Op]int{}}
}

// Add puts a rule behind those that are there.
func (s *Store) Add(r Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, r)
}

// Calls returns how many calls of a kind there were.
func (s *Store) Calls(op Op) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// effect finds the effect on a call and starts it.
func (s *Store) effect(ctx context.Context, op Op, key string) (Call, Effect, error) {
	c := Call{op, key}
	e := s.find(c)
	if e.Before == nil {
		return c, e, nil
	}
	return c, e, e.Before(ctx, c)
}

func (s *Store) find(c Call) Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[c.Op]++
	for _, r := range s.rules {
		if r.When(c) {
			return r.Do
		}
	}
	return Effect{}
}

func (e Effect) after(c Call, err error) error {
	if err == nil && e.After != nil {
		return e.After(c)
	}
	return err
}

func (e Effect) body(c Call, b []byte, err error) ([]byte, error) {
	if err == nil && e.Body != nil {
		b, err = e.Body(c, append([]byte{}, b...))
	}
	return b, e.after(c, err)
}

func (e Effect) object(o objstore.Object) objstore.Object {
	if e.Object != nil {
		return e.Object(o)
	}
	return o
}

// URI is the inner store's.
func (s *Store) URI() string { return s.inner.URI() }

// List asks the rules about the listing and about each entry; a fault on an entry ends the listing.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		if _, _, err := s.effect(ctx, List, prefix); err != nil {
			yield(objstore.Object{}, err)
			return
		}
		for o, err := range s.inner.List(ctx, prefix) {
			var e Effect
			if err == nil {
				_, e, err = s.effect(ctx, Entry, o.Key)
			}
			if !yield(e.object(o), err) || err != nil {
				return
			}
		}
	}
}

// Dirs asks the rules about the listing.
func (s *Store) Dirs(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if _, _, err := s.effect(ctx, Dirs, prefix); err != nil {
			yield("", err)
			return
		}
		s.inner.Dirs(ctx, prefix)(yield)
	}
}

// Stat applies Before, Object and After.
func (s *Store) Stat(ctx context.Context, key string) (objstore.Object, error) {
	c, e, err := s.effect(ctx, Stat, key)
	if err != nil {
		return objstore.Object{}, err
	}
	o, err := s.inner.Stat(ctx, key)
	return e.object(o), e.after(c, err)
}

// ReadAll applies Before, Body, Object and After.
func (s *Store) ReadAll(ctx context.Context, key string, limit int64) ([]byte, objstore.Object, error) {
	c, e, err := s.effect(ctx, ReadAll, key)
	if err != nil {
		return nil, objstore.Object{}, err
	}
	b, o, err := s.inner.ReadAll(ctx, key, limit)
	b, err = e.body(c, b, err)
	return b, e.object(o), err
}

// ReadRange applies Before, Body and After.
func (s *Store) ReadRange(ctx context.Context, key string, off, n int64, etag string) ([]byte, error) {
	c, e, err := s.effect(ctx, ReadRange, key)
	if err != nil {
		return nil, err
	}
	b, err := s.inner.ReadRange(ctx, key, off, n, etag)
	return e.body(c, b, err)
}

// Put applies Before, Body (to what is written) and After.
func (s *Store) Put(ctx context.Context, key string, body []byte) error {
	return s.write(ctx, Put, key, body, s.inner.Put)
}

// Create applies Before, Body (to what is written) and After.
func (s *Store) Create(ctx context.Context, key string, body []byte) error {
	return s.write(ctx, Create, key, body, s.inner.Create)
}

func (s *Store) write(ctx context.Context, op Op, key string, body []byte, f func(context.Context, string, []byte) error) error {
	c, e, err := s.effect(ctx, op, key)
	if err != nil {
		return err
	}
	if e.Body != nil {
		if body, err = e.Body(c, append([]byte{}, body...)); err != nil {
			return err
		}
	}
	return e.after(c, f(ctx, key, body))
}

// Delete applies Before and After.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	first := ""
	if len(keys) > 0 {
		first = keys[0]
	}
	c, e, err := s.effect(ctx, Delete, first)
	if err != nil {
		return err
	}
	return e.after(c, s.inner.Delete(ctx, keys...))
}

// Copy applies Before, Object and After.
func (s *Store) Copy(ctx context.Context, src objstore.Store, srcKey, dstKey string) (objstore.Object, error) {
	c, e, err := s.effect(ctx, Copy, dstKey)
	if err != nil {
		return objstore.Object{}, err
	}
	o, err := s.inner.Copy(ctx, src, srcKey, dstKey)
	return e.object(o), e.after(c, err)
}

// Upload applies Before and After; its writes and commit are calls of their own.
func (s *Store) Upload(ctx context.Context, key string) (objstore.Upload, error) {
	c, e, err := s.effect(ctx, Upload, key)
	if err != nil {
		return nil, err
	}
	u, err := s.inner.Upload(ctx, key)
	if err := e.after(c, err); err != nil {
		if u != nil {
			_ = u.Abort()
		}
		return nil, err
	}
	return &upload{Upload: u, s: s, ctx: ctx, key: key}, nil
}

type upload struct {
	objstore.Upload
	s   *Store
	ctx context.Context
	key string
}

func (u *upload) Write(p []byte) (int, error) {
	c, e, err := u.s.effect(u.ctx, Write, u.key)
	if err != nil {
		return 0, err
	}
	n, err := u.Upload.Write(p)
	return n, e.after(c, err)
}

func (u *upload) Commit() (objstore.Object, error) {
	c, e, err := u.s.effect(u.ctx, Commit, u.key)
	if err != nil {
		return objstore.Object{}, err
	}
	o, err := u.Upload.Commit()
	return e.object(o), e.after(c, err)
}

// Fail keeps the call from being made. class is one of fault's or objstore's sentinels.
func Fail(class error) Effect {
	return Effect{Before: func(_ context.Context, c Call) error { return injected(class, c) }}
}

// LoseAnswer lets the call happen and then reports a failure.
func LoseAnswer(class error) Effect {
	return Effect{After: func(c Call) error { return injected(class, c) }}
}

func injected(class error, c Call) error {
	return fault.New(class, string(c.Op), "injected fault").On(c.Key)
}

// CutBody ends bodies after n bytes, as a store reports it that checks lengths: ErrTransient, with io.ErrUnexpectedEOF.
func CutBody(n int) Effect {
	return Effect{Body: func(c Call, b []byte) ([]byte, error) {
		if len(b) <= n {
			return b, nil
		}
		return nil, fault.New(objstore.ErrTransient, string(c.Op), "injected: the body ended after %d of %d bytes: %w", n, len(b), io.ErrUnexpectedEOF).On(c.Key)
	}}
}

// Truncate silently hands out (or writes) at most n bytes, as no store should.
func Truncate(n int) Effect {
	return Effect{Body: func(_ Call, b []byte) ([]byte, error) { return b[:min(n, len(b))], nil }}
}

// FlipBit flips the lowest bit of the byte at an offset of the body, counted from its end if negative; bodies too short for
// it stay whole.
func FlipBit(offset int) Effect {
	return Effect{Body: func(_ Call, b []byte) ([]byte, error) {
		at := offset
		if at < 0 {
			at += len(b)
		}
		if 0 <= at && at < len(b) {
			b[at] ^= 1
		}
		return b, nil
	}}
}

// ChangeETag says that objects have another tag than they have, so that later conditional reads meet a changed object.
func ChangeETag(etag string) Effect {
	return Effect{Object: func(o objstore.Object) objstore.Object { o.ETag = etag; return o }}
}

// Block waits until the context is done or the channel is closed.
func Block(until <-chan struct{}) Effect {
	return Effect{Before: func(ctx context.Context, c Call) error {
		select {
		case <-until:
			return nil
		case <-ctx.Done():
			return injected(ctx.Err(), c)
		}
	}}
}

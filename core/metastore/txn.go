package metastore

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	rpc "google.golang.org/grpc/status"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
)

// Bounds of requests (docs/format/etcd.md 10). etcd takes 1.5 MiB with everything around the rows.
const (
	txnOps, txnBytes     = 128, 1400 << 10
	batchOps, batchBytes = 64, 1 << 20
	pageRows             = 5000
)

// errEtcd is the class of what etcd refuses or fails to do.
var errEtcd = errors.New("etcd failed")

func failed(err error) error {
	var e *fault.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	if denied(err) {
		return fault.Auth(op, "%w", err).WithHint("etcd wants a user, a password, or a right that this user does not have")
	}
	return fault.New(errEtcd, op, "%w", err)
}

// denied tells etcd's refusals of a user.
func denied(err error) bool {
	for _, e := range []error{rpctypes.ErrAuthFailed, rpctypes.ErrPermissionDenied, rpctypes.ErrUserEmpty, rpctypes.ErrInvalidAuthToken} {
		if errors.Is(err, e) {
			return true
		}
	}
	code := rpc.Code(err)
	return code == codes.PermissionDenied || code == codes.Unauthenticated
}

// call bounds a request's time. It is not interrupted by the caller's context, whose end would leave its outcome unknown.
func (s *Store) call(ctx context.Context, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return fault.Conflict(op, "the store is closed")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	return failed(f(ctx))
}

// batch collects operations on distinct keys until the first error.
type batch struct {
	ops   []clientv3.Op
	sizes []int
	bytes int
	err   error
}

func (b *batch) add(o clientv3.Op, size int, key string) {
	size += 32 // tags and lengths
	if size > txnBytes && b.err == nil {
		b.err = fault.Limit(op, "a row has %d bytes, more than etcd takes", size).On(key)
	}
	b.ops, b.sizes, b.bytes = append(b.ops, o), append(b.sizes, size), b.bytes+size
}

// put takes what etcdmeta's row functions return.
func (b *batch) put(kv etcdmeta.KV, err error) {
	if b.err == nil {
		b.err = err
	}
	b.add(clientv3.OpPut(kv.Key, string(kv.Value)), len(kv.Key)+len(kv.Value), kv.Key)
}

func (b *batch) putAll(rows []etcdmeta.KV, err error) {
	if b.err == nil {
		b.err = err
	}
	for _, kv := range rows {
		b.put(kv, nil)
	}
}

// remove deletes a key, or everything below one that ends in a slash.
func (b *batch) remove(keys ...string) {
	for _, key := range keys {
		o := clientv3.OpDelete(key)
		if strings.HasSuffix(key, "/") {
			o = clientv3.OpDelete(key, clientv3.WithPrefix())
		}
		b.add(o, 2*len(key), key)
	}
}

// fits tells whether one transaction holds all of it, beside that of others.
func (b *batch) fits(others ...*batch) bool {
	ops, bytes := len(b.ops), b.bytes
	for _, x := range others {
		ops, bytes = ops+len(x.ops), bytes+x.bytes
	}
	return ops <= txnOps && bytes <= txnBytes
}

// commit writes batches in one transaction. point names it: "change:commit" is faulted as "change:before-commit" and
// "change:after-commit". Whatever goes wrong, memory may be behind etcd from then on.
func (s *Store) commit(ctx context.Context, point string, batches ...*batch) error {
	var ops []clientv3.Op
	for _, b := range batches {
		if b.err != nil {
			return b.err
		}
		ops = append(ops, b.ops...)
	}
	err := s.txn(ctx, point, ops)
	if err != nil {
		s.stale.Store(true)
	}
	return err
}

// spread puts a batch in several transactions, in order; a crash may come between any of them.
func (s *Store) spread(ctx context.Context, point string, b *batch) error {
	if b.err != nil {
		return b.err
	}
	for from := 0; from < len(b.ops); {
		if err := ctx.Err(); err != nil {
			s.stale.Store(true)
			return err
		}
		to, bytes := from, 0
		for to < len(b.ops) && to-from < batchOps && (to == from || bytes+b.sizes[to] <= batchBytes) {
			bytes += b.sizes[to]
			to++
		}
		if err := s.txn(ctx, point, b.ops[from:to]); err != nil {
			s.stale.Store(true)
			return err
		}
		from = to
	}
	return nil
}

func (s *Store) txn(ctx context.Context, point string, ops []clientv3.Op) error {
	if len(ops) == 0 {
		return nil
	}
	if err := s.fault(point, "before-"); err != nil {
		return err
	}
	var done *clientv3.TxnResponse
	s.session.writing.RLock()
	err := s.call(ctx, func(ctx context.Context) (err error) {
		done, err = s.client.Txn(ctx).If(s.session.held()).Then(ops...).Commit()
		return err
	})
	s.session.writing.RUnlock()
	if err != nil {
		return fault.Place(err, point)
	}
	if !done.Succeeded {
		s.lose()
		return fault.Conflict(op, "this server's session has ended: another one may have taken over").On(s.session.key)
	}
	return s.fault(point, "after-")
}

func (s *Store) fault(point, when string) error {
	if s.config.Fault == nil {
		return nil
	}
	action, step, _ := strings.Cut(point, ":")
	return s.config.Fault(action + ":" + when + step)
}

// scan yields the rows below prefixes at one revision, page by page.
func (s *Store) scan(ctx context.Context, prefixes ...string) iter.Seq2[etcdmeta.KV, error] {
	return func(yield func(etcdmeta.KV, error) bool) {
		var revision int64
		for _, prefix := range prefixes {
			for from, more := prefix, true; more; {
				page, err := s.page(ctx, from, clientv3.GetPrefixRangeEnd(prefix), revision)
				if err != nil {
					yield(etcdmeta.KV{}, err)
					return
				}
				for _, kv := range page.Kvs {
					if !yield(etcdmeta.KV{Key: string(kv.Key), Value: kv.Value}, nil) {
						return
					}
				}
				revision = page.Header.Revision
				if more = page.More && len(page.Kvs) > 0; more {
					from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
				}
			}
		}
	}
}

// page reads at the revision; 0 is the newest one. The answer's header has it.
func (s *Store) page(ctx context.Context, from, end string, revision int64) (page *clientv3.GetResponse, err error) {
	opts := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(pageRows), clientv3.WithSort(clientv3.SortByKey, clientv3.SortAscend)}
	if revision != 0 {
		opts = append(opts, clientv3.WithRev(revision))
	}
	err = s.call(ctx, func(ctx context.Context) (err error) {
		page, err = s.client.Get(ctx, from, slices.Clone(opts)...)
		return err
	})
	if err == nil && revision != 0 {
		page.Header.Revision = revision
	}
	return page, err
}

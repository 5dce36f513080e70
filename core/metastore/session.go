package metastore

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/snapexport/snapexport/fault"
)

const (
	sessionSeconds = 10 // after which a session that nobody renews ends
	sessionName    = "snapexport"
	sessionPoll    = 300 * time.Millisecond
	healPause      = 2 * time.Second
)

// session is this server's key below session/, held by a lease. Every transaction compares the revision at which the key was
// written, so that a server whose session ended unnoticed writes nothing. Whenever the outcome of a transaction is not known the
// key is written anew, so that one which is still under way comes to nothing.
type session struct {
	store    *Store
	key      string
	lease    clientv3.LeaseID
	revision atomic.Int64
	writing  sync.RWMutex // shared by transactions; held alone while the key is written
	stop     context.CancelFunc
	alive    sync.WaitGroup
}

// enter takes the session. One that a crashed server left in a cluster is waited for; any other one is fault.ErrConflict.
func (s *Store) enter(ctx context.Context) (*session, error) {
	x := &session{store: s, key: s.keys.Sessions() + sessionName}
	if s.server != nil { // the directory is ours alone, so this is what a crash left
		if err := s.call(ctx, func(ctx context.Context) error {
			_, err := s.client.Delete(ctx, x.key)
			return err
		}); err != nil {
			return nil, err
		}
	}
	if err := x.free(ctx); err != nil {
		return nil, err
	}
	return x, x.take(ctx)
}

// free makes sure that nobody has a session. A lease that is not renewed for a while belongs to nobody.
func (x *session) free(ctx context.Context) error {
	for last := int64(sessionSeconds + 1); ; {
		var found *clientv3.GetResponse
		if err := x.store.call(ctx, func(ctx context.Context) (err error) {
			found, err = x.store.client.Get(ctx, x.store.keys.Sessions(), clientv3.WithPrefix(), clientv3.WithLimit(10))
			return err
		}); err != nil {
			return err
		}
		if len(found.Kvs) == 0 {
			return nil
		}
		kv := found.Kvs[0]
		left, err := x.left(ctx, clientv3.LeaseID(kv.Lease))
		if err != nil {
			return err
		}
		if string(kv.Key) != x.key || left > last || left == 0 {
			return fault.Conflict(op, "a server is using the metadata: its session lives").On(string(kv.Key)).
				WithHint("stop it first; after a crash its session ends by itself within seconds")
		}
		last = left
		if err := sleep(ctx, sessionPoll); err != nil {
			return err
		}
	}
}

// left returns the seconds after which a lease ends; 0 for none.
func (x *session) left(ctx context.Context, id clientv3.LeaseID) (int64, error) {
	if id == 0 {
		return 0, nil
	}
	var reply *clientv3.LeaseTimeToLiveResponse
	err := x.store.call(ctx, func(ctx context.Context) (err error) {
		reply, err = x.store.client.TimeToLive(ctx, id)
		return err
	})
	if err != nil {
		return 0, err
	}
	return max(reply.TTL, 1), nil // an ended one is gone at the next look
}

// take creates the key, and keeps its lease alive until leave.
func (x *session) take(ctx context.Context) error {
	client := x.store.client
	var done *clientv3.TxnResponse
	err := x.store.call(ctx, func(ctx context.Context) error {
		lease, err := client.Grant(ctx, sessionSeconds)
		if err != nil {
			return err
		}
		x.lease = lease.ID
		done, err = client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(x.key), "=", 0)).
			Then(clientv3.OpPut(x.key, sessionName, clientv3.WithLease(lease.ID))).Commit()
		return err
	})
	if err != nil {
		return err
	}
	if !done.Succeeded {
		return fault.Conflict(op, "another server took the metadata at the same time").On(x.key)
	}
	x.revision.Store(done.Header.Revision)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	beats, err := client.KeepAlive(background, x.lease)
	x.stop = stop
	if err != nil {
		stop()
		return failed(err)
	}
	x.alive.Go(func() {
		for range beats { // the channel ends with the lease
		}
		if background.Err() == nil {
			x.store.lose()
		}
	})
	return nil
}

// held is the condition of every transaction.
func (x *session) held() clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(x.key), "=", x.revision.Load())
}

// renew writes the key anew, or takes the session again if it ended and nobody else has it.
func (x *session) renew(ctx context.Context) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	var done *clientv3.TxnResponse
	if err := x.store.call(ctx, func(ctx context.Context) (err error) {
		done, err = x.store.client.Txn(ctx).If(x.held()).Then(clientv3.OpPut(x.key, sessionName, clientv3.WithLease(x.lease))).Commit()
		return err
	}); err != nil {
		return err
	}
	if done.Succeeded {
		x.revision.Store(done.Header.Revision)
		return nil
	}
	x.end()
	if err := x.free(ctx); err != nil {
		return err
	}
	return x.take(ctx)
}

func (x *session) end() {
	if x.stop != nil {
		x.stop()
	}
	x.alive.Wait()
}

// leave removes the key.
func (x *session) leave() {
	if x == nil {
		return
	}
	x.end()
	_ = x.store.call(context.Background(), func(ctx context.Context) error { // it ends by itself, too
		_, err := x.store.client.Revoke(ctx, x.lease)
		return err
	})
}

// lose notes that the session has ended.
func (s *Store) lose() {
	s.stale.Store(true)
	select {
	case s.lost <- struct{}{}:
	default: // noted already
	}
}

// heal takes the session again when it was lost, for those who only need timestamps and ids.
func (s *Store) heal(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.lost:
		}
		s.config.Log.Warn("the session has ended; taking it again")
		for s.Refresh(ctx) != nil {
			if sleep(ctx, healPause) != nil {
				return
			}
		}
	}
}

// sleep waits for d, or for the context's end.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

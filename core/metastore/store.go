package metastore

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/objstore"
)

const op = "keep metadata"

// Config says where the metadata is: Dir or Endpoints, which go first. Below Root there must be nothing yet, or what a Store
// began: the metadata of a Milvus is never taken over.
type Config struct {
	Dir       string                   // of the embedded etcd's data; made if absent
	Endpoints []string                 // of a cluster: host:port
	TLS       *tls.Config              // cluster: how connections are encrypted; nil: they are not
	User      string                   // cluster: "" is nobody
	Password  objstore.Secret          // of User
	Listen    string                   // embedded: host:port on which other programs may read; "" is none
	Root      string                   // of the keys; "" is etcdmeta.DefaultRoot
	Storage   string                   // root path of the files in the object storage ("files")
	NoFsync   bool                     // embedded: a crash of the machine may lose changes
	Now       func() time.Time         // the clock
	Log       *slog.Logger             // nil: silent
	Fault     func(point string) error // for crash tests, around each transaction: "change:before-commit"; nil: none
}

// Store is the metadata. Its methods may be called from several goroutines.
type Store struct {
	config  Config
	keys    etcdmeta.Keys
	server  *embedded // nil: a cluster's
	client  *clientv3.Client
	session *session
	marks   allocator
	id      string // of the metadata

	write  sync.Mutex  // held by the one mutation
	stale  atomic.Bool // etcd may hold what memory does not
	closed atomic.Bool
	lost   chan struct{} // the session has ended
	stop   context.CancelFunc
	healer sync.WaitGroup

	mu   sync.RWMutex
	view *view
}

// Open starts or connects to etcd, takes the session, recovers and loads everything. The error is fault.ErrConflict where
// another server is using the metadata, fault.ErrUnsupported where something else began it.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Root == "" {
		c.Root = etcdmeta.DefaultRoot
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil || c.Dir == "" && len(c.Endpoints) == 0 {
		return nil, fault.Unsupported(op, "a clock is needed, and a directory or endpoints")
	}
	s := &Store{config: c, keys: etcdmeta.Keys{Root: c.Root}, view: newView(), lost: make(chan struct{}, 1)}
	s.marks.lastMark, s.marks.idMark = -1, -1
	if err := s.start(ctx); err != nil {
		_ = s.Close() // the error that matters is the first
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.healer.Go(func() { s.heal(background) })
	return s, nil
}

func (s *Store) start(ctx context.Context) (err error) {
	if err := s.connect(ctx); err != nil {
		return err
	}
	if s.session, err = s.enter(ctx); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	return s.load(ctx, true)
}

// connect starts the embedded etcd, or dials.
func (s *Store) connect(ctx context.Context) (err error) {
	if len(s.config.Endpoints) > 0 {
		s.client, err = dial(ctx, s.config)
		return err
	}
	if s.server, err = startEmbedded(ctx, s.config); err == nil {
		s.client = s.server.client()
	}
	return err
}

// Address returns host:port of the embedded etcd, "" if it does not listen.
func (s *Store) Address() string {
	if s.server == nil {
		return ""
	}
	return s.server.address()
}

// ID names this metadata for ever: when it was begun, in Unix nanoseconds.
func (s *Store) ID() string { return s.id }

// Close ends the session and the embedded etcd. Mutations that are under way are waited for.
func (s *Store) Close() error {
	if s.stop != nil {
		s.stop()
		s.healer.Wait()
	}
	for _, l := range []sync.Locker{&s.write, &s.marks.mu, &s.marks.ids} {
		l.Lock()
		defer l.Unlock()
	}
	if s.closed.Load() {
		return nil
	}
	s.session.leave()
	s.closed.Store(true)
	var err error
	if s.client != nil {
		err = s.client.Close()
	}
	if errors.Is(err, context.Canceled) { // how a client without connections says that it is closed
		err = nil
	}
	s.server.close()
	return failed(err)
}

// mutate runs the one mutation of the moment. If memory may be behind etcd, everything is read again first.
func (s *Store) mutate(ctx context.Context, f func(context.Context) error) error {
	s.write.Lock()
	defer s.write.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.stale.Load() {
		if err := s.reload(ctx); err != nil {
			return err
		}
	}
	return f(ctx)
}

// Refresh reads everything again if memory may be behind etcd, as after a change whose outcome is not known. Who removes what
// memory does not show calls it before.
func (s *Store) Refresh(ctx context.Context) error {
	return s.mutate(ctx, func(context.Context) error { return nil })
}

// reload takes the session again if it ended, and reads everything.
func (s *Store) reload(ctx context.Context) error {
	if err := s.session.renew(ctx); err != nil {
		return err
	}
	if err := s.load(ctx, false); err != nil {
		return err
	}
	s.stale.Store(false)
	s.config.Log.Info("metadata was read again")
	return nil
}

// see runs f on the view; f must not keep or change it.
func (s *Store) see(f func(*view)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f(s.view)
}

// show changes the view: readers see all of it at once.
func (s *Store) show(f func(*view)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.view)
}

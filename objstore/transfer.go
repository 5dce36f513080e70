package objstore

import (
	"context"
	"errors"
	"maps"
	"os"
	"path"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Transfer writes many objects to one store, which are durable together: a disk that is asked once is much faster than one
// that is asked for every file. Its methods may be called by several goroutines at once.
type Transfer struct {
	dst Store
	how copying
}

// NewTransfer starts a transfer, which ends with Close. Without sync, files of local directories may be lost when the machine
// stops.
func NewTransfer(dst Store, means Means, sync bool) (*Transfer, error) {
	t := &Transfer{dst: dst, how: copying{means: means, later: &settling{}}}
	l, is := bare(dst).(*local)
	if !is || !sync {
		return t, nil
	}
	var err error
	t.how.later, err = l.settling()
	return t, err
}

// Copy is [CopyChecked] by the means of the transfer. What shares its blocks or its file with the source needs no comparison.
// The copy is durable after [Transfer.Flush].
func (t *Transfer) Copy(ctx context.Context, src Store, srcKey, dstKey string) (Object, error) {
	return copyChecked(ctx, t.dst, src, srcKey, dstKey, t.how)
}

// PutAll is [PutAll]. The objects are durable after [Transfer.Flush].
func (t *Transfer) PutAll(ctx context.Context, bodies []Body, b Batch) error {
	b.later, b.NoFsync = t.how.later, t.how.later.store == nil
	return PutAll(ctx, t.dst, bodies, b)
}

// Flush makes everything durable that was written since the last Flush.
func (t *Transfer) Flush(ctx context.Context) error { return t.how.later.settle(ctx) }

// Close ends the transfer. What was not flushed may get lost when the machine stops.
func (t *Transfer) Close() error { return t.how.later.close() }

// wholeFrom is from how many files on the whole file system is synced, where one call does that: it waits for what others
// have written, too, but only once.
const wholeFrom = 64

// settling makes files durable that were written without waiting for the disk. The zero value lets them be lost.
type settling struct {
	store *local
	root  *os.File // opened before the first file is written: it knows of every error since

	mu    sync.Mutex
	files []string // at most wholeFrom where the whole file system can be synced
	count int
	dirs  map[string]bool // with new names in them
}

func (l *local) settling() (*settling, error) {
	root, err := l.open(true)
	if err != nil {
		return nil, l.fail("sync", "", err)
	}
	f, err := root.Open(".")
	if err != nil {
		return nil, l.fail("sync", "", err)
	}
	return &settling{store: l, root: f, dirs: map[string]bool{}}, nil
}

func (s *settling) close() error {
	if s.store == nil {
		return nil
	}
	return s.root.Close()
}

// file is told of a file that has its name.
func (s *settling) file(key string) {
	if s.store == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs[path.Dir(key)] = true
	if s.count++; !wholeSync || len(s.files) < wholeFrom {
		s.files = append(s.files, key)
	}
}

// start has the disk begin with a file, if anybody will wait for it.
func (s *settling) start(f *os.File) {
	if s.store != nil {
		startWriting(f)
	}
}

// dir is told of a directory with a new one in it.
func (s *settling) dir(name string) {
	if s.store == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs[name] = true
}

func (s *settling) settle(ctx context.Context) error {
	if s.store == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := ctx.Err()
	switch {
	case err != nil || len(s.dirs) == 0:
	case wholeSync && s.count >= wholeFrom:
		err = syncWhole(s.root)
	default:
		err = s.each(ctx)
	}
	if err != nil {
		return s.store.fail("sync", "", err)
	}
	clear(s.dirs)
	s.files, s.count = nil, 0
	return nil
}

// each syncs the files, many at once, as file systems commit the waiting ones together; then the directories.
func (s *settling) each(ctx context.Context) error {
	root, err := s.store.open(false)
	if err != nil {
		return err
	}
	if err := syncAll(ctx, root, s.files); err != nil {
		return err
	}
	return syncAll(ctx, root, slices.Sorted(maps.Keys(s.dirs)))
}

// syncWorkers is how many files are synced at once: file systems commit the waiting ones together.
const syncWorkers = 16

func syncAll(ctx context.Context, root *os.Root, names []string) error {
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(syncWorkers)
	for _, name := range names {
		g.Go(func() error {
			if err := each.Err(); err != nil {
				return err
			}
			err := syncOne(root, name)
			if errors.Is(err, os.ErrNotExist) {
				return nil // whoever removed it does not want it
			}
			return err
		})
	}
	return g.Wait()
}

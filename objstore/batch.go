package objstore

import (
	"context"
	"os"
	"path"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Body is an object to write.
type Body struct {
	Key   string
	Bytes []byte
}

// Batch says how [PutAll] writes.
type Batch struct {
	Workers int // objects written at once to buckets; 0 is 16
	// NoFsync lets files of local directories be lost when the machine stops. Buckets keep what they accepted.
	NoFsync bool
}

// batchWriter is a store that writes many objects with less work than one after the other.
type batchWriter interface {
	putAll(ctx context.Context, bodies []Body, b Batch) error
}

// PutAll writes objects as Put does, many at once. All of them are durable when it returns without an error; after an error
// any of them may have been written.
func PutAll(ctx context.Context, s Store, bodies []Body, b Batch) error {
	if w, ok := s.(batchWriter); ok {
		return w.putAll(ctx, bodies, b)
	}
	if b.Workers <= 0 {
		b.Workers = 16
	}
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(b.Workers)
	for _, body := range bodies {
		if each.Err() != nil {
			break
		}
		g.Go(func() error { return s.Put(each, body.Key, body.Bytes) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func (s *metricStore) putAll(ctx context.Context, bodies []Body, b Batch) error {
	if _, batched := s.Store.(batchWriter); !batched {
		return PutAll(ctx, putOnly{s}, bodies, b) // one by one, each counted
	}
	err := PutAll(ctx, s.Store, bodies, b)
	for _, body := range bodies {
		s.m.count(kindPut, 0, len(body.Bytes), nil)
	}
	s.m.failed(err)
	return err
}

// putOnly hides that a store could write batches.
type putOnly struct{ Store }

// syncWorkers is how many files are synced at once: file systems commit the waiting ones together.
const syncWorkers = 16

// putAll writes each folder's files by its own handle, so that their common path is walked once.
func (l *local) putAll(ctx context.Context, bodies []Body, b Batch) error {
	const op = "put"
	byDir := map[string][]Body{}
	for _, body := range bodies {
		if err := checkLocalKey(body.Key); err != nil {
			return l.fail(op, body.Key, err)
		}
		dir := path.Dir(body.Key)
		byDir[dir] = append(byDir[dir], body)
	}
	root, err := l.open(true)
	if err != nil {
		return l.fail(op, "", err)
	}
	for dir, files := range byDir {
		if err := l.putDir(ctx, root, dir, files, b); err != nil {
			return err
		}
	}
	return nil
}

func (l *local) putDir(ctx context.Context, root *os.Root, dir string, files []Body, b Batch) error {
	const op = "put"
	if err := makeDirs(root, dir, !b.NoFsync); err != nil {
		return l.fail(op, dir, err)
	}
	at, err := root.OpenRoot(dir)
	if err != nil {
		return l.fail(op, dir, err)
	}
	defer at.Close()
	workers := syncWorkers
	if b.NoFsync {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	g, each := errgroup.WithContext(ctx)
	for range min(workers, len(files)) {
		g.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				err := each.Err()
				if err == nil {
					err = l.putIn(at, files[i], !b.NoFsync)
				}
				if err != nil {
					return l.fail(op, files[i].Key, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if b.NoFsync {
		return nil
	}
	if err := syncDir(at, "."); err != nil {
		return l.fail(op, dir, err)
	}
	return nil
}

// putIn writes one file of a folder: a temporary one is renamed, as readers must never see half of it.
func (l *local) putIn(dir *os.Root, body Body, sync bool) error {
	temp := l.temp.next()
	f, err := dir.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	for os.IsExist(err) { // of a dead process
		temp = l.temp.next()
		f, err = dir.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(body.Bytes)
	if err == nil && sync {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = dir.Rename(temp, path.Base(body.Key))
	}
	if err != nil {
		_ = dir.Remove(temp) // the first error tells more
	}
	return err
}

// DeletePrefix removes every object whose key starts with prefix and returns how many there were.
func DeletePrefix(ctx context.Context, s Store, prefix string) (n int, err error) {
	var keys []string
	for o, err := range s.List(ctx, prefix) {
		if err != nil {
			return n, err
		}
		if keys = append(keys, o.Key); len(keys) == deleteBatch {
			if err := s.Delete(ctx, keys...); err != nil {
				return n, err
			}
			n += len(keys)
			keys = nil
		}
	}
	if len(keys) == 0 {
		return n, nil
	}
	return n + len(keys), s.Delete(ctx, keys...)
}

// deleteBatch bounds the keys that DeletePrefix holds.
const deleteBatch = 1000

package objstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"

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
	// Fresh says that nobody looks for the objects before PutAll has returned nil. Local files then have their names while they
	// are written, which takes half the time.
	Fresh bool

	later *settling // of a transfer; nil: PutAll settles
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
	own := b.later == nil
	if own {
		b.later = &settling{}
		if !b.NoFsync {
			if b.later, err = l.settling(); err != nil {
				return err
			}
			defer b.later.close()
		}
	}
	for dir, files := range byDir {
		if err := l.putDir(ctx, root, dir, files, b); err != nil {
			return err
		}
	}
	if !own {
		return nil
	}
	return b.later.settle(ctx)
}

// putDir writes the files of one folder, one after the other: only one at a time can be added to it.
func (l *local) putDir(ctx context.Context, root *os.Root, dir string, files []Body, b Batch) error {
	const op = "put"
	if err := makeDirs(root, dir, b.later); err != nil {
		return l.fail(op, dir, err)
	}
	at, err := root.OpenRoot(dir)
	if err != nil {
		return l.fail(op, dir, err)
	}
	defer at.Close()
	for _, f := range files {
		err := ctx.Err()
		if err == nil && b.Fresh {
			err = writeNew(at, path.Base(f.Key), f.Bytes, false)
		}
		if err == nil && !b.Fresh || errors.Is(err, fs.ErrExist) {
			err = l.putIn(at, f, !b.NoFsync)
		}
		if err != nil {
			return l.fail(op, f.Key, err)
		}
		b.later.file(f.Key)
	}
	return nil
}

// writeNew writes a file that is not there yet.
func writeNew(dir *os.Root, name string, body []byte, sync bool) error {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// putIn writes one file of a folder: a temporary one is renamed, as readers must never see half of it.
func (l *local) putIn(dir *os.Root, body Body, sync bool) error {
	temp := l.temp.next()
	err := writeNew(dir, temp, body.Bytes, sync)
	for errors.Is(err, fs.ErrExist) { // of a dead process
		temp = l.temp.next()
		err = writeNew(dir, temp, body.Bytes, sync)
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

package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/snapexport/snapexport/fault"
)

const (
	fileMode = 0o644
	dirMode  = 0o755

	tempPrefix, tempSuffix = ".snapexport-", ".tmp"
)

// tempNames gives out names of temporary files. They are opened exclusively, so a name left by a dead process is passed over.
type tempNames struct{ last atomic.Int64 }

func (t *tempNames) next() string {
	return fmt.Sprintf("%s%d-%d%s", tempPrefix, os.Getpid(), t.last.Add(1), tempSuffix)
}

func isTemp(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

// draft is a temporary file beside the file that it is to become.
type draft struct {
	store *local
	root  *os.Root
	ctx   context.Context
	op    string
	key   string
	temp  string
	f     *os.File
	done  bool

	later *settling // makes it durable; nil: Commit does
}

func (l *local) draft(ctx context.Context, op, key string, later *settling) (*draft, error) {
	err := checkLocalKey(key)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, l.fail(op, key, err)
	}
	root, err := l.open(true)
	if err != nil {
		return nil, l.fail(op, key, err)
	}
	d := &draft{store: l, root: root, ctx: ctx, op: op, key: key, later: later}
	if err := makeDirs(root, path.Dir(key), later); err != nil {
		return nil, d.fail(err)
	}
	for {
		d.temp = path.Join(path.Dir(key), l.temp.next())
		d.f, err = root.OpenFile(d.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return nil, d.fail(err)
	}
	return d, nil
}

// fail adds the cases that only writers meet: something else where a file or directory should be.
func (d *draft) fail(err error) error {
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR) {
		return fault.Conflict(d.op, "a file or directory is in the way: %w", err).On(d.store.name(d.key))
	}
	return d.store.fail(d.op, d.key, err)
}

// makeDirs makes a directory and its parents; each new one is synced into its parent, now or later.
func makeDirs(root *os.Root, dir string, later *settling) error {
	if dir == "." {
		return nil
	}
	if info, err := root.Stat(dir); err == nil {
		if !info.IsDir() {
			return syscall.ENOTDIR
		}
		return nil
	}
	if err := makeDirs(root, path.Dir(dir), later); err != nil {
		return err
	}
	if err := root.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if later != nil {
		later.dir(path.Dir(dir))
		return nil
	}
	return syncDir(root, path.Dir(dir))
}

func syncDir(root *os.Root, dir string) error { return syncOne(root, dir) }

// syncOne syncs a file or directory.
func syncOne(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems can't sync directories
		return err
	}
	return nil
}

// Write appends to the temporary file.
func (d *draft) Write(p []byte) (int, error) {
	if d.done {
		return 0, fault.New(ErrFailed, d.op, "written to after Commit or Abort").On(d.store.name(d.key))
	}
	if err := d.ctx.Err(); err != nil {
		return 0, d.fail(err)
	}
	n, err := d.f.Write(p)
	if err != nil {
		return n, d.fail(err)
	}
	return n, nil
}

// Commit renames the synced file to its key.
func (d *draft) Commit() (Object, error) {
	return d.publish(func() error { return d.root.Rename(d.temp, d.key) })
}

// publish makes the file visible by rename or link, synced unless whoever asked does that. The object is described from the open
// file, so that it is ours even if another writer replaces it at once.
func (d *draft) publish(step func() error) (Object, error) {
	if d.done {
		return Object{}, fault.New(ErrFailed, d.op, "Commit after Commit or Abort").On(d.store.name(d.key))
	}
	err := d.ctx.Err()
	if err == nil && d.later != nil {
		d.later.start(d.f)
	} else if err == nil {
		err = d.f.Sync()
	}
	if err == nil {
		err = step()
	}
	if err != nil {
		return Object{}, d.fail(err)
	}
	d.done = true
	defer d.f.Close()
	o, err := describeFile(d.f, d.key)
	if err == nil && d.later != nil {
		d.later.file(d.key)
	} else if err == nil {
		err = syncDir(d.root, path.Dir(d.key))
	}
	if err != nil {
		return o, d.fail(err)
	}
	return o, nil
}

// Abort removes the temporary file.
func (d *draft) Abort() error {
	if d.done {
		return nil
	}
	d.done = true
	err := errors.Join(d.f.Close(), d.root.Remove(d.temp))
	if err != nil {
		return d.fail(err)
	}
	return nil
}

func (l *local) Upload(ctx context.Context, key string) (Upload, error) {
	d, err := l.draft(ctx, "upload", key, nil)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (l *local) Put(ctx context.Context, key string, body []byte) error {
	d, err := l.draft(ctx, "put", key, nil)
	if err != nil {
		return err
	}
	defer d.Abort()
	if _, err := d.Write(body); err != nil {
		return err
	}
	_, err = d.Commit()
	return err
}

// Create links a synced temporary file to the key: link(2) fails if the key exists, whoever made it.
func (l *local) Create(ctx context.Context, key string, body []byte) error {
	d, err := l.draft(ctx, "create", key, nil)
	if err != nil {
		return err
	}
	defer d.Abort()
	if _, err := d.Write(body); err != nil {
		return err
	}
	_, err = d.publish(func() error { return d.root.Link(d.temp, d.key) })
	if !d.done { // the link was not made
		return linkError(d, err)
	}
	removed := d.root.Remove(d.temp)
	if err == nil && removed != nil {
		err = d.fail(removed)
	}
	if err != nil {
		return fault.New(ErrUnknownOutcome, d.op, "written, then: %w", err).On(l.name(key))
	}
	return nil
}

// linkError explains file systems without hard links.
func linkError(d *draft, err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, errors.ErrUnsupported) {
		return fault.Unsupported(d.op, "the file system has no hard links: %w", err).On(d.store.name(d.key)).WithHint("keep tables on a file system with link(2) or in a bucket")
	}
	return err
}

func (l *local) Delete(ctx context.Context, keys ...string) (first error) {
	const op = "delete"
	for _, key := range keys {
		if err := l.remove(ctx, op, key); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (l *local) remove(ctx context.Context, op, key string) error {
	root, err := l.reading(op, key)
	if errors.Is(err, fault.ErrMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return l.fail(op, key, err)
	}
	info, err := root.Lstat(key)
	if err == nil && !info.IsDir() {
		err = root.Remove(key)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil // a directory of that name is no object
	}
	return l.fail(op, key, err)
}

// Copy lets the kernel copy between local directories: a reflink where the file system has them, else within the kernel.
func (l *local) Copy(ctx context.Context, src Store, srcKey, dstKey string) (Object, error) {
	from, ok := bare(src).(*local)
	if !ok {
		return streamCopy(ctx, l, src, srcKey, dstKey)
	}
	f, o, err := from.file("copy", srcKey)
	if err != nil {
		return Object{}, err
	}
	defer f.Close()
	d, err := l.draft(ctx, "copy", dstKey, nil)
	if err != nil {
		return Object{}, err
	}
	defer d.Abort()
	if _, err := io.Copy(d.f, f); err != nil {
		return Object{}, d.fail(err)
	}
	if now, err := describeFile(f, srcKey); err != nil || now.ETag != o.ETag {
		return Object{}, changed("copy", from.name(srcKey), o.ETag, now.ETag)
	}
	to, err := d.Commit()
	if err != nil {
		return Object{}, err
	}
	return to, sameSize(l.name(dstKey), o, to)
}

// pending returns how many files are being written below a prefix.
func (l *local) pending(_ context.Context, prefix string) (n int, err error) {
	root, err := l.open(false)
	if err != nil {
		return 0, l.fail("look for temporary files", prefix, err)
	}
	err = fs.WalkDir(root.FS(), path.Clean(prefix), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && isTemp(e.Name()) {
			n++
		}
		return err
	})
	return n, err
}

// tidy removes a directory tree that holds no files any more.
func (l *local) tidy(prefix string) {
	root, err := l.open(false)
	if err != nil {
		return
	}
	var dirs []string
	_ = fs.WalkDir(root.FS(), path.Clean(prefix), func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			dirs = append(dirs, name)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		_ = root.Remove(dirs[i]) // fails on what is not empty, as it should
	}
}

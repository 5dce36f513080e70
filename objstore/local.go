package objstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/snapexport/snapexport/buffer"
	"github.com/snapexport/snapexport/fault"
)

// local is a directory as a store. Every access goes through an os.Root, so that nothing outside of the directory can be
// named, not by ".." and not by a symbolic link.
type local struct {
	dir  string // absolute
	uri  string
	temp tempNames

	plain atomic.Bool // the file system has no reflinks

	mu   sync.Mutex
	root *os.Root // opened at first use; nil until the directory exists
}

// Local returns the store of a local directory, given by its absolute path. The directory need not exist: reads are then
// fault.ErrMissing, and the first write makes it. A key's parent directories are made as needed; emptied ones stay. Files that
// are being written have names that begin with ".snapexport-" and end in ".tmp"; they are not listed and can't be keys.
func Local(dir string) Store {
	dir = path.Clean(dir)
	return &local{dir: dir, uri: fileURI(dir)}
}

func (l *local) URI() string { return l.uri }

// open returns the root, having made the directory if asked to.
func (l *local) open(make bool) (*os.Root, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.root != nil {
		return l.root, nil
	}
	root, err := os.OpenRoot(l.dir)
	if make && errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(l.dir, dirMode); err == nil {
			root, err = os.OpenRoot(l.dir)
		}
	}
	l.root = root
	return root, err
}

// reading is open for a key that is to be read or looked at.
func (l *local) reading(op, key string) (*os.Root, error) {
	if err := checkLocalKey(key); err != nil {
		return nil, l.fail(op, key, err)
	}
	root, err := l.open(false)
	if err != nil {
		return nil, l.fail(op, key, err)
	}
	return root, nil
}

func checkLocalKey(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if isTemp(path.Base(key)) {
		return unsafeKey(key, "the name of a temporary file")
	}
	return nil
}

// file opens an existing regular file and describes it.
func (l *local) file(op, key string) (*os.File, Object, error) {
	root, err := l.reading(op, key)
	if err != nil {
		return nil, Object{}, err
	}
	// Not blocking, or opening a FIFO would wait for a writer.
	f, err := root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, Object{}, l.fail(op, key, err)
	}
	o, err := describeFile(f, key)
	if err != nil {
		f.Close()
		return nil, Object{}, l.fail(op, key, err)
	}
	return f, o, nil
}

func describeFile(f *os.File, key string) (Object, error) {
	info, err := f.Stat()
	if err != nil {
		return Object{}, err
	}
	return fileObject(key, info)
}

// fileObject returns fs.ErrNotExist for what is no regular file: a directory is not an object.
func fileObject(key string, info fs.FileInfo) (Object, error) {
	if !info.Mode().IsRegular() {
		return Object{}, fs.ErrNotExist
	}
	return Object{Key: key, Size: info.Size(), ETag: fileTag(info), ModTime: info.ModTime()}, nil
}

func (l *local) Stat(ctx context.Context, key string) (Object, error) {
	const op = "stat"
	root, err := l.reading(op, key)
	if err != nil {
		return Object{}, err
	}
	if err := ctx.Err(); err != nil {
		return Object{}, l.fail(op, key, err)
	}
	info, err := root.Stat(key)
	if err != nil {
		return Object{}, l.fail(op, key, err)
	}
	o, err := fileObject(key, info)
	if err != nil {
		return Object{}, l.fail(op, key, err)
	}
	return o, nil
}

func (l *local) ReadAll(ctx context.Context, key string, limit int64) ([]byte, Object, error) {
	const op = "read"
	f, o, err := l.file(op, key)
	if err != nil {
		return nil, Object{}, err
	}
	defer f.Close()
	if o.Size > max(limit, 0) {
		return nil, o, overLimit(op, l.name(key), o.Size, limit)
	}
	b, err := readFile(ctx, f, 0, o.Size)
	if err != nil {
		return nil, o, l.fail(op, key, err)
	}
	return b, o, nil
}

func (l *local) ReadRange(ctx context.Context, key string, off, n int64, etag string) ([]byte, error) {
	const op = "read range"
	if n == 0 && off >= 0 {
		return []byte{}, nil
	}
	f, o, err := l.file(op, key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if etag != "" && etag != o.ETag {
		return nil, changed(op, l.name(key), etag, o.ETag)
	}
	if err := checkRange(op, l.name(key), off, n, o.Size); err != nil {
		return nil, err
	}
	b, err := readFile(ctx, f, off, n)
	if err != nil {
		return nil, l.fail(op, key, err)
	}
	return b, nil
}

// readFile reads exactly n bytes.
func readFile(ctx context.Context, f *os.File, off, n int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := buffer.Get(int(n))
	if _, err := io.ReadFull(io.NewSectionReader(f, off, n), b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}

// overLimit, changed and checkRange are the errors that all stores share.
func overLimit(op, object string, size, limit int64) error {
	return fault.Limit(op, "%d bytes, at most %d are allowed", size, limit).On(object)
}

func changed(op, object, want, got string) error {
	return fault.Conflict(op, "the object changed while it was read: ETag %q, was %q", printable(got), printable(want)).On(object)
}

func checkRange(op, object string, off, n, size int64) error {
	if off < 0 || n < 0 || off > size || n > size-off {
		return fault.Corrupt(op, "%d bytes from %d are not within its %d bytes", n, off, size).On(object).At(off)
	}
	return nil
}

func (l *local) name(key string) string { return printable(l.uri + "/" + key) }

// escapes is the text of the error, unexported by package os, of a path that a symbolic link leads out of the root.
const escapes = "path escapes from parent"

// fail turns an error of the file system into one with a class.
func (l *local) fail(op, key string, err error) error {
	var known *fault.Error
	var at *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &at):
		err = at.Err // without the temporary or relative name that it shows
	case errors.As(err, &link):
		err = link.Err
	}
	object := l.name(key)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.New(err, op, "stopped").On(object)
	case err.Error() == escapes:
		return fault.UnsafePath(op, "a symbolic link leads out of %s", l.dir).On(object).WithHint("copy the files into the directory")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return fault.Missing(op, "no such file").On(object)
	case errors.Is(err, fs.ErrPermission):
		return fault.Auth(op, "%w", err).On(object).WithHint("check the permissions of the file and its directory")
	case errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENAMETOOLONG):
		return fault.UnsafePath(op, "%w", err).On(object)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Corrupt(op, "the file became shorter while it was read: %w", err).On(object)
	}
	return fault.New(ErrFailed, op, "%w", err).On(object)
}

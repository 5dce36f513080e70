package objstore

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/snapexport/snapexport/fault"
)

// List walks the directory in key order. Symbolic links to files within the directory are followed; links to directories
// are refused rather than left out.
func (l *local) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		dir, base := path.Split(prefix)
		w := &walk{store: l, ctx: ctx, yield: yield, base: base}
		if err := w.start(prefix, dir); err != nil && !errors.Is(err, errStop) {
			yield(Object{}, err)
		}
	}
}

// errStop ends a walk whose consumer has had enough.
var errStop = errors.New("stop")

type walk struct {
	store *local
	root  *os.Root
	ctx   context.Context
	yield func(Object, error) bool
	base  string // what names in the first directory start with
}

func (w *walk) start(prefix, dir string) (err error) {
	if err := checkPrefix(prefix); err != nil {
		return w.store.fail("list", prefix, err)
	}
	if w.root, err = w.store.open(false); err != nil {
		return w.store.fail("list", prefix, err)
	}
	return w.dir(strings.TrimSuffix(dir, "/"), w.base)
}

// dir yields what is in a directory, whose key has no slash at its end and is "" for the root.
func (w *walk) dir(key, base string) error {
	entries, err := w.store.entries(w.root, key, base)
	if err != nil {
		return w.store.fail("list", key, err)
	}
	for _, e := range entries {
		if err := w.ctx.Err(); err != nil {
			return w.store.fail("list", key, err)
		}
		if err := w.entry(path.Join(key, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(key string, e fs.DirEntry) error {
	if e.IsDir() {
		return w.dir(key, "")
	}
	info, err := w.root.Stat(key)
	switch {
	case errors.Is(err, fs.ErrNotExist) && e.Type().IsRegular():
		return nil // removed since the directory was read
	case err != nil:
		return w.store.fail("list", key, err)
	case info.IsDir():
		return fault.UnsafePath("list", "a symbolic link to a directory").On(w.store.name(key)).WithHint("copy the files into the directory")
	}
	o, err := fileObject(key, info)
	if err != nil {
		return fault.Unsupported("list", "neither a file nor a directory: %v", info.Mode().Type()).On(w.store.name(key))
	}
	if !w.yield(o, nil) {
		return errStop
	}
	return nil
}

// entries returns a directory's entries that start with base, in the order of the keys below them: a directory counts as
// its name with a slash, so that "a-b" comes before "a/c".
func (l *local) entries(root *os.Root, key, base string) ([]fs.DirEntry, error) {
	name := key
	if name == "" {
		name = "."
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, nil // a file where the prefix wants a directory
	}
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return !strings.HasPrefix(e.Name(), base) || isTemp(e.Name())
	})
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	return entries, nil
}

func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// Dirs yields subdirectories, empty ones too: they are as good as any to a file system.
func (l *local) Dirs(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		entries, err := l.subdirs(ctx, prefix)
		if err != nil {
			yield("", err)
			return
		}
		for _, e := range entries {
			if e.IsDir() && !yield(prefix+e.Name()+"/", nil) {
				return
			}
		}
	}
}

func (l *local) subdirs(ctx context.Context, prefix string) ([]fs.DirEntry, error) {
	const op = "list directories"
	if err := checkDirPrefix(prefix); err != nil {
		return nil, l.fail(op, prefix, err)
	}
	root, err := l.open(false)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, l.fail(op, prefix, err)
	}
	entries, err := l.entries(root, strings.TrimSuffix(prefix, "/"), "")
	if err != nil {
		return nil, l.fail(op, prefix, err)
	}
	return entries, nil
}

// checkDirPrefix is checkPrefix for Dirs.
func checkDirPrefix(prefix string) error {
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		return unsafeKey(prefix, "a directory's prefix ends in a slash")
	}
	return checkPrefix(prefix)
}

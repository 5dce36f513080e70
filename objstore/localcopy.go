package objstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"

	"github.com/snapexport/snapexport/fault"
)

// buffers of local copies.
var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

// copyChecked reads the source once, and what was written once more before it gets its name. A file that shares the source's
// blocks, or is the source, has nothing to be compared.
func (l *local) copyChecked(ctx context.Context, src Store, srcKey, dstKey string, how copying) (Object, error) {
	from, ok := bare(src).(*local)
	if !ok {
		return streamChecked(ctx, l, src, srcKey, dstKey)
	}
	if how.means == MeansLink && from == l {
		o, err := l.link(ctx, srcKey, dstKey, how)
		if !errors.Is(err, syscall.EMLINK) {
			return o, err
		}
	}
	f, o, err := from.file("copy", srcKey)
	if err != nil {
		return Object{}, err
	}
	defer f.Close()
	d, err := l.draft(ctx, "copy", dstKey, how.later)
	if err != nil {
		return Object{}, err
	}
	defer d.Abort()
	if err := d.copy(f, how.means); err != nil {
		return Object{}, err
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

// copy fills the draft with what another file has.
func (d *draft) copy(f *os.File, means Means) error {
	if means == MeansReflink || means == MeansAuto && !d.store.plain.Load() {
		err := reflink(d.f, f)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errNoReflink) {
			return d.fail(err)
		}
		d.store.plain.Store(true) // nor will it have them for the next file
		if means == MeansReflink {
			return fault.Unsupported(d.op, "%w", err).On(d.store.name(d.key)).WithHint("Btrfs and XFS have them; or copy")
		}
	}
	want, err := d.fill(f)
	if err != nil {
		return err
	}
	got, err := d.sum()
	if err == nil && got != want {
		err = differs(d.store.name(d.key), got, want)
	}
	return err
}

// link gives a file another name, which may be there from an attempt before. syscall.EMLINK if it has too many.
func (l *local) link(ctx context.Context, srcKey, dstKey string, how copying) (Object, error) {
	const op = "link"
	from, err := l.Stat(ctx, srcKey)
	if err == nil {
		err = checkLocalKey(dstKey)
	}
	if err != nil {
		return Object{}, err
	}
	root, err := l.open(false)
	if err != nil {
		return Object{}, l.fail(op, dstKey, err)
	}
	if err := l.linkIn(root, srcKey, dstKey, how); err != nil {
		switch {
		case errors.Is(err, syscall.EMLINK):
			return Object{}, err
		case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EXDEV), errors.Is(err, errors.ErrUnsupported):
			return Object{}, fault.Unsupported(op, "the file system makes no hard link of it: %w", err).On(l.name(srcKey)).WithHint("copy")
		}
		return Object{}, l.fail(op, dstKey, err)
	}
	to, err := l.Stat(ctx, dstKey)
	if err == nil && to.ETag != from.ETag {
		err = fault.Conflict(op, "the object was replaced while it was linked").On(l.name(srcKey))
	}
	return to, err
}

func (l *local) linkIn(root *os.Root, srcKey, dstKey string, how copying) error {
	if info, err := root.Lstat(srcKey); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, errors.ErrUnsupported) // a symbolic link would be linked itself
	}
	if err := makeDirs(root, path.Dir(dstKey), how.later); err != nil {
		return err
	}
	err := root.Link(srcKey, dstKey)
	if errors.Is(err, fs.ErrExist) {
		err = l.relink(root, srcKey, dstKey)
	}
	if err == nil && how.later != nil {
		how.later.file(dstKey)
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(root, path.Dir(dstKey))
}

// relink replaces a file by a link, in one step.
func (l *local) relink(root *os.Root, srcKey, dstKey string) error {
	temp := path.Join(path.Dir(dstKey), l.temp.next())
	if err := root.Link(srcKey, temp); err != nil {
		return err
	}
	err := root.Rename(temp, dstKey)
	if gone := root.Remove(temp); err == nil && gone != nil && !errors.Is(gone, fs.ErrNotExist) { // it stays where both are one file
		err = gone
	}
	return err
}

// fill writes a file's bytes and returns their sum.
func (d *draft) fill(f *os.File) (uint32, error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	sum := newSum()
	for {
		n, err := f.Read(*buffer)
		sum.Write((*buffer)[:n])
		if n > 0 {
			if _, err := d.Write((*buffer)[:n]); err != nil {
				return 0, err
			}
		}
		if err == io.EOF {
			return sum.Sum32(), nil
		}
		if err != nil {
			return 0, d.fail(err)
		}
	}
}

// sum reads back what was written.
func (d *draft) sum() (uint32, error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	sum := newSum()
	for off := int64(0); ; {
		n, err := d.f.ReadAt(*buffer, off)
		sum.Write((*buffer)[:n])
		off += int64(n)
		if err == io.EOF {
			return sum.Sum32(), nil
		}
		if err == nil {
			err = d.ctx.Err()
		}
		if err != nil {
			return 0, d.fail(err)
		}
	}
}

package objstore

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"time"
)

// RemoveUnfinished removes what writers below a prefix left when their process was killed, if it was last written to before a
// moment, and returns how many files and bytes that were; a dry run only counts. These are temporary files of local
// directories: in buckets, open multipart uploads are ended by the bucket's lifecycle rules, and nothing is counted.
func RemoveUnfinished(ctx context.Context, s Store, prefix string, before time.Time, dryRun bool) (files int, bytes int64, err error) {
	l, is := bare(s).(*local)
	if !is {
		return 0, 0, nil
	}
	const op = "remove temporary files"
	root, err := l.open(false)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, l.fail(op, prefix, err)
	}
	err = fs.WalkDir(root.FS(), path.Clean(prefix), func(name string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() || !isTemp(e.Name()) {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Before(before) {
			return nil // finished meanwhile, or being written
		}
		if err == nil && !dryRun {
			err = root.Remove(name)
		}
		if err != nil {
			return err
		}
		files++
		bytes += info.Size()
		return nil
	})
	if err != nil {
		return files, bytes, l.fail(op, prefix, err)
	}
	return files, bytes, nil
}

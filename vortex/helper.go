// Package vortex has Vortex files read by a program beside this one, the helper, since their layouts are not read here
// (docs/format/storage-v2-v3.md 6, docs/guide/vortex.md).
//
// The protocol: the helper is run as CMD FILE COLUMN..., without a shell, in a process group of its own, and writes the columns
// of the file as an Arrow IPC stream to standard output. Any exit code but 0 is a failure, which standard error explains. What
// the stream holds is not looked at here: it is whole, or there is an error.
package vortex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// ErrHelper is the class of what the helper does wrong: an exit code, no end, too much output.
var ErrHelper = errors.New("the Vortex helper failed")

const opConvert = "convert Vortex"

// Helper runs the program. Safe for concurrent use; as many run at a time as there are calls of Convert.
type Helper struct {
	Command   []string      // the program and its first arguments, as [Split] returns them
	Env       []string      // its environment, "NAME=value"; nil is this process's
	Dir       string        // temporary files go into folders of their own below it
	Timeout   time.Duration // of one file
	MaxOutput int64         // bytes of one file's stream
}

// copyChunk is how much of an object is copied at once, bytes. The memory is the caller's to reserve.
const copyChunk = 8 << 20

// Convert runs the helper over the object, or over a temporary copy if it is not a local file, and returns its whole output.
// ErrHelper if it fails, and the errors of the store and of ctx, which ends the helper with all that it started. Close removes
// what is temporary; after an error nothing is left.
func (h *Helper) Convert(ctx context.Context, store objstore.Store, object objstore.Object, columns []string) (_ io.ReadSeekCloser, err error) {
	dir, err := os.MkdirTemp(h.Dir, "snapexport-vortex-")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", opConvert, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	file, local := objstore.LocalPath(store, object.Key)
	if !local {
		file = filepath.Join(dir, "file"+path.Ext(object.Key))
		if err := fetch(ctx, store, object, file); err != nil {
			return nil, err
		}
	}
	out, err := os.OpenFile(filepath.Join(dir, "stream.arrow"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", opConvert, err)
	}
	if err = h.run(ctx, file, columns, out); err == nil {
		_, err = out.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fault.Place(err, store.URI()+"/"+object.Key), out.Close())
	}
	// where open files can be removed, even a killed process leaves nothing from here on
	_ = os.RemoveAll(dir)
	return &temporary{out, dir}, nil
}

// temporary is a file that is removed with its folder when it is closed.
type temporary struct {
	*os.File
	dir string
}

func (t *temporary) Close() error { return errors.Join(t.File.Close(), os.RemoveAll(t.dir)) }

// fetch copies the object to a new file, all of it of one version.
func fetch(ctx context.Context, store objstore.Store, object objstore.Object, name string) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", opConvert, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for off := int64(0); off < object.Size; {
		chunk, err := store.ReadRange(ctx, object.Key, off, min(copyChunk, object.Size-off), object.ETag)
		if err != nil {
			return err
		}
		if _, err := f.Write(chunk); err != nil {
			return fmt.Errorf("%s: %w", opConvert, err)
		}
		off += int64(len(chunk))
	}
	return nil
}

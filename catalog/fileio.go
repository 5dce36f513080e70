package catalog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

const (
	wholeBytes = 8 << 20 // objects up to this size are read at once
	blockBytes = 4 << 20 // larger ones in blocks of this size
)

// fileIO is iceberg-go's view of a table's directory in a store. Names are the URIs of metadata; those outside of the
// directory are refused. iceberg-go hands no context to its methods, so one is kept for the operation that fileIO serves.
type fileIO struct {
	ctx  context.Context
	root root
	made *names // what was written through it
}

// names is a list for concurrent use.
type names struct {
	mu   sync.Mutex
	list []string
}

// add is of no effect on nil, for a fileIO that only reads.
func (n *names) add(name string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, name)
}

func (n *names) all() []string {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.list)
}

var _ iceio.WriteFileIO = fileIO{}
var _ iceio.ReadFileIO = fileIO{}

// root is a table's directory.
type root struct {
	loc   objstore.Location
	store objstore.Store
}

// key gives the object key of a URI below the root.
func (r root) key(uri string) (string, error) {
	l, err := objstore.Parse(uri)
	if err != nil {
		return "", err
	}
	base, full := r.loc.Store+"/"+r.loc.Key, l.Store+"/"+l.Key
	rest, below := strings.CutPrefix(full, strings.TrimSuffix(base, "/")+"/")
	if !below {
		return "", fault.UnsafePath("open table file", "the file lies outside of the table's directory %s", r.loc).On(uri)
	}
	return r.at(rest), nil
}

// at gives the key of a name within the table.
func (r root) at(name string) string { return r.loc.Join(name).Key }

func (f fileIO) Open(name string) (iceio.File, error) {
	key, err := f.root.key(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	o, err := f.root.store.Stat(f.ctx, key)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	out := &openFile{f: f, key: key, o: o}
	if o.Size <= wholeBytes {
		if out.block, _, err = f.root.store.ReadAll(f.ctx, key, wholeBytes); err != nil {
			return nil, pathError("open", name, err)
		}
		out.o.Size = int64(len(out.block))
	}
	out.SectionReader = io.NewSectionReader(readerAt{out}, 0, out.o.Size)
	return out, nil
}

func (f fileIO) ReadFile(name string) ([]byte, error) {
	key, err := f.root.key(name)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	b, _, err := f.root.store.ReadAll(f.ctx, key, metadataLimit)
	return b, pathError("read", name, err)
}

func (f fileIO) Create(name string) (iceio.FileWriter, error) {
	key, err := f.root.key(name)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: err}
	}
	f.made.add(name)
	return &newFile{f: f, key: key, name: name}, nil
}

func (f fileIO) WriteFile(name string, p []byte) error {
	key, err := f.root.key(name)
	if err == nil {
		f.made.add(name)
		err = f.root.store.Put(f.ctx, key, p)
	}
	return pathError("write", name, err)
}

func (f fileIO) Remove(name string) error {
	key, err := f.root.key(name)
	if err == nil {
		err = f.root.store.Delete(f.ctx, key)
	}
	return pathError("remove", name, err)
}

// written lists what was created through it.
func (f fileIO) written() []string { return f.made.all() }

// pathError is the form that iceberg-go asks for; the class stays within.
func pathError(op, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fault.ErrMissing):
		return &fs.PathError{Op: op, Path: name, Err: errors.Join(fs.ErrNotExist, err)}
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// newFile is an object in the making; manifests are small, so it is kept until Close and then put in one piece.
type newFile struct {
	bytes.Buffer
	f         fileIO
	key, name string
	closed    bool
}

func (w *newFile) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	return pathError("write", w.name, w.f.root.store.Put(w.f.ctx, w.key, w.Bytes()))
}

// openFile is an object that is being read: whole, or through one block that moves.
type openFile struct {
	*io.SectionReader
	f     fileIO
	key   string
	o     objstore.Object
	mu    sync.Mutex
	block []byte
	at    int64 // where block begins
}

func (o *openFile) Close() error               { return nil }
func (o *openFile) Stat() (fs.FileInfo, error) { return info{o.o}, nil }

// readerAt is the ReadAt below the SectionReader.
type readerAt struct{ o *openFile }

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	o := r.o
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for n < len(p) {
		if off >= o.o.Size {
			return n, io.EOF
		}
		if off < o.at || off >= o.at+int64(len(o.block)) {
			size := min(blockBytes, o.o.Size-off)
			b, err := o.f.root.store.ReadRange(o.f.ctx, o.key, off, size, o.o.ETag)
			if err != nil {
				return n, err
			}
			o.block, o.at = b, off
		}
		k := copy(p[n:], o.block[off-o.at:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

// info is an object as a file.
type info struct{ o objstore.Object }

func (i info) Name() string       { return path.Base(i.o.Key) }
func (i info) Size() int64        { return i.o.Size }
func (i info) Mode() fs.FileMode  { return 0o444 }
func (i info) ModTime() time.Time { return i.o.ModTime }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }

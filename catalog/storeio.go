package catalog

import (
	"context"
	"io/fs"
	"net/url"
	"sync"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// storeIO is iceberg-go's view of all stores, for tables whose catalog says where their files are.
type storeIO struct {
	ctx  context.Context
	open func(ctx context.Context, uri string) (objstore.Store, error)
	made *names // what was written through it; may be nil
}

var _ iceio.WriteFileIO = storeIO{}
var _ iceio.ReadFileIO = storeIO{}

// in gives the fileIO of the store that holds the file.
func (s storeIO) in(op, name string) (fileIO, error) {
	loc, err := objstore.Parse(name)
	if err != nil {
		return fileIO{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	loc.Key = ""
	store, err := s.open(s.ctx, loc.Store)
	if err != nil {
		return fileIO{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return fileIO{s.ctx, root{loc: loc, store: store}, s.made}, nil
}

func (s storeIO) Open(name string) (iceio.File, error) {
	f, err := s.in("open", name)
	if err != nil {
		return nil, err
	}
	return f.Open(name)
}

func (s storeIO) ReadFile(name string) ([]byte, error) {
	f, err := s.in("read", name)
	if err != nil {
		return nil, err
	}
	return f.ReadFile(name)
}

func (s storeIO) Create(name string) (iceio.FileWriter, error) {
	f, err := s.in("create", name)
	if err != nil {
		return nil, err
	}
	return f.Create(name)
}

func (s storeIO) WriteFile(name string, p []byte) error {
	f, err := s.in("write", name)
	if err != nil {
		return err
	}
	return f.WriteFile(name, p)
}

func (s storeIO) Remove(name string) error {
	f, err := s.in("remove", name)
	if err != nil {
		return err
	}
	return f.Remove(name)
}

func (s storeIO) written() []string { return s.made.all() }

// storesKey is where a context carries the stores to iceberg-go's catalogs, which ask for files by scheme.
type storesKey struct{}

func withStores(ctx context.Context, open func(context.Context, string) (objstore.Store, error)) context.Context {
	return context.WithValue(ctx, storesKey{}, open)
}

// useStores has iceberg-go open files by the stores of the context, local ones included: theirs are neither flushed to disk
// nor written in one step.
var useStores = sync.OnceFunc(func() {
	for _, scheme := range []string{"", "file", "s3", "s3a", "s3n"} {
		iceio.Unregister(scheme)
		iceio.Register(scheme, func(ctx context.Context, parsed *url.URL, _ map[string]string) (iceio.IO, error) {
			open, ok := ctx.Value(storesKey{}).(func(context.Context, string) (objstore.Store, error))
			if !ok {
				return nil, fault.Unsupported("open table file", "no stores were given").On(parsed.Redacted())
			}
			return storeIO{ctx: ctx, open: open}, nil
		})
	}
})

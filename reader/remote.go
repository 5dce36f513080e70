package reader

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/snapexport/snapexport/buffer"
	"github.com/snapexport/snapexport/objstore"
)

// countingReader reads ranges of one object, all of the same version, and counts the bytes.
type countingReader struct {
	ctx    context.Context
	store  objstore.Store
	object objstore.Object
	n      atomic.Int64
}

// read returns n bytes, which are the caller's.
func (r *countingReader) read(ctx context.Context, off, n int64) ([]byte, error) {
	b, err := r.store.ReadRange(ctx, r.object.Key, off, n, r.object.ETag)
	r.n.Add(int64(len(b)))
	return b, err
}

// ReadAt implements io.ReaderAt.
func (r *countingReader) ReadAt(p []byte, off int64) (int, error) {
	want := min(int64(len(p)), r.object.Size-off)
	if want <= 0 {
		return 0, io.EOF
	}
	b, err := r.read(r.ctx, off, want)
	n := copy(p, b)
	buffer.Put(b)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

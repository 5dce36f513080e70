package reader

import (
	"context"
	"io"

	"github.com/snapexport/snapexport/objstore"
)

// countingReader reads ranges of one object, all of the same version, and counts the bytes.
type countingReader struct {
	ctx    context.Context
	store  objstore.Store
	object objstore.Object
	n      int64
}

// ReadAt implements io.ReaderAt.
func (r *countingReader) ReadAt(p []byte, off int64) (int, error) {
	want := min(int64(len(p)), r.object.Size-off)
	if want <= 0 {
		return 0, io.EOF
	}
	b, err := r.store.ReadRange(r.ctx, r.object.Key, off, want, r.object.ETag)
	r.n += int64(len(b))
	n := copy(p, b)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

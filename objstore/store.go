package objstore

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Classes of errors beside those of package fault; the package comment says what they mean.
var (
	ErrTransient      = errors.New("temporary failure")
	ErrUnknownOutcome = errors.New("outcome unknown")
	ErrFailed         = errors.New("failed")
)

// Object is what a store says about an object.
type Object struct {
	Key     string
	Size    int64 // bytes
	ETag    string
	ModTime time.Time
}

// Lister finds objects.
type Lister interface {
	// List yields the objects whose key starts with prefix, in ascending byte order of their keys. It ends after the first
	// error that it yields. Directory markers (empty objects whose key ends in "/") are not objects here and are left out.
	// A prefix without objects yields nothing; a missing bucket or root directory is fault.ErrMissing.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Dirs yields the "directories" directly below prefix (which is "" or ends in "/"), as full prefixes ending in "/", in
	// ascending order.
	Dirs(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// Reader reads objects. A key without an object is fault.ErrMissing. What it returns is the caller's, who may give it to buffer.Put.
type Reader interface {
	Stat(ctx context.Context, key string) (Object, error)
	// ReadAll returns a whole object; fault.ErrLimit, before any of it is read, if it has more than limit bytes.
	ReadAll(ctx context.Context, key string, limit int64) ([]byte, Object, error)
	// ReadRange returns exactly n bytes from offset off; fault.ErrCorrupt if the object ends before off+n. If etag is not ""
	// and the object's tag is another, fault.ErrConflict. n = 0 returns no bytes and asks nothing of the store.
	ReadRange(ctx context.Context, key string, off, n int64, etag string) ([]byte, error)
}

// Writer writes objects. Readers see the object of before or the whole new one.
type Writer interface {
	// Put writes an object, replacing one of that key.
	Put(ctx context.Context, key string, body []byte) error
	// Create writes an object unless the key exists: fault.ErrConflict. Of concurrent creators exactly one succeeds (see
	// [Check] for stores that do not keep this). ErrUnknownOutcome means that the object may have been written; any other class
	// means that it was not.
	Create(ctx context.Context, key string, body []byte) error
	// Upload starts writing an object of unknown size, replacing one of that key at Commit. ctx governs the whole upload.
	Upload(ctx context.Context, key string) (Upload, error)
	// Delete removes objects; absent keys are fine. It removes all it can and returns the first error.
	Delete(ctx context.Context, keys ...string) error
}

// Upload is an object being written by one goroutine. Nothing is visible before Commit. Every Upload ends in Commit or
// Abort; after a Commit that failed, Abort removes what was stored. Abort after a successful Commit does nothing, so that it
// can be deferred. Abort works after the context has been cancelled.
type Upload interface {
	io.Writer
	Commit() (Object, error)
	Abort() error
}

// Copier copies objects.
type Copier interface {
	// Copy copies srcKey of src to dstKey of this store, replacing it, and returns the new object: within the server if both
	// are buckets of one S3 server with the same credentials, by reflink or copy_file_range between local directories, else
	// streamed. fault.ErrConflict if the source changes meanwhile.
	Copy(ctx context.Context, src Store, srcKey, dstKey string) (Object, error)
}

// Store is one bucket or one local directory.
type Store interface {
	Lister
	Reader
	Writer
	Copier
	// URI names the store: "s3://bucket" or "file:///abs/dir", no trailing slash.
	URI() string
}

// unwrapper is a decorator that adds nothing to what a store can do, so that copies and checks may look through it.
type unwrapper interface{ Unwrap() Store }

// bare returns the store below the package's decorators.
func bare(s Store) Store {
	for {
		u, ok := s.(unwrapper)
		if !ok {
			return s
		}
		s = u.Unwrap()
	}
}

// UploadMemory returns the most bytes that one streamed upload to the store buffers: parts of S3's uploads, next to nothing
// for local files.
func UploadMemory(s Store) int64 {
	if b, ok := bare(s).(*s3Store); ok {
		return Settings{PartSize: b.partSize, Parallel: b.parallel}.UploadMemory()
	}
	return 0
}

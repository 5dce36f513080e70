package objstore

import (
	"context"
	"io"

	"github.com/snapexport/snapexport/fault"
)

// copyChunk is how much of an object a streamed copy holds at once, in bytes.
const copyChunk = 8 << 20

// streamCopy reads an object in chunks, all of one ETag, and writes it to dst.
func streamCopy(ctx context.Context, dst Store, src Store, srcKey, dstKey string) (Object, error) {
	return streamThrough(ctx, dst, src, srcKey, dstKey, io.Discard)
}

// streamThrough is streamCopy that writes all bytes to w, too.
func streamThrough(ctx context.Context, dst Store, src Store, srcKey, dstKey string, w io.Writer) (Object, error) {
	from, err := src.Stat(ctx, srcKey)
	if err != nil {
		return Object{}, err
	}
	u, err := dst.Upload(ctx, dstKey)
	if err != nil {
		return Object{}, err
	}
	if err := pump(ctx, io.MultiWriter(u, w), src, from); err != nil {
		return Object{}, abandon(u, err)
	}
	to, err := u.Commit()
	if err != nil {
		return Object{}, abandon(u, err)
	}
	return to, sameSize(Join(dst.URI(), dstKey), from, to)
}

func pump(ctx context.Context, u io.Writer, src Reader, from Object) error {
	for off := int64(0); off < from.Size; off += copyChunk {
		b, err := src.ReadRange(ctx, from.Key, off, min(copyChunk, from.Size-off), from.ETag)
		if err != nil {
			return err
		}
		if _, err := u.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// abandon aborts u after err. What an abort leaves is not visible as an object, so its own error adds nothing to err.
func abandon(u Upload, err error) error {
	_ = u.Abort()
	return err
}

func sameSize(name string, from, to Object) error {
	if from.Size == to.Size {
		return nil
	}
	return fault.Corrupt("copy", "the copy has %d bytes, the source %d", to.Size, from.Size).On(name)
}

package objstore

import (
	"bytes"
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
)

// s3Upload sends parts of one size while it is written to, at most server.parallel at a time. An object of no more than one
// part is put at Commit.
type s3Upload struct {
	store   *s3Store
	key     string
	ctx     context.Context // the caller's
	sendCtx context.Context // of the parts: ends at the first failure and at Abort
	cancel  context.CancelFunc
	group   *errgroup.Group

	id     string // of the multipart upload; "" before the first part
	part   *[]byte
	filled int
	size   int64
	parts  []*types.CompletedPart // in order; each is filled in by the goroutine that sends it
	err    error                  // the first failure
	closed bool
}

func (s *s3Store) Upload(ctx context.Context, key string) (Upload, error) {
	err := CheckKey(key)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, s.fail(ctx, "upload", key, err)
	}
	u := &s3Upload{store: s, key: key, ctx: ctx}
	cancelled, cancel := context.WithCancel(ctx)
	u.cancel = cancel
	u.group, u.sendCtx = errgroup.WithContext(cancelled)
	u.group.SetLimit(s.parallel)
	return u, nil
}

// Write buffers and sends full parts. It blocks while as many parts as allowed are in flight.
func (u *s3Upload) Write(p []byte) (n int, err error) {
	if u.closed {
		return 0, u.misused("written to after Commit or Abort")
	}
	for len(p) > 0 && u.err == nil {
		if u.part == nil {
			u.part = u.store.parts.Get().(*[]byte)
		}
		if u.filled == len(*u.part) {
			u.err = u.send()
			continue
		}
		c := copy((*u.part)[u.filled:], p)
		p = p[c:]
		u.filled += c
		u.size += int64(c)
		n += c
	}
	return n, u.err
}

func (u *s3Upload) misused(what string) error {
	return fault.New(ErrFailed, "upload", "%s", what).On(u.store.name(u.key))
}

// send hands the buffered part to a goroutine. The last byte of an object is always in the buffer until Commit.
func (u *s3Upload) send() (err error) {
	if len(u.parts) == maxParts-1 {
		return fault.Limit("upload", "more than %d parts of %d bytes", maxParts, u.store.partSize).On(u.store.name(u.key)).WithHint("set a larger part-size for the bucket")
	}
	if u.id == "" {
		if u.id, err = u.store.startParts(u.ctx, u.key); err != nil {
			return err
		}
	}
	if err := u.sendCtx.Err(); err != nil { // a part failed, or the caller gave up
		return cmp.Or(u.group.Wait(), error(u.store.fail(u.sendCtx, "upload", u.key, err)))
	}
	part, n, done := u.part, u.filled, &types.CompletedPart{PartNumber: aws.Int32(int32(len(u.parts) + 1))}
	u.parts = append(u.parts, done)
	u.part, u.filled = nil, 0
	u.group.Go(func() error {
		defer u.store.parts.Put(part)
		return u.store.retry.do(u.sendCtx, "upload", u.key, func() error { return u.sendPart((*part)[:n], done) })
	})
	return nil
}

func (u *s3Upload) sendPart(b []byte, done *types.CompletedPart) error {
	s := u.store
	watched, _, stop := watch(u.sendCtx, int64(len(b)), slowest)
	defer stop()
	r, err := s.client.UploadPart(watched, &s3.UploadPartInput{
		Bucket: &s.bucket, Key: &u.key, UploadId: &u.id, PartNumber: done.PartNumber, Body: bytes.NewReader(b), ContentLength: aws.Int64(int64(len(b))),
	})
	if err != nil {
		return s.fail(u.sendCtx, "upload", u.key, slow(watched, err))
	}
	done.ETag = r.ETag
	return nil
}

// Commit sends the rest, waits for all parts and makes the object visible. The size of the result is compared with what was
// written.
func (u *s3Upload) Commit() (Object, error) {
	if u.closed {
		return Object{}, u.misused("Commit after Commit or Abort")
	}
	if u.err == nil {
		u.err = u.finish()
	}
	if u.err != nil {
		return Object{}, u.err
	}
	u.close()
	o, err := u.store.statAgain(u.ctx, u.key)
	if err != nil {
		return o, err
	}
	if o.Size != u.size {
		return o, fault.Corrupt("upload", "%d bytes were written, the object has %d", u.size, o.Size).On(u.store.name(u.key))
	}
	return o, nil
}

func (u *s3Upload) finish() error {
	s := u.store
	if u.id == "" {
		var body []byte
		if u.part != nil {
			body = (*u.part)[:u.filled]
		}
		return s.retry.do(u.ctx, "upload", u.key, func() error { return s.Put(u.ctx, u.key, body) })
	}
	if err := u.send(); err != nil {
		return err
	}
	if err := u.group.Wait(); err != nil {
		return err
	}
	parts := make([]types.CompletedPart, len(u.parts))
	for i, p := range u.parts {
		parts[i] = *p
	}
	return s.finishParts(u.ctx, u.key, u.id, parts, u.size)
}

// close gives back what the upload holds, its goroutines included.
func (u *s3Upload) close() {
	u.closed = true
	u.cancel()
	_ = u.group.Wait() // its error is u.err or that of the cancellation
	if u.part != nil {
		u.store.parts.Put(u.part)
		u.part = nil
	}
}

// Abort stops the parts in flight and drops those that arrived. A server may still be storing one that was cut off; S3
// removes such remains by the bucket's rule for incomplete uploads.
func (u *s3Upload) Abort() error {
	if u.closed {
		return nil
	}
	u.close()
	if u.id == "" {
		return nil
	}
	return u.store.abortParts(u.ctx, u.key, u.id)
}

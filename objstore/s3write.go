package objstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/fault"
)

func (s *s3Store) Put(ctx context.Context, key string, body []byte) error {
	const op = "put"
	if err := CheckKey(key); err != nil {
		return s.fail(ctx, op, key, err)
	}
	watched, _, stop := watch(ctx, int64(len(body)), slowest)
	defer stop()
	_, err := s.client.PutObject(watched, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body)))})
	if err != nil {
		return s.fail(ctx, op, key, slow(watched, err))
	}
	return nil
}

// Create puts with If-None-Match: *. 412 is ErrConflict; 409, 5xx, timeouts and broken connections are ErrUnknownOutcome.
func (s *s3Store) Create(ctx context.Context, key string, body []byte) error {
	if err := CheckKey(key); err != nil {
		return s.fail(ctx, "create", key, err)
	}
	if err := ctx.Err(); err != nil { // nothing was sent
		return s.fail(ctx, "create", key, err)
	}
	watched, _, stop := watch(ctx, int64(len(body)), slowest)
	defer stop()
	_, err := s.client.PutObject(watched, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))), IfNoneMatch: aws.String("*")})
	if err != nil {
		return s.failCreate(ctx, key, slow(watched, err))
	}
	return nil
}

// deleteParallel is how many deletes are in flight. Objects are deleted one by one: the batch request is missing or wants
// differing checksums among servers.
const deleteParallel = 8

func (s *s3Store) Delete(ctx context.Context, keys ...string) error {
	var g errgroup.Group // without its context: one failure does not keep the others from being deleted
	g.SetLimit(deleteParallel)
	for _, key := range keys {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return s.delete(ctx, key) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil && len(keys) > 0 {
		return s.fail(ctx, "delete", keys[0], err)
	}
	return nil
}

func (s *s3Store) delete(ctx context.Context, key string) error {
	const op = "delete"
	if err := CheckKey(key); err != nil {
		return s.fail(ctx, op, key, err)
	}
	watched, _, stop := watch(ctx, 0, slowest)
	defer stop()
	_, err := s.client.DeleteObject(watched, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	if err == nil || examine(err).code == "NoSuchKey" {
		return nil
	}
	return s.fail(ctx, op, key, slow(watched, err))
}

// Copy asks the server to copy where it can; the ETag of the source is held.
func (s *s3Store) Copy(ctx context.Context, src Store, srcKey, dstKey string) (Object, error) {
	from, ok := bare(src).(*s3Store)
	if !ok || from.server != s.server {
		return streamCopy(ctx, s, src, srcKey, dstKey)
	}
	if err := CheckKey(dstKey); err != nil {
		return Object{}, s.fail(ctx, "copy", dstKey, err)
	}
	o, err := src.Stat(ctx, srcKey)
	if err != nil {
		return Object{}, err
	}
	c := &serverCopy{dst: s, source: from.copySource(srcKey), from: o, key: dstKey}
	if o.Size > s.copyPart {
		err = c.parts(ctx)
	} else {
		err = s.retry.do(ctx, "copy", dstKey, func() error { return c.whole(ctx) })
	}
	if err != nil {
		return Object{}, err
	}
	to, err := s.statAgain(ctx, dstKey)
	if err != nil {
		return to, err
	}
	return to, sameSize(s.name(dstKey), o, to)
}

func (s *s3Store) statAgain(ctx context.Context, key string) (o Object, err error) {
	err = s.retry.do(ctx, "stat", key, func() error { o, err = s.Stat(ctx, key); return err })
	return o, err
}

// copySource is the value of x-amz-copy-source, which is percent-encoded except for its slashes.
func (s *s3Store) copySource(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	return s.bucket + "/" + strings.Join(parts, "/")
}

type serverCopy struct {
	dst    *s3Store
	source string
	from   Object
	key    string
}

func (c *serverCopy) whole(ctx context.Context) error {
	s := c.dst
	watched, _, stop := watch(ctx, c.from.Size, slowCopy)
	defer stop()
	_, err := s.client.CopyObject(watched, &s3.CopyObjectInput{Bucket: &s.bucket, Key: &c.key, CopySource: &c.source, CopySourceIfMatch: quotedTag(c.from.ETag)})
	return c.result(ctx, slow(watched, err))
}

func (c *serverCopy) result(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if examine(err).status == 412 {
		return changed("copy", printable("s3://"+c.source), c.from.ETag, "another")
	}
	return c.dst.fail(ctx, "copy", c.key, err)
}

// parts copies a large object by ranges.
func (c *serverCopy) parts(ctx context.Context) error {
	s := c.dst
	id, err := s.startParts(ctx, c.key)
	if err != nil {
		return err
	}
	done := make([]types.CompletedPart, (c.from.Size+s.copyPart-1)/s.copyPart)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.parallel)
	for i := range done {
		g.Go(func() error {
			return s.retry.do(gctx, "copy", c.key, func() (err error) { done[i], err = c.part(gctx, id, i); return err })
		})
	}
	if err = g.Wait(); err == nil {
		err = s.finishParts(ctx, c.key, id, done, c.from.Size)
	}
	if err != nil {
		_ = s.abortParts(ctx, c.key, id) // the first error tells more
	}
	return err
}

func (c *serverCopy) part(ctx context.Context, id string, i int) (types.CompletedPart, error) {
	s := c.dst
	first := int64(i) * s.copyPart
	last := min(first+s.copyPart, c.from.Size) - 1
	number := aws.Int32(int32(i + 1))
	watched, _, stop := watch(ctx, s.copyPart, slowCopy)
	defer stop()
	r, err := s.client.UploadPartCopy(watched, &s3.UploadPartCopyInput{
		Bucket: &s.bucket, Key: &c.key, UploadId: &id, PartNumber: number, CopySource: &c.source,
		CopySourceIfMatch: quotedTag(c.from.ETag), CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", first, last)),
	})
	if err == nil && (r.CopyPartResult == nil || r.CopyPartResult.ETag == nil) {
		return types.CompletedPart{}, fault.Corrupt("copy", "the server gave no ETag of part %d", i+1).On(s.name(c.key))
	}
	if err != nil {
		return types.CompletedPart{}, c.result(ctx, slow(watched, err))
	}
	return types.CompletedPart{ETag: r.CopyPartResult.ETag, PartNumber: number}, nil
}

// startParts begins a multipart upload.
func (s *s3Store) startParts(ctx context.Context, key string) (id string, err error) {
	err = s.retry.do(ctx, "upload", key, func() error {
		watched, _, stop := watch(ctx, 0, slowest)
		defer stop()
		r, err := s.client.CreateMultipartUpload(watched, &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key})
		if err != nil {
			return s.fail(ctx, "upload", key, slow(watched, err))
		}
		id = aws.ToString(r.UploadId)
		return nil
	})
	return id, err
}

// finishParts completes a multipart upload. A repeated request may find that an earlier one had worked after all: then the
// upload is gone and the object has the size.
func (s *s3Store) finishParts(ctx context.Context, key, id string, parts []types.CompletedPart, size int64) error {
	slices.SortFunc(parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	attempts := 0
	err := s.retry.do(ctx, "upload", key, func() error {
		attempts++
		watched, _, stop := watch(ctx, size, slowCopy)
		defer stop()
		_, err := s.client.CompleteMultipartUpload(watched, &s3.CompleteMultipartUploadInput{
			Bucket: &s.bucket, Key: &key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		if err != nil {
			return s.fail(ctx, "upload", key, slow(watched, err))
		}
		return nil
	})
	if attempts > 1 && errors.Is(err, fault.ErrMissing) {
		tail := fmt.Sprintf("-%d", len(parts))
		if o, statErr := s.statAgain(ctx, key); statErr == nil && o.Size == size && strings.HasSuffix(o.ETag, tail) {
			return nil
		}
	}
	return err
}

// abortParts drops a multipart upload, also after ctx was cancelled.
func (s *s3Store) abortParts(ctx context.Context, key, id string) error {
	ctx = context.WithoutCancel(ctx)
	err := s.retry.do(ctx, "abort upload", key, func() error {
		watched, _, stop := watch(ctx, 0, slowest)
		defer stop()
		_, err := s.client.AbortMultipartUpload(watched, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: &id})
		if err != nil {
			return s.fail(ctx, "abort upload", key, slow(watched, err))
		}
		return nil
	})
	if errors.Is(err, fault.ErrMissing) {
		return nil
	}
	return err
}

// pending returns how many multipart uploads are open below a prefix.
func (s *s3Store) pending(ctx context.Context, prefix string) (int, error) {
	watched, _, stop := watch(ctx, 0, slowest)
	defer stop()
	r, err := s.client.ListMultipartUploads(watched, &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: &prefix})
	if err != nil {
		return 0, s.fail(ctx, "list uploads", prefix, slow(watched, err))
	}
	return len(r.Uploads), nil
}

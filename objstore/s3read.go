package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/snapexport/snapexport/buffer"
	"github.com/snapexport/snapexport/fault"
)

func (s *s3Store) Stat(ctx context.Context, key string) (Object, error) {
	const op = "stat"
	if err := CheckKey(key); err != nil {
		return Object{}, s.fail(ctx, op, key, err)
	}
	watched, _, stop := watch(ctx, 0, slowest)
	defer stop()
	r, err := s.client.HeadObject(watched, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return Object{}, s.fail(ctx, op, key, slow(watched, err))
	}
	if r.ContentLength == nil || *r.ContentLength < 0 {
		return Object{}, fault.Corrupt(op, "the server gave no size").On(s.name(key))
	}
	return Object{Key: key, Size: *r.ContentLength, ETag: bareTag(r.ETag), ModTime: aws.ToTime(r.LastModified)}, nil
}

// slow puts the reason of a request that took too long in place of its cancellation.
func slow(watched context.Context, err error) error {
	if errors.Is(context.Cause(watched), errSlow) {
		return errSlow
	}
	return err
}

func bareTag(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

func quotedTag(etag string) *string {
	if strings.HasPrefix(etag, "W/") {
		return &etag
	}
	return aws.String(`"` + etag + `"`)
}

func (s *s3Store) get(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if s.direct != nil {
		return s.direct.get(ctx, in)
	}
	return s.client.GetObject(ctx, in)
}

func (s *s3Store) ReadAll(ctx context.Context, key string, limit int64) ([]byte, Object, error) {
	const op = "read"
	if err := CheckKey(key); err != nil {
		return nil, Object{}, s.fail(ctx, op, key, err)
	}
	watched, extend, stop := watch(ctx, 0, slowest)
	defer stop()
	r, err := s.get(watched, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, Object{}, s.fail(ctx, op, key, slow(watched, err))
	}
	defer r.Body.Close()
	size := int64(-1)
	if r.ContentLength != nil {
		size = *r.ContentLength
	}
	o := Object{Key: key, Size: size, ETag: bareTag(r.ETag), ModTime: aws.ToTime(r.LastModified)}
	if size < 0 {
		return nil, o, fault.Corrupt(op, "the server gave no size").On(s.name(key))
	}
	if size > max(limit, 0) {
		return nil, o, overLimit(op, s.name(key), size, limit)
	}
	extend(size)
	b, err := readBody(r.Body, size)
	if err != nil {
		return nil, o, s.failBody(ctx, op, key, slow(watched, err))
	}
	return b, o, nil
}

// readBody reads exactly n bytes and the end of the body.
func readBody(body io.Reader, n int64) ([]byte, error) {
	b := buffer.Get(int(n))
	if got, err := io.ReadFull(body, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("the body ended after %d of %d bytes: %w", got, n, io.ErrUnexpectedEOF)
		}
		return nil, err
	}
	var more [1]byte
	if got, _ := body.Read(more[:]); got > 0 {
		return nil, fmt.Errorf("the body has more than the announced %d bytes", n)
	}
	return b, nil
}

// failBody is fail for a body that broke off: another attempt may bring all of it.
func (s *s3Store) failBody(ctx context.Context, op, key string, err error) error {
	e := s.fail(ctx, op, key, err)
	if e.Class == ErrFailed {
		e.Class, e.Hint = ErrTransient, ""
	}
	return e
}

func (s *s3Store) ReadRange(ctx context.Context, key string, off, n int64, etag string) ([]byte, error) {
	const op = "read range"
	if err := CheckKey(key); err != nil {
		return nil, s.fail(ctx, op, key, err)
	}
	if off < 0 || n < 0 || off+n < off {
		return nil, fault.Corrupt(op, "%d bytes from %d are no range", n, off).On(s.name(key)).At(off)
	}
	if n == 0 {
		return []byte{}, nil
	}
	in := &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1))}
	if etag != "" {
		in.IfMatch = quotedTag(etag)
	}
	watched, extend, stop := watch(ctx, 0, slowest)
	defer stop()
	r, err := s.get(watched, in)
	if err != nil {
		return nil, s.failRange(ctx, op, key, off, n, etag, slow(watched, err))
	}
	defer r.Body.Close()
	if got := bareTag(r.ETag); etag != "" && got != etag {
		return nil, changed(op, s.name(key), etag, got) // a server that ignores If-Match
	}
	if err := s.checkAnswer(op, key, r, off, n); err != nil {
		return nil, err
	}
	extend(n)
	b, err := readBody(r.Body, n)
	if err != nil {
		return nil, s.failBody(ctx, op, key, slow(watched, err))
	}
	return b, nil
}

func (s *s3Store) failRange(ctx context.Context, op, key string, off, n int64, etag string, err error) error {
	switch examine(err).status {
	case 412:
		return changed(op, s.name(key), etag, "another")
	case 416:
		return fault.Corrupt(op, "%d bytes from %d are beyond its end", n, off).On(s.name(key)).At(off)
	}
	return s.fail(ctx, op, key, err)
}

// checkAnswer compares the range that the server announces with the one asked for, before memory is allocated.
func (s *s3Store) checkAnswer(op, key string, r *s3.GetObjectOutput, off, n int64) error {
	length := int64(-1)
	if r.ContentLength != nil {
		length = *r.ContentLength
	}
	first, size, ok := contentRange(aws.ToString(r.ContentRange))
	if !ok {
		if off == 0 && length == n {
			return nil // the whole object, from a server that leaves the header out
		}
		return fault.Unsupported(op, "the server ignores ranges: asked for %d bytes from %d, it sends %d from 0", n, off, length).On(s.name(key))
	}
	if first != off || length > n || length < 0 {
		return fault.Corrupt(op, "asked for %d bytes from %d, the server sends %d from %d", n, off, length, first).On(s.name(key)).At(off)
	}
	if length < n {
		return checkRange(op, s.name(key), off, n, min(size, off+length))
	}
	return nil
}

// contentRange parses "bytes first-last/size".
func contentRange(h string) (first, size int64, ok bool) {
	rest, found := strings.CutPrefix(h, "bytes ")
	span, total, found2 := strings.Cut(rest, "/")
	from, _, found3 := strings.Cut(span, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	size, err2 := strconv.ParseInt(total, 10, 64)
	return first, size, found && found2 && found3 && err == nil && err2 == nil
}

func (s *s3Store) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		last := ""
		for page, err := range s.pages(ctx, "list", prefix, "") {
			if err != nil {
				yield(Object{}, err)
				return
			}
			for i := range page.Contents {
				o := listed(&page.Contents[i])
				if err := s.checkListed(o.Key, prefix, last); err != nil {
					yield(Object{}, err)
					return
				}
				last = o.Key
				if !strings.HasSuffix(o.Key, "/") && !yield(o, nil) {
					return
				}
			}
		}
	}
}

func listed(c *types.Object) Object {
	return Object{Key: aws.ToString(c.Key), Size: aws.ToInt64(c.Size), ETag: bareTag(c.ETag), ModTime: aws.ToTime(c.LastModified)}
}

// checkListed refuses listings that leave the prefix or do not ascend; the latter also ends pages that repeat for ever.
func (s *s3Store) checkListed(key, prefix, last string) error {
	if !strings.HasPrefix(key, prefix) || key <= last {
		return fault.Corrupt("list", "the server lists %q after %q", printable(key), printable(last)).On(s.name(prefix))
	}
	return nil
}

func (s *s3Store) Dirs(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := checkDirPrefix(prefix); err != nil {
			yield("", s.fail(ctx, "list directories", prefix, err))
			return
		}
		last := ""
		for page, err := range s.pages(ctx, "list directories", prefix, "/") {
			if err != nil {
				yield("", err)
				return
			}
			for _, p := range page.CommonPrefixes {
				dir := aws.ToString(p.Prefix)
				if err := s.checkListed(dir, prefix, last); err != nil {
					yield("", err)
					return
				}
				if last = dir; !yield(dir, nil) {
					return
				}
			}
		}
	}
}

// pages yields the answers of a listing.
func (s *s3Store) pages(ctx context.Context, op, prefix, delimiter string) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(nil, s.fail(ctx, op, prefix, err))
			return
		}
		in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix}
		if delimiter != "" {
			in.Delimiter = &delimiter
		}
		for {
			page, err := s.page(ctx, op, in)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(page, nil) || !aws.ToBool(page.IsTruncated) {
				return
			}
			next := page.NextContinuationToken
			if next == nil || in.ContinuationToken != nil && *next == *in.ContinuationToken {
				yield(nil, fault.Corrupt(op, "a truncated listing without a new continuation token").On(s.name(prefix)))
				return
			}
			in.ContinuationToken = next
		}
	}
}

func (s *s3Store) page(ctx context.Context, op string, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	watched, _, stop := watch(ctx, 0, slowest)
	defer stop()
	page, err := s.client.ListObjectsV2(watched, in)
	if err != nil {
		return nil, s.fail(ctx, op, aws.ToString(in.Prefix), slow(watched, err))
	}
	return page, nil
}

package objstore

import (
	"context"
	"errors"
	"hash"
	"hash/crc32"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/snapexport/snapexport/fault"
)

// checkedCopier is a store with a cheaper way to compare a copy than reading both objects.
type checkedCopier interface {
	copyChecked(ctx context.Context, src Store, srcKey, dstKey string, how copying) (Object, error)
}

// CopyChecked copies as dst.Copy does and then compares the copy with its source: by what an S3 server says of both (equal
// MD5 ETags, or checksums of whole objects), else by CRC32C of the bytes. fault.ErrCorrupt if they differ; the copy is gone
// then. It is as repeatable as Copy.
func CopyChecked(ctx context.Context, dst, src Store, srcKey, dstKey string) (Object, error) {
	return copyChecked(ctx, dst, src, srcKey, dstKey, plainCopy)
}

func copyChecked(ctx context.Context, dst, src Store, srcKey, dstKey string, how copying) (Object, error) {
	if c, ok := dst.(checkedCopier); ok {
		return c.copyChecked(ctx, src, srcKey, dstKey, how)
	}
	o, err := dst.Copy(ctx, src, srcKey, dstKey)
	if err != nil {
		return o, err
	}
	return o, compare(ctx, dst, src, srcKey, o)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newSum() hash.Hash32 { return crc32.New(castagnoli) }

// compare reads both objects.
func compare(ctx context.Context, dst, src Store, srcKey string, copied Object) error {
	want, err := sumObject(ctx, src, srcKey)
	if err != nil {
		return err
	}
	return checkSum(ctx, dst, copied, want)
}

// checkSum compares an object with the sum of what it should be, and removes it if they differ.
func checkSum(ctx context.Context, s Store, o Object, want uint32) error {
	got, err := sumObject(ctx, s, o.Key)
	if err != nil || got == want {
		return err
	}
	return discard(ctx, s, o.Key, differs(Join(s.URI(), o.Key), got, want))
}

func differs(object string, got, want uint32) error {
	return fault.Corrupt("copy", "the copy has CRC32C %08x, its source %08x", got, want).On(object)
}

// discard removes a bad copy, also after ctx was cancelled.
func discard(ctx context.Context, s Store, key string, err error) error {
	return errors.Join(err, s.Delete(context.WithoutCancel(ctx), key))
}

func sumObject(ctx context.Context, s Store, key string) (uint32, error) {
	o, err := s.Stat(ctx, key)
	if err != nil {
		return 0, err
	}
	sum := newSum()
	for off := int64(0); off < o.Size; off += copyChunk {
		b, err := s.ReadRange(ctx, key, off, min(copyChunk, o.Size-off), o.ETag)
		if err != nil {
			return 0, err
		}
		sum.Write(b)
	}
	return sum.Sum32(), nil
}

func (s *metricStore) copyChecked(ctx context.Context, src Store, srcKey, dstKey string, how copying) (Object, error) {
	o, err := copyChecked(ctx, s.Store, src, srcKey, dstKey, how)
	s.m.count(kindCopy, 0, 0, err)
	return o, err
}

func (r *retryStore) copyChecked(ctx context.Context, src Store, srcKey, dstKey string, how copying) (Object, error) {
	return copyChecked(ctx, r.Store, src, srcKey, dstKey, how)
}

// streamChecked is streamCopy with the sum taken on the way; the copy is read once more.
func streamChecked(ctx context.Context, dst, src Store, srcKey, dstKey string) (Object, error) {
	sum := newSum()
	o, err := streamThrough(ctx, dst, src, srcKey, dstKey, sum)
	if err != nil {
		return o, err
	}
	return o, checkSum(ctx, dst, o, sum.Sum32())
}

// copyChecked lets the server copy and compares what it says of both objects. Objects that it says nothing comparable of are
// read.
func (s *s3Store) copyChecked(ctx context.Context, src Store, srcKey, dstKey string, _ copying) (Object, error) {
	from, ok := bare(src).(*s3Store)
	if !ok || from.server != s.server {
		return streamChecked(ctx, s, src, srcKey, dstKey)
	}
	to, err := s.Copy(ctx, src, srcKey, dstKey)
	if err != nil {
		return to, err
	}
	var a, b *s3.HeadObjectOutput
	err = s.retry.do(ctx, "stat", srcKey, func() error { a, err = from.headSums(ctx, srcKey); return err })
	if err == nil {
		err = s.retry.do(ctx, "stat", dstKey, func() error { b, err = s.headSums(ctx, dstKey); return err })
	}
	if err != nil {
		return to, err
	}
	known, equal := sameSums(a, b)
	switch {
	case !known:
		return to, compare(ctx, s, src, srcKey, to)
	case !equal:
		err := fault.Corrupt("copy", "the server gives the copy another checksum than its source").On(s.name(dstKey))
		return to, discard(ctx, s, dstKey, err)
	}
	return to, nil
}

// headSums asks for an object's checksums.
func (s *s3Store) headSums(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	watched, _, stop := watch(ctx, 0, slowest)
	defer stop()
	r, err := s.client.HeadObject(watched, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return nil, s.fail(ctx, "stat", key, slow(watched, err))
	}
	return r, nil
}

// sameSums compares what a server says of two objects. known is false if nothing of it can be compared: sums of parts depend
// on how an object was uploaded, and ETags of encrypted objects on more than their bytes.
func sameSums(a, b *s3.HeadObjectOutput) (known, equal bool) {
	if isMD5(a.ETag) && aws.ToString(a.ETag) == aws.ToString(b.ETag) {
		return true, true
	}
	for _, pair := range [][2]*string{
		{a.ChecksumCRC64NVME, b.ChecksumCRC64NVME}, {a.ChecksumCRC32C, b.ChecksumCRC32C}, {a.ChecksumCRC32, b.ChecksumCRC32},
		{a.ChecksumSHA256, b.ChecksumSHA256}, {a.ChecksumSHA1, b.ChecksumSHA1},
	} {
		x, y := aws.ToString(pair[0]), aws.ToString(pair[1])
		if x != "" && y != "" && !strings.Contains(x+y, "-") && a.ChecksumType == b.ChecksumType {
			return true, x == y
		}
	}
	return false, false
}

// isMD5 tells the ETags of objects that were uploaded whole: 32 hexadecimal digits.
func isMD5(etag *string) bool {
	tag := bareTag(etag)
	return len(tag) == 32 && strings.Trim(tag, "0123456789abcdef") == ""
}

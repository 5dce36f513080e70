package testkit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

// Fill uploads the files of a directory as objects of the bucket, with their relative paths as keys.
func (v Versitygw) Fill(t testing.TB, bucket, dir string) {
	t.Helper()
	client := v.S3()
	var g errgroup.Group
	g.SetLimit(8)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		key, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		g.Go(func() error {
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			_, err = client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(filepath.ToSlash(key)), Body: bytes.NewReader(body)})
			return err
		})
		return nil
	})
	if uploads := g.Wait(); err == nil {
		err = uploads
	}
	if err != nil {
		t.Fatalf("fill bucket %s: %v", bucket, err)
	}
}

// Keys returns the keys of a bucket's objects below a prefix, as the server lists them.
func (v Versitygw) Keys(t testing.TB, bucket, prefix string) []string {
	t.Helper()
	var keys []string
	pages := s3.NewListObjectsV2Paginator(v.S3(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatalf("list bucket %s: %v", bucket, err)
		}
		for _, o := range page.Contents {
			if !strings.HasSuffix(*o.Key, "/") {
				keys = append(keys, *o.Key)
			}
		}
	}
	return keys
}

// OpenUploads returns the keys of a bucket's multipart uploads that were neither completed nor aborted.
func (v Versitygw) OpenUploads(t testing.TB, bucket string) []string {
	t.Helper()
	r, err := v.S3().ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil {
		t.Fatalf("list uploads of bucket %s: %v", bucket, err)
	}
	var keys []string
	for _, u := range r.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}

// Contents describes every object of a bucket, a line each: key, size, tag, time of the last change, hash of the bytes.
func (v Versitygw) Contents(t testing.TB, bucket string) string {
	t.Helper()
	var out strings.Builder
	for _, key := range v.Keys(t, bucket, "") {
		o, err := v.S3().GetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatalf("read %s/%s: %v", bucket, key, err)
		}
		h := sha256.New()
		n, err := io.Copy(h, o.Body)
		o.Body.Close()
		if err != nil {
			t.Fatalf("read %s/%s: %v", bucket, key, err)
		}
		fmt.Fprintf(&out, "%s %d %s %s %x\n", key, n, aws.ToString(o.ETag), o.LastModified, h.Sum(nil))
	}
	return out.String()
}

// DirContents describes every file and folder below a directory, a line each: path, mode, time of the last change, and for files size and hash.
func DirContents(t testing.TB, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s %s %s", path, info.Mode(), info.ModTime())
		if info.Mode().IsRegular() {
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, " %d %x", len(body), sha256.Sum256(body))
		}
		out.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

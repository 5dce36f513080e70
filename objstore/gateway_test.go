package objstore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/objstore"
)

// TestCopyByParts copies within the server by ranges, as objects above the limit of one copy request go.
func TestCopyByParts(t *testing.T) {
	t.Parallel()
	_, open := gateway(t)
	s, ctx := open(t), t.Context()
	objstore.SetCopyPart(s, 5<<20)
	body := bytes.Repeat([]byte("0123456789abcdef"), 12<<20/16)
	must(t, s.Put(ctx, "src", body))
	o, err := s.Copy(ctx, s, "src", "dst")
	must(t, err)
	b, _, err := s.ReadAll(ctx, "dst", 1<<30)
	if err != nil || !bytes.Equal(b, body) || o.Size != int64(len(body)) {
		t.Fatalf("%+v %v", o, err)
	}
	if n, err := objstore.Pending(ctx, s); n != 0 || err != nil {
		t.Errorf("%d uploads are open, %v", n, err)
	}
}

// TestCopyAcross streams between a directory and a bucket, and copies between two buckets of one server.
func TestCopyAcross(t *testing.T) {
	t.Parallel()
	v, open := gateway(t)
	one, two, dir, ctx := open(t), open(t), objstore.Local(t.TempDir()), t.Context()
	body := bytes.Repeat([]byte("0123456789abcdef"), 9<<20/16)
	must(t, dir.Put(ctx, "local", body))
	for _, c := range []struct {
		dst, src objstore.Store
		from, to string
	}{{one, dir, "local", "a/1"}, {two, one, "a/1", "b/2"}, {dir, two, "b/2", "back"}} {
		o, err := c.dst.Copy(ctx, c.src, c.from, c.to)
		if err != nil || o.Size != int64(len(body)) {
			t.Fatalf("%s to %s: %+v %v", c.src.URI(), c.dst.URI(), o, err)
		}
	}
	b, _, err := dir.ReadAll(ctx, "back", 1<<30)
	if err != nil || !bytes.Equal(b, body) {
		t.Fatal(err)
	}
	onDisk, err := os.ReadFile(filepath.Join(v.Root, strings.TrimPrefix(two.URI(), "s3://"), "b/2"))
	if err != nil || !bytes.Equal(onDisk, body) {
		t.Fatal(err)
	}
}

// TestTwoGateways: several servers at once, each with its own settings by bucket.
func TestTwoGateways(t *testing.T) {
	t.Parallel()
	a, b := testkit.StartVersitygw(t), testkit.StartVersitygw(t)
	a.MakeBucket(t, "source")
	b.MakeBucket(t, "target")
	o := objstore.NewOpener(objstore.Config{Buckets: map[string]objstore.Settings{
		"source": settings(a.Endpoint, a.AccessKey, a.SecretKey), "target": settings(b.Endpoint, b.AccessKey, b.SecretKey),
	}})
	src, err := o.Open(t.Context(), "s3://source")
	must(t, err)
	dst, err := o.Open(t.Context(), "s3://target")
	must(t, err)
	must(t, src.Put(t.Context(), "k", []byte("moved")))
	_, err = dst.Copy(t.Context(), src, "k", "k")
	must(t, err)
	if got, err := os.ReadFile(filepath.Join(b.Root, "target", "k")); err != nil || string(got) != "moved" {
		t.Fatalf("%q %v", got, err)
	}
}

func BenchmarkVersitygw(b *testing.B) {
	v := testkit.StartVersitygw(b)
	v.MakeBucket(b, "bench")
	s, err := objstore.NewOpener(objstore.Config{Settings: objstore.Settings{Endpoint: v.Endpoint, AccessKey: v.AccessKey, SecretKey: objstore.Secret(v.SecretKey)}}).Open(b.Context(), "s3://bench")
	if err != nil {
		b.Fatal(err)
	}
	const size = 64 << 20
	body := make([]byte, size)
	upload := func(b *testing.B) {
		u, err := s.Upload(b.Context(), "object")
		if err == nil {
			_, err = u.Write(body)
		}
		if err == nil {
			_, err = u.Commit()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Run("upload", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			upload(b)
		}
	})
	upload(b)
	b.Run("range", func(b *testing.B) {
		b.SetBytes(8 << 20)
		for b.Loop() {
			if _, err := s.ReadRange(b.Context(), "object", 8<<20, 8<<20, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
}

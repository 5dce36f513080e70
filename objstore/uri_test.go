package objstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

func TestParse(t *testing.T) {
	t.Parallel()
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, scheme, store, key, typed string }{
		{"s3://bucket/k/x", "s3", "s3://bucket", "k/x", "s3://bucket/k/x"},
		{"s3a://bucket/k/x/", "s3a", "s3://bucket", "k/x", "s3a://bucket/k/x"},
		{"s3n://bucket", "s3n", "s3://bucket", "", "s3n://bucket"},
		{"s3://my_Bucket.x/a%20b c", "s3", "s3://my_Bucket.x", "a%20b c", "s3://my_Bucket.x/a%20b c"},
		{"/dir/x", "", "file:///dir", "x", "/dir/x"},
		{"/dir//y/../x/", "", "file:///dir", "x", "/dir/x"},
		{"/x", "", "file://", "x", "/x"},
		{"/", "", "file://", "", "/"},
		{"file:///dir/x", "file", "file:///dir", "x", "file:///dir/x"},
		{"file:/dir/sub/x", "file", "file:///dir/sub", "x", "file:///dir/sub/x"},
		{"./dir/x", "", "file://" + cwd + "/dir", "x", cwd + "/dir/x"},
		{"x", "", "file://" + cwd, "x", cwd + "/x"},
	} {
		l, err := objstore.Parse(c.in)
		if err != nil || l.Scheme != c.scheme || l.Store != c.store || l.Key != c.key || l.String() != c.typed {
			t.Errorf("%s: %+v %q %v", c.in, l, l.String(), err)
		}
		store, key, err := objstore.Split(c.in)
		if err != nil || store != c.store || key != c.key {
			t.Errorf("Split(%s) = %s, %s, %v", c.in, store, key, err)
		}
	}
	for in, class := range map[string]error{
		"": fault.ErrUnsafePath, "s3://": fault.ErrUnsafePath, "s3:///k": fault.ErrUnsafePath, "s3://user:pw@bucket/k": fault.ErrUnsafePath,
		"s3://host:9000/bucket/k": fault.ErrUnsafePath, "s3://bucket/a//b": fault.ErrUnsafePath, "s3://bucket/../b": fault.ErrUnsafePath,
		"file://host/dir": fault.ErrUnsafePath, "gs://bucket/k": fault.ErrUnsupported, "http://x/y": fault.ErrUnsupported, "s3://arn:aws:s3/x": fault.ErrUnsafePath,
		"a\x00b": fault.ErrUnsafePath, "s3://b/k/x": fault.ErrUnsafePath,
	} {
		if _, err := objstore.Parse(in); !errors.Is(err, class) {
			t.Errorf("%q: %v, want %v", in, err, class)
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	l, err := objstore.Parse("s3a://bucket/wh/table")
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Join("metadata/", "", "/v1.json").String(); got != "s3a://bucket/wh/table/metadata/v1.json" {
		t.Error(got)
	}
	for want, got := range map[string]string{
		"s3://b/x/y": objstore.Join("s3://b/", "/x/", "y"), "file:///x": objstore.Join("file://", "x"), "file:///a/b": objstore.Join("file:///a", "b"), "s3://b": objstore.Join("s3://b"),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestOpener(t *testing.T) {
	t.Parallel()
	o := objstore.NewOpener(objstore.Config{Settings: objstore.Settings{Endpoint: "http://127.0.0.1:1", AccessKey: "a", SecretKey: "b"}})
	dir := t.TempDir()
	for uri, want := range map[string]string{
		"s3://bucket": "s3://bucket", "s3a://bucket/": "s3://bucket", dir: "file://" + dir, "file://" + dir + "/": "file://" + dir, "/": "file://", filepath.Join(dir, "x"): "file://" + dir + "/x",
	} {
		s, err := o.Open(t.Context(), uri)
		if err != nil || s.URI() != want {
			t.Errorf("%s: %v %v", uri, s, err)
			continue
		}
		if again, _ := o.Open(t.Context(), want+"/"); again != s {
			t.Errorf("%s is not cached", uri)
		}
	}
	if _, err := o.Open(t.Context(), "s3://bucket/key"); !errors.Is(err, fault.ErrUnsafePath) {
		t.Error(err)
	}
	s, key, err := o.OpenObject(t.Context(), "s3a://bucket/some/key")
	if err != nil || s.URI() != "s3://bucket" || key != "some/key" {
		t.Error(s, key, err)
	}
	root, _ := o.Open(t.Context(), "/")
	if err := root.Put(t.Context(), strings.TrimPrefix(dir, "/")+"/f", []byte("x")); err != nil {
		t.Error(err)
	}
	if b, _, err := root.ReadAll(t.Context(), strings.TrimPrefix(dir, "/")+"/f", 5); err != nil || string(b) != "x" {
		t.Error(b, err)
	}
}

package describe

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// testResolver is that of a snapshot of bucket "own", root "files", which was found in s3://own.
func testResolver(t testing.TB, opts Options) *Resolver {
	t.Helper()
	opts.Opener = objstore.NewOpener(objstore.Config{})
	r, err := newResolver(opts)
	if err != nil {
		t.Fatal(err)
	}
	r.settle(place{bucket: "s3://own", prefix: "files"}, reference{key: "files"})
	return r
}

func TestResolveForms(t *testing.T) {
	dir := t.TempDir()
	mapped := Options{Maps: []Map{{Bucket: "data", Target: dir}, {Bucket: "old", Target: "s3://new/copy"}}}
	allowed := Options{AllowPrefixes: []string{"other/tree", "s3://third/a", "s3://own/elsewhere/", "/var/lib/milvus"}}
	cases := []struct {
		name string
		path string
		opts Options
		want string // "" = ErrUnsafePath
	}{
		{"bare key", "files/insert_log/1/2/3", Options{}, "s3://own/files/insert_log/1/2/3"},
		{"s3", "s3://own/files/x", Options{}, "s3://own/files/x"},
		{"s3a", "s3a://own/files/x", Options{}, "s3://own/files/x"},
		{"scheme in capitals", "S3://own/files/x", Options{}, "s3://own/files/x"},
		{"s3 with endpoint", "s3://s3.eu-central-1.amazonaws.com/own/files/x", Options{}, "s3://own/files/x"},
		{"s3 with endpoint and port", "s3://localhost:9000/own/files/x", Options{}, "s3://own/files/x"},
		{"s3 with endpoint of one word", "s3://storage/own/files/x", Options{}, "s3://own/files/x"},
		{"minio", "minio://minio.example:9000/own/files/x", Options{}, "s3://own/files/x"},
		{"minio by address", "minio://10.0.0.1:9000/own/files/x", Options{}, "s3://own/files/x"},
		{"http", "http://minio:9000/own/files/x", Options{}, "s3://own/files/x"},
		{"https", "https://objects.example/own/files/x", Options{}, "s3://own/files/x"},
		{"virtual host", "https://own.s3.eu-west-1.amazonaws.com/files/x", Options{}, "s3://own/files/x"},
		{"gs", "gs://own/files/x", Options{}, "s3://own/files/x"},
		{"gcs", "gcs://own/files/x", Options{}, "s3://own/files/x"},
		{"azure", "azure://account1.blob.core.windows.net/own/files/x", Options{}, "s3://own/files/x"},
		{"az", "az://account1.blob.core.chinacloudapi.cn/own/files/x", Options{}, "s3://own/files/x"},
		{"az without account", "az://own/files/x", Options{}, "s3://own/files/x"},
		{"plus and blank", "files/a b+c%2e", Options{}, "s3://own/files/a b+c%2e"},
		{"two dots in a name", "files/a..b/..c", Options{}, "s3://own/files/a..b/..c"},

		{"mapped bucket", "s3://data/files/x", mapped, "file://" + dir + "/files/x"},
		{"mapped, other scheme", "azure://acc.blob.core.windows.net/data/files/x", mapped, "file://" + dir + "/files/x"},
		{"mapped, virtual host", "https://data.s3.amazonaws.com/files/x", mapped, "file://" + dir + "/files/x"},
		{"mapped to a prefix", "minio://h:9000/old/files/x", mapped, "s3://new/copy/files/x"},
		{"mapped, other root", "s3://data/else/x", mapped, ""},
		{"target of a map is not its name", "s3://new/files/x", mapped, ""},

		{"allowed bare", "other/tree/x", allowed, "s3://own/other/tree/x"},
		{"allowed bare, by URI", "s3://own/other/tree/x", allowed, "s3://own/other/tree/x"},
		{"allowed by own URI", "elsewhere/x", allowed, "s3://own/elsewhere/x"},
		{"allowed, longer name", "other/trees/x", allowed, ""},
		{"allowed other bucket", "s3://third/a/b", allowed, "s3://third/a/b"},
		{"allowed other bucket, other prefix", "s3://third/b/b", allowed, ""},
		{"allowed other bucket, root", "s3://third/files/x", allowed, ""},
		{"allowed directory", "/var/lib/milvus/data/x", allowed, "file:///var/lib/milvus/data/x"},
		{"allowed directory, longer name", "/var/lib/milvus2/data/x", allowed, ""},

		{"empty", "", Options{}, ""},
		{"root itself", "files", Options{}, ""},
		{"sibling of the root", "files2/x", Options{}, ""},
		{"outside the root", "otherroot/files/x", Options{}, ""},
		{"dots", "files/../x", Options{}, ""},
		{"dots first", "../files/x", Options{}, ""},
		{"dots that stay inside", "files/a/../b", Options{}, ""},
		{"dot", "files/./x", Options{}, ""},
		{"dots last", "files/..", Options{}, ""},
		{"dots in a URI", "s3://own/files/../x/files/y", Options{}, ""},
		{"dots as bucket", "s3://../files/x", Options{}, ""},
		{"empty segment", "files//x", Options{}, ""},
		{"directory", "files/x/", Options{}, ""},
		{"absolute", "/etc/hostname", Options{}, ""},
		{"absolute root", "/files/x", Options{}, ""},
		{"file scheme", "file:///etc/hostname", Options{}, ""},
		{"file scheme with host", "file://own/files/x", Options{}, ""},
		{"unknown scheme", "ftp://own/files/x", Options{}, ""},
		{"no scheme", "://own/files/x", Options{}, ""},
		{"user", "s3://user:hunter2@own/files/x", Options{}, ""},
		{"user of a host", "https://hunter2@objects.example/own/files/x", Options{}, ""},
		{"query", "s3://own/files/x?X-Amz-Signature=hunter2", Options{}, ""},
		{"fragment", "s3://own/files/x#hunter2", Options{}, ""},
		{"other bucket", "s3://someone-elses-bucket/files/x", Options{}, ""},
		{"other bucket behind an endpoint", "s3://own.example/theirs/files/x", Options{}, ""},
		{"metadata service", "http://169.254.169.254/latest/meta-data/files/x", Options{}, ""},
		{"metadata service, own bucket", "http://169.254.169.254/own/files/x", Options{}, "s3://own/files/x"},
		{"bucket alone", "s3://own", Options{}, ""},
		{"bucket and slash", "s3://own/", Options{}, ""},
		{"no bucket", "s3:///files/x", Options{}, ""},
		{"line feed", "files/in\nsert_log/x", Options{}, ""},
		{"NUL", "files/x\x00", Options{}, ""},
		{"delete", "files/x\x7f", Options{}, ""},
		{"C1 control", "files/x\u0085", Options{}, ""},
		{"backslash", `files\..\x`, Options{}, ""},
		{"not UTF-8", "files/\xff", Options{}, ""},
		{"1024 bytes", "files/" + strings.Repeat("k", 1018), Options{}, "s3://own/files/" + strings.Repeat("k", 1018)},
		{"1025 bytes", "files/" + strings.Repeat("k", 1019), Options{}, ""},
		{"very long", strings.Repeat("files/", 100000), Options{}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ref, err := testResolver(t, c.opts).Resolve(c.path)
			if c.want == "" {
				if !errors.Is(err, fault.ErrUnsafePath) {
					t.Fatalf("%v, %v; want ErrUnsafePath", ref, err)
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("a secret is in the message: %v", err)
				}
				if len(err.Error()) > 6*MaxKeyBytes {
					t.Errorf("message of %d bytes", len(err.Error()))
				}
				return
			}
			if err != nil || ref.String() != c.want {
				t.Fatalf("%q, %v; want %q", ref, err, c.want)
			}
		})
	}
}

func TestOperatorSettings(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		flag, bucket, target string
	}{
		{"s3://a-bucket=" + dir, "a-bucket", dir},
		{"a-bucket=s3://b/c=d", "a-bucket", "s3://b/c=d"},
		{"azure://cont/=./x", "cont", "./x"},
		{"s3://a/b=x", "", ""}, {"=x", "", ""}, {"a=", "", ""}, {"a", "", ""}, {"s3://../x", "", ""},
	} {
		m, err := ParseMap(c.flag)
		if c.bucket == "" {
			if !errors.Is(err, ErrUsage) {
				t.Errorf("%q gives %v, %v; want ErrUsage", c.flag, m, err)
			}
		} else if err != nil || m.Bucket != c.bucket || m.Target != c.target {
			t.Errorf("%q gives %v, %v", c.flag, m, err)
		}
	}
	for _, bad := range []Options{
		{AllowPrefixes: []string{"a/../b"}}, {AllowPrefixes: []string{"s3://u:p@a/b"}}, {AllowPrefixes: []string{"ftp://a/b"}},
		{Maps: []Map{{"a", "x"}, {"a", "y"}}}, {Maps: []Map{{"a b", "x"}}}, {Maps: []Map{{"a", ""}}},
	} {
		if _, err := newResolver(bad); !errors.Is(err, ErrUsage) {
			t.Errorf("%v gives %v; want ErrUsage", bad, err)
		}
	}
}

// FuzzPath: whatever a path is, it resolves below the root or not at all, and the same twice.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		"files/x", "s3://own/files/x", "s3://h:1/own/files/x", "azure://a.b/own/files/x", "https://own.h/files/x", "s3://data/files/x",
		"files/../x", "/etc/x", "file:///x", "s3://u@own/x", "files/\x00", "files//x", "s3://own/files/%2e%2e/x", "http://169.254.169.254/own/files/x",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	r := testResolver(f, Options{Maps: []Map{{Bucket: "data", Target: dir}}, AllowPrefixes: []string{"allowed", "s3://third/a"}})
	inside := []string{"s3://own/files/", "file://" + dir + "/files/", "s3://own/allowed/", "s3://third/a/"}
	f.Fuzz(func(t *testing.T, path string) {
		ref, err := r.Resolve(path)
		if err != nil {
			if !errors.Is(err, fault.ErrUnsafePath) {
				t.Fatalf("%q: %v", path, err)
			}
			return
		}
		uri := ref.String()
		ok := false
		for _, prefix := range inside {
			ok = ok || strings.HasPrefix(uri, prefix)
		}
		_, rest, _ := strings.Cut(uri, "://")
		if !ok || filepath.Clean("/"+rest) != "/"+strings.TrimPrefix(rest, "/") || strings.ContainsAny(uri, "\x00\n\r\\") {
			t.Fatalf("%q resolves to %q", path, uri)
		}
		if err := objstore.CheckKey(ref.Key); err != nil {
			t.Fatalf("%q resolves to a key that stores refuse: %v", path, err)
		}
		if again, err := r.Resolve(strings.TrimPrefix(uri, "s3://own/")); strings.HasPrefix(uri, "s3://own/") && (err != nil || again != ref) {
			t.Fatalf("%q resolves to %q, that to %q, %v", path, ref, again, err)
		}
	})
}

// copyTree copies a directory.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

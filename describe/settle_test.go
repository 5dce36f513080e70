package describe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/snapfile"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// namedStore is a local directory under the name of a bucket.
type namedStore struct {
	objstore.Store
	uri string
}

func (s namedStore) URI() string { return s.uri }

// bucketOpener opens buckets as directories below dir: no test speaks to a network.
func bucketOpener(dir string) *objstore.Opener {
	return objstore.NewOpener(objstore.Config{
		Settings: objstore.Settings{Endpoint: "http://127.0.0.1:1", Region: "x", AccessKey: "a", SecretKey: "b"},
		Decorator: func(s objstore.Store) objstore.Store {
			if name := bucketName(s.URI()); name != "" {
				return namedStore{objstore.Local(filepath.Join(dir, name)), s.URI()}
			}
			return s
		},
	})
}

func uri(prefix string) func(string) string { return func(p string) string { return prefix + p } }

// TestWhereASnapshotLies: copies, renamed buckets, moved bundles, absolute paths.
func TestWhereASnapshotLies(t *testing.T) {
	const first = "/insert_log/100/200/1000/100/460000000000100100"
	cases := []struct {
		name   string
		made   made
		at     string // the root's directory below the test's
		source string // "" = the file by its path
		maps   []Map  // targets without scheme are below the test's directory
		want   string // of the first insert log, DIR = the test's directory; "" = ErrUnsafePath
		root   string
	}{
		{"bucket's copy", made{root: "files"}, "copy/files", "", nil, "file://DIR/copy/files" + first, "files"},
		{"root of two", made{root: "a/files"}, "copy/a/files", "", nil, "file://DIR/copy/a/files" + first, "a/files"},
		{"no root", made{root: ""}, "copy/x", "", nil, "file://DIR/copy/x" + first, ""},
		{"root renamed", made{root: "files"}, "copy/renamed", "", nil, "", ""},
		{"root is the end of a name", made{root: "files"}, "copy/morefiles", "", nil, "", ""},
		{"in a bucket", made{root: "files"}, "own/files", "s3://own/files", nil, "s3://own/files" + first, "files"},
		{"copied into a bucket", made{root: "files"}, "own/here/files", "s3://own/here/files", nil, "s3://own/here/files" + first, "here/files"},
		{"URIs in its bucket", made{root: "files", path: uri("s3://own/")}, "own/files", "s3a://own/files", nil, "s3://own/files" + first, "files"},
		{"URIs in a renamed bucket", made{root: "files", path: uri("minio://h:1/old/")}, "own/files", "s3://own/files", nil, "", ""},
		{"URIs in a renamed bucket, mapped", made{root: "files", path: uri("minio://h:1/old/")}, "own/files", "s3://own/files",
			[]Map{{"old", "s3://own"}}, "s3://own/files" + first, "files"},
		{"URIs in a copy", made{root: "files", path: uri("s3://own/")}, "copy/files", "", nil, "", ""},
		{"URIs in a copy, mapped", made{root: "files", path: uri("s3://own/")}, "copy/files", "", []Map{{"own", "copy"}}, "file://DIR/copy/files" + first, "files"},
		{"mapped source", made{root: "files", path: uri("s3://own/")}, "copy/files", "s3://own/files", []Map{{"own", "copy"}}, "file://DIR/copy/files" + first, "files"},
		{"map of a directory above", made{root: "files"}, "copy/deep/files", "", []Map{{"own", "copy"}}, "file://DIR/copy/deep/files" + first, "deep/files"},
		{"absolute paths in place", made{root: "DIR/var/milvus"}, "var/milvus", "", nil, "file://DIR/var/milvus" + first, ""},
		{"absolute paths, copied", made{root: "/var/lib/milvus"}, "copy/milvus", "", nil, "file://DIR/copy/milvus" + first, ""},
		{"absolute paths in a bucket", made{root: "/var/lib/milvus"}, "own/milvus", "s3://own/milvus", nil, "", ""},
		{"bundle", made{root: "exports/1", layout: snapfile.LayoutSelfContained}, "own/exports/1", "s3://own/exports/1", nil, "s3://own/exports/1" + first, "exports/1"},
		{"bundle, moved", made{root: "exports/1", layout: snapfile.LayoutSelfContained, location: "exports/1/snapshots/100/metadata/7001.json"},
			"own/moved", "s3://own/moved", nil, "s3://own/moved" + first, "moved"},
		{"bundle of URIs, moved to another bucket",
			made{root: "exports/1", layout: snapfile.LayoutSelfContained, path: uri("s3://old/"), location: "s3://old/exports/1/snapshots/100/metadata/7001.json"},
			"own/moved", "s3://own/moved", nil, "s3://own/moved" + first, "moved"},
		{"bundle of URIs, moved to a directory",
			made{root: "exports/1", layout: snapfile.LayoutSelfContained, path: uri("s3://old/"), location: "s3://old/exports/1/snapshots/100/metadata/7001.json"},
			"moved/here", "", nil, "file://DIR/moved/here" + first, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.made.segments, c.made.fields = 2, 2
			c.made.root = strings.ReplaceAll(c.made.root, "DIR", dir)
			source := c.made.write(t, filepath.Join(dir, c.at))
			if c.source != "" {
				source = c.source + "/snapshots/100/metadata/7001.json"
			}
			opts := Options{Opener: bucketOpener(dir)}
			for _, m := range c.maps {
				if !strings.Contains(m.Target, "://") {
					m.Target = filepath.Join(dir, m.Target)
				}
				opts.Maps = append(opts.Maps, m)
			}
			snap, err := Resolve(context.Background(), source, opts)
			if c.want == "" {
				if !errors.Is(err, fault.ErrUnsafePath) {
					t.Fatalf("%v; want ErrUnsafePath", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(c.want, "DIR", dir)
			if got := snap.Segments[0].Binlogs[0].Binlogs[0].File.String(); got != want {
				t.Errorf("first file is %q, want %q", got, want)
			}
			if snap.Root != c.root {
				t.Errorf("root is %q, want %q", snap.Root, c.root)
			}
			if want := join(join(snap.Location.Bucket, snap.Root), "snapshots/100/metadata/7001.json"); snap.Location.URI != want {
				t.Errorf("location is %q, want %q", snap.Location.URI, want)
			}
		})
	}
}

// TestAllowPrefix: a file outside the root is refused, and read once its place is allowed.
func TestAllowPrefix(t *testing.T) {
	dir := filepath.Join(testkit.Acceptance(t), "damaged", "path-outside-root", "bucket")
	file := filepath.Join(dir, "files", "snapshots", "73907", "metadata", "73913.json")
	for _, allow := range []string{"otherroot", "otherroot/", "otherroot/files", "s3://a-bucket/otherroot", "s3://a-bucket"} {
		opts := caseOptions(dir, "a-bucket")
		opts.AllowPrefixes = []string{"nothing", allow}
		snap, err := Resolve(context.Background(), file, opts)
		if err != nil {
			t.Errorf("%s: %v", allow, err)
			continue
		}
		if result, err := Check(context.Background(), snap, CheckOptions{Options: opts}); err != nil || !result.OK() {
			t.Errorf("%s: %v, %v", allow, result, err)
		}
	}
	for _, allow := range []string{"otherroo", "otherroot/filesx", "s3://b-bucket/otherroot", "s3://a-bucket/files"} {
		opts := caseOptions(dir, "a-bucket")
		opts.AllowPrefixes = []string{allow}
		if _, err := Resolve(context.Background(), file, opts); !errors.Is(err, fault.ErrUnsafePath) {
			t.Errorf("%s: %v; want ErrUnsafePath", allow, err)
		}
	}
}

// TestCheckFinds: what is missing, what has another size, and that sizes that may be of memory are not compared.
func TestCheckFinds(t *testing.T) {
	dir := t.TempDir()
	m := made{root: "files", segments: 3, fields: 2}
	opts := Options{Opener: objstore.NewOpener(objstore.Config{})}
	snap, err := Resolve(context.Background(), m.write(t, filepath.Join(dir, "files")), opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range snap.Segments {
		for _, logs := range [][]milvus.FieldBinlog{snap.Segments[i].Binlogs, snap.Segments[i].Deltalogs, snap.Segments[i].Statslogs} {
			for _, l := range logs {
				b := l.Binlogs[0]
				writeFile(t, filepath.Join(dir, filepath.FromSlash(b.File.Key)), make([]byte, b.Size))
			}
		}
	}
	calls := 0
	check := func() *Integrity {
		t.Helper()
		calls = 0
		got, err := Check(context.Background(), snap, CheckOptions{Options: opts, Progress: func(done, total int) {
			if calls++; done != calls || total != 12 {
				t.Errorf("progress %d of %d at call %d", done, total, calls)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := check(); !got.OK() || got.Files != 12 || got.SizesKnown != 12 || got.Bytes != 3*(2*8000+500+700) || calls != 12 {
		t.Errorf("%+v", got)
	}
	insert, deltas := snap.Segments[0].Binlogs[0].Binlogs[0].File, snap.Segments[1].Deltalogs[0].Binlogs[0].File
	if err := os.Truncate(filepath.Join(dir, insert.Key), 7999); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, deltas.Key)); err != nil {
		t.Fatal(err)
	}
	got := check()
	if len(got.Mismatched) != 1 || got.Mismatched[0] != (Finding{FileInsert, 1000, insert.String(), 8000, 7999}) {
		t.Errorf("mismatched %+v", got.Mismatched)
	}
	if len(got.Missing) != 1 || got.Missing[0] != (Finding{FileDelete, 1001, deltas.String(), 500, 0}) {
		t.Errorf("missing %+v", got.Missing)
	}
	snap.Segments[0].Binlogs[0].Binlogs[0].MemorySize = 8000
	if got := check(); len(got.Mismatched) != 0 {
		t.Errorf("a size that may be of memory was compared: %+v", got.Mismatched)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Check(ctx, snap, CheckOptions{Options: opts}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

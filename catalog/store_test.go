package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/objstore"
)

// bucket is a bucket in a map.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func newMemory() *bucket { return &bucket{objects: map[string][]byte{}} }

func (m *bucket) URI() string { return "s3://lake" }

func (m *bucket) object(key string) ([]byte, objstore.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.objects[key]
	if !ok {
		return nil, objstore.Object{}, fault.Missing("read", "no such object").On(key)
	}
	sum := sha256.Sum256(b)
	return b, objstore.Object{Key: key, Size: int64(len(b)), ETag: hex.EncodeToString(sum[:])}, nil
}

func (m *bucket) Stat(_ context.Context, key string) (objstore.Object, error) {
	_, o, err := m.object(key)
	return o, err
}

func (m *bucket) ReadAll(_ context.Context, key string, limit int64) ([]byte, objstore.Object, error) {
	b, o, err := m.object(key)
	if err == nil && o.Size > limit {
		err = fault.Limit("read", "%d bytes", o.Size)
	}
	return slices.Clone(b), o, err
}

func (m *bucket) ReadRange(_ context.Context, key string, off, n int64, _ string) ([]byte, error) {
	b, _, err := m.object(key)
	if err != nil {
		return nil, err
	}
	return slices.Clone(b[off : off+n]), nil
}

func (m *bucket) Put(_ context.Context, key string, body []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = slices.Clone(body)
	return nil
}

func (m *bucket) Create(_ context.Context, key string, body []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; ok {
		return fault.Conflict("create", "exists").On(key)
	}
	m.objects[key] = slices.Clone(body)
	return nil
}

func (m *bucket) Delete(_ context.Context, keys ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		delete(m.objects, k)
	}
	return nil
}

func (m *bucket) List(_ context.Context, prefix string) iter.Seq2[objstore.Object, error] {
	m.mu.Lock()
	keys := slices.Sorted(maps.Keys(m.objects))
	m.mu.Unlock()
	return func(yield func(objstore.Object, error) bool) {
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) && !yield(objstore.Object{Key: k}, nil) {
				return
			}
		}
	}
}

func (m *bucket) Dirs(context.Context, string) iter.Seq2[string, error] { panic("not used") }
func (m *bucket) Upload(context.Context, string) (objstore.Upload, error) {
	panic("not used")
}
func (m *bucket) Copy(context.Context, objstore.Store, string, string) (objstore.Object, error) {
	panic("not used")
}

// place is where a test keeps its tables.
type place struct {
	name string
	base string // of locations
	open func(ctx context.Context, uri string) (objstore.Store, error)
	s3   *testkit.S3
}

func (p place) table(name string) string { return p.base + "/" + name }

func (p place) path() *Path { return NewPath(p.open, PathOptions{}) }

func inMemory(t testing.TB) place { return over(newMemory()) }

// over is a place in one store, whatever the URI.
func over(s objstore.Store) place {
	return place{name: "memory", base: "s3://lake/wh", open: func(context.Context, string) (objstore.Store, error) { return s, nil }}
}

func local(t testing.TB) place {
	return place{name: "local", base: "file://" + t.TempDir(), open: objstore.NewOpener(objstore.Config{}).Open}
}

func plainPath(t testing.TB) place {
	return place{name: "path", base: t.TempDir(), open: objstore.NewOpener(objstore.Config{}).Open}
}

func versitygw(t testing.TB) place {
	v := testkit.StartVersitygw(t)
	v.MakeBucket(t, "lake")
	o := objstore.NewOpener(objstore.Config{Settings: objstore.Settings{
		Endpoint: v.Endpoint, Region: "us-east-1", AccessKey: v.AccessKey, SecretKey: objstore.Secret(v.SecretKey)}})
	return place{name: "versitygw", base: "s3a://lake/wh", open: o.Open,
		s3: &testkit.S3{Endpoint: v.Endpoint, AccessKey: v.AccessKey, SecretKey: v.SecretKey}}
}

// put writes an object by URI.
func (p place) put(t testing.TB, uri string, body []byte) {
	t.Helper()
	l, err := objstore.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.open(t.Context(), l.Store)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), l.Key, body); err != nil {
		t.Fatal(err)
	}
}

// names lists what is below a location, without it.
func (p place) names(t testing.TB, location string) []string {
	t.Helper()
	l, err := objstore.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.open(t.Context(), l.Store)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for o, err := range s.List(t.Context(), l.Key+"/") {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimPrefix(o.Key, l.Key+"/"))
	}
	return out
}

func (p place) get(t testing.TB, uri string) string {
	t.Helper()
	l, err := objstore.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.open(t.Context(), l.Store)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := s.ReadAll(t.Context(), l.Key, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

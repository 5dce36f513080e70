package objstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/internal/testkit"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
	"github.com/snapexport/snapexport/objstore/storetest"
)

const partSize = 5 << 20

func TestLocal(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) objstore.Store { return objstore.Local(t.TempDir()) })
}

// TestDecorated runs the suite through every decorator, with every third idempotent call failing at first.
func TestDecorated(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) objstore.Store {
		flaky := faultstore.New(objstore.Local(t.TempDir()), faultstore.Rule{
			When: faultstore.All(faultstore.Not(faultstore.On(faultstore.Create, faultstore.Copy, faultstore.Write, faultstore.Commit, faultstore.Entry)), faultstore.Every(3)),
			Do:   faultstore.Fail(objstore.ErrTransient),
		})
		return objstore.WithRetry(objstore.WithMetrics(flaky, &objstore.Metrics{}), quickRetry())
	})
}

func quickRetry() objstore.RetryPolicy {
	p := objstore.DefaultRetry(nil)
	p.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return p
}

// fake starts gofakes3 and returns stores over fresh buckets of it.
func fake(t *testing.T) func(t *testing.T) objstore.Store {
	backend := s3mem.New()
	srv := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(srv.Close)
	o := objstore.NewOpener(objstore.Config{Settings: settings(srv.URL, "key", "secret"), Retry: quickRetry()})
	return buckets(o, func(_ *testing.T, name string) {
		if err := backend.CreateBucket(name); err != nil {
			panic(err)
		}
	})
}

func settings(endpoint, key, secret string) objstore.Settings {
	return objstore.Settings{Endpoint: endpoint, Region: "us-east-1", AccessKey: key, SecretKey: objstore.Secret(secret), PartSize: partSize}
}

// buckets returns a factory of stores over new buckets.
func buckets(o *objstore.Opener, make func(t *testing.T, name string)) func(t *testing.T) objstore.Store {
	var mu sync.Mutex
	n := 0
	return func(t *testing.T) objstore.Store {
		mu.Lock()
		n++
		name := fmt.Sprintf("bucket-%d", n)
		mu.Unlock()
		make(t, name)
		s, err := o.Open(t.Context(), "s3a://"+name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func TestFakeS3(t *testing.T) {
	t.Parallel()
	storetest.Run(t, fake(t), storetest.Options{PartSize: partSize})
}

func gateway(t *testing.T) (testkit.Versitygw, func(t *testing.T) objstore.Store) {
	v := testkit.StartVersitygw(t)
	o := objstore.NewOpener(objstore.Config{Settings: settings(v.Endpoint, v.AccessKey, v.SecretKey), Retry: quickRetry(), Metrics: &objstore.Metrics{}})
	return v, buckets(o, func(t *testing.T, name string) { v.MakeBucket(t, name) })
}

func TestVersitygw(t *testing.T) {
	t.Parallel()
	_, open := gateway(t)
	storetest.Run(t, open, storetest.Options{PartSize: partSize})
}

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	_, open := gateway(t)
	fakes := fake(t)
	for name, open := range map[string]func(t *testing.T) objstore.Store{
		"versitygw": open, "gofakes3": fakes,
		"local": func(t *testing.T) objstore.Store { return objstore.Local(t.TempDir() + "/not/yet") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			r, err := objstore.Check(t.Context(), s, "some/folder/", objstore.CheckOptions{Now: time.Now})
			if err != nil || !r.OK || !r.CommitsSafe || len(r.Steps) != 12 {
				t.Fatalf("%v\n%+v", err, r)
			}
			for o := range s.List(t.Context(), "") {
				t.Errorf("left behind: %s", o.Key)
			}
			for dir := range s.Dirs(t.Context(), "some/folder/") {
				t.Errorf("left behind: %s", dir)
			}
			text, err := json.Marshal(r)
			if err != nil || !strings.Contains(string(text), `"commits_safe":true`) {
				t.Fatalf("%s, %v", text, err)
			}
			t.Logf("%s", text)
		})
	}
}

// TestCheckRefuses runs the check over stores that break one promise each.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store  func(objstore.Store) objstore.Store
		failed []string
		safe   bool
	}{
		"create replaces":   {func(s objstore.Store) objstore.Store { return replacing{s} }, []string{"create-once", "concurrent create-once"}, false},
		"two winners":       {func(s objstore.Store) objstore.Store { return checkThenPut{s} }, []string{"concurrent create-once"}, false},
		"flipped bit":       {broken(faultstore.On(faultstore.ReadAll), faultstore.FlipBit(0)), []string{"get", "create-once", "conditional read", "upload"}, false},
		"silent short body": {broken(faultstore.All(faultstore.On(faultstore.ReadRange), faultstore.Suffix("small")), faultstore.Truncate(2)), []string{"ranged get"}, true},
		"no deletes":        {broken(faultstore.All(faultstore.On(faultstore.Delete), faultstore.First(1)), faultstore.Fail(fault.ErrAuth)), []string{"delete"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := objstore.Check(t.Context(), c.store(objstore.Local(t.TempDir())), "")
			if err == nil || r.OK || r.CommitsSafe != c.safe {
				t.Fatalf("%v %+v", err, r)
			}
			for _, step := range r.Steps {
				for _, want := range c.failed {
					if step.Name == want && step.OK {
						t.Errorf("step %s passed", want)
					}
				}
			}
			if name == "no deletes" && !errors.Is(err, fault.ErrAuth) {
				t.Errorf("class of %v", err)
			}
		})
	}
}

func broken(when faultstore.Predicate, do faultstore.Effect) func(objstore.Store) objstore.Store {
	return func(s objstore.Store) objstore.Store { return faultstore.New(s, faultstore.Rule{When: when, Do: do}) }
}

// replacing ignores that the key exists, as servers do that don't know If-None-Match.
type replacing struct{ objstore.Store }

func (r replacing) Create(ctx context.Context, key string, body []byte) error {
	return r.Put(ctx, key, body)
}

// checkThenPut looks before it writes.
type checkThenPut struct{ objstore.Store }

func (c checkThenPut) Create(ctx context.Context, key string, body []byte) error {
	if _, err := c.Stat(ctx, key); err == nil {
		return fault.Conflict("create", "there")
	}
	time.Sleep(time.Millisecond)
	return c.Put(ctx, key, body)
}

func TestReadOnlyUser(t *testing.T) {
	t.Parallel()
	v, open := gateway(t)
	s := open(t)
	ctx := t.Context()
	if err := s.Put(ctx, "a/b", []byte("content")); err != nil {
		t.Fatal(err)
	}
	bucket := strings.TrimPrefix(s.URI(), "s3://")
	u := v.ReadOnlyUser(t, bucket, "reader")
	stranger := v.AddUser(t, "stranger")
	as := func(key, secret string) objstore.Store {
		s, err := objstore.NewOpener(objstore.Config{Settings: settings(v.Endpoint, key, secret)}).Open(ctx, s.URI())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	reader := as(u.AccessKey, u.SecretKey)
	if b, _, err := reader.ReadAll(ctx, "a/b", 100); err != nil || string(b) != "content" {
		t.Fatalf("%q, %v", b, err)
	}
	for o, err := range reader.List(ctx, "") {
		if err != nil || o.Key != "a/b" {
			t.Fatal(o, err)
		}
	}
	up, err := reader.Upload(ctx, "new")
	if err == nil {
		_, err = up.Commit()
		up.Abort()
	}
	_, copied := reader.Copy(ctx, reader, "a/b", "c")
	_, stat := as(u.AccessKey, "wrong secret").Stat(ctx, "a/b")
	_, _, read := as(stranger.AccessKey, stranger.SecretKey).ReadAll(ctx, "a/b", 100)
	for what, err := range map[string]error{
		"put": reader.Put(ctx, "new", nil), "create": reader.Create(ctx, "new", nil), "delete": reader.Delete(ctx, "a/b"),
		"upload": err, "copy": copied, "wrong secret": stat, "stranger": read, "unknown user": as("nobody", "x").Put(ctx, "a", nil),
	} {
		var e *fault.Error
		if !errors.Is(err, fault.ErrAuth) || !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if r, err := objstore.CheckCommits(ctx, reader, ""); !errors.Is(err, fault.ErrAuth) || r.CommitsSafe {
		t.Errorf("%v %+v", err, r)
	}
}

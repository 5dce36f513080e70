// Package storetest is the conformance suite of objstore.Store. Every implementation and every decorator runs it.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/objstore"
)

// Options say where a store differs from what is asked of all.
type Options struct {
	// PartSize is the size in bytes above which an upload takes several requests; 0 is 1 MiB.
	PartSize int
	// PlainKeys leaves out keys with other characters than [A-Za-z0-9_=./-].
	PlainKeys bool
	// RacyCreate leaves out concurrent creators, for stores that are known not to choose one.
	RacyCreate bool
}

// Run tests the stores that factory returns. Each call must give an empty store that can be written to, gone after the test.
// The subtests run in parallel.
func Run(t *testing.T, factory func(t *testing.T) objstore.Store, opts ...Options) {
	s := suite{factory: factory, Options: Options{PartSize: 1 << 20}}
	if len(opts) > 0 {
		s.Options = opts[0]
	}
	if s.PartSize == 0 {
		s.PartSize = 1 << 20
	}
	for _, c := range []struct {
		name string
		test func(*kit)
	}{
		{"sizes", s.sizes}, {"keys", s.keys}, {"bad keys", badKeys}, {"missing", missing}, {"limit", limit}, {"ranges", ranges},
		{"etag", etag}, {"replace", replace}, {"create", create}, {"race", s.race}, {"list", list}, {"prefixes", prefixes},
		{"many", many}, {"dirs", dirs}, {"upload", s.upload}, {"abort", s.abort}, {"delete", deletes}, {"copy", s.copies},
		{"cancel", cancel},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(&kit{T: t, Store: s.factory(t), ctx: t.Context()})
		})
	}
}

type suite struct {
	factory func(t *testing.T) objstore.Store
	Options
}

// kit is a test with its store.
type kit struct {
	*testing.T
	objstore.Store
	ctx context.Context
}

func (k *kit) ok(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

func (k *kit) is(err, class error) {
	k.Helper()
	if !errors.Is(err, class) {
		k.Fatalf("got error %v, want class %v", err, class)
	}
}

func (k *kit) put(key string, body []byte) {
	k.Helper()
	k.ok(k.Put(k.ctx, key, body))
}

// holds asserts all that can be asked about an object's content.
func (k *kit) holds(key string, want []byte) objstore.Object {
	k.Helper()
	b, o, err := k.ReadAll(k.ctx, key, int64(len(want)))
	k.ok(err)
	if !bytes.Equal(b, want) {
		k.Fatalf("%s: read %d bytes that differ from the %d written", key, len(b), len(want))
	}
	st, err := k.Stat(k.ctx, key)
	k.ok(err)
	for _, got := range []objstore.Object{o, st} {
		if got.Key != key || got.Size != int64(len(want)) || got.ETag == "" || got.ETag != st.ETag || got.ModTime.IsZero() {
			k.Fatalf("%s: described as %+v and %+v, want size %d", key, o, st, len(want))
		}
	}
	return st
}

func (k *kit) listed(prefix string) (keys []string) {
	k.Helper()
	for o, err := range k.List(k.ctx, prefix) {
		k.ok(err)
		keys = append(keys, o.Key)
	}
	return keys
}

func (k *kit) equal(what string, got, want []string) {
	k.Helper()
	if !slices.Equal(got, want) {
		k.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

// pattern is n bytes of which no two aligned blocks are the same.
func pattern(n int) []byte {
	b := make([]byte, 0, n+8)
	for i := uint32(0); len(b) < n; i++ {
		x := i * 2654435761
		b = append(b, byte(x>>24), byte(x>>16), byte(x>>8), byte(x))
	}
	return b[:n]
}

func (s suite) sizes(k *kit) {
	for _, n := range []int{0, 1, 17, 64 << 10, s.PartSize + 1} {
		key := fmt.Sprintf("sizes/%d", n)
		k.put(key, pattern(n))
		k.holds(key, pattern(n))
	}
}

func (s suite) keys(k *kit) {
	keys := []string{"plain", "a/b/c.d-e_f=g", "part=1/day=2024-01-01/x.parquet", ".hidden", "-dash", "a/.b/..c", strings.Repeat("k", 200) + "/" + strings.Repeat("l", 200)}
	if !s.PlainKeys {
		keys = append(keys, "with space/x y", "percent%20/a%2Fb%", "plus+and&amp;", "ümlaut/日本語/🙂", `quote'"<>`, "semi;colon:at@x", "hash#q?mark", "star*[x]{y}|~!$^,()")
	}
	for i, key := range keys {
		k.put(key, fmt.Appendf(nil, "body %d", i))
	}
	for i, key := range keys {
		want := fmt.Appendf(nil, "body %d", i)
		k.holds(key, want)
		k.equal("list by whole key", k.listed(key), []string{key})
		b, err := k.ReadRange(k.ctx, key, 5, int64(len(want))-5, "")
		k.ok(err)
		k.equal("range of "+key, []string{string(b)}, []string{string(want[5:])})
	}
	sorted := slices.Sorted(slices.Values(keys))
	k.equal("list all", k.listed(""), sorted)
	k.ok(k.Delete(k.ctx, keys...))
	k.equal("list after delete", k.listed(""), nil)
}

func badKeys(k *kit) {
	for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", "a/..", ".", "./a", "a\x00b", "a\nb", "a\u0085b", "bad\xff", strings.Repeat("x", 1025)} {
		_, err := k.Stat(k.ctx, key)
		k.is(err, fault.ErrUnsafePath)
		_, _, err = k.ReadAll(k.ctx, key, 1)
		k.is(err, fault.ErrUnsafePath)
		_, err = k.ReadRange(k.ctx, key, 0, 1, "")
		k.is(err, fault.ErrUnsafePath)
		k.is(k.Put(k.ctx, key, nil), fault.ErrUnsafePath)
		k.is(k.Create(k.ctx, key, nil), fault.ErrUnsafePath)
		k.is(k.Delete(k.ctx, key), fault.ErrUnsafePath)
		_, err = k.Upload(k.ctx, key)
		k.is(err, fault.ErrUnsafePath)
		_, err = k.Copy(k.ctx, k.Store, key, "x")
		k.is(err, fault.ErrUnsafePath)
	}
	for _, prefix := range []string{"/", "../", "a//", "a/../b"} {
		for _, err := range k.List(k.ctx, prefix) {
			k.is(err, fault.ErrUnsafePath)
		}
	}
	for _, err := range k.Dirs(k.ctx, "no-slash") {
		k.is(err, fault.ErrUnsafePath)
	}
}

func missing(k *kit) {
	k.put("dir/there", []byte("x"))
	for _, key := range []string{"absent", "dir", "dir/absent", "dir/there/below"} {
		_, err := k.Stat(k.ctx, key)
		k.is(err, fault.ErrMissing)
		_, _, err = k.ReadAll(k.ctx, key, 10)
		k.is(err, fault.ErrMissing)
		_, err = k.ReadRange(k.ctx, key, 0, 1, "")
		k.is(err, fault.ErrMissing)
		_, err = k.Copy(k.ctx, k.Store, key, "copy")
		k.is(err, fault.ErrMissing)
		var e *fault.Error
		if !errors.As(err, &e) || !strings.Contains(e.Object, key) {
			k.Fatalf("error %v does not name %s", err, key)
		}
	}
	k.equal("nothing was written", k.listed(""), []string{"dir/there"})
}

func limit(k *kit) {
	k.put("ten", pattern(10))
	k.put("empty", nil)
	_, o, err := k.ReadAll(k.ctx, "ten", 9)
	k.is(err, fault.ErrLimit)
	if o.Size != 10 {
		k.Fatalf("size %d told with the error, want 10", o.Size)
	}
	_, _, err = k.ReadAll(k.ctx, "ten", -1)
	k.is(err, fault.ErrLimit)
	_, _, err = k.ReadAll(k.ctx, "empty", 0)
	k.ok(err)
}

func ranges(k *kit) {
	body := pattern(100_000)
	k.put("r", body)
	for _, c := range []struct{ off, n int64 }{{0, 1}, {0, 100_000}, {99_999, 1}, {50_000, 33_333}, {7, 0}} {
		b, err := k.ReadRange(k.ctx, "r", c.off, c.n, "")
		k.ok(err)
		if !bytes.Equal(b, body[c.off:c.off+c.n]) {
			k.Fatalf("range of %d bytes from %d differs", c.n, c.off)
		}
	}
	for _, c := range []struct{ off, n int64 }{{0, 100_001}, {99_999, 2}, {100_000, 1}, {200_000, 5}, {1, 1 << 50}, {-1, 2}, {0, -1}, {5, 1<<63 - 1}} {
		_, err := k.ReadRange(k.ctx, "r", c.off, c.n, "")
		k.is(err, fault.ErrCorrupt)
		if errors.Is(err, objstore.ErrTransient) {
			k.Fatalf("a range past the end counts as temporary: %v", err)
		}
	}
	k.put("empty", nil)
	_, err := k.ReadRange(k.ctx, "empty", 0, 1, "")
	k.is(err, fault.ErrCorrupt)
}

func etag(k *kit) {
	k.put("e", []byte("one"))
	first := k.holds("e", []byte("one"))
	b, err := k.ReadRange(k.ctx, "e", 0, 3, first.ETag)
	k.ok(err)
	k.equal("under the tag", []string{string(b)}, []string{"one"})
	k.put("e", []byte("two"))
	second := k.holds("e", []byte("two"))
	if first.ETag == second.ETag {
		k.Fatal("the ETag is the same after a change")
	}
	_, err = k.ReadRange(k.ctx, "e", 0, 3, first.ETag)
	k.is(err, fault.ErrConflict)
	_, err = k.ReadRange(k.ctx, "e", 0, 3, "never-seen")
	k.is(err, fault.ErrConflict)
	for o, err := range k.List(k.ctx, "e") {
		k.ok(err)
		if o.ETag != second.ETag || o.Size != 3 {
			k.Fatalf("listed as %+v, stat says %+v", o, second)
		}
	}
}

func replace(k *kit) {
	k.put("x", pattern(1000))
	k.put("x", []byte("short"))
	k.holds("x", []byte("short"))
	k.put("x", nil)
	k.holds("x", nil)
}

func create(k *kit) {
	k.ok(k.Create(k.ctx, "once/v1", []byte("first")))
	k.is(k.Create(k.ctx, "once/v1", []byte("second")), fault.ErrConflict)
	k.holds("once/v1", []byte("first"))
	k.ok(k.Create(k.ctx, "once/v2", nil))
	k.is(k.Create(k.ctx, "once/v2", []byte("x")), fault.ErrConflict)
	k.holds("once/v2", nil)
	k.put("put", []byte("p"))
	k.is(k.Create(k.ctx, "put", []byte("x")), fault.ErrConflict)
	k.ok(k.Delete(k.ctx, "once/v1"))
	k.ok(k.Create(k.ctx, "once/v1", []byte("third")))
	k.holds("once/v1", []byte("third"))
	k.equal("only these", k.listed(""), []string{"once/v1", "once/v2", "put"})
}

// race lets 16 creators of one key start together, ten times. Exactly one may succeed, all others see a conflict.
func (s suite) race(k *kit) {
	if s.RacyCreate {
		k.Skip("the store does not choose one creator")
	}
	for round := range 10 {
		key := fmt.Sprintf("race/%d", round)
		var wg sync.WaitGroup
		var errs [objstore.Creators]error
		start := make(chan struct{})
		for i := range errs {
			wg.Go(func() {
				<-start
				errs[i] = k.Create(k.ctx, key, fmt.Appendf(nil, "creator %d", i))
			})
		}
		close(start)
		wg.Wait()
		winner := -1
		for i, err := range errs {
			if err != nil {
				k.is(err, fault.ErrConflict)
				continue
			}
			if winner >= 0 {
				k.Fatalf("creators %d and %d both won", winner, i)
			}
			winner = i
		}
		if winner < 0 {
			k.Fatal("nobody won")
		}
		k.holds(key, fmt.Appendf(nil, "creator %d", winner))
	}
}

func list(k *kit) {
	k.equal("empty store", k.listed(""), nil)
	// '-' and '.' sort before '/', '0' and letters after it.
	keys := []string{"a-b", "a.c", "a/b", "a/b-c", "a/b.d/x", "a/b/c", "a/b0", "a0", "aa/x", "b"}
	for _, i := range []int{3, 9, 0, 5, 1, 6, 8, 2, 7, 4} {
		if strings.HasPrefix(keys[i], "a/b/") {
			continue // "a/b" is an object, so it can't be a directory everywhere
		}
		k.put(keys[i], []byte(keys[i]))
	}
	keys = slices.DeleteFunc(keys, func(s string) bool { return s == "a/b/c" })
	k.equal("all", k.listed(""), keys)
	for o, err := range k.List(k.ctx, "") {
		k.ok(err)
		if o.Size != int64(len(o.Key)) || o.ETag == "" || o.ModTime.IsZero() {
			k.Fatalf("listed as %+v", o)
		}
	}
	n := 0
	for _, err := range k.List(k.ctx, "") {
		k.ok(err)
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		k.Fatalf("%d objects before the consumer stopped, want 3", n)
	}
}

func prefixes(k *kit) {
	for _, key := range []string{"data/1/a", "data/1/b", "data/10/a", "data/2/c", "database", "other"} {
		k.put(key, nil)
	}
	for prefix, want := range map[string][]string{
		"data/1/": {"data/1/a", "data/1/b"},
		"data/1":  {"data/1/a", "data/1/b", "data/10/a"},
		"data/":   {"data/1/a", "data/1/b", "data/10/a", "data/2/c"},
		"dat":     {"data/1/a", "data/1/b", "data/10/a", "data/2/c", "database"},
		"none":    nil, "none/": nil, "other/": nil, "data/1/a/": nil,
	} {
		k.equal("prefix "+prefix, k.listed(prefix), want)
	}
}

// many needs more than one page of 1000.
func many(k *kit) {
	const n = 1203
	var want []string
	var wg sync.WaitGroup
	next := make(chan string)
	for range 8 {
		wg.Go(func() {
			for key := range next {
				if err := k.Put(k.ctx, key, nil); err != nil {
					k.Error(err)
				}
			}
		})
	}
	for i := range n {
		want = append(want, fmt.Sprintf("many/%04d", i))
		next <- want[i]
	}
	close(next)
	wg.Wait()
	k.equal("all pages", k.listed("many/"), want)
	k.ok(k.Delete(k.ctx, want[:3]...))
	k.equal("after delete", k.listed(""), want[3:])
}

func dirs(k *kit) {
	for _, key := range []string{"root-file", "s/100/metadata/1.json", "s/100/manifests/x", "s/99/metadata/2.json", "s/file", "s-x/y"} {
		k.put(key, nil)
	}
	for prefix, want := range map[string][]string{
		"": {"s-x/", "s/"}, "s/": {"s/100/", "s/99/"}, "s/100/": {"s/100/manifests/", "s/100/metadata/"}, "s/99/metadata/": nil, "none/": nil,
	} {
		var got []string
		for dir, err := range k.Dirs(k.ctx, prefix) {
			k.ok(err)
			got = append(got, dir)
		}
		k.equal("directories of "+prefix, got, want)
	}
}

func (s suite) upload(k *kit) {
	body := pattern(3*s.PartSize + s.PartSize/3)
	for _, n := range []int{0, 1, s.PartSize, s.PartSize + 1, 2 * s.PartSize, len(body)} {
		key := fmt.Sprintf("up/%d", n)
		u, err := k.Upload(k.ctx, key)
		k.ok(err)
		for rest := body[:n]; len(rest) > 0; { // pieces that do not divide the part
			piece := rest[:min(len(rest), 300_001)]
			written, err := u.Write(piece)
			k.ok(err)
			if written != len(piece) {
				k.Fatalf("wrote %d of %d", written, len(piece))
			}
			rest = rest[len(piece):]
		}
		_, err = k.Stat(k.ctx, key)
		k.is(err, fault.ErrMissing)
		k.equal("not listed", k.listed(key), nil)
		o, err := u.Commit()
		k.ok(err)
		if st := k.holds(key, body[:n]); o.Size != int64(n) || o.ETag != st.ETag || o.Key != key {
			k.Fatalf("Commit says %+v, Stat %+v", o, st)
		}
		k.ok(u.Abort())
		k.holds(key, body[:n])
	}
	u, err := k.Upload(k.ctx, "up/1")
	k.ok(err)
	_, err = io.WriteString(u, "replaced")
	k.ok(err)
	k.holds("up/1", body[:1])
	_, err = u.Commit()
	k.ok(err)
	k.holds("up/1", []byte("replaced"))
	if _, err := u.Write([]byte("x")); err == nil {
		k.Fatal("written to after Commit")
	}
	if _, err := u.Commit(); err == nil {
		k.Fatal("committed twice")
	}
}

func (s suite) abort(k *kit) {
	for _, n := range []int{0, 10, 2*s.PartSize + 5} {
		u, err := k.Upload(k.ctx, "gone")
		k.ok(err)
		_, err = u.Write(pattern(n))
		k.ok(err)
		k.ok(u.Abort())
		k.ok(u.Abort())
		if _, err := u.Commit(); err == nil {
			k.Fatal("committed after Abort")
		}
	}
	ctx, cancel := context.WithCancel(k.ctx)
	u, err := k.Upload(ctx, "gone")
	k.ok(err)
	_, err = u.Write(pattern(2*s.PartSize + 5))
	k.ok(err)
	cancel()
	_, err = u.Commit()
	k.is(err, context.Canceled)
	k.ok(u.Abort())
	_, err = k.Stat(k.ctx, "gone")
	k.is(err, fault.ErrMissing)
	k.equal("nothing is left", k.listed(""), nil)
}

func deletes(k *kit) {
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprintf("d/%02d", i))
		k.put(keys[i], nil)
	}
	k.ok(k.Delete(k.ctx))
	k.ok(k.Delete(k.ctx, append([]string{"never/was"}, keys[:19]...)...))
	k.ok(k.Delete(k.ctx, keys[0]))
	k.ok(k.Delete(k.ctx, "d"))
	k.equal("what remains", k.listed(""), keys[19:])
}

func (s suite) copies(k *kit) {
	for _, n := range []int{0, 5, s.PartSize + 7} {
		k.put("src", pattern(n))
		for _, src := range []objstore.Store{k.Store, streamed{k.Store}} {
			dst := fmt.Sprintf("dst/%d-%T", n, src)
			dst = strings.NewReplacer("*", "", ".", "-").Replace(dst)
			o, err := k.Copy(k.ctx, src, "src", dst)
			k.ok(err)
			if st := k.holds(dst, pattern(n)); o.Key != dst || o.Size != int64(n) || o.ETag != st.ETag {
				k.Fatalf("Copy says %+v, Stat %+v", o, st)
			}
			k.holds("src", pattern(n))
		}
	}
	k.put("other", []byte("other"))
	_, err := k.Copy(k.ctx, k.Store, "other", "src")
	k.ok(err)
	k.holds("src", []byte("other"))
	k.put("other", []byte("changed"))
	k.holds("src", []byte("other"))
	if s.PlainKeys {
		return
	}
	k.put("odd %/ü +&?#", []byte("odd"))
	_, err = k.Copy(k.ctx, k.Store, "odd %/ü +&?#", "copy of odd %")
	k.ok(err)
	k.holds("copy of odd %", []byte("odd"))
}

// streamed hides what kind of store it is.
type streamed struct{ objstore.Store }

func cancel(k *kit) {
	k.put("c", []byte("c"))
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	_, err := k.Stat(ctx, "c")
	k.is(err, context.Canceled)
	_, _, err = k.ReadAll(ctx, "c", 10)
	k.is(err, context.Canceled)
	_, err = k.ReadRange(ctx, "c", 0, 1, "")
	k.is(err, context.Canceled)
	k.is(k.Put(ctx, "c", nil), context.Canceled)
	k.is(k.Create(ctx, "new", nil), context.Canceled)
	k.is(k.Delete(ctx, "c"), context.Canceled)
	for _, err := range k.List(ctx, "") {
		k.is(err, context.Canceled)
	}
	k.holds("c", []byte("c"))
	k.equal("nothing new", k.listed(""), []string{"c"})
}

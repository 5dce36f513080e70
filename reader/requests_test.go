package reader

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// asked is a store that notes which bytes were asked for, and how many requests were under way at a time.
type asked struct {
	objstore.Store
	latency time.Duration

	mu        sync.Mutex
	bytes     map[string][]span // by key
	stats     int
	now, most int
}

func (a *asked) begin() {
	a.mu.Lock()
	a.now++
	a.most = max(a.most, a.now)
	a.mu.Unlock()
	time.Sleep(a.latency)
}

func (a *asked) end(key string, off, n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now--
	a.bytes[key] = append(a.bytes[key], span{off, off + n})
}

func (a *asked) Stat(ctx context.Context, key string) (objstore.Object, error) {
	a.mu.Lock()
	a.stats++
	a.mu.Unlock()
	return a.Store.Stat(ctx, key)
}

func (a *asked) ReadAll(ctx context.Context, key string, limit int64) ([]byte, objstore.Object, error) {
	a.begin()
	b, o, err := a.Store.ReadAll(ctx, key, limit)
	a.end(key, 0, int64(len(b)))
	return b, o, err
}

func (a *asked) ReadRange(ctx context.Context, key string, off, n int64, etag string) ([]byte, error) {
	a.begin()
	b, err := a.Store.ReadRange(ctx, key, off, n, etag)
	a.end(key, off, n)
	return b, err
}

// twice returns how many bytes were asked for more than once, footers left out: the end of a file may be part of a block, too.
func (a *asked) twice(sizes map[string]int64) (n int64) {
	for key, spans := range a.bytes {
		for i, s := range spans {
			for _, t := range spans[:i] {
				if end := min(s.end, t.end, sizes[key]-64<<10); end > max(s.first, t.first) {
					n += end - max(s.first, t.first)
				}
			}
		}
	}
	return n
}

func (a *asked) requests() (n int) {
	for _, s := range a.bytes {
		n += len(s)
	}
	return n
}

func (a *asked) total() (n int64) {
	for _, s := range a.bytes {
		n += rowsIn(s)
	}
	return n
}

const (
	wideRows   = 24_000
	wideChunks = 4
)

// wide is a segment with a key, a sorted number, a text and a vector, whose values do not compress.
func wide(t *testing.T, version int64) (*fixture.Collection, map[string]int64) {
	t.Helper()
	c := collection(t, milvus.Field{ID: 101, Name: "n", Type: milvus.TypeInt64}, milvus.Field{ID: 102, Name: "t", Type: milvus.TypeVarChar, MaxLength: 200},
		milvus.Field{ID: 103, Name: "v", Type: milvus.TypeFloatVector, Dim: 64})
	c.Files.Version = version
	r := rand.New(rand.NewPCG(1, 2))
	var chunks []flush.Chunk
	for k := range wideChunks {
		const rows = wideRows / wideChunks
		numbers, texts, values := make([]int64, rows), make([]string, rows), make([]float32, rows*64)
		for i := range numbers {
			numbers[i] = int64(k*rows + i)
			texts[i] = fmt.Sprintf("%x", r.Uint64())
		}
		for i := range values {
			values[i] = float32(r.NormFloat64())
		}
		chunks = append(chunks, chunkOf(rows, flush.Chunk{101: fixture.Int64s(numbers...), 102: fixture.Strings(texts...), 103: fixture.FloatVectors(64, values...)}))
	}
	seg := c.Add(t, fixture.Segment{ID: 9, Partition: partition, Level: milvus.LevelL1, Channel: channel, Chunks: chunks})
	sizes := map[string]int64{}
	store := objstore.Local(c.Dir)
	for _, fb := range seg.Binlogs {
		for _, b := range fb.Binlogs {
			o, err := store.Stat(t.Context(), b.File.Key)
			if err != nil {
				t.Fatal(err)
			}
			sizes[b.File.Key] = o.Size
		}
	}
	return c, sizes
}

// scanned reads all rows of a wide segment and returns what was asked of the store, and a number of each row.
func scanned(t *testing.T, c *fixture.Collection, latency time.Duration, opts Options) (*asked, int64, Counts) {
	t.Helper()
	a := &asked{latency: latency, bytes: map[string][]span{}}
	opts.Opener = objstore.NewOpener(objstore.Config{Decorator: func(s objstore.Store) objstore.Store { a.Store = s; return a }})
	opts.Reuse = true
	scan, err := Open(snapshot(c), opts)
	if err != nil {
		t.Fatal(err)
	}
	var rows int64
	var all Counts
	for _, seg := range scan.Segments() {
		counts, err := scan.Read(t.Context(), seg, func(b arrow.RecordBatch) error { rows += b.NumRows(); return nil })
		if err != nil {
			t.Fatal(err)
		}
		all.Add(counts)
	}
	return a, rows, all
}

// Nothing is read twice, in few requests, and of columns that are not selected nothing.
func TestRequests(t *testing.T) {
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV2} {
		t.Run(fmt.Sprint("V", version), func(t *testing.T) {
			c, sizes := wide(t, version)
			var stored int64
			for _, n := range sizes {
				stored += n
			}
			a, rows, counts := scanned(t, c, 0, Options{})
			if rows != wideRows || counts.Bytes != a.total() {
				t.Errorf("%d rows, %d bytes counted of %d", rows, counts.Bytes, a.total())
			}
			if n := a.twice(sizes); n > 0 {
				t.Errorf("%d bytes were read twice", n)
			}
			if all := a.total(); all > stored+int64(len(sizes))*(64<<10) {
				t.Errorf("%d bytes were read of %d", all, stored)
			}
			if n := int64(a.requests()); n > 2*int64(len(sizes))+stored/(1<<20) {
				t.Errorf("%d requests for %d files of %d bytes", n, len(sizes), stored)
			}
			few, rows, _ := scanned(t, c, 0, Options{Columns: []string{"id", "n"}})
			if rows != wideRows || few.total() > stored/8 {
				t.Errorf("two narrow columns: %d rows, %d bytes of %d", rows, few.total(), stored)
			}
			for key := range few.bytes {
				if strings.Contains(key, "/103/") {
					t.Errorf("%s was read", key)
				}
			}
		})
	}
}

// What statistics exclude is not read.
func TestRequestsOfAFilter(t *testing.T) {
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV2} {
		t.Run(fmt.Sprint("V", version), func(t *testing.T) {
			c, sizes := wide(t, version)
			all, _, _ := scanned(t, c, 0, Options{})
			for expr, want := range map[string]int64{"n < 100": 100, "n >= 23990": 10, "n >= 11990 && n < 12010": 20, "n == 3 || n == 20000": 2, "n < 0": 0} {
				where, err := filter.Parse(expr, &c.Collection.Schema)
				if err != nil {
					t.Fatal(err)
				}
				a, rows, counts := scanned(t, c, 0, Options{Where: where})
				if rows != want || counts.Rows != wideRows || counts.Filtered != wideRows-want {
					t.Errorf("%s: %d rows, %+v", expr, rows, counts)
				}
				if a.twice(sizes) > 0 || a.total() > all.total()*6/10 {
					t.Errorf("%s: %d bytes were read of %d, %d of them twice", expr, a.total(), all.total(), a.twice(sizes))
				}
			}
		})
	}
}

// Requests overlap, and are not more than a few at a time.
func TestRequestsOverlap(t *testing.T) {
	for _, version := range []int64{milvus.StorageV1, milvus.StorageV2} {
		c, _ := wide(t, version)
		const latency = 20 * time.Millisecond
		begun := time.Now()
		a, _, _ := scanned(t, c, latency, Options{Budget: NewBudget(64 << 20)})
		took := time.Since(begun)
		if serial := time.Duration(a.requests()) * latency; a.most < 3 || a.most > 2*filesAtOnce {
			t.Errorf("version %d: %d requests at a time; %d took %v, one after the other %v", version, a.most, a.requests(), took, serial)
		}
	}
}

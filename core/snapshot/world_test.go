package snapshot

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/internal/testkit/fixture"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/objstore/faultstore"
	"github.com/snapexport/snapexport/reader"
)

// faults stops everything at the n-th step, as the end of the process would.
type faults struct {
	mu    sync.Mutex
	steps []string
	stop  int // 0: never
	dead  bool
}

var errDead = errors.New("the process is gone")

func (f *faults) at(point string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, point)
	if len(f.steps) == f.stop {
		f.dead = true
	}
	return f.deadError()
}

func (f *faults) deadError() error {
	if f.dead {
		return errDead
	}
	return nil
}

func (f *faults) isDead() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deadError()
}

// world is a store of metadata, one of files, and the service above them.
type world struct {
	t      testing.TB
	dir    string
	faults *faults
	mu     sync.Mutex
	now    time.Time
	random uint64
	store  *metastore.Store
	files  objstore.Store
	*Service
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, dir: t.TempDir(), now: time.UnixMilli(1_700_000_600_000), faults: &faults{}}
	w.open()
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// open starts the process again.
func (w *world) open() {
	w.t.Helper()
	if w.store != nil {
		check(w.t, w.store.Close())
	}
	f := &faults{}
	w.faults = f
	var err error
	w.store, err = metastore.Open(context.Background(), metastore.Config{
		Dir: filepath.Join(w.dir, "etcd"), Storage: "files", NoFsync: true, Now: w.clock, Fault: f.at,
	})
	check(w.t, err)
	store := w.store
	w.t.Cleanup(func() { _ = store.Close() })
	w.files = faultstore.New(objstore.Local(w.bucket()), faultstore.Rule{When: faultstore.Always, Do: faultstore.Effect{
		Before: func(context.Context, faultstore.Call) error { return f.isDead() },
	}})
	w.Service = New(w.store, w.files, Config{Root: "files", Now: w.clock, Random: w.chance, Fault: f.at})
}

func (w *world) bucket() string { return filepath.Join(w.dir, "bucket") }

func (w *world) chance() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.random += 0x9e3779b97f4a7c15
	return w.random
}

// documents puts the fixture's collection into the store, with one index whose files are there.
func (w *world) documents(shape fixture.Shape) (*fixture.Collection, *metastore.Collection) {
	w.t.Helper()
	c := fixture.Documents(w.t, w.bucket(), shape)
	m := &metastore.Collection{Collection: c.Collection, PhysicalChannels: []string{"by-dev-rootcoord-dml_0"}}
	m.Schema.Fields = append(flush.SystemFields(), m.Schema.Fields...)
	m.Channels, m.Shards, m.ConsistencyLevel = []string{fixture.DocumentsChannel}, 1, 2
	m.Properties = []milvus.KeyValue{{Key: "collection.ttl.seconds", Value: "0"}}
	m.Indexes = []milvus.Index{{ID: 301, Field: 102, Name: "embedding", Params: []milvus.KeyValue{{Key: "index_type", Value: "FLAT"}}}}
	check(w.t, w.store.CreateCollection(w.t.Context(), m))
	var change metastore.Change
	change.Collection = m.ID
	for i, seg := range c.Segments {
		s := &metastore.Segment{Segment: seg}
		s.Start, s.DML = milvus.Position{Channel: seg.Channel, Timestamp: 5}, milvus.Position{Channel: seg.Channel, Timestamp: 9}
		x := milvus.IndexFiles{Field: 102, Index: 301, Build: milvus.BuildID(401 + i), Name: "embedding", Version: 1, Rows: seg.Rows}
		key := fmt.Sprintf("files/index_files/%d/1/%d/%d/flat", x.Build, seg.Partition, seg.ID)
		check(w.t, w.files.Put(w.t.Context(), key, []byte("index")))
		x.Files = []milvus.FileRef{{Key: key}}
		s.Indexes = []milvus.IndexFiles{x}
		change.Add = append(change.Add, s)
	}
	check(w.t, w.store.Commit(w.t.Context(), change))
	return c, w.collection()
}

// collection is the fixture's collection as the store has it now.
func (w *world) collection() *metastore.Collection {
	c, ok := w.store.CollectionByID(fixture.DocumentsID)
	if !ok {
		w.t.Fatal("the collection is gone")
	}
	return c
}

func (w *world) create(name string) milvus.SnapshotID {
	w.t.Helper()
	info, err := w.Create(w.t.Context(), w.collection(), Request{Name: name})
	check(w.t, err)
	return milvus.SnapshotID(info.Id)
}

// below lists the keys below a prefix.
func (w *world) below(prefix string) (out []string) {
	w.t.Helper()
	for o, err := range objstore.Local(w.bucket()).List(context.Background(), prefix) {
		check(w.t, err)
		out = append(out, o.Key)
	}
	return out
}

// rows reads the live rows of a snapshot as sorted JSON.
func (w *world) rows(key string) (out []string) {
	w.t.Helper()
	opener := objstore.NewOpener(objstore.Config{})
	snap, err := describe.Resolve(w.t.Context(), filepath.Join(w.bucket(), key), describe.Options{Opener: opener})
	check(w.t, err)
	scan, err := reader.Open(snap, reader.Options{Opener: opener})
	check(w.t, err)
	for _, seg := range scan.Segments() {
		_, err := scan.Read(w.t.Context(), seg, func(b arrow.RecordBatch) error {
			var text strings.Builder
			err := array.RecordToJSON(b, &text)
			out = append(out, slices.Collect(strings.Lines(text.String()))...)
			return err
		})
		check(w.t, err)
	}
	slices.Sort(out)
	return out
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

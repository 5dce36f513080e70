package engine

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// fakeMeta is metadata in memory that outlives the engines on it, as etcd does.
type fakeMeta struct {
	mu          sync.Mutex
	name        string
	ts          milvus.Timestamp
	id          int64
	collections map[milvus.CollectionID]*metastore.Collection
	segments    map[milvus.SegmentID]*metastore.Segment
	checkpoints map[string]milvus.Position
	failCommit  error
}

func newFakeMeta() *fakeMeta {
	return &fakeMeta{
		ts: milvus.NewTimestamp(1_800_000_000_000, 0), id: 1000, collections: map[milvus.CollectionID]*metastore.Collection{},
		segments: map[milvus.SegmentID]*metastore.Segment{}, checkpoints: map[string]milvus.Position{},
	}
}

func (m *fakeMeta) Timestamp() (milvus.Timestamp, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ts++
	return m.ts, nil
}

func (m *fakeMeta) IDs(n int) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.id += int64(n)
	return m.id - int64(n), nil
}

func (m *fakeMeta) Database(name string) (metastore.Database, error) {
	return metastore.Database{ID: 1, Name: "default"}, nil
}

func (m *fakeMeta) Collection(db, name string) (*metastore.Collection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.collections {
		if c.Schema.Name == name {
			return c, nil
		}
	}
	return nil, status.CollectionNotFound(db, name)
}

func (m *fakeMeta) CollectionByID(id milvus.CollectionID) (*metastore.Collection, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.collections[id]
	return c, ok
}

func (m *fakeMeta) change(id milvus.CollectionID, f func(*metastore.Collection)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := *m.collections[id]
	c.Partitions, c.Indexes, c.Schema.Fields = slices.Clone(c.Partitions), slices.Clone(c.Indexes), slices.Clone(c.Schema.Fields)
	f(&c)
	m.collections[id] = &c
	return nil
}

func (m *fakeMeta) CreateCollection(ctx context.Context, c *metastore.Collection) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.collections[c.ID] = c
	for _, ch := range c.Channels {
		m.checkpoints[ch] = milvus.Position{Channel: ch, Timestamp: c.Created}
	}
	return nil
}

func (m *fakeMeta) DropCollection(ctx context.Context, id milvus.CollectionID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.collections, id)
	return nil
}

func (m *fakeMeta) AlterCollection(ctx context.Context, id milvus.CollectionID, change func(*metastore.Collection) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := *m.collections[id]
	c.Schema.Fields = slices.Clone(c.Schema.Fields)
	if err := change(&c); err != nil {
		return err
	}
	m.collections[id] = &c
	return nil
}

func (m *fakeMeta) CreatePartition(ctx context.Context, id milvus.CollectionID, name string) (p milvus.Partition, err error) {
	n, _ := m.IDs(1)
	p = milvus.Partition{ID: milvus.PartitionID(n), Name: name}
	return p, m.change(id, func(c *metastore.Collection) { c.Partitions = append(c.Partitions, p) })
}

func (m *fakeMeta) DropPartition(ctx context.Context, id milvus.CollectionID, name string) error {
	return m.change(id, func(c *metastore.Collection) {
		i := slices.IndexFunc(c.Partitions, func(p milvus.Partition) bool { return p.Name == name })
		for _, s := range m.segments {
			if s.Partition == c.Partitions[i].ID {
				delete(m.segments, s.ID)
			}
		}
		c.Partitions = slices.Delete(c.Partitions, i, i+1)
	})
}

func (m *fakeMeta) SetIndex(ctx context.Context, id milvus.CollectionID, x milvus.Index) error {
	return m.change(id, func(c *metastore.Collection) { c.Indexes = append(c.Indexes, x) })
}

func (m *fakeMeta) DropIndex(ctx context.Context, id milvus.CollectionID, index milvus.IndexID) error {
	return m.change(id, func(c *metastore.Collection) {
		c.Indexes = slices.DeleteFunc(c.Indexes, func(x milvus.Index) bool { return x.ID == index })
	})
}

func (m *fakeMeta) Segments(id milvus.CollectionID) (out []*metastore.Segment) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.segments {
		if s.Collection == id && s.State == pb.SegmentState_Flushed {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *metastore.Segment) int { return int(a.ID - b.ID) })
	return out
}

func (m *fakeMeta) Segment(id milvus.SegmentID) (*metastore.Segment, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.segments[id]
	return s, ok
}

func (m *fakeMeta) Checkpoint(channel string) milvus.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.checkpoints[channel]
}

func (m *fakeMeta) Commit(ctx context.Context, c metastore.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failCommit != nil {
		return m.failCommit
	}
	for _, s := range c.Add {
		m.segments[s.ID] = s
	}
	for _, id := range c.Drop {
		dropped := *m.segments[id]
		dropped.State = pb.SegmentState_Dropped
		m.segments[id] = &dropped
	}
	for _, p := range c.Checkpoints {
		m.checkpoints[p.Channel] = p
	}
	for id, files := range c.Indexes {
		s := *m.segments[id]
		s.Indexes = append(slices.Clone(s.Indexes), files...)
		m.segments[id] = &s
	}
	return nil
}

func (m *fakeMeta) ID() string { return "fake" + m.name }

func (m *fakeMeta) Refresh(context.Context) error { return m.failCommit }

// world is an engine that can be opened again on what it left.
type world struct {
	*Engine
	meta   metadata
	real   bool // meta is a metastore, which is opened again with the engine
	dir    string
	config Config
	now    time.Time
}

func newWorld(t *testing.T, c Config, real ...bool) *world {
	t.Helper()
	w := &world{meta: newFakeMeta(), real: len(real) > 0, dir: t.TempDir(), config: c, now: time.UnixMilli(1_800_000_000_000)}
	w.config.Dir, w.config.NoFsync = filepath.Join(w.dir, "state"), true
	w.config.Now = func() time.Time { return w.now }
	w.reopen(t)
	t.Cleanup(func() {
		_ = w.Close()
		if s, ok := w.meta.(*metastore.Store); ok {
			_ = s.Close()
		}
	})
	return w
}

func (w *world) bucket() string { return filepath.Join(w.dir, "bucket") }

func (w *world) reopen(t *testing.T) {
	t.Helper()
	if w.Engine != nil {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.real {
		if s, ok := w.meta.(*metastore.Store); ok {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		w.meta, err = metastore.Open(t.Context(), metastore.Config{Dir: filepath.Join(w.dir, "etcd"), NoFsync: true, Storage: "files", Now: w.config.Now})
		if err != nil {
			t.Fatal(err)
		}
	}
	if w.Engine, err = open(t.Context(), w.meta, objstore.Local(w.bucket()), w.config); err != nil {
		t.Fatal(err)
	}
}

var errInjected = errors.New("injected")

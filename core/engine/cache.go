package engine

import (
	"container/list"
	"sync"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

// cache keeps what was read of flushed segments, the most recently used first, up to a number of bytes. Safe for concurrent use.
type cache struct {
	limit int64

	mu      sync.Mutex
	used    int64
	entries map[milvus.SegmentID]*list.Element // of *entry
	order   *list.List
}

// entry is what was read of one segment. It stays valid for who holds it when the cache has let go of it.
type entry struct {
	id    milvus.SegmentID
	bytes int64 // guarded by the cache's lock

	mu      sync.Mutex // held while files are read
	files   *milvus.Segment
	columns flush.Chunk
	deletes *deltamerge.Set // of the segment's own deltalogs; of an L0 segment, all it has
	summary *summary        // of its keys; nil: not read yet
	order   *order          // of its keys; nil: nobody has looked for one yet
}

func newCache(limit int64) *cache {
	return &cache{limit: limit, entries: map[milvus.SegmentID]*list.Element{}, order: list.New()}
}

// entry returns the segment's entry, an empty one if there is none.
func (c *cache) entry(id milvus.SegmentID) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.entries[id]; x != nil {
		c.order.MoveToFront(x)
		return x.Value.(*entry)
	}
	x := &entry{id: id, columns: flush.Chunk{}}
	c.entries[id] = c.order.PushFront(x)
	return x
}

// grew says that the entry holds more bytes than before; the least recently used ones go.
func (c *cache) grew(x *entry, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.entries[x.id]; at == nil || at.Value != x {
		return // let go of meanwhile
	}
	x.bytes += bytes
	c.used += bytes
	for c.used > c.limit {
		c.remove(c.order.Back())
	}
}

// forget lets go of a segment.
func (c *cache) forget(id milvus.SegmentID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.entries[id]; at != nil {
		c.remove(at)
	}
}

func (c *cache) remove(at *list.Element) {
	x := c.order.Remove(at).(*entry)
	delete(c.entries, x.id)
	c.used -= x.bytes
}

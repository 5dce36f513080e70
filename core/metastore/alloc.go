package metastore

import (
	"context"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/etcdmeta"
	"github.com/snapexport/snapexport/milvus"
)

const (
	ahead       = 3000 // milliseconds by which marks are ahead (docs/format/etcd.md 9)
	logicalBits = 18
	maxIDs      = 1 << 30 // of one call
)

// allocator issues timestamps and ids. Everything issued has a physical part below the mark of its kind, and the mark is in
// etcd before: after a crash, or with a clock that was set back, it goes on above it.
type allocator struct {
	mu       sync.Mutex
	last     milvus.Timestamp
	lastMark int64 // milliseconds

	ids    sync.Mutex
	nextID int64
	idMark int64 // milliseconds
}

// Timestamp returns the next timestamp: greater than all that this store, or one before it, ever returned, and at or after
// the clock's time. Within one millisecond it may run ahead of the clock.
func (s *Store) Timestamp() (milvus.Timestamp, error) {
	a := &s.marks
	a.mu.Lock()
	defer a.mu.Unlock()
	next := max(a.last+1, milvus.NewTimestamp(s.config.Now().UnixMilli(), 0)) // a full counter carries into the millisecond
	if next.UnixMilli() >= a.lastMark {
		mark := next.UnixMilli() + ahead
		if err := s.save(s.keys.TimestampMark(), mark, "timestamp:save"); err != nil {
			return 0, err
		}
		a.lastMark = mark
	}
	a.last = next
	return next, nil
}

// IDs returns the first of n consecutive ids that were never issued. They order what they name by age, but are not times.
func (s *Store) IDs(n int) (first int64, err error) {
	if n <= 0 || n > maxIDs {
		return 0, fault.Limit(op, "%d ids at once", n)
	}
	a := &s.marks
	a.ids.Lock()
	defer a.ids.Unlock()
	first = a.nextID
	end := first + int64(n)
	if last := (end - 1) >> logicalBits; last >= a.idMark {
		if err := s.save(s.keys.IDMark(), last+ahead, "ids:save"); err != nil {
			return 0, err
		}
		a.idMark = last + ahead
	}
	a.nextID = end
	return first, nil
}

func (s *Store) save(key string, mark int64, point string) error {
	kv := etcdmeta.MarkRow(key, time.UnixMilli(mark))
	return s.txn(context.Background(), point, []clientv3.Op{clientv3.OpPut(kv.Key, string(kv.Value))})
}

// resume goes on above the marks in etcd, where they are not those that were written last.
func (s *Store) resume(timestamps, ids time.Time) {
	a := &s.marks
	a.mu.Lock()
	if mark := timestamps.UnixMilli(); mark != a.lastMark {
		a.last, a.lastMark = max(a.last, milvus.NewTimestamp(mark+1, 0)-1), mark
	}
	a.mu.Unlock()
	a.ids.Lock()
	defer a.ids.Unlock()
	if mark := ids.UnixMilli(); mark != a.idMark {
		start := max(mark+1, s.config.Now().UnixMilli())
		a.nextID, a.idMark = max(a.nextID, start<<logicalBits), mark
	}
}

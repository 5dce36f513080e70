package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// share is what the engine keeps of one collection. Locks are taken in the order of the fields.
type share struct {
	// maintenance is held by a flush, a compaction or a change of indexes: one of them at a time.
	maintenance sync.Mutex
	// gate is shared by writes, from before they get a timestamp until they can be seen. Who holds it alone knows that every write
	// with an older timestamp is in memory.
	gate sync.RWMutex
	log  *wal
	// mu guards what follows. Queries hold it while they collect what they are going to read, a flush while it is published.
	mu       sync.RWMutex
	growing  *buffer
	flushing *buffer  // sealed by a flush that is under way, else empty
	pending  *pending // a change of which nobody knows whether it was made
	stopped  error    // the collection is gone
}

func (e *Engine) logDir(id milvus.CollectionID) string {
	return filepath.Join(e.config.Dir, "wal", strconv.FormatInt(int64(id), 10))
}

// share returns the collection's share.
func (e *Engine) share(id milvus.CollectionID) (*share, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, status.New(status.ServiceUnavailable, "the server is stopping")
	}
	s := e.shares[id]
	if s == nil {
		s = &share{growing: newBuffer(), flushing: newBuffer(), log: &wal{dir: e.logDir(id), fsync: !e.config.NoFsync}}
		e.shares[id] = s
	}
	return s, nil
}

// current returns the collection as it is now.
func (e *Engine) current(c *metastore.Collection) (*metastore.Collection, error) {
	now, ok := e.store.CollectionByID(c.ID)
	if !ok {
		return nil, status.CollectionNotFound(c.Database, c.Schema.Name)
	}
	return now, nil
}

func (s *share) close() error { return s.log.close() }

// stop ends all use of the share; the first reason stays.
func (s *share) stop(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped == nil {
		s.stopped = why
	}
}

func (s *share) stoppedBy() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.stopped
}

// replay reads the logs of all collections.
func (e *Engine) replay(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Join(e.config.Dir, "wal"))
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("%s: %w", opLog, err)
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := strconv.ParseInt(entry.Name(), 10, 64)
		if err != nil {
			return fault.Corrupt(opLog, "not the log of a collection").On(filepath.Join(e.config.Dir, "wal", entry.Name()))
		}
		id := milvus.CollectionID(n)
		c, ok := e.store.CollectionByID(id)
		if !ok {
			if err := os.RemoveAll(e.logDir(id)); err != nil {
				return fmt.Errorf("%s: %w", opLog, err)
			}
			continue
		}
		s := &share{growing: newBuffer(), flushing: newBuffer()}
		if s.log, err = replayLog(e.logDir(id), !e.config.NoFsync, e.replayer(c, s.growing)); err != nil {
			return err
		}
		e.shares[id] = s
	}
	return nil
}

// replayer returns what puts a record into the buffer, unless it is in files already.
func (e *Engine) replayer(c *metastore.Collection, into *buffer) func([]byte) (bool, error) {
	checkpoint := e.checkpoint(c)
	fields := fieldsOf(&c.Schema)
	return func(record []byte) (bool, error) {
		ts, err := stampOf(record)
		if err != nil || ts <= checkpoint {
			return false, err
		}
		w, err := decodeWrite(record)
		if err != nil {
			return false, err
		}
		gone := func(p place) bool {
			return p.shard >= len(c.Channels) || p.partition != milvus.AllPartitions && !hasPartition(c, p.partition)
		}
		w.rows = slices.DeleteFunc(w.rows, func(p placedRows) bool { return gone(p.place) })
		w.deletes = slices.DeleteFunc(w.deletes, func(p placedKeys) bool { return gone(p.place) })
		into.add(fields, w)
		return true, nil
	}
}

// checkpoint returns the timestamp up to which everything is in files.
func (e *Engine) checkpoint(c *metastore.Collection) milvus.Timestamp {
	least := ^milvus.Timestamp(0)
	for _, channel := range c.Channels {
		least = min(least, e.store.Checkpoint(channel).Timestamp)
	}
	return least
}

// fieldsOf returns all fields that have columns: the user's, $meta, and members of struct arrays.
func fieldsOf(s *milvus.Schema) []milvus.Field {
	out := s.UserFields()
	for _, a := range s.StructArrays {
		out = append(out, a.Members...)
	}
	return out
}

func hasPartition(c *metastore.Collection, id milvus.PartitionID) bool {
	return slices.ContainsFunc(c.Partitions, func(p milvus.Partition) bool { return p.ID == id })
}

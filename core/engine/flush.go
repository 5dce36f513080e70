package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/pb"
	"github.com/snapexport/snapexport/milvus"
)

// putsAtOnce bounds the objects of one flush or compaction that are stored at the same time.
const putsAtOnce = 8

// Flush puts everything that was written before into files and moves the collection's checkpoints behind it.
func (e *Engine) Flush(ctx context.Context, c *metastore.Collection) (Flushed, error) {
	s, err := e.share(c.ID)
	if err != nil {
		return Flushed{}, err
	}
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	return e.flush(ctx, s, c.ID)
}

// flush is Flush with s.maintenance held.
func (e *Engine) flush(ctx context.Context, s *share, id milvus.CollectionID) (Flushed, error) {
	if err := e.settle(ctx, s); err != nil {
		return Flushed{}, err
	}
	sealed, next, ts, err := e.seal(s)
	if err != nil {
		return Flushed{}, err
	}
	c, ok := e.store.CollectionByID(id) // not before: what was sealed may have a field that was added a moment ago
	if !ok {
		s.unseal()
		return Flushed{}, status.CollectionNotFound("", fmt.Sprint(id))
	}
	change, err := e.flushFiles(ctx, c, sealed, ts)
	if err == nil {
		err = e.fault("flush:before-commit")
	}
	if err != nil {
		s.unseal()
		return Flushed{}, err
	}
	if err := e.publish(ctx, s, &pending{Change: change, flush: true, logs: next}); err != nil {
		return Flushed{}, err
	}
	out := Flushed{Timestamp: ts}
	for _, seg := range change.Add {
		out.Segments = append(out.Segments, seg.ID)
	}
	return out, e.fault("flush:end")
}

// seal takes a timestamp and sets apart what was written until then. Logs below next hold nothing newer.
func (e *Engine) seal(s *share) (sealed *buffer, next int64, ts milvus.Timestamp, err error) {
	s.gate.Lock()
	defer s.gate.Unlock()
	if err := s.stoppedBy(); err != nil {
		return nil, 0, 0, err
	}
	if ts, err = e.store.Timestamp(); err != nil {
		return nil, 0, 0, err
	}
	if next, err = s.log.rotate(); err != nil {
		return nil, 0, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushing, s.growing = s.growing, newBuffer()
	return s.flushing, next, ts, nil
}

// unseal undoes seal.
func (s *share) unseal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.growing.join(s.flushing)
	s.flushing = newBuffer()
}

// flushFiles stores the segments of a buffer and returns what publishes them.
func (e *Engine) flushFiles(ctx context.Context, c *metastore.Collection, sealed *buffer, ts milvus.Timestamp) (metastore.Change, error) {
	change := metastore.Change{Collection: c.ID}
	for _, channel := range c.Channels {
		change.Checkpoints = append(change.Checkpoints, positionAt(channel, ts))
	}
	if sealed.empty() {
		return change, nil
	}
	start := e.checkpoint(c) + 1
	w := e.newWriter(c, ts)
	fields := fieldsOf(&c.Schema)
	for _, at := range sortedPlaces(sealed.blocks) {
		if !hasPartition(c, at.partition) { // dropped, although that seemed to fail
			continue
		}
		b, err := mergeBlocks(fields, sealed.blocks[at])
		if err == nil {
			err = w.rows(at, start, ts, b)
		}
		if err != nil {
			return change, err
		}
	}
	for _, at := range sortedPlaces(sealed.tombs) {
		if at.partition != milvus.AllPartitions && !hasPartition(c, at.partition) {
			continue
		}
		t, err := mergeTombs(sealed.tombs[at])
		if err == nil {
			err = w.deletes(at, start, ts, t)
		}
		if err != nil {
			return change, err
		}
	}
	change.Add = w.segments
	return change, e.putFiles(ctx, w)
}

func sortedPlaces[T any](m map[place]T) []place {
	return slices.SortedFunc(maps.Keys(m), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.shard, b.shard))
	})
}

// positionAt returns a position of a channel. The stream behind a message id is the log here, which is found by timestamp.
func positionAt(channel string, ts milvus.Timestamp) milvus.Position {
	return milvus.Position{Channel: channel, MessageID: binary.LittleEndian.AppendUint64(nil, uint64(ts)), Timestamp: ts}
}

// putFiles stores the objects of a writer. What was stored of a failed attempt is removed again.
func (e *Engine) putFiles(ctx context.Context, w *writer) error {
	err := e.fault("files:before")
	if err == nil {
		g, each := errgroup.WithContext(ctx)
		g.SetLimit(putsAtOnce)
		for _, o := range w.objects {
			g.Go(func() error { return e.files.Put(each, o.Key, o.Body) })
		}
		err = g.Wait()
	}
	if err == nil {
		err = e.fault("files:after")
	}
	if err == nil {
		return nil
	}
	keys := make([]string, len(w.objects))
	for i, o := range w.objects {
		keys[i] = o.Key
	}
	if gone := e.files.Delete(context.WithoutCancel(ctx), keys...); gone != nil {
		e.config.Log.Warn("files of a failed flush stay", "error", gone)
	}
	return err
}

// flushedState is the state of segments that are in files.
const flushedState = pb.SegmentState_Flushed

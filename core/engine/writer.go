package engine

import (
	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

// writer makes the segments of one flush or compaction. Nothing is stored before put.
type writer struct {
	engine     *Engine
	collection *metastore.Collection
	files      flush.Writer
	written    milvus.Timestamp
	ids        ids
	segments   []*metastore.Segment
	objects    []flush.Object
}

// ids hands ids out, which come in batches.
type ids struct {
	store      metadata
	next, last int64
	err        error // the first failure; what was handed out after it is worthless
}

func (i *ids) take() int64 {
	const batch = 64
	if i.next == i.last && i.err == nil {
		i.next, i.err = i.store.IDs(batch)
		i.last = i.next + batch
	}
	if i.err != nil {
		return 0
	}
	i.next++
	return i.next - 1
}

func (e *Engine) newWriter(c *metastore.Collection, written milvus.Timestamp) *writer {
	w := &writer{engine: e, collection: c, written: written, ids: ids{store: e.store}}
	w.files = flush.Writer{
		Root: e.config.Root, Schema: &c.Schema, Version: e.config.StorageVersion, Filter: binlog.FilterBlocked, PlainVectors: true,
		NextLogID: func() milvus.LogID { return milvus.LogID(w.ids.take()) },
	}
	return w
}

// segment begins a segment of the place, whose rows or deletes are not before start and not after end.
func (w *writer) segment(at place, level milvus.SegmentLevel, start, end milvus.Timestamp) *metastore.Segment {
	channel := w.collection.Channels[at.shard]
	seg := &metastore.Segment{State: flushedState}
	seg.Segment = milvus.Segment{
		ID: milvus.SegmentID(w.ids.take()), Collection: w.collection.ID, Partition: at.partition, Level: level, Channel: channel,
		Start: positionAt(channel, start), DML: positionAt(channel, end),
	}
	return seg
}

// add keeps a segment and its objects.
func (w *writer) add(seg *metastore.Segment, objects []flush.Object, err error) error {
	if err == nil {
		err = w.ids.err
	}
	if err != nil {
		return err
	}
	w.segments = append(w.segments, seg)
	w.objects = append(w.objects, objects...)
	return nil
}

// rows makes a segment of the rows, with the files of its indexes.
func (w *writer) rows(at place, start, end milvus.Timestamp, b *block) error {
	seg := w.segment(at, milvus.LevelL1, start, end)
	objects, err := w.files.Insert(&seg.Segment, w.written, b.columns)
	if err != nil {
		return err
	}
	for _, x := range w.collection.Indexes {
		f, ok := w.collection.Schema.Field(x.Field)
		if !ok || !hasIndexFiles(f) {
			continue
		}
		column, err := b.column(f)
		if err != nil {
			return err
		}
		files, object, err := w.index(seg, x, f, column)
		if err != nil {
			return err
		}
		seg.Indexes = append(seg.Indexes, files)
		objects = append(objects, object)
	}
	return w.add(seg, objects, nil)
}

// deletes makes an L0 segment.
func (w *writer) deletes(at place, start, end milvus.Timestamp, t *tombs) error {
	seg := w.segment(at, milvus.LevelL0, start, end)
	objects, err := w.files.Delete(&seg.Segment, w.written, t.deletes())
	return w.add(seg, objects, err)
}

package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
)

const (
	paramIndexType  = "index_type"
	paramMetricType = "metric_type"
	autoIndex       = "AUTOINDEX"
	indexVersion    = 1
	indexFile       = "FLAT"
)

// CreateIndex records an index and writes its files for all flushed segments. Whatever type is asked for, and described later,
// the files hold the vectors as they are, and searches are exact. The same index again is no error; it completes files that are
// missing. Indexes of scalar fields are recorded and have no files.
func (e *Engine) CreateIndex(ctx context.Context, c *metastore.Collection, spec IndexSpec) error {
	s, err := e.share(c.ID)
	if err != nil {
		return err
	}
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	if c, err = e.current(c); err != nil {
		return err
	}
	if err := e.settle(ctx, s); err != nil {
		return err
	}
	x, isNew, err := e.settleIndex(c, spec)
	if err != nil {
		return err
	}
	f, _ := c.Schema.Field(x.Field)
	files, err := e.indexSegments(ctx, c, x, f)
	if err != nil {
		return err
	}
	if isNew {
		if err := e.store.SetIndex(ctx, c.ID, x); err != nil {
			return err
		}
	}
	if len(files) == 0 {
		return nil
	}
	return e.publish(ctx, s, &pending{Change: metastore.Change{Collection: c.ID, Indexes: files}})
}

// settleIndex checks an index by Milvus's rules and completes it; isNew is false for one that is there.
func (e *Engine) settleIndex(c *metastore.Collection, spec IndexSpec) (x milvus.Index, isNew bool, err error) {
	f, ok := c.Schema.Field(spec.Field)
	if !ok || spec.Field < milvus.FirstUserField {
		return x, false, status.Invalid("cannot create index on non-exist field: %d", spec.Field)
	}
	x = milvus.Index{Field: f.ID, Name: spec.Name, UserParams: slices.Clone(spec.UserParams), Params: slices.Clone(spec.UserParams)}
	if x.Name == "" {
		x.Name = f.Name
	}
	kind, ok := milvus.Lookup(x.Params, paramIndexType)
	if !ok || kind == "" {
		x.Params = append(x.Params, milvus.KeyValue{Key: paramIndexType, Value: autoIndex})
	}
	x.Automatic = !ok || kind == autoIndex
	if f.Type.IsDenseVector() || f.Type == milvus.TypeSparseVector {
		metric, _ := milvus.Lookup(x.Params, paramMetricType)
		metric, err = chooseMetric(&metastore.Collection{}, f, strings.ToUpper(metric))
		if err != nil {
			return x, false, err
		}
		x.Params = slices.DeleteFunc(x.Params, func(p milvus.KeyValue) bool { return p.Key == paramMetricType })
		x.Params = append(x.Params, milvus.KeyValue{Key: paramMetricType, Value: metric})
	}
	if f.Dim > 0 {
		x.TypeParams = []milvus.KeyValue{{Key: "dim", Value: strconv.Itoa(f.Dim)}}
	}
	for _, have := range c.Indexes {
		switch {
		case have.Field == x.Field && have.Name == x.Name && sameParams(have.Params, x.Params):
			return have, false, nil
		case have.Field == x.Field:
			return x, false, status.Invalid("at most one distinct index is allowed per field")
		case have.Name == x.Name:
			return x, false, status.Invalid("index %s already exists on another field", x.Name)
		}
	}
	id, err := e.store.IDs(1)
	x.ID = milvus.IndexID(id)
	return x, true, err
}

func sameParams(a, b []milvus.KeyValue) bool {
	order := func(p []milvus.KeyValue) []milvus.KeyValue {
		return slices.SortedFunc(slices.Values(p), func(a, b milvus.KeyValue) int { return strings.Compare(a.Key, b.Key) })
	}
	return slices.Equal(order(a), order(b))
}

// indexSegments stores the files of an index for the flushed segments that have none.
func (e *Engine) indexSegments(ctx context.Context, c *metastore.Collection, x milvus.Index, f milvus.Field) (map[milvus.SegmentID][]milvus.IndexFiles, error) {
	out := map[milvus.SegmentID][]milvus.IndexFiles{}
	if !hasIndexFiles(f) {
		return out, nil
	}
	ts, err := e.store.Timestamp()
	if err != nil {
		return nil, err
	}
	for _, seg := range e.store.Segments(c.ID) {
		done := slices.ContainsFunc(seg.Indexes, func(i milvus.IndexFiles) bool { return i.Index == x.ID })
		if done || seg.IsL0() || seg.Rows == 0 {
			continue
		}
		columns, err := e.load(ctx, &c.Schema, &seg.Segment, []milvus.Field{f})
		if err != nil {
			return nil, err
		}
		w := e.newWriter(c, ts)
		files, object, err := w.index(seg, x, f, columns[f.ID])
		if err != nil {
			return nil, err
		}
		if w.objects = append(w.objects, object); w.ids.err != nil {
			return nil, w.ids.err
		}
		if err := e.putFiles(ctx, w); err != nil {
			return nil, err
		}
		out[seg.ID] = append(out[seg.ID], files)
	}
	return out, nil
}

// hasIndexFiles reports whether indexes of the field have files.
func hasIndexFiles(f milvus.Field) bool {
	return f.Type.IsDenseVector() || f.Type == milvus.TypeSparseVector
}

// index makes the file of an index over one segment: an index event (docs/format/binlog-v1.md 10) with the vectors as they are
// stored; where their lengths differ, the number of rows and the end of each come first.
func (w *writer) index(seg *metastore.Segment, x milvus.Index, f milvus.Field, column arrow.Array) (milvus.IndexFiles, flush.Object, error) {
	stored, err := cell.Encode(f, column)
	if err != nil {
		return milvus.IndexFiles{}, flush.Object{}, err
	}
	payload := vectorBytes(stored)
	build := milvus.BuildID(w.ids.take())
	extras := binlog.Extras{
		"indexBuildID": strconv.FormatInt(int64(build), 10), "version": strconv.Itoa(indexVersion),
		"indexName": x.Name, "indexID": strconv.FormatInt(int64(x.ID), 10), "key": indexFile,
	}
	h := binlog.Header{Collection: seg.Collection, Partition: seg.Partition, Segment: seg.ID, Written: w.written}
	body, err := binlog.Writer{Dialect: binlog.Stream}.Wrap(h, binlog.File{
		Descriptor: binlog.Descriptor{Field: f.ID, DataType: milvus.TypeNone, Extras: extras},
		Events:     []binlog.Event{{Type: binlog.EventIndexFile, Payload: payload}},
	}, int64(len(payload)))
	if err != nil {
		return milvus.IndexFiles{}, flush.Object{}, err
	}
	key := fmt.Sprintf("%s/index_files/%d/%d/%d/%d/%s", w.files.Root, build, indexVersion, seg.Partition, seg.ID, indexFile)
	return milvus.IndexFiles{
		Field: f.ID, Index: x.ID, Build: build, Name: x.Name, Params: x.Params, Files: []milvus.FileRef{{Key: key}},
		SerializedSize: int64(len(body)), MemorySize: int64(len(payload)), Version: indexVersion, Rows: int64(column.Len()),
	}, flush.Object{Key: key, Body: body}, nil
}

func vectorBytes(stored arrow.Array) []byte {
	switch a := stored.(type) {
	case *array.FixedSizeBinary:
		width := a.DataType().(*arrow.FixedSizeBinaryType).ByteWidth
		from := a.Data().Offset() * width
		return a.Data().Buffers()[1].Bytes()[from : from+a.Len()*width]
	case *array.Binary:
		out := binary.LittleEndian.AppendUint64(nil, uint64(a.Len()))
		end := uint64(0)
		for i := range a.Len() {
			end += uint64(a.ValueLen(i))
			out = binary.LittleEndian.AppendUint64(out, end)
		}
		for i := range a.Len() {
			out = append(out, a.Value(i)...)
		}
		return out
	}
	return nil
}

// DropIndex removes an index by its name or its field's name.
func (e *Engine) DropIndex(ctx context.Context, c *metastore.Collection, name string) error {
	s, err := e.share(c.ID)
	if err != nil {
		return err
	}
	s.maintenance.Lock()
	defer s.maintenance.Unlock()
	if c, err = e.current(c); err != nil {
		return err
	}
	for _, x := range c.Indexes {
		if f, _ := c.Schema.Field(x.Field); x.Name == name || f.Name == name {
			return e.store.DropIndex(ctx, c.ID, x.ID)
		}
	}
	return status.IndexNotFound(name)
}

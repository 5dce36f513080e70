package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/describe"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/deltalog"
	"github.com/snapexport/snapexport/format/flush"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
	"github.com/snapexport/snapexport/reader"
)

const opRead = "read segment"

// maxFile bounds a deltalog that is read whole, in bytes.
const maxFile = 1 << 30

// load returns columns of a flushed segment, Timestamp (effective ones) and the key always among them, all of its rows.
func (e *Engine) load(ctx context.Context, schema *milvus.Schema, seg *milvus.Segment, fields []milvus.Field) (flush.Chunk, error) {
	x := e.cache.entry(seg.ID)
	x.mu.Lock()
	defer x.mu.Unlock()
	key, _ := schema.PrimaryKey()
	wanted := append([]milvus.Field{key}, fields...)
	missing := slices.DeleteFunc(slices.Clone(wanted), func(f milvus.Field) bool { return x.columns[f.ID] != nil })
	if len(missing) > 0 {
		files, err := e.resolved(ctx, x, seg)
		if err != nil {
			return nil, fmt.Errorf("segment %d: %w", seg.ID, err)
		}
		var read int64
		for len(missing) > 0 && err == nil {
			var now []milvus.Field
			now, missing = distinctNames(missing)
			var n int64
			n, err = e.readColumns(ctx, key, files, now, x.columns)
			read += n
		}
		e.cache.grew(x, read)
		if err != nil {
			return nil, err
		}
	}
	out := flush.Chunk{milvus.TimestampField: x.columns[milvus.TimestampField]}
	for _, f := range wanted {
		out[f.ID] = x.columns[f.ID]
	}
	return out, nil
}

// distinctNames takes fields with names that differ, and leaves the others: members of different struct arrays may be called
// the same, and a reader's columns may not.
func distinctNames(fields []milvus.Field) (now, later []milvus.Field) {
	seen := map[string]bool{}
	for _, f := range fields {
		if name := strings.ToLower(f.Name); seen[name] {
			later = append(later, f)
		} else {
			seen[name] = true
			now = append(now, f)
		}
	}
	return now, later
}

// readColumns reads the fields, and the timestamps if they are not in columns yet, and returns the bytes that columns grew by.
func (e *Engine) readColumns(ctx context.Context, key milvus.Field, seg *milvus.Segment, fields []milvus.Field, columns flush.Chunk) (int64, error) {
	snap, opts := e.scanOf(key, seg, fields)
	scan, err := reader.Open(snap, opts)
	if err != nil {
		return 0, err
	}
	parts := make([][]arrow.Array, scan.Schema().NumFields())
	for _, s := range scan.Segments() {
		_, err := scan.Read(ctx, s, func(b arrow.RecordBatch) error {
			for i, c := range b.Columns() {
				c.Retain()
				parts[i] = append(parts[i], c)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	var bytes int64
	for i, f := range scan.Schema().Fields() {
		a, err := concat(f.Type, parts[i])
		if err != nil {
			return bytes, err
		}
		id := milvus.TimestampField
		switch text, isField := f.Metadata.GetValue(reader.MetaFieldID); {
		case isField:
			n, _ := strconv.ParseInt(text, 10, 64) // as the reader wrote it
			id = milvus.FieldID(n)
		case f.Name == "_milvus_row_id":
			id = milvus.RowIDField
		}
		if columns[id] == nil {
			columns[id] = a
			bytes += int64(a.Data().SizeInBytes())
		}
	}
	return bytes, nil
}

func concat(t arrow.DataType, parts []arrow.Array) (arrow.Array, error) {
	if len(parts) == 0 {
		return array.MakeArrayOfNull(allocator, t, 0), nil
	}
	spans := make([]span, len(parts))
	for i, p := range parts {
		spans[i] = span{i, 0, p.Len()}
	}
	return gather(t, parts, spans)
}

// scanOf describes one segment to the reader: all rows, and nothing of what deletes or cuts leave out of them.
func (e *Engine) scanOf(key milvus.Field, seg *milvus.Segment, fields []milvus.Field) (*describe.Snapshot, reader.Options) {
	one := *seg
	one.Deltalogs = nil
	snap := &describe.Snapshot{Segments: []milvus.Segment{one}}
	opts := reader.Options{
		With: []reader.System{reader.SystemTS}, MetaName: "$meta", TTL: reader.TTLOff,
		Opener: objstore.NewOpener(objstore.Config{Decorator: func(objstore.Store) objstore.Store { return e.files }}),
	}
	snap.Collection.Schema.Fields = []milvus.Field{key}
	for _, f := range fields {
		if f.ID == milvus.RowIDField {
			opts.With = append(opts.With, reader.SystemRowID)
			continue
		}
		opts.Columns = append(opts.Columns, f.Name)
		if f.ID != key.ID {
			snap.Collection.Schema.Fields = append(snap.Collection.Schema.Fields, f)
		}
	}
	if opts.Columns == nil {
		opts.Columns = []string{key.Name}
	}
	return snap, opts
}

// loadDeletes returns the deletes of a segment's own deltalogs; nil if there are none.
func (e *Engine) loadDeletes(ctx context.Context, key milvus.Field, seg *milvus.Segment) (*deltamerge.Set, error) {
	if !hasFiles(seg.Deltalogs) && seg.StorageVersion != milvus.StorageV3 {
		return nil, nil
	}
	x := e.cache.entry(seg.ID)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.deletes != nil {
		return x.deletes, nil
	}
	files, err := e.resolved(ctx, x, seg)
	if err != nil {
		return nil, fmt.Errorf("segment %d: %w", seg.ID, err)
	}
	set := deltamerge.NewSet(0)
	for _, list := range files.Deltalogs {
		for _, b := range list.Binlogs {
			if err := e.readDeletes(ctx, key, b, set); err != nil {
				return nil, fmt.Errorf("deletes of segment %d: %w", seg.ID, err)
			}
		}
	}
	x.deletes = set
	e.cache.grew(x, set.Bytes())
	return set, nil
}

func hasFiles(lists []milvus.FieldBinlog) bool {
	return slices.ContainsFunc(lists, func(l milvus.FieldBinlog) bool { return len(l.Binlogs) > 0 })
}

func (e *Engine) readDeletes(ctx context.Context, key milvus.Field, b milvus.Binlog, into *deltamerge.Set) error {
	body, _, err := e.files.ReadAll(ctx, b.File.Key, maxFile)
	if err != nil {
		return err
	}
	d, err := deltalog.Read(body)
	if err == nil {
		err = d.CheckKeys(key.Type)
	}
	if err != nil {
		return fault.Place(err, b.File.Key)
	}
	if b.Entries > 0 && int64(d.Len()) != b.Entries {
		return fault.Corrupt(opRead, "the file holds %d deletes, metadata says %d", d.Len(), b.Entries).On(b.File.Key)
	}
	if d.Strings != nil {
		into.AddStrings(d.Strings, d.TS)
	} else {
		into.AddInt64(d.Int64, d.TS)
	}
	return nil
}

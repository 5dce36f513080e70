package engine

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/core/metastore"
	"github.com/snapexport/snapexport/core/status"
	"github.com/snapexport/snapexport/milvus"
)

// Insert adds rows to the partition ("" is the default one; collections with a partition key take no name). Absent columns are
// filled: auto ids, defaults, NULL, and "{}" of the dynamic field.
func (e *Engine) Insert(ctx context.Context, c *metastore.Collection, partition string, rows Rows) (Result, error) {
	return e.put(ctx, c, partition, rows, false)
}

// Upsert is Insert, and older rows of the same keys die in the same instant: those of the partition, or of all where a partition
// key decides. Automatic keys are given, to find the older rows; the new ones get keys of their own.
func (e *Engine) Upsert(ctx context.Context, c *metastore.Collection, partition string, rows Rows) (Result, error) {
	return e.put(ctx, c, partition, rows, true)
}

func (e *Engine) put(ctx context.Context, c *metastore.Collection, partition string, rows Rows, upsert bool) (Result, error) {
	c, err := e.current(c)
	if err != nil {
		return Result{}, err
	}
	into, err := targetPartition(c, partition)
	if err != nil {
		return Result{}, err
	}
	p, err := e.prepare(c, rows, upsert)
	if err != nil {
		return Result{}, err
	}
	w := &write{}
	if w.rows, err = p.placed(c, into); err != nil {
		return Result{}, err
	}
	r := Result{IDs: p.columns[p.key.ID], Count: int64(rows.Count)}
	if upsert {
		if hasDuplicates(p.given) {
			return Result{}, status.Invalid("duplicate primary keys are not allowed in the same batch")
		}
		if w.deletes, err = placedKeysOf(c, into, p.given); err != nil {
			return Result{}, err
		}
		r.Deleted = int64(rows.Count)
	}
	r.Timestamp, err = e.apply(ctx, c, w)
	return r, err
}

// targetPartition returns the partition that rows go into; milvus.AllPartitions where a partition key decides.
func targetPartition(c *metastore.Collection, name string) (milvus.PartitionID, error) {
	if _, byKey := partitionKey(&c.Schema); byKey {
		if name != "" {
			return 0, status.Invalid("not support manually specifying the partition names if partition key mode is used")
		}
		return milvus.AllPartitions, nil
	}
	if name == "" {
		name = defaultPartition
	}
	return namedPartition(c, name)
}

func namedPartition(c *metastore.Collection, name string) (milvus.PartitionID, error) {
	i := slices.IndexFunc(c.Partitions, func(p milvus.Partition) bool { return p.Name == name })
	if i < 0 {
		return 0, status.PartitionNotFound(name)
	}
	return c.Partitions[i].ID, nil
}

func hasDuplicates(keys arrow.Array) bool {
	switch k := keys.(type) {
	case *array.Int64:
		sorted := slices.Clone(k.Int64Values())
		slices.Sort(sorted)
		return len(slices.Compact(sorted)) < k.Len()
	case *array.String:
		sorted := make([]string, k.Len())
		for i := range sorted {
			sorted[i] = k.Value(i)
		}
		slices.Sort(sorted)
		return len(slices.Compact(sorted)) < k.Len()
	}
	return false
}

// apply logs a write and makes it visible, then flushes if a lot is growing.
func (e *Engine) apply(ctx context.Context, c *metastore.Collection, w *write) (milvus.Timestamp, error) {
	s, err := e.share(c.ID)
	if err != nil {
		return 0, err
	}
	record, err := w.encode()
	if err != nil {
		return 0, err
	}
	ts, err := e.logged(s, c, w, record)
	if err != nil {
		return 0, err
	}
	e.autoFlush(ctx, s, c.ID)
	return ts, nil
}

func (e *Engine) logged(s *share, c *metastore.Collection, w *write, record []byte) (milvus.Timestamp, error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if err := s.stoppedBy(); err != nil {
		return 0, err
	}
	c, err := e.current(c)
	if err != nil {
		return 0, err
	}
	if err := checkPlaces(c, w); err != nil {
		return 0, err
	}
	ts, err := e.store.Timestamp()
	if err != nil {
		return 0, err
	}
	setStamp(record, ts)
	w.stamp(ts)
	if err := e.fault("wal:before"); err != nil {
		return 0, err
	}
	if err := s.log.append(record); err != nil {
		return 0, err
	}
	if err := e.fault("wal:after"); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.growing.add(fieldsOf(&c.Schema), w)
	return ts, nil
}

// checkPlaces refuses writes to partitions that were dropped since the write was prepared.
func checkPlaces(c *metastore.Collection, w *write) error {
	for _, p := range w.rows {
		if !hasPartition(c, p.partition) {
			return status.PartitionNotFound(strconv.FormatInt(int64(p.partition), 10))
		}
	}
	for _, d := range w.deletes {
		if d.partition != milvus.AllPartitions && !hasPartition(c, d.partition) {
			return status.PartitionNotFound(strconv.FormatInt(int64(d.partition), 10))
		}
	}
	return nil
}

// autoFlush flushes what is growing when it is too much. A flush that fails is not the write's failure: the rows are in the log.
func (e *Engine) autoFlush(ctx context.Context, s *share, id milvus.CollectionID) {
	s.mu.RLock()
	bytes := s.growing.bytes
	s.mu.RUnlock()
	switch {
	case bytes < e.config.FlushBytes:
		return
	case bytes >= 2*e.config.FlushBytes: // writers outrun the flush: this one waits
		s.maintenance.Lock()
	case !s.maintenance.TryLock():
		return
	}
	defer s.maintenance.Unlock()
	s.mu.RLock()
	bytes = s.growing.bytes
	s.mu.RUnlock()
	if bytes < e.config.FlushBytes {
		return
	}
	if _, err := e.flush(context.WithoutCancel(ctx), s, id); err != nil {
		e.config.Log.Error("growing rows could not be flushed", "collection", int64(id), "error", err)
	}
}

// Delete deletes the rows that the filter selects, in one partition or ("") in all. values are those of template variables. A list
// of keys ("id in [1, 2]") is deleted without a look at the rows; any other filter is queried first, and the keys of the rows that
// match are deleted in their partitions.
func (e *Engine) Delete(ctx context.Context, c *metastore.Collection, partition, expr string, values map[string]any) (Result, error) {
	c, err := e.current(c)
	if err != nil {
		return Result{}, err
	}
	if strings.TrimSpace(expr) == "" {
		return Result{}, status.Invalid("delete plan can't be empty or always true: expression is empty")
	}
	in := milvus.AllPartitions
	if partition != "" {
		if _, byKey := partitionKey(&c.Schema); byKey {
			return Result{}, status.Invalid("not support manually specifying the partition names if partition key mode is used")
		}
		if in, err = namedPartition(c, partition); err != nil {
			return Result{}, err
		}
	}
	key, _ := c.Schema.PrimaryKey()
	w, r := &write{}, Result{}
	if keys, ok := keyList(key, expr, values); ok {
		r.IDs, r.Count = keys, int64(keys.Len())
		w.deletes, err = placedKeysOf(c, in, keys)
	} else {
		w.deletes, r.Count, err = e.matching(ctx, c, in, expr, values)
	}
	if err != nil || len(w.deletes) == 0 {
		return r, err
	}
	r.Timestamp, err = e.apply(ctx, c, w)
	return r, err
}

// matching returns the keys of the rows that a filter selects, by place, and their number.
func (e *Engine) matching(ctx context.Context, c *metastore.Collection, in milvus.PartitionID, expr string, values map[string]any) ([]placedKeys, int64, error) {
	var names []string
	if in != milvus.AllPartitions {
		names = []string{c.PartitionName(in)}
	}
	key, _ := c.Schema.PrimaryKey()
	var mu sync.Mutex
	chosen := map[int]arrow.Array{}
	v, err := e.choose(ctx, c, expr, values, names, func(v *view, i int) error {
		p := v.parts[i]
		var spans []span
		for start, end := range p.mask.Runs() {
			spans = append(spans, span{0, start, end - start})
		}
		keys, err := gather(p.columns[key.ID].DataType(), []arrow.Array{p.columns[key.ID]}, spans)
		mu.Lock()
		defer mu.Unlock()
		chosen[i] = keys
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	var out []placedKeys
	var rows int64
	for _, i := range slices.Sorted(maps.Keys(chosen)) {
		rows += int64(chosen[i].Len())
		out = append(out, placedKeys{place: v.parts[i].place, keys: chosen[i]})
	}
	return out, rows, nil
}

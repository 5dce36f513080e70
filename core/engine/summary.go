package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/filter"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/milvus"
)

// maxSummary bounds the statistics files of a segment that are read, in bytes: those of larger ones are left alone.
const maxSummary = 64 << 20

// summary is what statistics say of a segment's keys: one entry for each file that a flush wrote. None: nothing is known.
type summary struct{ flushes []binlog.Stats }

// excluded reports whether statistics tell that no row of the part can match. They are read where the filter is about keys that
// are not in memory.
func (e *Engine) excluded(ctx context.Context, v *view, p *part, c *condition) (bool, error) {
	if p.segment == nil || !c.keyed {
		return false, nil
	}
	x := e.cache.entry(p.segment.ID)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.summary == nil {
		if x.columns[v.key.ID] != nil {
			return false, nil
		}
		s, err := e.readSummary(ctx, v.key, &p.segment.Segment)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			e.config.Log.Warn("statistics of keys can't be read: rows are read instead", "segment", int64(p.segment.ID), "error", err)
			s = &summary{}
		}
		x.summary = s
		e.cache.grew(x, s.bytes())
	}
	return x.summary.excludes(c, v.key.ID), nil
}

// readSummary reads the statistics files if they are of all rows.
func (e *Engine) readSummary(ctx context.Context, key milvus.Field, seg *milvus.Segment) (*summary, error) {
	files, err := statistics(key, seg)
	if err != nil {
		return nil, err
	}
	s := &summary{}
	for _, b := range files {
		body, _, err := e.files.ReadAll(ctx, b.File.Key, maxSummary)
		if err != nil {
			return nil, err
		}
		stats, err := binlog.ReadStats(body)
		if err != nil {
			return nil, fault.Place(err, b.File.Key)
		}
		for _, one := range stats {
			if one.Field != key.ID || one.PKType != key.Type {
				return nil, fault.Corrupt(opRead, "statistics of field %d, a %v; the key is field %d, a %v", one.Field, one.PKType, key.ID, key.Type).On(b.File.Key)
			}
		}
		s.flushes = append(s.flushes, stats...)
	}
	return s, nil
}

// statistics returns the key's statistics files: the compound one, or one for each flush; none if they are not of as many rows
// as the segment has, or too large. Those of V3 lie in the segment's folder, whatever metadata says (docs/format/storage-v2-v3.md 2).
func statistics(key milvus.Field, seg *milvus.Segment) (out []milvus.Binlog, err error) {
	for _, list := range seg.Statslogs {
		if list.Field == key.ID {
			out = append(out, list.Binlogs...)
		}
	}
	for _, b := range out {
		if b.LogID == binlog.CompoundLogID {
			out = []milvus.Binlog{b}
			break
		}
	}
	var rows, bytes int64
	for _, b := range out {
		rows += b.Entries
		bytes += b.Size
	}
	if rows != seg.Rows || bytes > maxSummary {
		return nil, nil
	}
	if seg.StorageVersion != milvus.StorageV3 {
		return out, nil
	}
	var manifest struct {
		Base string `json:"base_path"`
	}
	if err := json.Unmarshal([]byte(seg.ManifestPath), &manifest); err != nil {
		return nil, fault.Corrupt(opRead, "manifest path: %w", err)
	}
	own := make([]milvus.Binlog, len(out))
	for i, b := range out {
		b.File.Key = fmt.Sprintf("%s/_stats/bloom_filter.%d/%d", manifest.Base, key.ID, b.LogID)
		own[i] = b
	}
	return own, nil
}

func (s *summary) bytes() (n int64) {
	for i := range s.flushes {
		n += 128 + s.flushes[i].Filter.Bytes()
	}
	return n
}

// excludes reports whether no flush has a row that can match: by the ranges of keys, and by the filters of keys that are named.
func (s *summary) excludes(c *condition, key milvus.FieldID) bool {
	for i := range s.flushes {
		one := &s.flushes[i]
		within := func(id milvus.FieldID) (filter.Range, bool) {
			return filter.Range{Min: one.Min, Max: one.Max}, id == key
		}
		if c.where.CanMatch(within) && (!c.named || mayHold(one, c.keys)) {
			return false
		}
	}
	return len(s.flushes) > 0
}

// mayHold reports whether a flush may have a row of one of the keys.
func mayHold(s *binlog.Stats, keys filter.Values) bool {
	switch least := s.Min.(type) {
	case int64:
		most, ok := s.Max.(int64)
		return !ok || slices.ContainsFunc(keys.Ints, func(k int64) bool { return least <= k && k <= most && s.Filter.HasInt64(k) })
	case string:
		most, ok := s.Max.(string)
		return !ok || slices.ContainsFunc(keys.Texts, func(k string) bool { return least <= k && k <= most && s.Filter.HasString(k) })
	}
	return true
}

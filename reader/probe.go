package reader

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/snapexport/snapexport/milvus"
)

// Only returns a scan of some of the segments. L0 segments that apply to none of them are not read.
func (s *Scan) Only(ids []milvus.SegmentID) (*Scan, error) { return Open(s.snap, s.opts.segments(ids)) }

func (o Options) segments(ids []milvus.SegmentID) Options {
	o.only = map[milvus.SegmentID]bool{}
	for _, id := range ids {
		o.only[id] = true
	}
	return o
}

// reads reports whether the segment is one of those to read.
func (o Options) reads(id milvus.SegmentID) bool { return o.only == nil || o.only[id] }

// narrowL0 leaves out L0 segments that apply to none of the segments of [Scan.Only].
func (s *Scan) narrowL0() {
	if s.opts.only != nil {
		s.l0 = slices.DeleteFunc(s.l0, func(g *l0Group) bool { return !slices.ContainsFunc(s.segments, g.covers) })
	}
}

// Keys returns a scan of the segments' keys and times, and of what a filter or ttl_field needs: reading it with [Scan.Read]
// counts the rows that come out, and tells their identity ([Counts]), without reading vectors. Where rows with bad values are
// left out, those that only other columns show stay in. It has a budget of its own.
func (s *Scan) Keys(ids []milvus.SegmentID, budget *Budget) (*Scan, error) {
	opts := s.opts.segments(ids)
	opts.Columns, opts.With, opts.SkipFunctionOutputs, opts.Budget = []string{s.key.Name}, nil, false, budget
	return Open(s.snap, opts)
}

// Deduplicates reports whether rows of one segment decide about those of another.
func (s *Scan) Deduplicates() bool { return s.opts.Dedupe == DedupeNewest }

// applies reports whether the deletes of an L0 segment apply to another.
func applies(l0, seg *milvus.Segment) bool {
	g := l0Group{channel: l0.Channel, partition: l0.Partition}
	return g.covers(seg)
}

// DeletesOf yields the deltalogs in the segment's scope, each with the segment that it belongs to: its own, and those of L0.
func (s *Scan) DeletesOf(seg *milvus.Segment) iter.Seq2[*milvus.Segment, milvus.Binlog] {
	return func(yield func(*milvus.Segment, milvus.Binlog) bool) {
		for i := range s.snap.Segments {
			of := &s.snap.Segments[i]
			if of.ID != seg.ID && (!of.IsL0() || !applies(of, seg)) {
				continue
			}
			for _, fb := range of.Deltalogs {
				for _, b := range fb.Binlogs {
					if !yield(of, b) {
						return
					}
				}
			}
		}
	}
}

// Deleted is the keys of deletes, sorted.
type Deleted struct {
	Later bool // there are deletes that are newer than the cut

	ints  []int64
	texts []string
}

// Within reports whether one of the keys lies in the range.
func (d *Deleted) Within(r KeyRange) bool {
	i, _ := slices.BinarySearch(d.ints, r.MinInt)
	k, _ := slices.BinarySearch(d.texts, r.MinText)
	return i < len(d.ints) && r.Int64(d.ints[i]) || k < len(d.texts) && r.Text(d.texts[k])
}

// NeedDeleted estimates the memory that [Scan.ReadDeleted] takes.
func NeedDeleted(b milvus.Binlog) int64 { return deletesNeed([]milvus.Binlog{b}) }

// ReadDeleted reads the keys of the deletes in a deltalog that are not newer than the cut, and returns the bytes that this
// took. Memory is the caller's: see [NeedDeleted].
func (s *Scan) ReadDeleted(ctx context.Context, b milvus.Binlog) (*Deleted, int64, error) {
	d, bytes, err := s.readDeltalog(ctx, b)
	if err != nil {
		return nil, 0, fmt.Errorf("deletes: %w", err)
	}
	keys := &Deleted{}
	for i, ts := range d.TS {
		switch {
		case s.rule.AsOf != 0 && ts > uint64(s.rule.AsOf):
			keys.Later = true
		case d.Strings != nil:
			keys.texts = append(keys.texts, d.Strings.Value(i))
		default:
			keys.ints = append(keys.ints, d.Int64[i])
		}
	}
	slices.Sort(keys.ints)
	slices.Sort(keys.texts)
	return keys, bytes, nil
}

package reader

import (
	"context"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/spill"
)

const (
	// leastJoin is the memory beside what reading keys takes with which a join can be made at all.
	leastJoin = 8 << 20
	// partitionBytes is the size at which tables of a partition still fit into a processor's caches.
	partitionBytes = 2 << 20
	maxPartitions  = 256
	maxBlock       = 2048
	// bytesPerKey is what a key takes in the table of a partition, beside its text.
	bytesPerKey = 64
)

// joinMemory is how a join divides what it has acquired.
type joinMemory struct {
	budget   *Budget
	acquired int64
	reading  int64 // while files are read
	bloom    int64
	held     int64 // of each store's blocks
	tables   int64 // of each partition that is worked on, after all files have been read
	block    int   // records
	parts    int
}

// joinMemory acquires what is left of the budget. need is what reading one file or segment takes, keep what the
// result is going to. Of records an estimate is enough.
func (s *Scan) joinMemory(ctx context.Context, need, keep, records int64) (*joinMemory, error) {
	b := s.opts.Budget
	total := b.Total()
	work := total - keep
	if lacking := need + leastJoin - work; lacking > 0 {
		return nil, fault.Limit("join keys", "%d bytes are needed at once, %d are left of the budget", need+leastJoin+keep, total).
			WithHint("raise --memory by %d MiB", lacking*2>>20+1)
	}
	if err := b.Acquire(ctx, total); err != nil {
		return nil, err
	}
	m := &joinMemory{budget: b, acquired: total, reading: max(need, work/4)}
	rest := work - m.reading
	m.bloom, m.held = rest/4, s.atMost(rest/8)
	m.parts = 8
	for m.parts < maxPartitions && records*bytesPerKey/int64(m.parts) > partitionBytes {
		m.parts *= 2
	}
	writers := rest / 4 / int64(atOnce())
	text := s.key.Type != milvus.TypeInt64
	for m.parts > 8 && (spill.Options{Block: 64, Partitions: m.parts, Text: text}).WriterBytes() > writers {
		m.parts /= 2
	}
	m.block = maxBlock
	for m.block > 16 && (spill.Options{Block: m.block, Partitions: m.parts, Text: text}).WriterBytes() > writers {
		m.block /= 2
	}
	m.tables = s.atMost(work/2/bytesPerKey/int64(atOnce())) * bytesPerKey
	return m, nil
}

// store returns a new store of keys.
func (s *Scan) store(m *joinMemory) *spill.Store {
	return spill.New(spill.Options{Dir: s.opts.TempDir, Partitions: m.parts, Memory: m.held, Block: m.block, Text: s.key.Type != milvus.TypeInt64})
}

// done gives back all but what the result keeps.
func (m *joinMemory) done(keep int64) {
	keep = min(keep, m.acquired)
	m.budget.Hold(keep)
	m.budget.Release(m.acquired - keep)
}

// passes returns in how many parts a partition is to be worked on, so that its table fits.
func (m *joinMemory) passes(records, bytes int64) int {
	return int(1 + (records*bytesPerKey+2*bytes)/max(m.tables, 1))
}

// needPrepare returns the memory that is needed before the first segment is read, and what of it is kept.
func (s *Scan) needPrepare() (need, keep int64, err error) {
	if !s.joins.l0 {
		for _, g := range s.l0 {
			for _, seg := range g.segments {
				keep += deletesOf(seg)
			}
		}
	}
	if groups := s.joined(); len(groups) > 0 {
		_, segments := s.reaches(groups)
		if need, err = s.keyNeed(false, segments); err != nil {
			return 0, 0, err
		}
		need = max(need, needLogs(groups)) + leastJoin
		keep += s.rowsBytes(segments)
	}
	if s.opts.Dedupe == DedupeNewest {
		keys, err := s.keyNeed(true, s.all())
		if err != nil {
			return 0, 0, err
		}
		need = max(need, keys+leastJoin)
		keep += s.rowsBytes(s.all())
	}
	return need, keep, nil
}

// rowsBytes returns the memory of a bit for each row of the segments.
func (s *Scan) rowsBytes(segments []int) (n int64) {
	for _, i := range segments {
		n += deltamerge.RowsBytes(s.segments[i].Rows)
	}
	return n
}

// all returns the places of all segments.
func (s *Scan) all() []int {
	out := make([]int, len(s.segments))
	for i := range out {
		out[i] = i
	}
	return out
}

// deletesOf estimates the memory that the deletes of a segment take.
func deletesOf(seg *milvus.Segment) (n int64) {
	for group := range deltalogs(seg) {
		n += deletesNeed(group)
	}
	return n
}

// needDeletes estimates the memory that the segment's own deletes take while it is read.
func (s *Scan) needDeletes(seg *milvus.Segment) int64 {
	if s.noOwn(seg) {
		return 0
	}
	return deletesOf(seg)
}

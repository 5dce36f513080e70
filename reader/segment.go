package reader

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/deltamerge"
	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/cell"
	"github.com/snapexport/snapexport/milvus"
)

// Read hands the live rows of the segment to yield, batch by batch, in file order. An error of yield ends it.
func (s *Scan) Read(ctx context.Context, seg *milvus.Segment, yield func(arrow.RecordBatch) error) (Counts, error) {
	var counts Counts
	err := s.read(ctx, seg, &counts, yield)
	if err != nil {
		err = fmt.Errorf("segment %d: %w", seg.ID, err)
	}
	return counts, err
}

func (s *Scan) read(ctx context.Context, seg *milvus.Segment, counts *Counts, yield func(arrow.RecordBatch) error) error {
	if err := s.prepare(ctx, counts); err != nil {
		return err
	}
	if seg.StorageVersion != milvus.StorageV1 {
		return s.readGroups(ctx, seg, counts, yield)
	}
	chunks, err := s.chunks(seg)
	if err != nil {
		return err
	}
	need := s.needChunks(seg, chunks)
	if err := s.opts.Budget.Acquire(ctx, need); err != nil {
		return err
	}
	defer s.opts.Budget.Release(need)
	scope, err := s.scope(ctx, seg, counts)
	if err != nil {
		return err
	}
	if err := s.readChunks(ctx, seg, chunks, scope, counts, yield); err != nil {
		return err
	}
	if seg.Rows > 0 && counts.Rows != seg.Rows {
		return fault.Corrupt("read segment", "the files hold %d rows, num_of_rows is %d", counts.Rows, seg.Rows)
	}
	return nil
}

// pageReserve is the memory of a column's decoded page.
const pageReserve = 4 << 20

// Need returns the most memory that reading any one segment takes, with what deletes and Dedupe keep for good: an export whose
// budget is smaller can't end well. It is known from metadata.
func (s *Scan) Need() (int64, error) {
	var most int64
	for _, seg := range s.segments {
		if seg.StorageVersion != milvus.StorageV1 {
			most = max(most, s.needGroups(seg))
			continue
		}
		chunks, err := s.chunks(seg)
		if err != nil {
			return 0, err
		}
		most = max(most, s.needChunks(seg, chunks))
	}
	before, kept, err := s.needPrepare()
	return max(most, before) + kept, err
}

// needChunks estimates the memory that reading the V1 segment takes: its deletes and its largest chunk.
func (s *Scan) needChunks(seg *milvus.Segment, chunks []chunk) int64 {
	var largest int64
	for _, c := range chunks {
		largest = max(largest, c.bytes()+int64(len(c.files))*min(pageReserve, max(c.rows, 1)*64)+s.nulls(c))
	}
	return s.needDeletes(seg) + largest + s.chunkAhead(chunks)
}

// chunkAhead returns the memory of the files of one chunk that are fetched while another is read; 0 where that is not done, since
// they would take a good part of the budget.
func (s *Scan) chunkAhead(chunks []chunk) (largest int64) {
	if len(chunks) < 2 {
		return 0
	}
	for _, c := range chunks {
		largest = max(largest, c.bytes())
	}
	if largest > s.opts.Budget.Total()/8 {
		return 0
	}
	return largest
}

// nulls returns the memory that NULLs of dense vectors can take beside what their files hold.
func (s *Scan) nulls(c chunk) (n int64) {
	for _, f := range s.reads() {
		if f.Nullable && f.Type.IsDenseVector() {
			width := int64(maxDecoded / cell.MaxRows(f, maxDecoded))
			n += min(maxDecoded, c.rows*width)
		}
	}
	return n
}

// walk goes through the rows in spans of aligned cursors, which yield no others, of so many rows in all. A row outside of them is not
// judged by the rules: the filter excludes it, and it does not come out either way.
func (s *Scan) walk(ctx context.Context, seg *milvus.Segment, cursors map[milvus.FieldID]*cursor, spans []span, rows int64, scope deltamerge.Scope, counts *Counts, yield func(arrow.RecordBatch) error) error {
	b := &batcher{scan: s, segment: seg, scope: scope, cursors: cursors, counts: counts, lent: compacted{reuse: s.opts.Reuse}}
	pass := func(n int64) {
		counts.Rows += n
		counts.Filtered += n
	}
	var row int64
	for _, span := range spans {
		pass(span.first - row)
		for row = span.first; row < span.end; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := b.next(span.end-row, yield)
			if err != nil {
				return err
			}
			if n == 0 {
				return fault.Corrupt("read chunk", "%d rows came out of files that declare %d", row, rows)
			}
			row += int64(n)
		}
	}
	pass(rows - row)
	return b.atEnd()
}

func (c *cursor) rows() int64 { return c.pages.Rows() }

// onBad says what happens to values of the field that do not fit. Keys and timestamps decide which rows there are: they are
// never made NULL.
func (s *Scan) onBad(f milvus.Field) BadRows {
	if s.opts.OnBad == BadNull && (f.PrimaryKey || f.ID < milvus.FirstUserField) {
		return BadFail
	}
	return s.opts.OnBad
}

// openColumn opens one binlog and checks its row count against metadata.
func openColumn(body []byte, f milvus.Field, b milvus.Binlog) (*binlog.Column, error) {
	file, err := binlog.Open(body)
	if err != nil {
		return nil, err
	}
	col, err := file.Column(f)
	if err != nil {
		return nil, err
	}
	if b.Entries > 0 && col.Rows() != b.Entries {
		return nil, fault.Corrupt("read binlog", "the file holds %d rows, entries_num is %d", col.Rows(), b.Entries)
	}
	return col, nil
}

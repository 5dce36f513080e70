package reader

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/snapexport/snapexport/buffer"
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
	for i, c := range chunks {
		if err := s.readChunk(ctx, seg, c, scope, counts, yield); err != nil {
			return fmt.Errorf("chunk %d of %d: %w", i+1, len(chunks), err)
		}
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
	return s.needDeletes(seg) + largest
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

// readChunk fetches the chunk's files and walks through them.
func (s *Scan) readChunk(ctx context.Context, seg *milvus.Segment, c chunk, scope deltamerge.Scope, counts *Counts, yield func(arrow.RecordBatch) error) error {
	cursors, rows, err := s.openChunk(ctx, c, counts)
	if err != nil {
		return err
	}
	if err := s.walk(ctx, seg, cursors, rows, scope, counts, yield); err != nil || !s.opts.Reuse {
		return err
	}
	for _, c := range cursors {
		buffer.Put(c.body)
	}
	return nil
}

// walk goes through aligned cursors of the given number of rows.
func (s *Scan) walk(ctx context.Context, seg *milvus.Segment, cursors map[milvus.FieldID]*cursor, rows int64, scope deltamerge.Scope, counts *Counts, yield func(arrow.RecordBatch) error) error {
	if s.excluded(cursors) {
		// a row that the filter excludes is not judged by the other rules: it does not come out either way
		counts.Rows += rows
		counts.Filtered += rows
		return nil
	}
	b := &batcher{scan: s, segment: seg, scope: scope, cursors: cursors, counts: counts, lent: compacted{reuse: s.opts.Reuse}}
	var done int64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := b.next(yield)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		done += int64(n)
	}
	if done != rows {
		return fault.Corrupt("read chunk", "%d rows came out of files that declare %d", done, rows)
	}
	return nil
}

// openChunk fetches and opens the files of all needed fields. They must declare the same number of rows.
func (s *Scan) openChunk(ctx context.Context, c chunk, counts *Counts) (map[milvus.FieldID]*cursor, int64, error) {
	fields := s.reads()
	opened := make([]*cursor, len(fields))
	bytes := make([]int64, len(fields))
	events := make([]int, len(fields))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(filesAtOnce)
	for i, f := range fields {
		opened[i] = &cursor{scan: s, field: f, bad: s.onBad(f), json: s.opts.CheckJSON, variant: s.opts.CheckVariant}
		b, ok := c.files[f.ID]
		if !ok {
			continue
		}
		g.Go(func() error {
			body, err := s.fetch(gctx, b)
			if err != nil {
				return err
			}
			bytes[i] = int64(len(body))
			opened[i].name = b.File.String()
			col, err := openColumn(body, f, b)
			if err != nil {
				return fault.Place(err, b.File.String())
			}
			if s.opts.Reuse {
				col.Reuse()
			}
			opened[i].body, opened[i].pages, events[i] = body, col, col.Events()
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, 0, err
	}
	out := map[milvus.FieldID]*cursor{}
	rows := opened[0].rows() // field 0 or 1: never a constant
	for i, o := range opened {
		out[fields[i].ID] = o
		counts.Bytes += bytes[i]
		if o.pages == nil {
			continue
		}
		if o.rows() != rows {
			return nil, 0, fault.Corrupt("read chunk", "field %s has %d rows, field %s has %d", o.field.Name, o.rows(), opened[0].field.Name, rows).On(o.name)
		}
		if events[i] > 1 {
			counts.SeveralEvents++
		}
	}
	return out, rows, nil
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

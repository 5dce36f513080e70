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
	"github.com/snapexport/snapexport/milvus"
)

// openedChunk is a V1 chunk whose files are in memory.
type openedChunk struct {
	cursors  map[milvus.FieldID]*cursor
	rows     int64
	excluded bool // the filter selects none of the rows; only the columns that it uses were read
	bytes    int64
	several  int64 // files of several events
	err      error
}

// spans returns the rows to read.
func (c *openedChunk) spans() []span {
	if c.excluded {
		return nil
	}
	return []span{{0, c.rows}}
}

// readChunks reads the chunks one after the other; where memory allows, the next one's files are fetched while one is read.
func (s *Scan) readChunks(ctx context.Context, seg *milvus.Segment, chunks []chunk, scope deltamerge.Scope, counts *Counts, yield func(arrow.RecordBatch) error) error {
	ctx, fetches, stop := waiting(ctx)
	defer stop()
	opened := make([]chan *openedChunk, len(chunks))
	open := func(i int) {
		opened[i] = make(chan *openedChunk, 1)
		fetches.Go(func() error {
			opened[i] <- s.openChunk(ctx, chunks[i])
			return nil
		})
	}
	ahead := s.chunkAhead(chunks) > 0
	for i := range chunks {
		if opened[i] == nil {
			open(i)
		}
		c := <-opened[i]
		if c.err == nil && ahead && i+1 < len(chunks) {
			open(i + 1)
		}
		if err := s.readChunk(ctx, seg, c, scope, counts, yield); err != nil {
			return fmt.Errorf("chunk %d of %d: %w", i+1, len(chunks), err)
		}
	}
	return nil
}

// readChunk walks through the chunk's files.
func (s *Scan) readChunk(ctx context.Context, seg *milvus.Segment, c *openedChunk, scope deltamerge.Scope, counts *Counts, yield func(arrow.RecordBatch) error) error {
	if c.err != nil {
		return c.err
	}
	counts.Bytes += c.bytes
	counts.SeveralEvents += c.several
	cursors := c.cursors
	if c.excluded {
		cursors = nil
	}
	if err := s.walk(ctx, seg, cursors, c.spans(), c.rows, scope, counts, yield); err != nil {
		return err
	}
	if s.opts.Reuse {
		for _, c := range c.cursors {
			buffer.Put(c.body)
		}
	}
	return nil
}

// openChunk fetches and opens the files of all needed fields. They must declare the same number of rows. Those of the filter and
// the timestamps come first: where their statistics exclude all rows, the others are not read.
func (s *Scan) openChunk(ctx context.Context, c chunk) *openedChunk {
	out := &openedChunk{cursors: map[milvus.FieldID]*cursor{}}
	first, rest := s.phases()
	if out.err = s.openFiles(ctx, c, first, out); out.err != nil {
		return out
	}
	if out.excluded = s.excluded(out.cursors); out.excluded {
		return out
	}
	out.err = s.openFiles(ctx, c, rest, out)
	return out
}

// phases splits the fields that are read into those that tell whether the others are needed, and the others.
func (s *Scan) phases() (first, rest []milvus.Field) {
	if !s.prunes() {
		return s.reads(), nil
	}
	for _, f := range s.reads() {
		if f.ID == milvus.TimestampField || s.filtered(f) {
			first = append(first, f)
		} else {
			rest = append(rest, f)
		}
	}
	return first, rest
}

// openFiles adds the fields' files.
func (s *Scan) openFiles(ctx context.Context, c chunk, fields []milvus.Field, out *openedChunk) error {
	opened := make([]*cursor, len(fields))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(filesAtOnce)
	for i, f := range fields {
		opened[i] = &cursor{scan: s, field: f, bad: s.onBad(f), json: s.opts.CheckJSON, variant: s.opts.CheckVariant}
		if b, ok := c.files[f.ID]; ok {
			g.Go(func() error { return opened[i].openFile(gctx, b) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, o := range opened {
		out.cursors[o.field.ID] = o
		out.bytes += int64(len(o.body))
		if o.pages == nil {
			continue
		}
		ts, ok := out.cursors[milvus.TimestampField]
		if !ok { // field 0 comes before it
			ts = o
		}
		if out.rows = ts.rows(); o.rows() != out.rows {
			return fault.Corrupt("read chunk", "field %s has %d rows, field %s has %d", o.field.Name, o.rows(), ts.field.Name, out.rows).On(o.name)
		}
		if o.pages.(*binlog.Column).Events() > 1 {
			out.several++
		}
	}
	return nil
}

// openFile fetches the cursor's file.
func (c *cursor) openFile(ctx context.Context, b milvus.Binlog) (err error) {
	if c.body, err = c.scan.fetch(ctx, b); err != nil {
		return err
	}
	c.name = b.File.String()
	col, err := openColumn(c.body, c.field, b)
	if err != nil {
		return fault.Place(err, c.name)
	}
	if c.scan.opts.Reuse {
		col.Reuse()
	}
	c.pages = col
	return nil
}

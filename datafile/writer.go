package datafile

import (
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/snapexport/snapexport/fault"
)

// chunkBytes is how much of a batch is handed to the encoder at a time: row groups and pages end at most this much late.
const chunkBytes = 4 << 20

// Writer writes one data file. It is not safe for concurrent use. It holds about one row group in memory.
type Writer struct {
	schema *arrow.Schema // of the batches
	leaves []leaf
	body   *body
	out    *counter
	rows   int64
	failed error
}

// Create begins a file on w, which the caller keeps and closes. Each field of the schema, nested ones included, has a field id
// of its own (see [FieldIDKey]). Types that have no form in the file are ErrUnsupported.
func Create(w io.Writer, schema *arrow.Schema, opts Options) (*Writer, error) {
	opts = opts.withDefaults()
	ls, elements, err := leaves(schema)
	if err != nil {
		return nil, err
	}
	if opts.ArrowSchema {
		opts.KeyValues = append(slices.Clone(opts.KeyValues), arrowSchema(schema))
	}
	out := &counter{w: w}
	b, err := newBody(out, schema, ls, elements, opts)
	if err != nil {
		return nil, err
	}
	return &Writer{schema: schema, leaves: ls, body: b, out: out}, nil
}

// Write appends the rows of a batch, whose columns have the types of the schema, and keeps nothing of it. NULL in a field
// that is not nullable is ErrCorrupt. After an error the file is lost.
func (w *Writer) Write(batch arrow.RecordBatch) error {
	if w.failed != nil {
		return w.failed
	}
	w.failed = w.write(batch)
	return w.failed
}

func (w *Writer) write(batch arrow.RecordBatch) error {
	if err := w.checkTypes(batch); err != nil {
		return err
	}
	step := rowsPerChunk(batch)
	for from := int64(0); from < batch.NumRows(); from += step {
		part := batch.NewSlice(from, min(from+step, batch.NumRows()))
		err := w.body.write(part)
		part.Release()
		if err != nil {
			return err
		}
	}
	w.rows += batch.NumRows()
	return nil
}

func (w *Writer) checkTypes(batch arrow.RecordBatch) error {
	if int(batch.NumCols()) != w.schema.NumFields() {
		return fault.Corrupt(opWrite, "a batch of %d columns for a file of %d", batch.NumCols(), w.schema.NumFields())
	}
	for i, f := range w.schema.Fields() {
		if got := batch.Column(i).DataType(); !arrow.TypeEqual(got, f.Type) {
			return fault.Corrupt(opWrite, "column %q is %s, not %s", f.Name, got, f.Type)
		}
	}
	return nil
}

// Close ends the file with its footer and says what was written. It does not close the underlying writer. A file without rows
// is a valid file.
func (w *Writer) Close() (Stats, error) {
	if w.failed != nil {
		return Stats{}, w.failed
	}
	w.failed = fault.Conflict(opWrite, "the file is closed")
	if err := w.body.close(w.rows); err != nil {
		return Stats{}, err
	}
	return w.stats(), nil
}

// BufferedBytes is about how much is held in memory for the row group that is being written.
func (w *Writer) BufferedBytes() int64 { return w.body.buffered() }

// WrittenBytes is how many bytes have gone to the underlying writer.
func (w *Writer) WrittenBytes() int64 { return w.out.n }

func (w *Writer) stats() Stats {
	s := Stats{Rows: w.rows, Bytes: w.out.n, Fields: make([]FieldStats, len(w.leaves))}
	for _, g := range w.body.groups {
		s.SplitOffsets = append(s.SplitOffsets, g.Offset)
		for i, c := range g.Chunks {
			s.Fields[i].Bytes += c.Meta.Compressed
		}
	}
	i := 0
	for _, column := range w.body.columns {
		for _, c := range column.chunks() {
			s.Fields[i].ID = c.leaf.id
			c.file.finish(&s.Fields[i], boundLength)
			i++
		}
	}
	return s
}

// counter counts what goes through it, and hides the Close of what it wraps.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

package datafile

import (
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/snapexport/snapexport/fault"
)

// chunkBytes is how much of a batch is handed to the encoder at a time: row groups and pages end at most this much late.
const chunkBytes = 4 << 20

// Writer writes one data file. It is not safe for concurrent use. It holds about one row group in memory.
type Writer struct {
	schema  *arrow.Schema // of the batches
	storage *arrow.Schema // as written
	leaves  []leaf
	columns []summary // of each top-level column; structs and lists have none of their own
	file    *pqarrow.FileWriter
	out     *counter
	opts    Options
	rows    int64
	failed  error
}

// Create begins a file on w, which the caller keeps and closes. Each field of the schema, nested ones included, has a field id
// of its own (see [FieldIDKey]). Types that have no form in the file are ErrUnsupported.
func Create(w io.Writer, schema *arrow.Schema, opts Options) (*Writer, error) {
	opts = opts.withDefaults()
	storage, err := storageSchema(schema)
	if err != nil {
		return nil, err
	}
	ls, err := leaves(schema)
	if err != nil {
		return nil, err
	}
	out := &counter{w: w}
	file, err := pqarrow.NewFileWriter(storage, out, writerProperties(ls, opts), pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, place(out, err)
	}
	if opts.ArrowSchema {
		opts.KeyValues = append(slices.Clone(opts.KeyValues), arrowSchema(schema, storage))
	}
	for _, kv := range opts.KeyValues {
		if err := file.AppendKeyValueMetadata(kv.Key, kv.Value); err != nil {
			return nil, place(out, err)
		}
	}
	return &Writer{schema: schema, storage: storage, leaves: ls, columns: columnSummaries(schema, ls), file: file, out: out, opts: opts}, nil
}

// columnSummaries pairs each top-level column with the summary of its leaf.
func columnSummaries(schema *arrow.Schema, ls []leaf) []summary {
	byPath := make(map[string]leaf, len(ls))
	for _, l := range ls {
		if !l.nested {
			byPath[l.path] = l
		}
	}
	out := make([]summary, schema.NumFields())
	for i, f := range schema.Fields() {
		out[i] = uncounted{}
		if l, ok := byPath[f.Name]; ok {
			out[i] = newSummary(l)
		}
	}
	return out
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
		err := w.writeChunk(part)
		part.Release()
		if err != nil {
			return err
		}
	}
	for i, s := range w.columns {
		s.observe(batch.Column(i))
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

func (w *Writer) writeChunk(batch arrow.RecordBatch) error {
	columns := make([]arrow.Array, w.storage.NumFields())
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i, f := range w.storage.Fields() {
		data, err := toStorage(f, batch.Column(i))
		if err != nil {
			return err
		}
		columns[i] = array.MakeFromData(data)
		data.Release()
	}
	rec := array.NewRecordBatch(w.storage, columns, batch.NumRows())
	defer rec.Release()
	if w.file.RowGroupTotalCompressedBytes() >= w.opts.RowGroupBytes {
		if err := w.file.NewBufferedRowGroupChecked(); err != nil {
			return place(w.out, err)
		}
	}
	return place(w.out, w.file.WriteBuffered(rec))
}

// Close ends the file with its footer and says what was written. It does not close the underlying writer. A file without rows
// is a valid file.
func (w *Writer) Close() (Stats, error) {
	if w.failed != nil {
		return Stats{}, w.failed
	}
	w.failed = fault.Conflict(opWrite, "the file is closed")
	if err := w.file.Close(); err != nil {
		return Stats{}, place(w.out, err)
	}
	return w.stats()
}

// BufferedBytes is about how much is held in memory for the row group that is being written.
func (w *Writer) BufferedBytes() int64 { return w.file.RowGroupTotalCompressedBytes() }

// WrittenBytes is how many bytes have gone to the underlying writer.
func (w *Writer) WrittenBytes() int64 { return w.out.n }

func (w *Writer) stats() (Stats, error) {
	s := Stats{Rows: w.rows, Bytes: w.out.n, Fields: make([]FieldStats, len(w.leaves))}
	meta, err := w.file.FileMetadata()
	if err != nil {
		return Stats{}, place(w.out, err)
	}
	for g := range meta.NumRowGroups() {
		group := meta.RowGroup(g)
		for i := range w.leaves {
			chunk, err := group.ColumnChunk(i)
			if err != nil {
				return Stats{}, place(w.out, err)
			}
			s.Fields[i].Bytes += chunk.TotalCompressedSize()
			if i == 0 {
				s.SplitOffsets = append(s.SplitOffsets, chunkStart(chunk))
			}
		}
	}
	columns := make(map[string]summary, len(w.columns))
	for i, f := range w.schema.Fields() {
		columns[f.Name] = w.columns[i]
	}
	for i, l := range w.leaves {
		s.Fields[i].ID = l.id
		if c, ok := columns[l.path]; ok && !l.nested {
			c.finish(&s.Fields[i])
		} else {
			uncounted{}.finish(&s.Fields[i])
		}
	}
	return s, nil
}

// counter counts what goes through it, keeps the first error, and hides the Close of what it wraps.
type counter struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// place prefers the error of the underlying writer, whose class callers know, to what the encoder made of it.
func place(c *counter, err error) error {
	switch {
	case err == nil:
		return nil
	case c.err != nil:
		return c.err
	}
	return fault.Corrupt(opWrite, "encode: %w", err)
}

package reader

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/loon"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
	"github.com/snapexport/snapexport/objstore"
)

// Converter reads Vortex files, which are not read here. Safe for concurrent use; a segment that is being read has at most one
// call under way.
type Converter interface {
	// Convert returns the columns of the object, all rows in their order, as an Arrow IPC stream. It is complete: what fails,
	// fails here. The caller closes it. What comes out is not trusted.
	Convert(ctx context.Context, store objstore.Store, object objstore.Object, columns []string) (io.ReadSeekCloser, error)
}

// converterReserve is the memory of one file that is being converted and read: a batch, and the columns made of it.
const converterReserve = 2 * batchLimit

// isVortex reports whether the segment's group takes a converter (docs/format/storage-v2-v3.md 6).
func isVortex(seg *milvus.Segment, fb *milvus.FieldBinlog) bool {
	return seg.StorageVersion == milvus.StorageV3 && fb.Format == loon.FormatVortex
}

// checkVortex refuses Vortex files where there is no converter.
func (s *Scan) checkVortex(seg *milvus.Segment, fb *milvus.FieldBinlog) error {
	if !isVortex(seg, fb) || s.opts.Vortex != nil {
		return nil
	}
	err := fault.Unsupported("plan", "a column group has the format %q", fb.Format)
	if len(fb.Binlogs) > 0 {
		err = err.On(fb.Binlogs[0].File.String())
	}
	return err.WithHint("--vortex-helper names a program that reads it")
}

// convert opens the columns of a Vortex file as rows of Arrow, of which there must be as many as declared (-1: any number).
func (s *Scan) convert(ctx context.Context, ref milvus.FileRef, columns []string, rows int64, counts *Counts) (*stream, error) {
	store, err := s.opts.Opener.Open(ctx, ref.Bucket)
	if err != nil {
		return nil, err
	}
	obj, err := store.Stat(ctx, ref.Key)
	if err != nil {
		return nil, err
	}
	file, err := s.opts.Vortex.Convert(ctx, store, obj, columns)
	if err != nil {
		return nil, fault.Place(err, ref.String())
	}
	counts.Bytes += obj.Size
	in, err := openStream(file, columns, rows)
	if err != nil {
		return nil, errors.Join(fault.Place(err, ref.String()), file.Close())
	}
	return in, nil
}

// converted reads the columns of a Vortex group. Each file is converted once for all of them: they are walked in step, so what
// one has taken from a batch and another has not is never more than that batch.
type converted struct {
	group   *group
	columns []*convertedColumn
	at      int // the next file
	in      *stream
	skip    int64 // rows of the open file that come before the segment's
}

// convertedColumn is one column of such a group: a source.
type convertedColumn struct {
	of      *converted
	field   milvus.Field
	rows    int64
	current *cursor // whose name is that of the file being read
	queue   []arrow.Array
}

// column adds a column. All must be there before the first row is read.
func (v *converted) column(f milvus.Field, rows int64, c *cursor) *convertedColumn {
	col := &convertedColumn{of: v, field: f, rows: rows, current: c}
	v.columns = append(v.columns, col)
	return col
}

// Rows returns what the manifest says. Each file is held to it.
func (c *convertedColumn) Rows() int64 { return c.rows }

// Stats returns nothing: statistics stay in the file.
func (c *convertedColumn) Stats() ([]pages.Stats, bool) { return nil, false }

// Next returns the rows of the next batch in storage form.
func (c *convertedColumn) Next() (arrow.Array, error) {
	for len(c.queue) == 0 {
		if err := c.of.pull(); err != nil {
			return nil, err
		}
	}
	a := c.queue[0]
	c.queue = c.queue[1:]
	return a, nil
}

// pull hands the next batch to all columns, io.EOF after the last.
func (v *converted) pull() error {
	if v.in == nil {
		if v.at == len(v.group.logs) {
			return io.EOF
		}
		if err := v.open(); err != nil {
			return err
		}
	}
	batch, err := v.in.next()
	if errors.Is(err, io.EOF) {
		return v.close()
	}
	if err != nil {
		return err
	}
	n := batch.NumRows()
	first := min(v.skip, n)
	v.skip -= first
	if first == n {
		return nil
	}
	for i, c := range v.columns {
		a, err := storageForm(c.field, batch.Column(i))
		if err != nil {
			return err
		}
		c.queue = append(c.queue, array.NewSlice(a, first, n))
	}
	return nil
}

// open converts the next file.
func (v *converted) open() (err error) {
	g, b := v.group, v.group.logs[v.at]
	names := make([]string, len(v.columns))
	for i, c := range v.columns {
		names[i] = columnName(c.field)
		c.current.name = b.File.String()
	}
	if v.in, err = g.scan.convert(g.ctx, b.File, names, b.First+b.Entries, g.counts); err != nil {
		return err
	}
	v.at++
	v.skip = b.First
	return nil
}

// close ends the open file, if there is one.
func (v *converted) close() error {
	if v == nil || v.in == nil {
		return nil
	}
	in := v.in
	v.in = nil
	return in.close()
}

// needConverted estimates the memory that conversions of the segment's files take: of each Vortex group one file is open at a
// time, and one file of long texts of each TEXT field.
func (s *Scan) needConverted(seg *milvus.Segment) (n int64) {
	if s.opts.Vortex == nil {
		return 0
	}
	fields := s.reads()
	for i := range seg.Binlogs {
		if fb := &seg.Binlogs[i]; isVortex(seg, fb) && slices.ContainsFunc(fields, func(f milvus.Field) bool { return slices.Contains(fb.ChildFields, f.ID) }) {
			n += converterReserve
		}
	}
	for _, f := range fields {
		if flagged(seg, f) {
			n += converterReserve + maxDecoded
		}
	}
	return n
}

// closeConverted ends what conversions keep open.
func closeConverted(groups []*group, cursors map[milvus.FieldID]*cursor) error {
	var errs []error
	for _, g := range groups {
		errs = append(errs, g.vortex.close())
	}
	for _, c := range cursors {
		errs = append(errs, c.lobs.close())
	}
	return errors.Join(errs...)
}

// headOfVortex looks at a Vortex file's first bytes.
func (s *Scan) headOfVortex(ctx context.Context, b milvus.Binlog) (int64, error) {
	head, err := s.head(ctx, b, int64(len(vortexMark)))
	if err == nil && string(head) != vortexMark {
		err = fault.Corrupt("read column group", "the file is no Vortex file: it begins with %q", head)
	}
	return int64(len(head)), err
}

// vortexMark begins and ends Vortex files.
const vortexMark = "VTXF"

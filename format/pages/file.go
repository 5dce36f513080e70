package pages

import (
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/format"

	"github.com/snapexport/snapexport/fault"
)

// File is an open Parquet file. It is immutable; cursors of one File may be used by different goroutines at a time if its
// io.ReaderAt may. There is nothing to close.
type File struct {
	src     source
	limits  Limits
	meta    fileMeta
	columns []Column
	groups  []RowGroup
}

// RowGroup describes one row group.
type RowGroup struct {
	Rows   int64
	Chunks []Chunk // by column
}

// Chunk describes the pages of one column in one row group.
type Chunk struct {
	Values                           int64 // NULLs included; of a list column elements, empty and NULL lists
	CompressedSize, UncompressedSize int64 // bytes, page headers included, as the footer says
	Codec                            string
	Stats                            Stats

	codec      format.CompressionCodec
	start, end int64 // in the file
}

// Range returns where the chunk lies in the file: [start, end).
func (c *Chunk) Range() (start, end int64) { return c.start, c.end }

// Stats are the bounds of a chunk as recorded: raw little-endian PLAIN values (no length prefix for byte arrays), nil where
// absent. Byte array bounds may be truncated: Min is never above, Max never below a value. NaN is not counted.
type Stats struct {
	Min, Max  []byte
	NullCount int64 // -1 if not recorded
}

// Open parses and checks the footer of the size bytes of r. Errors: ErrCorrupt, ErrLimit; ErrUnsupported if the file is
// encrypted; those of r as they are.
func Open(r io.ReaderAt, size int64) (*File, error) { return OpenLimited(r, size, Limits{}) }

// OpenBytes is Open on a file in memory. Arrays may alias b, which must not change while they live.
func OpenBytes(b []byte) (*File, error) {
	return open(source{mem: b, size: int64(len(b))}, Limits{}.withDefaults())
}

// OpenLimited is Open with other limits than the default.
func OpenLimited(r io.ReaderAt, size int64, l Limits) (*File, error) {
	l = l.withDefaults()
	return open(source{r: r, size: size, ahead: l.ReadAhead}, l)
}

const magicSize = 4

func open(src source, l Limits) (*File, error) {
	f := &File{src: src, limits: l}
	footer, start, err := readFooter(&f.src)
	if err != nil {
		return nil, err
	}
	n, err := thriftLength(footer)
	if err != nil {
		return nil, corrupt(start, "footer: %v", err)
	}
	if n != len(footer) {
		return nil, corrupt(start, "the footer has %d bytes, its metadata %d", len(footer), n)
	}
	if err := thriftDecode(footer, &f.meta); err != nil {
		return nil, corrupt(start, "footer: %v", err)
	}
	if f.meta.Encryption.Valid {
		return nil, unsupported(start, "encrypted Parquet")
	}
	if f.columns, err = columnsOf(f.meta.Schema); err != nil {
		return nil, corrupt(start, "%v", err)
	}
	if err := f.checkGroups(start); err != nil {
		return nil, err
	}
	return f, nil
}

// readFooter returns the footer's thrift bytes and their offset.
func readFooter(src *source) ([]byte, int64, error) {
	if src.size < 2*magicSize+4 {
		return nil, 0, corrupt(0, "%d bytes are no Parquet file", src.size)
	}
	if err := src.tail(); err != nil {
		return nil, 0, err
	}
	if src.mem != nil {
		if err := checkMagic(src.mem[:magicSize], 0); err != nil {
			return nil, 0, err
		}
	}
	tailAt := src.size - magicSize - 4
	tail, err := src.view(tailAt, 8, src.size)
	if err != nil {
		return nil, 0, err
	}
	if err := checkMagic(tail[4:], src.size-magicSize); err != nil {
		return nil, 0, err
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	if n > tailAt-magicSize {
		return nil, 0, corrupt(tailAt, "a footer of %d bytes is declared in a file of %d", n, src.size)
	}
	if n > maxFooter {
		return nil, 0, tooLarge(tailAt, "a footer of %d bytes", n)
	}
	b, err := src.view(tailAt-n, int(n), tailAt)
	return b, tailAt - n, err
}

// CheckHead checks the first bytes of a file, at least HeadSize: ErrUnsupported if it is encrypted or of another format that is
// known, ErrCorrupt if it is no Parquet file.
func CheckHead(b []byte) error { return checkMagic(b[:min(len(b), magicSize)], 0) }

// HeadSize is how many bytes CheckHead needs.
const HeadSize = magicSize

func checkMagic(b []byte, at int64) error {
	switch string(b) {
	case "PAR1":
		return nil
	case "PARE":
		return fault.Unsupported(op, "encrypted Parquet (PARE)").At(at).WithHint("the data keys are held by the cluster's key service; export from a copy that is not encrypted")
	case "VTXF":
		return unsupported(at, "the file is in the format Vortex")
	}
	return corrupt(at, "magic bytes %q are not Parquet's", b)
}

func (f *File) checkGroups(at int64) error {
	var rows int64
	for i := range f.meta.RowGroups {
		m := &f.meta.RowGroups[i]
		if m.Rows < 0 || rows > math.MaxInt64-m.Rows {
			return corrupt(at, "row group %d has %d rows", i, m.Rows)
		}
		rows += m.Rows
		if len(m.Chunks) != len(f.columns) {
			return corrupt(at, "row group %d has %d columns, the schema %d", i, len(m.Chunks), len(f.columns))
		}
		g := RowGroup{Rows: m.Rows, Chunks: make([]Chunk, len(m.Chunks))}
		for j := range m.Chunks {
			c, err := f.checkChunk(&m.Chunks[j], &f.columns[j], m.Rows, at)
			if err != nil {
				var e *fault.Error
				if errors.As(err, &e) {
					e.Detail += " (" + f.columns[j].in(i) + ")"
				}
				return err
			}
			g.Chunks[j] = c
		}
		f.groups = append(f.groups, g)
	}
	if rows != f.meta.Rows {
		return corrupt(at, "the footer says %d rows, its row groups have %d", f.meta.Rows, rows)
	}
	return nil
}

// checkChunk checks what a chunk declares against the file. at is the footer's offset: chunks lie before it.
func (f *File) checkChunk(m *chunkMeta, col *Column, rows, at int64) (Chunk, error) {
	c := Chunk{Values: m.Meta.Values, CompressedSize: m.Meta.Compressed, UncompressedSize: m.Meta.Uncompressed,
		codec: format.CompressionCodec(m.Meta.Codec), start: m.Meta.DataOffset}
	c.Codec = c.codec.String()
	switch {
	case m.Crypto.Valid || m.Encrypted != nil:
		return c, unsupported(at, "encrypted column")
	case m.FilePath != "":
		return c, unsupported(at, "column data in another file")
	case Physical(m.Meta.Type) != col.Physical:
		return c, corrupt(at, "the chunk holds %v, the schema says %v", Physical(m.Meta.Type), col.Physical)
	case c.Values < 0, col.MaxRep == 0 && c.Values != rows, c.Values < rows:
		return c, corrupt(at, "the chunk declares %d values for %d rows", c.Values, rows)
	case c.CompressedSize < 0 || c.UncompressedSize < 0:
		return c, corrupt(at, "the chunk declares a negative size")
	}
	if d := m.Meta.DictOffset; d.Valid && d.V > 0 && d.V < c.start {
		c.start = d.V
	}
	c.end = c.start
	if c.Values > 0 { // an empty chunk may have a dictionary page and no data page to point to
		if c.start < magicSize || c.start > at || c.CompressedSize > at-c.start {
			return c, corrupt(at, "the chunk lies at bytes %d+%d of %d", c.start, c.CompressedSize, at)
		}
		// A page has a header of 10 bytes at the least and a bounded number of values.
		if c.Values/maxPageValues > c.CompressedSize/10 {
			return c, corrupt(at, "%d values are declared in %d bytes", c.Values, c.CompressedSize)
		}
		c.end = c.start + c.CompressedSize
	}
	c.Stats = m.Meta.Stats.bounds(col)
	return c, nil
}

// bounds leaves out the deprecated pair where its order is not that of the type (unsigned, byte arrays).
func (s *statistics) bounds(col *Column) Stats {
	out := Stats{Min: s.Min, Max: s.Max, NullCount: -1}
	if s.NullCount.Valid && s.NullCount.V >= 0 {
		out.NullCount = s.NullCount.V
	}
	unsigned := col.Logical.Kind == LogicalInt && !col.Logical.Signed
	if out.Min == nil && out.Max == nil && !unsigned && (col.Physical == Boolean || col.width() > 0) && col.Physical != FixedLenByteArray {
		out.Min, out.Max = s.OldMin, s.OldMax
	}
	return out
}

// NumRows returns the number of rows that the footer declares; a Cursor fails if they are not there.
func (f *File) NumRows() int64 { return f.meta.Rows }

// Columns returns the leaves in file order.
func (f *File) Columns() []Column { return f.columns }

// RowGroups describes the row groups in file order.
func (f *File) RowGroups() []RowGroup { return f.groups }

// CreatedBy returns the writer's name and version.
func (f *File) CreatedBy() string { return f.meta.CreatedBy }

// KeyValue returns a value of the footer's key-value metadata.
func (f *File) KeyValue(key string) (string, bool) {
	for _, kv := range f.meta.KeyValues {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return "", false
}

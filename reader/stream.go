package reader

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
)

const (
	// batchLimit bounds one batch of a converter, bytes, before and after it is decompressed.
	batchLimit = 32 << 20
	// schemaLimit bounds the other part of a message.
	schemaLimit = 1 << 20

	opStream = "read converted file"
)

// stream reads what a converter gave: an Arrow IPC stream of some columns. It is not trusted.
type stream struct {
	file    io.ReadSeekCloser
	reader  *ipc.Reader
	columns []int // of the stream, in the order in which they were asked for
	rows    int64 // declared; -1: unknown
	read    int64
}

// openStream takes the file over unless it fails.
func openStream(file io.ReadSeekCloser, columns []string, rows int64) (_ *stream, err error) {
	defer guard(&err)
	var mark [4]byte
	// a program that prints a line to the wrong place: its first bytes would be taken for a length
	if n, err := io.ReadFull(file, mark[:]); err != nil || mark != [4]byte{0xff, 0xff, 0xff, 0xff} {
		return nil, fault.Corrupt(opStream, "the converter's output is no Arrow IPC stream: it begins with %q", mark[:n])
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	s := &stream{file: file, rows: rows}
	if s.reader, err = decoder(file); err != nil {
		return nil, fault.Corrupt(opStream, "the converter's output: %w", err)
	}
	have := s.reader.Schema()
	if len(have.Fields()) != len(columns) {
		return nil, fault.Corrupt(opStream, "the converter gave %d columns, not %d", len(have.Fields()), len(columns))
	}
	for _, name := range columns {
		at := slices.IndexFunc(have.Fields(), func(f arrow.Field) bool { return f.Name == name })
		if at < 0 {
			return nil, fault.Corrupt(opStream, "the converter gave no column %q", name)
		}
		if t := have.Field(at).Type; t.ID() == arrow.DICTIONARY || t.ID() == arrow.EXTENSION {
			return nil, fault.Corrupt(opStream, "the converter gave column %q as %v", name, t)
		}
		s.columns = append(s.columns, at)
	}
	return s, nil
}

func decoder(r io.Reader) (*ipc.Reader, error) {
	alloc := &boundedAllocator{Allocator: memory.NewGoAllocator()}
	opts := []ipc.Option{ipc.WithMetadataSizeLimit(schemaLimit), ipc.WithBodySizeLimit(batchLimit), ipc.WithAllocator(alloc), ipc.WithDelayReadSchema(false)}
	return ipc.NewReaderFromMessageReader(ipc.NewMessageReader(r, opts...), opts...)
}

// boundedAllocator refuses what no batch may need. The decoder turns its panic into an error.
type boundedAllocator struct{ memory.Allocator }

func (b *boundedAllocator) Allocate(n int) []byte {
	b.check(n)
	return b.Allocator.Allocate(n)
}

func (b *boundedAllocator) Reallocate(n int, old []byte) []byte {
	b.check(n)
	return b.Allocator.Reallocate(n, old)
}

func (*boundedAllocator) check(n int) {
	if n < 0 || n > batchLimit+1<<10 {
		panic(fmt.Errorf("a buffer of %d bytes", n))
	}
}

// next returns the next batch, its columns in the order in which they were asked for; io.EOF after the last.
func (s *stream) next() (batch arrow.RecordBatch, err error) {
	defer guard(&err)
	got, err := s.reader.Read()
	if errors.Is(err, io.EOF) && s.rows >= 0 && s.read != s.rows {
		return nil, fault.Corrupt(opStream, "the converter gave %d rows, metadata says %d", s.read, s.rows)
	}
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, fault.Corrupt(opStream, "the converter's output, after row %d: %w", s.read, err).
			WithHint("a batch may have up to %d MiB", batchLimit>>20)
	}
	got.Retain() // the reader lets go of it
	if s.read += got.NumRows(); s.rows >= 0 && s.read > s.rows {
		return nil, fault.Corrupt(opStream, "the converter gave more rows than the %d that metadata says", s.rows)
	}
	return s.pick(got)
}

// pick checks a batch and puts its columns in order.
func (s *stream) pick(got arrow.RecordBatch) (arrow.RecordBatch, error) {
	fields, columns := make([]arrow.Field, len(s.columns)), make([]arrow.Array, len(s.columns))
	var bytes uint64
	for i, at := range s.columns {
		fields[i], columns[i] = got.Schema().Field(at), got.Column(at)
		if err := array.ValidateFull(columns[i]); err != nil {
			return nil, fault.Corrupt(opStream, "the converter's column %q: %w", fields[i].Name, err)
		}
		bytes += columns[i].Data().SizeInBytes()
	}
	if bytes > batchLimit+1<<10 {
		return nil, fault.Limit(opStream, "the converter gave a batch of %d bytes, %d are read", bytes, batchLimit)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, got.NumRows()), nil
}

func (s *stream) close() error { return s.file.Close() }

// guard turns a panic of the Arrow library over bytes that it did not expect into an error.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fault.Corrupt(opStream, "the converter's output: %v", p)
	}
}

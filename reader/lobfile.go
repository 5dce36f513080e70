package reader

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"sort"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// lobColumn is the one column of a LOB file.
const lobColumn = "text_data"

// lobFilesOpen bounds the converted LOB files that a field of a segment keeps open. Rows that were compacted together refer to
// several.
const lobFilesOpen = 32

// lobs resolves the references of one TEXT field of a segment. Each LOB file is converted once; in memory is one batch of one.
type lobs struct {
	scan   *Scan
	ctx    context.Context
	seg    *milvus.Segment
	field  milvus.Field
	counts *Counts
	files  map[string]*lobFile // by UUID
}

// lobFile is a converted LOB file and where its batches lie.
type lobFile struct {
	in     *stream
	name   string
	schema []byte  // what precedes the batches
	first  []int64 // row of each batch
	at     []int64 // offset of each batch
	texts  *array.Binary
	loaded int // the batch that texts is; -1: none
}

func (s *Scan) newLOBs(ctx context.Context, seg *milvus.Segment, f milvus.Field, counts *Counts) *lobs {
	if s.opts.Vortex == nil || !flagged(seg, f) {
		return nil
	}
	return &lobs{scan: s, ctx: ctx, seg: seg, field: f, counts: counts, files: map[string]*lobFile{}}
}

// text returns the text of a reference, valid until the next call: flag, 3 zeros, UUID, row (docs/format/storage-v2-v3.md 2.6).
func (l *lobs) text(reference []byte) ([]byte, error) {
	id := hex.EncodeToString(reference[4:20])
	uuid := id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
	row := int64(int32(binary.LittleEndian.Uint32(reference[20:])))
	f, err := l.file(uuid)
	if err != nil {
		return nil, err
	}
	text, err := f.text(row)
	return text, fault.Place(err, f.name)
}

// file opens a LOB file once, for as long as there are not too many.
func (l *lobs) file(uuid string) (*lobFile, error) {
	for id, f := range l.files {
		if id != uuid {
			f.texts, f.loaded = nil, -1
		}
	}
	if f, ok := l.files[uuid]; ok {
		return f, nil
	}
	if len(l.files) >= lobFilesOpen {
		if err := l.close(); err != nil {
			return nil, err
		}
	}
	ref, err := l.scan.snap.LOBFile(l.seg, l.field.ID, uuid)
	if err != nil {
		return nil, err
	}
	rows := int64(-1)
	if i := slices.IndexFunc(l.seg.LOBs, func(listed milvus.LOBFile) bool { return listed.File == ref }); i >= 0 && l.seg.LOBs[i].Total > 0 {
		rows = l.seg.LOBs[i].Total
	}
	in, err := l.scan.convert(l.ctx, ref, []string{lobColumn}, rows, l.counts)
	if err != nil {
		return nil, fault.Place(err, ref.String())
	}
	f := &lobFile{in: in, name: ref.String(), loaded: -1}
	if err := f.index(); err != nil {
		return nil, errors.Join(fault.Place(err, f.name), in.close())
	}
	l.files[uuid] = f
	return f, nil
}

// index notes where the batches lie, and so reads all of them once.
func (f *lobFile) index() error {
	end, err := f.in.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	for {
		at, err := f.in.file.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		row := f.in.read
		_, err = f.in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if f.in.read > row {
			f.first, f.at = append(f.first, row), append(f.at, at)
		}
	}
	if _, err := f.in.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	f.schema = make([]byte, end)
	_, err = io.ReadFull(f.in.file, f.schema)
	return err
}

// text returns a row's text.
func (f *lobFile) text(row int64) ([]byte, error) {
	if row < 0 || row >= f.in.read {
		return nil, fault.Corrupt("read text", "a reference is to row %d of %d", row, f.in.read)
	}
	batch := sort.Search(len(f.first), func(i int) bool { return f.first[i] > row }) - 1
	if batch != f.loaded {
		if err := f.load(batch); err != nil {
			return nil, err
		}
	}
	i := int(row - f.first[batch])
	if f.texts.IsNull(i) {
		return nil, fault.Corrupt("read text", "a reference is to row %d, which is NULL", row)
	}
	return f.texts.Value(i), nil
}

// load reads a batch again.
func (f *lobFile) load(batch int) (err error) {
	defer guard(&err)
	f.texts, f.loaded = nil, -1
	if _, err := f.in.file.Seek(f.at[batch], io.SeekStart); err != nil {
		return err
	}
	one := &stream{columns: f.in.columns, rows: -1}
	if one.reader, err = decoder(io.MultiReader(bytes.NewReader(f.schema), f.in.file)); err != nil {
		return err
	}
	got, err := one.next()
	if err != nil {
		return err
	}
	texts, ok := binaries(got.Column(0)).(*array.Binary)
	if !ok {
		return fault.Corrupt(opStream, "the converter gave column %q as %v", lobColumn, got.Column(0).DataType())
	}
	f.texts, f.loaded = texts, batch
	return nil
}

// close closes all files. They can be opened again.
func (l *lobs) close() error {
	if l == nil {
		return nil
	}
	var errs []error
	for _, f := range l.files {
		errs = append(errs, f.in.close())
	}
	clear(l.files)
	return errors.Join(errs...)
}

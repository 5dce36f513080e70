package deltalog

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/format/binlog"
	"github.com/snapexport/snapexport/format/pages"
	"github.com/snapexport/snapexport/milvus"
)

// multiField is the "version" of files with two columns (docs/format/binlog-v1.md 8.2).
const multiField = "MULTI_FIELD"

var parquetMagic = []byte("PAR1")

// Read decodes a file of any form. The result does not point into b.
func Read(b []byte) (*Deletes, error) {
	out := &builder{}
	if err := out.read(b); err != nil {
		return nil, err
	}
	return out.deletes(), nil
}

// Each decodes a file of any form a few pages at a time, in memory that does not grow with the file. What it hands to yield is
// valid until yield returns; it may be followed by an error.
func Each(b []byte, yield func(*Deletes) error) error {
	var stop error
	err := (&builder{yield: func(d *Deletes) error {
		if stop = yield(d); stop != nil {
			return errStop // the caller's error has no place in the file
		}
		return nil
	}}).read(b)
	if stop != nil {
		return stop
	}
	return err
}

var errStop = errors.New("stopped")

func (b *builder) read(file []byte) error {
	if bytes.HasPrefix(file, parquetMagic) || bytes.HasPrefix(file, []byte("PARE")) {
		return b.readBare(file)
	}
	f, err := binlog.Open(file)
	if err != nil {
		return err
	}
	for i := range f.Events {
		e := &f.Events[i]
		if e.Type != binlog.EventDelete {
			return corrupt("%v event in a deltalog", e.Type).At(e.Offset)
		}
		if err := b.readEvent(e, f.Descriptor.Extras.Version() == multiField); err != nil {
			return within(err, e.PayloadOffset())
		}
	}
	return nil
}

// within moves the offset of a payload's error to that of the file.
func within(err error, base int64) error {
	var e *fault.Error
	if errors.As(err, &e) {
		e.Offset = max(e.Offset, 0) + base
	}
	return err
}

func (b *builder) readEvent(e *binlog.Event, multi bool) error {
	f, err := pages.OpenBytes(e.Payload)
	if err != nil {
		return err
	}
	columns := f.Columns()
	// A file with two fitting columns is one of two columns even where the version is missing.
	if multi || len(columns) == 2 && isKey(&columns[0]) && columns[1].Physical == pages.Int64 {
		return b.readPairs(f, 0, 1)
	}
	if len(columns) != 1 || columns[0].Physical != pages.ByteArray || columns[0].List {
		return corrupt("want one text column, or two for key and timestamp; the payload has %d columns", len(columns))
	}
	return b.readCells(f)
}

func isKey(c *pages.Column) bool {
	return !c.List && (c.Physical == pages.Int64 || c.Physical == pages.ByteArray)
}

// readBare decodes the bare Parquet of V3: the columns are known by field id, their names may both be empty
// (docs/format/storage-v2-v3.md 3.3).
func (b *builder) readBare(file []byte) error {
	f, err := pages.OpenBytes(file)
	if err != nil {
		return err
	}
	c := f.Columns()
	if len(c) != 2 {
		return b.readPairs(f, 0, 1)
	}
	switch ids := [2]int32{c[0].FieldID, c[1].FieldID}; ids {
	case [2]int32{0, 1}, [2]int32{-1, -1}:
		return b.readPairs(f, 0, 1)
	case [2]int32{1, 0}:
		return b.readPairs(f, 1, 0)
	default:
		return corrupt("columns have the field ids %v, a deltalog's are 0 (key) and 1 (timestamp)", ids)
	}
}

// readPairs decodes a file with a column of keys and one of timestamps, given by position.
func (b *builder) readPairs(f *pages.File, pk, ts int) error {
	columns := f.Columns()
	if len(columns) != 2 {
		return corrupt("want a column of keys and one of timestamps; there are %d columns", len(columns))
	}
	if !isKey(&columns[pk]) || columns[ts].Physical != pages.Int64 || columns[ts].List {
		return corrupt("keys are stored as %v and timestamps as %v", columns[pk].Physical, columns[ts].Physical)
	}
	pkType := milvus.TypeInt64
	if columns[pk].Physical == pages.ByteArray {
		pkType = milvus.TypeVarChar
	}
	if b.ts == nil {
		b.reserve(f.NumRows())
	}
	if err := b.use(pkType); err != nil {
		return err
	}
	return b.zip(f, pk, ts)
}

// zip reads the two columns side by side, a page of that which is behind at a time.
func (b *builder) zip(f *pages.File, pk, ts int) error {
	keys, err := f.Cursor(pk)
	if err != nil {
		return err
	}
	times, err := f.Cursor(ts)
	if err != nil {
		return err
	}
	var noKeys, noTimes bool
	for !noKeys || !noTimes {
		if !noTimes && (noKeys || len(b.ts) <= b.keys()) {
			noTimes, err = next(times, b.addTimestamps)
		} else {
			noKeys, err = next(keys, b.addKeys)
		}
		if err == nil {
			err = b.emit()
		}
		if err != nil {
			return err
		}
	}
	if len(b.ts) != b.keys() {
		return corrupt("%d keys and %d timestamps", b.done+b.keys(), b.done+len(b.ts))
	}
	return nil
}

// next calls f with the rows of the column's next page, or reports that there are no more.
func next(c *pages.Cursor, f func(arrow.Array) error) (end bool, err error) {
	a, err := c.Next()
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer a.Release()
	return false, f(a)
}

// readCells decodes a file with one text column.
func (b *builder) readCells(f *pages.File) error {
	if b.ts == nil {
		b.reserve(f.NumRows())
	}
	return eachArray(f, 0, func(a arrow.Array) error {
		cells, ok := a.(*array.Binary)
		if !ok {
			return corrupt("cells of Arrow type %v", a.DataType())
		}
		if err := b.addCells(cells); err != nil {
			return err
		}
		return b.emit()
	})
}

// addTimestamps appends a part of the column of timestamps.
func (b *builder) addTimestamps(a arrow.Array) error {
	v, ok := a.(*array.Int64)
	if !ok || v.NullN() > 0 {
		return corrupt("timestamps of Arrow type %v with %d NULLs after row %d", a.DataType(), a.NullN(), b.row())
	}
	b.ts = append(b.ts, arrow.GetData[uint64](arrow.GetBytes(v.Int64Values()))...)
	return nil
}

// addKeys appends a part of the column of keys.
func (b *builder) addKeys(a arrow.Array) error {
	row := b.done + b.keys()
	if a.NullN() > 0 {
		return corrupt("%d of the keys from row %d on are NULL", a.NullN(), row)
	}
	switch v := a.(type) {
	case *array.Int64:
		b.ints = append(b.ints, v.Int64Values()...)
	case *array.Binary:
		return b.addTexts(v, row)
	}
	return nil
}

// addTexts appends keys in one go; row is the first one's number.
func (b *builder) addTexts(v *array.Binary, row int) error {
	text, ends := v.ValueBytes(), v.ValueOffsets()
	if len(b.text)+len(text) > math.MaxInt32 {
		return fault.Limit(opDecode, "keys of more than %d bytes in one file", math.MaxInt32)
	}
	valid, base := utf8.Valid(text), len(b.text)
	b.offsets = slices.Grow(b.offsets, v.Len())
	for i := range v.Len() {
		from, to := int(ends[i]-ends[0]), int(ends[i+1]-ends[0])
		// A text that is valid as a whole may still be cut inside a character.
		if !valid && !utf8.Valid(text[from:to]) || valid && from < to && !utf8.RuneStart(text[from]) {
			return corrupt("key of row %d is not UTF-8", row+i)
		}
		b.offsets = append(b.offsets, int32(base+to))
	}
	b.text = append(b.text, text...)
	return nil
}

// eachArray calls f with the parts of a column, in order.
func eachArray(file *pages.File, column int, f func(arrow.Array) error) error {
	c, err := file.Cursor(column)
	if err != nil {
		return err
	}
	for end := false; !end && err == nil; {
		end, err = next(c, f)
	}
	return err
}

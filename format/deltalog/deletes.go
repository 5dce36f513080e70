package deltalog

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const (
	opDecode = "decode deltalog"
	opEncode = "encode deltalog"
)

func corrupt(format string, args ...any) *fault.Error {
	return fault.Corrupt(opDecode, format, args...)
}

// Deletes are the deletes of a file, in file order; the same key may occur several times.
type Deletes struct {
	PKType  milvus.DataType // Int64 or VarChar; None if the file has no delete that says which
	Int64   []int64         // keys if PKType is Int64, else nil
	Strings *array.String   // keys if PKType is VarChar, else nil; holds no memory that must be released
	TS      []uint64        // TSO of each delete
}

// Len returns the number of deletes.
func (d *Deletes) Len() int { return len(d.TS) }

// CheckKeys returns ErrCorrupt unless the deletes can belong to a collection with primary keys of the type. The file alone
// cannot tell.
func (d *Deletes) CheckKeys(t milvus.DataType) error {
	if d.Len() == 0 || d.PKType == t {
		return nil
	}
	return corrupt("deletes of %v keys in a collection with %v keys", d.PKType, t)
}

// builder collects deletes of one key type.
type builder struct {
	pkType  milvus.DataType
	ints    []int64
	text    []byte
	offsets []int32 // one more than texts
	ts      []uint64

	yield func(*Deletes) error // takes deletes as they come; nil: they are collected
	done  int                  // deletes that it took
}

// maxReserve bounds what is allocated before a value has been seen.
const maxReserve = 1 << 16

func (b *builder) reserve(rows int64) { b.ts = make([]uint64, 0, min(rows, maxReserve)) }

func (b *builder) row() int { return b.done + len(b.ts) }

// emit hands over what is complete: deletes that have both key and timestamp.
func (b *builder) emit() error {
	n := min(len(b.ts), b.keys())
	if b.yield == nil || n == 0 {
		return nil
	}
	d := &Deletes{PKType: b.pkType, TS: b.ts[:n]}
	text := int32(0)
	if b.pkType == milvus.TypeVarChar {
		text = b.offsets[n]
		d.Strings = stringArray(b.offsets[:n+1], b.text[:text])
	} else {
		d.Int64 = b.ints[:n]
	}
	if err := b.yield(d); err != nil {
		return err
	}
	b.done += n
	b.ts = append(b.ts[:0], b.ts[n:]...)
	if b.pkType != milvus.TypeVarChar {
		b.ints = append(b.ints[:0], b.ints[n:]...)
		return nil
	}
	b.text = append(b.text[:0], b.text[text:]...)
	b.offsets = append(b.offsets[:0], b.offsets[n:]...)
	for i := range b.offsets {
		b.offsets[i] -= text
	}
	return nil
}

// keys returns the number of keys that are held.
func (b *builder) keys() int {
	if b.pkType == milvus.TypeVarChar {
		return len(b.offsets) - 1
	}
	return len(b.ints)
}

// use fixes the key type at the first delete and demands it of all others.
func (b *builder) use(t milvus.DataType) error {
	if b.pkType == t {
		return nil
	}
	if b.pkType != milvus.TypeNone {
		return corrupt("row %d has a %v key, rows before it have %v keys", b.row(), t, b.pkType)
	}
	b.pkType = t
	if t == milvus.TypeVarChar {
		b.offsets = append(make([]int32, 0, cap(b.ts)+1), 0)
	} else {
		b.ints = make([]int64, 0, cap(b.ts))
	}
	return nil
}

func (b *builder) addInt64(pk int64, ts uint64) error {
	if err := b.use(milvus.TypeInt64); err != nil {
		return err
	}
	b.ints, b.ts = append(b.ints, pk), append(b.ts, ts)
	return nil
}

func (b *builder) addString(pk []byte, ts uint64) error {
	if err := b.use(milvus.TypeVarChar); err != nil {
		return err
	}
	b.ts = append(b.ts, ts)
	return b.addText(pk)
}

// addText appends a key alone.
func (b *builder) addText(pk []byte) error {
	if len(b.text)+len(pk) > math.MaxInt32 {
		return fault.Limit(opDecode, "keys of more than %d bytes in one file", math.MaxInt32)
	}
	b.text = append(b.text, pk...)
	b.offsets = append(b.offsets, int32(len(b.text)))
	return nil
}

func (b *builder) deletes() *Deletes {
	d := &Deletes{PKType: b.pkType, Int64: b.ints, TS: b.ts}
	if b.pkType == milvus.TypeVarChar {
		d.Strings = stringArray(b.offsets, b.text)
	}
	return d
}

func stringArray(offsets []int32, text []byte) *array.String {
	data := array.NewData(arrow.BinaryTypes.String, len(offsets)-1,
		[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.GetBytes(offsets)), memory.NewBufferBytes(text)}, nil, 0, 0)
	defer data.Release()
	return array.NewStringData(data)
}

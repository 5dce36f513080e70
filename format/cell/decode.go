package cell

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

const opDecode = "decode values"

// Options say how strictly to decode. The zero value fails at the first value that does not fit.
type Options struct {
	// OnBad is asked about every row whose value does not fit, with its index in the array, at most once per row and in any
	// order. The error that it returns ends the decoding; nil makes the row NULL, also where the field is not nullable.
	OnBad func(row int, err error) error
	// CheckJSON also checks that JSON values are JSON (RFC 8259), not only UTF-8. Milvus checks at ingest.
	CheckJSON bool
	// CheckVariant also checks that JSON values can be Parquet variants, which is more than that they are JSON.
	CheckVariant bool
}

// maxDecoded bounds the bytes of one decoded array of NULL and dense vectors.
const maxDecoded = 1 << 31

// MaxRows returns how many rows of the field fit in budget bytes of a canonical array, at least 1. Only dense vectors have a
// width; for other fields it is budget. A raw array may have far more rows than that where most are NULL: slice it first.
func MaxRows(f milvus.Field, budget int) int {
	t, err := Type(f)
	if err != nil || !f.Type.IsDenseVector() {
		return max(budget, 1)
	}
	width := f.Dim * 4
	if fixed, ok := t.(*arrow.FixedSizeBinaryType); ok {
		width = fixed.ByteWidth
	}
	return max(budget/width, 1)
}

// Decode turns a raw array of a field into the canonical one, of the same length. NULL stays NULL; it is an error in a
// field that is not nullable. Where storage and canonical form have the same bytes, as for numbers, text and FloatVector,
// the result shares the memory of raw.
//
// ErrCorrupt if the stored type can't hold the field or a value does not fit; it names the row. ErrUnsupported as [Type].
func Decode(f milvus.Field, raw arrow.Array, opts Options) (arrow.Array, error) {
	t, err := Type(f)
	if err != nil {
		return nil, err
	}
	if raw.Len() == 0 {
		if err := checkStored(f, raw); err != nil {
			return nil, err
		}
		return empty(t), nil
	}
	d := &decoder{field: f, opts: opts, raw: raw, n: raw.Len(), to: t}
	if err := d.validity(); err != nil {
		return nil, err
	}
	switch f.Type {
	case milvus.TypeInt8:
		return d.small(math.MinInt8, math.MaxInt8)
	case milvus.TypeInt16:
		return d.small(math.MinInt16, math.MaxInt16)
	case milvus.TypeString, milvus.TypeVarChar, milvus.TypeText, milvus.TypeJSON:
		return d.text()
	case milvus.TypeSparseVector:
		return d.sparse()
	case milvus.TypeArray:
		return d.arrays()
	case milvus.TypeArrayOfVector:
		return d.vectorLists()
	}
	if f.Type.IsDenseVector() {
		return d.dense()
	}
	return d.same()
}

// checkStored checks the stored type of an array without rows.
func checkStored(f milvus.Field, raw arrow.Array) error {
	d := decoder{field: f, raw: raw}
	id := raw.DataType().ID()
	switch f.Type {
	case milvus.TypeArrayOfVector:
		if id != arrow.LIST {
			return d.mismatch()
		}
	default:
		if id == arrow.LIST {
			return d.mismatch()
		}
	}
	return nil
}

func empty(t arrow.DataType) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, t)
	defer b.Release()
	return b.NewArray()
}

// decoder is one call of Decode.
type decoder struct {
	field milvus.Field
	opts  Options
	raw   arrow.Array
	n     int
	to    arrow.DataType

	valid []byte // bitmap of the result, without offset; nil if all rows are valid
	own   bool   // valid may be written
}

// validity takes over the NULLs of raw.
func (d *decoder) validity() error {
	if d.raw.NullN() == 0 {
		return nil
	}
	off := d.raw.Data().Offset()
	bits := d.raw.NullBitmapBytes()
	if off%8 == 0 {
		d.valid = bits[off/8 : (off+d.n+7)/8]
	} else {
		d.valid, d.own = make([]byte, (d.n+7)/8), true
		bitutil.CopyBitmap(bits, off, d.n, d.valid, 0)
	}
	if d.field.Nullable {
		return nil
	}
	for i := range d.n {
		if d.isNull(i) {
			if err := d.bad(i, "NULL in a field that is not nullable"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *decoder) isNull(i int) bool { return d.valid != nil && d.valid[i/8]>>(i%8)&1 == 0 }

// bad reports that row i does not fit; if decoding goes on, the row is NULL.
func (d *decoder) bad(i int, format string, args ...any) error {
	err := error(fault.Corrupt(opDecode, "field %q (%v), row %d: %s", d.field.Name, d.field.Type, i, fmt.Sprintf(format, args...)))
	if d.opts.OnBad == nil {
		return err
	}
	if err := d.opts.OnBad(i, err); err != nil {
		return err
	}
	switch {
	case d.valid == nil:
		d.valid = make([]byte, (d.n+7)/8)
		bitutil.SetBitsTo(d.valid, 0, int64(d.n), true)
	case !d.own:
		d.valid = append([]byte(nil), d.valid...)
	}
	d.own = true
	bitutil.ClearBit(d.valid, i)
	return nil
}

func (d *decoder) mismatch() error {
	return fault.Corrupt(opDecode, "field %q is %v, which is not stored as %v", d.field.Name, d.field.Type, d.raw.DataType())
}

// result makes the canonical array from buffers without offset.
func (d *decoder) result(children []arrow.ArrayData, buffers ...*memory.Buffer) arrow.Array {
	return build(d.to, d.n, d.valid, children, buffers...)
}

func build(t arrow.DataType, n int, valid []byte, children []arrow.ArrayData, buffers ...*memory.Buffer) arrow.Array {
	nulls := 0
	bufs := make([]*memory.Buffer, 1, 1+len(buffers))
	if valid != nil {
		if nulls = n - bitutil.CountSetBits(valid, 0, n); nulls > 0 {
			bufs[0] = memory.NewBufferBytes(valid)
		}
	}
	data := array.NewData(t, n, append(bufs, buffers...), children, nulls, 0)
	return array.MakeFromData(data)
}

// same keeps the bytes and changes at most the type: the stored type must be as wide as the canonical one.
func (d *decoder) same() (arrow.Array, error) {
	from := d.raw.DataType()
	want := d.to
	switch d.to.ID() {
	case arrow.TIMESTAMP:
		want = arrow.PrimitiveTypes.Int64
	case arrow.DATE32:
		want = arrow.PrimitiveTypes.Int32
	}
	if !arrow.TypeEqual(from, want) && !arrow.TypeEqual(from, d.to) {
		return nil, d.mismatch()
	}
	return d.retyped(), nil
}

// retyped is raw under the canonical type and validity.
func (d *decoder) retyped() arrow.Array {
	data := d.raw.Data()
	if data.Offset() == 0 && !d.own {
		return array.MakeFromData(array.NewData(d.to, d.n, data.Buffers(), nil, data.NullN(), 0))
	}
	if !d.own { // keep the offset rather than move bits
		return array.MakeFromData(array.NewData(d.to, d.n, data.Buffers(), nil, data.NullN(), data.Offset()))
	}
	bufs := data.Buffers()
	switch d.to.ID() {
	case arrow.BOOL:
		bits := make([]byte, (d.n+7)/8)
		bitutil.CopyBitmap(bufs[1].Bytes(), data.Offset(), d.n, bits, 0)
		return d.result(nil, memory.NewBufferBytes(bits))
	case arrow.STRING, arrow.BINARY:
		offsets := bufs[1].Bytes()[4*data.Offset() : 4*(data.Offset()+d.n+1)]
		return d.result(nil, memory.NewBufferBytes(offsets), bufs[2])
	}
	width := d.to.(arrow.FixedWidthDataType).Bytes()
	return d.result(nil, memory.NewBufferBytes(bufs[1].Bytes()[width*data.Offset():width*(data.Offset()+d.n)]))
}

// small checks integers that are stored wider than they are.
func (d *decoder) small(least, most int32) (arrow.Array, error) {
	ints, ok := d.raw.(*array.Int32)
	if !ok {
		return nil, d.mismatch()
	}
	for i, v := range ints.Int32Values() {
		if (v < least || v > most) && !d.isNull(i) {
			if err := d.bad(i, "%d is out of range", v); err != nil {
				return nil, err
			}
		}
	}
	return d.retyped(), nil
}

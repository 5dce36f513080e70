package cell

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/snapexport/snapexport/milvus"
)

// An Array cell is a serialized ScalarField: a one-of of typed arrays, each a message with `repeated T data = 1`
// (docs/format/binlog-v1.md 4).

// validData is the field of ScalarField with the elements' validity.
const validData = 17

// elementKind says how elements of a type are stored and kept.
type elementKind struct {
	field       int // of the one-of
	also        int // older field of the same type, 0 if none
	wire        int // of one element
	bits        int // kept: 1, 32, 64; 0 for text
	least, most int64
}

var elementKinds = map[milvus.DataType]elementKind{
	milvus.TypeBool:        {field: 1, bits: 1, most: 1},
	milvus.TypeInt8:        {field: 2, bits: 32, least: math.MinInt8, most: math.MaxInt8},
	milvus.TypeInt16:       {field: 2, bits: 32, least: math.MinInt16, most: math.MaxInt16},
	milvus.TypeInt32:       {field: 2, bits: 32, least: math.MinInt32, most: math.MaxInt32},
	milvus.TypeInt64:       {field: 3, bits: 64, least: math.MinInt64, most: math.MaxInt64},
	milvus.TypeFloat:       {field: 4, wire: wireFixed32, bits: 32},
	milvus.TypeDouble:      {field: 5, wire: wireFixed64, bits: 64},
	milvus.TypeString:      {field: 6, wire: wireBytes},
	milvus.TypeVarChar:     {field: 6, wire: wireBytes},
	milvus.TypeText:        {field: 6, wire: wireBytes},
	milvus.TypeTimestamptz: {field: 11, also: 3, bits: 64, least: math.MinInt64, most: math.MaxInt64},
	milvus.TypeDate:        {field: 15, bits: 32, least: math.MinInt32, most: math.MaxInt32},
	milvus.TypeTime:        {field: 16, bits: 64, least: math.MinInt64, most: math.MaxInt64},
}

// elements collects the elements of many cells.
type elements struct {
	kind     elementKind
	nullable bool

	n       int
	data    []byte  // floats and text
	offsets []int32 // text: end of each element in data
	i32     []int32 // bools too
	i64     []int64
	nulls   []int // elements that are NULL, ascending

	valid []bool // valid_data of the current cell
}

func (d *decoder) arrays() (arrow.Array, error) {
	cells, ok := bytesOf(d.raw)
	if _, text := d.raw.(*array.String); !ok || text {
		return nil, d.mismatch()
	}
	e := &elements{kind: elementKinds[d.field.ElementType], nullable: d.field.ElementNullable}
	e.grow(int(cells.offsets[d.n] - cells.offsets[0]))
	offsets := make([]int32, d.n+1)
	for i := range d.n {
		if !d.isNull(i) {
			mark := *e
			if err := e.cell(cells.value(i)); err != nil {
				e.reset(mark)
				if err := d.bad(i, "%v", err); err != nil {
					return nil, err
				}
			}
		}
		offsets[i+1] = int32(e.n)
	}
	child := e.array(d.to.(*arrow.ListType).Elem())
	return d.result([]arrow.ArrayData{child.Data()}, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))), nil
}

// grow makes room for cells of size bytes together.
func (e *elements) grow(size int) {
	switch {
	case e.kind.wire != wireVarint:
		e.data = make([]byte, 0, size)
	case e.kind.bits == 64:
		e.i64 = make([]int64, 0, size/3)
	default:
		e.i32 = make([]int32, 0, size/2)
	}
}

// reset drops the elements of a cell that turned out bad.
func (e *elements) reset(to elements) {
	e.n, e.data, e.offsets = to.n, e.data[:len(to.data)], e.offsets[:len(to.offsets)]
	e.i32, e.i64, e.nulls = e.i32[:len(to.i32)], e.i64[:len(to.i64)], e.nulls[:len(to.nulls)]
}

// cell appends the elements of one cell. No bytes at all are an empty array, as is an empty member of the one-of.
func (e *elements) cell(b []byte) error {
	start, member := e.n, 0
	e.valid = e.valid[:0]
	for len(b) > 0 {
		number, wire, content, rest, err := nextField(b)
		if err != nil {
			return err
		}
		b = rest
		switch {
		case number == validData:
			if err := e.validity(wire, content); err != nil {
				return err
			}
		case number > validData: // of a later version
		case wire != wireBytes:
			return fmt.Errorf("field %d of the array message has wire type %d", number, wire)
		case len(content) == 0:
		case number != e.kind.field && (number != e.kind.also || e.kind.also == 0) || member != 0 && member != number:
			return fmt.Errorf("the elements are those of field %d, the schema's type is in field %d", number, e.kind.field)
		default:
			member = number
			if err := e.message(content); err != nil {
				return err
			}
		}
	}
	return e.markNulls(start)
}

// message appends the elements of a typed array.
func (e *elements) message(b []byte) error {
	for len(b) > 0 {
		number, wire, content, rest, err := nextField(b)
		if err != nil {
			return err
		}
		b = rest
		if number != 1 {
			continue
		}
		if wire != e.kind.wire && wire != wireBytes {
			return fmt.Errorf("elements of wire type %d", wire)
		}
		if err := e.block(content); err != nil {
			return err
		}
	}
	return nil
}

var errOneElement = errors.New("an element is cut off or out of range")

// block appends packed elements, or one. Both are the same bytes, and text is never packed.
func (e *elements) block(b []byte) error {
	switch e.kind.wire {
	case wireBytes:
		if !utf8.Valid(b) {
			return errors.New("an element is not UTF-8")
		}
		e.data = append(e.data, b...)
		e.offsets = append(e.offsets, int32(len(e.data)))
		e.n++
		return nil
	case wireFixed32, wireFixed64:
		if len(b)%(e.kind.bits/8) != 0 {
			return errOneElement
		}
		e.data = append(e.data, b...)
		e.n += len(b) / (e.kind.bits / 8)
		return nil
	}
	for len(b) > 0 {
		u, n := varint(b)
		v := int64(u)
		if e.kind.bits == 1 && u > 1 {
			v = 1
		}
		if n == 0 || v < e.kind.least || v > e.kind.most {
			return errOneElement
		}
		b = b[n:]
		if e.kind.bits == 64 {
			e.i64 = append(e.i64, v)
		} else {
			e.i32 = append(e.i32, int32(v))
		}
		e.n++
	}
	return nil
}

func (e *elements) validity(wire int, b []byte) error {
	if wire != wireBytes && wire != wireVarint {
		return fmt.Errorf("valid_data of wire type %d", wire)
	}
	for len(b) > 0 {
		v, n := varint(b)
		if n == 0 {
			return errWire
		}
		e.valid = append(e.valid, v != 0)
		b = b[n:]
	}
	return nil
}

// markNulls applies the cell's valid_data to its elements, those from start on.
func (e *elements) markNulls(start int) error {
	if len(e.valid) == 0 {
		return nil
	}
	if len(e.valid) != e.n-start {
		return fmt.Errorf("%d elements, the validity of %d", e.n-start, len(e.valid))
	}
	for i, ok := range e.valid {
		if ok {
			continue
		}
		if !e.nullable {
			return fmt.Errorf("element %d is NULL in a field whose elements are not nullable", i)
		}
		e.nulls = append(e.nulls, start+i)
	}
	return nil
}

// array returns all elements.
func (e *elements) array(t arrow.DataType) arrow.Array {
	var valid []byte
	if len(e.nulls) > 0 {
		valid = make([]byte, (e.n+7)/8)
		bitutil.SetBitsTo(valid, 0, int64(e.n), true)
		for _, i := range e.nulls {
			bitutil.ClearBit(valid, i)
		}
	}
	buf := memory.NewBufferBytes
	switch {
	case e.kind.wire == wireBytes:
		offsets := append(make([]int32, 1, e.n+1), e.offsets...)
		return build(t, e.n, valid, nil, buf(arrow.Int32Traits.CastToBytes(offsets)), buf(e.data))
	case e.kind.wire != wireVarint:
		return build(t, e.n, valid, nil, buf(e.data))
	case e.kind.bits == 64:
		return build(t, e.n, valid, nil, buf(arrow.Int64Traits.CastToBytes(e.i64)))
	case e.kind.bits == 32:
		return build(t, e.n, valid, nil, buf(arrow.Int32Traits.CastToBytes(e.i32)))
	}
	bits := make([]byte, (e.n+7)/8)
	for i, v := range e.i32 {
		bitutil.SetBitTo(bits, i, v != 0)
	}
	return build(t, e.n, valid, nil, buf(bits))
}

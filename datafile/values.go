package datafile

import (
	"encoding/binary"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/parquet-go/parquet-go/format"
)

// view is an array's memory.
type view struct {
	data    []byte
	width   int     // of a value; 0 for booleans and where offsets tell
	offsets []int32 // into data, one more than there are values
	bit     int     // of the first boolean
	framed  bool    // values have their length before them in the file
}

func viewOf(a arrow.Array) view {
	d := a.Data()
	if d.Len() == 0 {
		return view{}
	}
	off, n, b := d.Offset(), d.Len(), d.Buffers()
	switch t := d.DataType().(type) {
	case *arrow.StringType, *arrow.BinaryType:
		v := view{offsets: arrow.Int32Traits.CastFromBytes(b[1].Bytes())[off : off+n+1], framed: true}
		if b[2] != nil {
			v.data = b[2].Bytes()
		}
		return v
	case *arrow.BooleanType:
		return view{data: b[1].Bytes(), bit: off}
	case arrow.FixedWidthDataType:
		w := t.BitWidth() / 8
		return view{data: b[1].Bytes()[off*w : (off+n)*w], width: w, framed: t.ID() == arrow.FIXED_SIZE_BINARY}
	}
	return view{}
}

// value returns the bytes of value i, which is no boolean.
func (v view) value(i int) []byte {
	if v.offsets != nil {
		return v.data[v.offsets[i]:v.offsets[i+1]]
	}
	return v.data[i*v.width : (i+1)*v.width]
}

// plainSize is how many bytes values [from, to) take in PLAIN.
func (v view) plainSize(from, to int) int {
	switch n := to - from; {
	case n == 0:
		return 0
	case v.offsets != nil:
		return n*4 + int(v.offsets[to]-v.offsets[from])
	case v.framed:
		return n * (4 + v.width)
	case v.width > 0:
		return n * v.width
	default:
		return (n + 7) / 8
	}
}

// values are those of a page that are not NULL.
type values struct {
	body []byte // in PLAIN
	bits int    // booleans in body
	size int    // in PLAIN
	dict *dictionary
}

// add appends values [from, to), none of them NULL.
func (v *values) add(a view, from, to int) {
	v.size += a.plainSize(from, to)
	if v.dict != nil {
		for ; from < to; from++ {
			if !v.dict.add(a.value(from), a.framed) {
				v.leaveDictionary()
				break
			}
		}
	}
	switch {
	case from == to:
	case a.framed:
		at, n := len(v.body), a.plainSize(from, to)
		v.body = slices.Grow(v.body, n)[:at+n]
		for i := from; i < to; i++ {
			value := a.value(i)
			binary.LittleEndian.PutUint32(v.body[at:], uint32(len(value)))
			at += 4 + copy(v.body[at+4:], value)
		}
	case a.width > 0:
		v.body = append(v.body, a.data[from*a.width:to*a.width]...)
	default:
		v.addBits(a, from, to)
	}
}

func (v *values) addBits(a view, from, to int) {
	for i := a.bit + from; i < a.bit+to; i++ {
		if v.bits%8 == 0 {
			v.body = append(v.body, 0)
		}
		v.body[len(v.body)-1] |= (a.data[i>>3] >> (i & 7) & 1) << (v.bits & 7)
		v.bits++
	}
}

// leaveDictionary goes on in PLAIN. Pages that were finished keep their indices.
func (v *values) leaveDictionary() {
	v.body = v.dict.plain(v.body)
	v.dict.left = true
	v.dict = nil
}

// encoded returns the page's values. With a dictionary they are appended to body, which is empty then.
func (v *values) encoded() ([]byte, format.Encoding) {
	if v.dict != nil && !v.dict.pays(v.size) {
		v.leaveDictionary()
	}
	if v.dict == nil {
		return v.body, format.Plain
	}
	v.body = v.dict.indices(v.body)
	return v.body, format.RLEDictionary
}

// next begins a page with body, which is empty.
func (v *values) next(body []byte) { v.body, v.bits, v.size = body, 0, 0 }

// withDictionary says whether a leaf's values may repeat so much that a dictionary is tried.
func withDictionary(l leaf, o Options) bool {
	switch {
	case l.vector || !l.nested && slices.Contains(o.Keys, l.path[0]):
		return false
	case l.names:
		return true
	}
	switch l.typ.ID() {
	case arrow.STRING, arrow.INT32, arrow.INT64, arrow.DATE32:
		return true
	}
	return false
}

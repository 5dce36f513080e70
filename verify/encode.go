package verify

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/fault"
)

// encode appends canonical values of one array.
type encode interface {
	isNull(r int) bool
	append(dst []byte, r int) []byte
}

// encoderOf returns the encoder of the array. Forms that mean the same (fixed and variable lists, short and long
// offsets) encode alike.
func encoderOf(a arrow.Array) (encode, error) {
	switch a := a.(type) {
	case *array.Boolean:
		return boolEncoder{a}, nil
	case *array.String:
		return bytesEncoder{a, func(r int) string { return a.Value(r) }}, nil
	case *array.LargeString:
		return bytesEncoder{a, func(r int) string { return a.Value(r) }}, nil
	case *array.Binary:
		return bytesEncoder{a, func(r int) string { return a.ValueString(r) }}, nil
	case *array.LargeBinary:
		return bytesEncoder{a, func(r int) string { return a.ValueString(r) }}, nil
	case *array.Map:
		return mapEncoderOf(a)
	case array.ListLike:
		return listEncoderOf(a)
	case *array.Struct:
		return structEncoderOf(a)
	}
	if w, ok := a.DataType().(arrow.FixedWidthDataType); ok && w.BitWidth()%8 == 0 {
		return fixedOf(a, w.BitWidth()/8), nil
	}
	return nil, fault.Unsupported("hash rows", "Arrow type %s", a.DataType())
}

type boolEncoder struct{ a *array.Boolean }

func (e boolEncoder) isNull(r int) bool { return e.a.IsNull(r) }

func (e boolEncoder) append(dst []byte, r int) []byte {
	if e.a.Value(r) {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// fixedEncoder copies the little-endian bytes of numbers, timestamps, dates and fixed-size binaries.
type fixedEncoder struct {
	a     arrow.Array
	data  []byte
	width int
}

func fixedOf(a arrow.Array, width int) fixedEncoder {
	var data []byte
	if buf := a.Data().Buffers()[1]; buf != nil {
		data = buf.Bytes()[a.Data().Offset()*width:]
	}
	return fixedEncoder{a, data, width}
}

func (e fixedEncoder) isNull(r int) bool { return e.a.IsNull(r) }

func (e fixedEncoder) append(dst []byte, r int) []byte {
	return append(dst, e.data[r*e.width:(r+1)*e.width]...)
}

type bytesEncoder struct {
	a     arrow.Array
	value func(r int) string
}

func (e bytesEncoder) isNull(r int) bool               { return e.a.IsNull(r) }
func (e bytesEncoder) append(dst []byte, r int) []byte { return append(dst, e.value(r)...) }

// listEncoder writes the number of elements and a flag: 0 and the bytes of numbers side by side, or 1 and each element with
// its null flag and length.
type listEncoder struct {
	list  array.ListLike
	elem  encode
	plain *fixedEncoder // set if elements are numbers
}

func listEncoderOf(list array.ListLike) (encode, error) {
	values := list.ListValues()
	elem, err := encoderOf(values)
	if err != nil {
		return nil, err
	}
	e := listEncoder{list: list, elem: elem}
	// a table holds the binary vectors of a list without their common width
	if f, ok := elem.(fixedEncoder); ok && values.DataType().ID() != arrow.FIXED_SIZE_BINARY {
		e.plain = &f
	}
	return e, nil
}

func (e listEncoder) isNull(r int) bool { return e.list.IsNull(r) }

func (e listEncoder) append(dst []byte, r int) []byte {
	start, end := e.list.ValueOffsets(r)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(end-start))
	if e.plain != nil && !e.anyNull(start, end) {
		dst = append(dst, 0)
		return append(dst, e.plain.data[start*int64(e.plain.width):end*int64(e.plain.width)]...)
	}
	dst = append(dst, 1)
	for i := start; i < end; i++ {
		dst = appendNullable(dst, e.elem, int(i))
	}
	return dst
}

func (e listEncoder) anyNull(start, end int64) bool {
	if e.plain.a.NullN() == 0 {
		return false
	}
	for i := start; i < end; i++ {
		if e.elem.isNull(int(i)) {
			return true
		}
	}
	return false
}

// mapEncoder writes the pairs of a sparse vector by ascending index.
type mapEncoder struct {
	m      *array.Map
	keys   *array.Int64
	values fixedEncoder
}

func mapEncoderOf(m *array.Map) (encode, error) {
	keys, ok := m.Keys().(*array.Int64)
	items, ok2 := m.Items().(*array.Float32)
	if !ok || !ok2 {
		return nil, fault.Unsupported("hash rows", "Arrow type %s", m.DataType())
	}
	return mapEncoder{m, keys, fixedOf(items, 4)}, nil
}

func (e mapEncoder) isNull(r int) bool { return e.m.IsNull(r) }

func (e mapEncoder) append(dst []byte, r int) []byte {
	start, end := e.m.ValueOffsets(r)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(end-start))
	order := make([]int, 0, 64)
	for i := start; i < end; i++ {
		order = append(order, int(i))
	}
	if !slices.IsSortedFunc(order, e.byKey) {
		slices.SortFunc(order, e.byKey)
	}
	for _, i := range order {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(e.keys.Value(i)))
		dst = e.values.append(dst, i)
	}
	return dst
}

func (e mapEncoder) byKey(a, b int) int { return cmp.Compare(e.keys.Value(a), e.keys.Value(b)) }

// structEncoder writes the members in order of their Milvus field ids, like the cells of a row.
type structEncoder struct {
	s       *array.Struct
	members []structMember
}

type structMember struct {
	id int64
	e  encode
}

func structEncoderOf(s *array.Struct) (encode, error) {
	out := structEncoder{s: s}
	for i, f := range s.DataType().(*arrow.StructType).Fields() {
		text, _ := f.Metadata.GetValue(metaFieldID)
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fault.Corrupt("hash rows", "struct member %s has field id %q", f.Name, text)
		}
		e, err := encoderOf(s.Field(i))
		if err != nil {
			return nil, err
		}
		out.members = append(out.members, structMember{id, e})
	}
	slices.SortFunc(out.members, func(a, b structMember) int { return cmp.Compare(a.id, b.id) })
	return out, nil
}

func (e structEncoder) isNull(r int) bool { return e.s.IsNull(r) }

func (e structEncoder) append(dst []byte, r int) []byte {
	for _, m := range e.members {
		dst = appendCell(dst, m.id, m.e, r)
	}
	return dst
}

package filter

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

func (c *constant) values(b *batch, _ bitmap) (vector, error) {
	v := newVector(c.value.kind.stored(), b.rows)
	for i := range b.rows {
		switch v.kind {
		case kindInt:
			v.ints[i] = c.value.i
		case kindFloat:
			v.floats[i] = c.value.f
		case kindString:
			v.texts[i] = c.value.s
		case kindBool:
			if c.value.b {
				v.bools.set(i)
			}
		}
	}
	return v, nil
}

// values widens integers to int64 and floats to float64.
func (c *column) values(b *batch, _ bitmap) (vector, error) {
	arr, err := b.array(c.field)
	if err != nil {
		return vector{}, err
	}
	v := vector{kind: c.typ.stored(), unknown: nulls(arr)}
	ok := true
	switch a := arr.(type) {
	case *array.Int64:
		v.ints, ok = a.Int64Values(), v.kind == kindInt
	case *array.Float64:
		v.floats, ok = a.Float64Values(), v.kind == kindFloat
	case *array.Int32:
		v.ints, ok = widen[int64](a.Int32Values()), v.kind == kindInt
	case *array.Timestamp:
		v.ints, ok = widen[int64](a.TimestampValues()), v.kind == kindInt
	case *array.Date32:
		v.ints, ok = widen[int64](a.Date32Values()), v.kind == kindInt
	case *array.Float32:
		v.floats, ok = widen[float64](a.Float32Values()), v.kind == kindFloat
	case *array.Boolean:
		v.bools, ok = booleans(a), v.kind == kindBool
	case *array.String:
		ok = v.kind == kindString
		v.texts = make([]string, b.rows)
		for i := range v.texts {
			v.texts[i] = a.Value(i)
		}
	default:
		ok = false
	}
	if !ok {
		return vector{}, wrongType(c.field, arr)
	}
	return v, nil
}

func booleans(a *array.Boolean) bitmap {
	data := a.Data()
	return loadBits(data.Buffers()[1].Bytes(), data.Offset(), a.Len())
}

func widen[To int64 | float64, From number](xs []From) []To {
	out := make([]To, len(xs))
	for i, x := range xs {
		out[i] = To(x)
	}
	return out
}

func (e *element) values(b *batch, _ bitmap) (vector, error) {
	l, err := b.list(e.array.field)
	if err != nil {
		return vector{}, err
	}
	v := newVector(e.typ.stored(), b.rows)
	if v.unknown = nulls(l); v.unknown == nil {
		v.unknown = zeros(b.rows)
	}
	items := l.ListValues()
	for i := range b.rows {
		start, end := l.ValueOffsets(i)
		j := start + int64(e.index)
		if v.unknown.bit(i) || j >= end || items.IsNull(int(j)) {
			v.unknown.set(i)
			continue
		}
		if !v.put(i, items, int(j)) {
			return vector{}, wrongType(e.array.field, l)
		}
	}
	return v, nil
}

func (l *length) values(b *batch, need bitmap) (vector, error) {
	v := newVector(kindInt, b.rows)
	if p, ok := l.of.(*path); ok {
		v.unknown = zeros(b.rows)
		err := p.find(b, need, v.unknown, func(i int, found jsonValue) error {
			if found.kind != jsonArray {
				v.unknown.set(i)
				return nil
			}
			return found.each(func(jsonValue) (bool, error) {
				v.ints[i]++
				return true, nil
			})
		})
		return v, err
	}
	field := l.of.(*column).field
	list, err := b.list(field)
	if err != nil {
		return vector{}, err
	}
	v.unknown = nulls(list)
	for i := range v.ints {
		start, end := list.ValueOffsets(i)
		v.ints[i] = end - start
	}
	return v, nil
}

func (s *shifted) values(b *batch, need bitmap) (vector, error) {
	moments, err := s.moment.values(b, need)
	if err != nil {
		return vector{}, err
	}
	v := vector{kind: kindInt, ints: make([]int64, b.rows), unknown: moments.unknown}
	for i, m := range moments.ints {
		v.ints[i] = s.span.shift(m, s.sign)
	}
	return v, nil
}

func (a *arithmetic) values(b *batch, need bitmap) (vector, error) {
	l, err := a.left.values(b, need)
	if err != nil {
		return vector{}, err
	}
	r, err := a.right.values(b, need)
	if err != nil {
		return vector{}, err
	}
	unknown := either(l.unknown, r.unknown)
	switch a.typ {
	case kindInt:
		return computeInts(a.op, l.ints, r.ints, unknown), nil
	case kindFloat:
		return computeFloats(a.op, l.asFloats(), r.asFloats(), unknown), nil
	}
	v := newVector(kindJSON, b.rows)
	if v.unknown = unknown; unknown == nil {
		v.unknown = zeros(b.rows)
	}
	for i := range v.any {
		if !need.bit(i) || v.unknown.bit(i) {
			continue
		}
		var ok bool
		if v.any[i], ok = compute(a.op, l.at(i), r.at(i)); !ok {
			v.unknown.set(i)
		}
	}
	return v, nil
}

func (v vector) asFloats() []float64 {
	if v.kind == kindInt {
		return widen[float64](v.ints)
	}
	return v.floats
}

// either returns the union of two sets of rows, either of which may be nil, as a set of its own.
func either(a, b bitmap) bitmap {
	if a == nil && b == nil {
		return nil
	}
	out := make(bitmap, max(len(a), len(b)))
	for i := range out {
		out[i] = a.word(i) | b.word(i)
	}
	return out
}

// computeInts wraps around at the ends of int64; rows that divide by zero become unknown.
func computeInts(op byte, l, r []int64, unknown bitmap) vector {
	v := vector{kind: kindInt, ints: make([]int64, len(l)), unknown: unknown}
	out := v.ints
	r = r[:len(l)]
	switch op {
	case '+':
		for i, x := range l {
			out[i] = x + r[i]
		}
	case '-':
		for i, x := range l {
			out[i] = x - r[i]
		}
	case '*':
		for i, x := range l {
			out[i] = x * r[i]
		}
	default:
		for i, x := range l {
			switch {
			case r[i] == 0:
				v.unknown = markUnknown(v.unknown, i, len(l))
			case op == '/':
				out[i] = x / r[i]
			default:
				out[i] = x % r[i]
			}
		}
	}
	return v
}

func computeFloats(op byte, l, r []float64, unknown bitmap) vector {
	v := vector{kind: kindFloat, floats: make([]float64, len(l)), unknown: unknown}
	out := v.floats
	r = r[:len(l)]
	for i, x := range l {
		switch op {
		case '+':
			out[i] = x + r[i]
		case '-':
			out[i] = x - r[i]
		case '*':
			out[i] = x * r[i]
		case '^':
			out[i] = math.Pow(x, r[i])
		default:
			if r[i] == 0 {
				v.unknown = markUnknown(v.unknown, i, len(l))
				continue
			}
			out[i] = x / r[i]
		}
	}
	return v
}

func markUnknown(m bitmap, i, n int) bitmap {
	if m == nil {
		m = zeros(n)
	}
	m.set(i)
	return m
}

// compute applies an operator to two numbers; ok is false if they are none, by zero, or where % meets a fraction.
func compute(op byte, l, r scalar) (v scalar, ok bool) {
	if !l.kind.isNumber() || !r.kind.isNumber() {
		return scalar{}, false
	}
	if op == '%' {
		l, r = l.canonical(), r.canonical()
	}
	if l.kind == kindInt && r.kind == kindInt && op != '^' {
		out := computeInts(op, []int64{l.i}, []int64{r.i}, nil)
		return intScalar(out.ints[0]), out.unknown == nil
	}
	if op == '%' {
		return scalar{}, false
	}
	out := computeFloats(op, []float64{l.float()}, []float64{r.float()}, nil)
	return floatScalar(out.floats[0]), out.unknown == nil
}

// overflowed reports whether a constant that was computed is not what the operands say: an integer that wrapped around, or
// infinity.
func overflowed(op byte, l, r, v scalar) bool {
	if v.kind == kindFloat {
		return v.f-v.f != 0
	}
	exact := computeFloats(op, []float64{l.float()}, []float64{r.float()}, nil)
	return op != '%' && math.Abs(exact.floats[0]-float64(v.i)) > 1<<62
}

// number is what the slices of numeric arrays hold.
type number interface {
	~int32 | ~int64 | ~float32 | ~float64
}

// pack compares at most 64 values with a constant, into one word. The switch runs once for all of them.
func pack[T number, C int64 | float64](xs []T, op relation, c C) (word uint64) {
	switch op {
	case relEQ:
		for j, x := range xs {
			word |= toBit(C(x) == c) << j
		}
	case relNE:
		for j, x := range xs {
			word |= toBit(C(x) != c) << j
		}
	case relLT:
		for j, x := range xs {
			word |= toBit(C(x) < c) << j
		}
	case relLE:
		for j, x := range xs {
			word |= toBit(C(x) <= c) << j
		}
	case relGT:
		for j, x := range xs {
			word |= toBit(C(x) > c) << j
		}
	case relGE:
		for j, x := range xs {
			word |= toBit(C(x) >= c) << j
		}
	case relAlways:
		return ^uint64(0) >> (64 - len(xs))
	}
	return word
}

func toBit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// compareAll compares every value with a constant.
func compareAll[T number, C int64 | float64](xs []T, op relation, c C) bitmap {
	out := zeros(len(xs))
	for w := range out {
		out[w] = pack(xs[w<<6:min(len(xs), w<<6+64)], op, c)
	}
	return out
}

// compareColumn compares a numeric array with a constant; ok is false if it is none.
func compareColumn(arr arrow.Array, op relation, c scalar) (yes bitmap, ok bool) {
	switch a := arr.(type) {
	case *array.Int32:
		return compareAll(a.Int32Values(), op, c.i), c.kind.stored() == kindInt
	case *array.Int64:
		return compareAll(a.Int64Values(), op, c.i), c.kind.stored() == kindInt
	case *array.Timestamp:
		return compareAll(a.TimestampValues(), op, c.i), c.kind.stored() == kindInt
	case *array.Date32:
		return compareAll(a.Date32Values(), op, c.i), c.kind.stored() == kindInt
	case *array.Float32:
		return compareAll(a.Float32Values(), op, c.f), c.kind == kindFloat
	case *array.Float64:
		return compareAll(a.Float64Values(), op, c.f), c.kind == kindFloat
	}
	return nil, false
}

package datafile

import (
	"cmp"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// boundLength is how many code points of a string, or bytes of a binary, a bound keeps: truncate(16), Iceberg's default.
const boundLength = 16

// summary follows one leaf while values pass by: those of a page, of a chunk, of the file.
type summary interface {
	observe(a arrow.Array)
	merge(o summary)                   // o is of the same kind
	any() bool                         // whether there are bounds
	compare(o summary) (low, high int) // of the bounds, which both have
	finish(s *FieldStats, length int)  // bounds keep so many code points or bytes, at most footerLength
}

// newSummary returns the summary of a leaf.
func newSummary(l leaf) summary {
	if l.nested {
		return uncounted{}
	}
	if l.vector {
		return &counts{}
	}
	switch l.typ.ID() {
	case arrow.BOOL:
		return &boolBounds{}
	case arrow.INT32:
		return &intBounds[int32]{values: func(a arrow.Array) []int32 { return a.(*array.Int32).Int32Values() }}
	case arrow.DATE32:
		return &intBounds[int32]{values: func(a arrow.Array) []int32 {
			return arrow.Int32Traits.CastFromBytes(arrow.Date32Traits.CastToBytes(a.(*array.Date32).Date32Values()))
		}}
	case arrow.INT64:
		return &intBounds[int64]{values: func(a arrow.Array) []int64 { return a.(*array.Int64).Int64Values() }}
	case arrow.TIMESTAMP:
		return &intBounds[int64]{values: func(a arrow.Array) []int64 {
			return arrow.Int64Traits.CastFromBytes(arrow.TimestampTraits.CastToBytes(a.(*array.Timestamp).TimestampValues()))
		}}
	case arrow.TIME64:
		return &intBounds[int64]{values: func(a arrow.Array) []int64 {
			return arrow.Int64Traits.CastFromBytes(arrow.Time64Traits.CastToBytes(a.(*array.Time64).Time64Values()))
		}}
	case arrow.FLOAT32:
		return &floatBounds[float32]{values: func(a arrow.Array) []float32 { return a.(*array.Float32).Float32Values() }}
	case arrow.FLOAT64:
		return &floatBounds[float64]{values: func(a arrow.Array) []float64 { return a.(*array.Float64).Float64Values() }}
	case arrow.STRING:
		return &textBounds{value: func(a arrow.Array, i int) string { return a.(*array.String).Value(i) }, cut: cutText, above: textAbove}
	case arrow.BINARY:
		return &textBounds{value: func(a arrow.Array, i int) string { return a.(*array.Binary).ValueString(i) }, cut: cutBytes, above: bytesAbove}
	}
	return &counts{}
}

// uncounted is the summary of leaves below lists and maps.
type uncounted struct{}

func (uncounted) observe(arrow.Array)        {}
func (uncounted) merge(summary)              {}
func (uncounted) any() bool                  { return false }
func (uncounted) compare(summary) (int, int) { return 0, 0 }
func (uncounted) finish(s *FieldStats, _ int) {
	s.Values, s.Nulls, s.NaNs = NotCounted, NotCounted, NotCounted
}

// counts are the counts that every other leaf has.
type counts struct{ values, nulls int64 }

func (c *counts) observe(a arrow.Array) {
	c.values += int64(a.Len())
	c.nulls += int64(a.NullN())
}

func (c *counts) merge(o summary) { c.add(*o.(*counts)) }

func (c *counts) add(o counts) {
	c.values += o.values
	c.nulls += o.nulls
}

func (c *counts) any() bool                  { return false }
func (c *counts) compare(summary) (int, int) { return 0, 0 }

func (c *counts) finish(s *FieldStats, _ int) {
	s.Values, s.Nulls, s.NaNs = c.values, c.nulls, NotCounted
}

type boolBounds struct {
	counts
	no, yes bool // seen
}

func (b *boolBounds) observe(a arrow.Array) {
	b.counts.observe(a)
	v := a.(*array.Boolean)
	for i := range v.Len() {
		if v.IsValid(i) {
			b.yes, b.no = b.yes || v.Value(i), b.no || !v.Value(i)
		}
	}
}

func (b *boolBounds) merge(o summary) {
	p := o.(*boolBounds)
	b.add(p.counts)
	b.no, b.yes = b.no || p.no, b.yes || p.yes
}

func (b *boolBounds) any() bool { return b.no || b.yes }

func (b *boolBounds) compare(o summary) (int, int) {
	p := o.(*boolBounds)
	return truth(!b.no) - truth(!p.no), truth(b.yes) - truth(p.yes)
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (b *boolBounds) finish(s *FieldStats, _ int) {
	b.counts.finish(s, 0)
	if b.no || b.yes {
		s.Lower, s.Upper = []byte{1}, []byte{0}
	}
	if b.no {
		s.Lower = []byte{0}
	}
	if b.yes {
		s.Upper = []byte{1}
	}
}

// intBounds is for everything that is stored and ordered as a signed integer.
type intBounds[T int32 | int64] struct {
	counts
	values   func(arrow.Array) []T
	seen     bool
	min, max T
}

func (b *intBounds[T]) observe(a arrow.Array) {
	b.counts.observe(a)
	hasNulls := a.NullN() > 0
	for i, v := range b.values(a) {
		if hasNulls && a.IsNull(i) {
			continue
		}
		if !b.seen {
			b.seen, b.min, b.max = true, v, v
		}
		b.min, b.max = min(b.min, v), max(b.max, v)
	}
}

func (b *intBounds[T]) merge(o summary) {
	p := o.(*intBounds[T])
	b.add(p.counts)
	switch {
	case !p.seen:
	case !b.seen:
		b.seen, b.min, b.max = true, p.min, p.max
	default:
		b.min, b.max = min(b.min, p.min), max(b.max, p.max)
	}
}

func (b *intBounds[T]) any() bool { return b.seen }

func (b *intBounds[T]) compare(o summary) (int, int) {
	p := o.(*intBounds[T])
	return cmp.Compare(b.min, p.min), cmp.Compare(b.max, p.max)
}

func (b *intBounds[T]) finish(s *FieldStats, _ int) {
	b.counts.finish(s, 0)
	if !b.seen {
		return
	}
	s.Lower, s.Upper = littleEndian(b.min), littleEndian(b.max)
}

func littleEndian[T int32 | int64](v T) []byte {
	if _, narrow := any(v).(int32); narrow {
		return binary.LittleEndian.AppendUint32(nil, uint32(v))
	}
	return binary.LittleEndian.AppendUint64(nil, uint64(v))
}

type floatBounds[T float32 | float64] struct {
	counts
	values   func(arrow.Array) []T
	seen     bool
	nans     int64
	min, max T
}

func (b *floatBounds[T]) observe(a arrow.Array) {
	b.counts.observe(a)
	hasNulls := a.NullN() > 0
	for i, v := range b.values(a) {
		if hasNulls && a.IsNull(i) {
			continue
		}
		if v != v {
			b.nans++
			continue
		}
		if !b.seen {
			b.seen, b.min, b.max = true, v, v
		}
		b.min, b.max = min(b.min, v), max(b.max, v)
	}
}

func (b *floatBounds[T]) merge(o summary) {
	p := o.(*floatBounds[T])
	b.add(p.counts)
	b.nans += p.nans
	switch {
	case !p.seen:
	case !b.seen:
		b.seen, b.min, b.max = true, p.min, p.max
	default:
		b.min, b.max = min(b.min, p.min), max(b.max, p.max)
	}
}

func (b *floatBounds[T]) any() bool { return b.seen }

func (b *floatBounds[T]) compare(o summary) (int, int) {
	p := o.(*floatBounds[T])
	return cmp.Compare(b.min, p.min), cmp.Compare(b.max, p.max)
}

// finish rounds zeros outwards: readers that order -0.0 before +0.0 and readers that hold them equal both stay right.
func (b *floatBounds[T]) finish(s *FieldStats, _ int) {
	b.counts.finish(s, 0)
	s.NaNs = b.nans
	if !b.seen {
		return
	}
	low, high := b.min, b.max
	if low == 0 {
		low = T(math.Copysign(0, -1))
	}
	if high == 0 {
		high = 0
	}
	s.Lower, s.Upper = floatBytes(low), floatBytes(high)
}

func floatBytes[T float32 | float64](v T) []byte {
	if f, narrow := any(v).(float32); narrow {
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(f))
	}
	return binary.LittleEndian.AppendUint64(nil, math.Float64bits(float64(v)))
}

// textBounds is for strings and binaries, both ordered by their bytes. It keeps no more of a value than a bound may hold.
type textBounds struct {
	counts
	value    func(a arrow.Array, i int) string
	cut      func(s string, n int) string
	above    func(s string) []byte // the least bound of n units above everything that begins with s; nil if none
	seen     bool
	min, max string
}

func (b *textBounds) observe(a arrow.Array) {
	b.counts.observe(a)
	hasNulls := a.NullN() > 0
	for i := range a.Len() {
		if hasNulls && a.IsNull(i) {
			continue
		}
		// One unit more than a bound holds tells whether the value was longer.
		v := b.value(a, i)
		if !b.seen || v < b.min {
			b.min = clone(b.cut(v, footerLength+1))
		}
		if !b.seen || v > b.max {
			if v = b.cut(v, footerLength+1); v != b.max || !b.seen {
				b.max = clone(v)
			}
		}
		b.seen = true
	}
}

func (b *textBounds) merge(o summary) {
	p := o.(*textBounds)
	b.add(p.counts)
	switch {
	case !p.seen:
	case !b.seen:
		b.seen, b.min, b.max = true, p.min, p.max
	default:
		b.min, b.max = min(b.min, p.min), max(b.max, p.max)
	}
}

func (b *textBounds) any() bool { return b.seen }

func (b *textBounds) compare(o summary) (int, int) {
	p := o.(*textBounds)
	return cmp.Compare(b.min, p.min), cmp.Compare(b.max, p.max)
}

// clone is strings.Clone without its sharing of the empty string's nil data: the bytes belong to a batch that goes away.
func clone(s string) string { return string([]byte(s)) }

func (b *textBounds) finish(s *FieldStats, length int) {
	b.counts.finish(s, 0)
	if !b.seen {
		return
	}
	s.Lower = []byte(b.cut(b.min, length))
	if head := b.cut(b.max, length); head == b.max {
		s.Upper = []byte(head)
	} else {
		s.Upper = b.above(head)
	}
}

// cutText returns the first n code points.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	end := 0
	for range n {
		if end == len(s) {
			break
		}
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end]
}

func cutBytes(s string, n int) string { return s[:min(n, len(s))] }

// textAbove increments the last code point that can be, and drops what follows it. Surrogates are no characters.
func textAbove(s string) []byte {
	runes := []rune(s)
	for i := len(runes) - 1; i >= 0; i-- {
		next := runes[i] + 1
		if next == 0xD800 {
			next = 0xE000
		}
		if next <= utf8.MaxRune {
			return []byte(string(append(runes[:i:i], next)))
		}
	}
	return nil
}

func bytesAbove(s string) []byte {
	out := []byte(s)
	for i := len(out) - 1; i >= 0; i-- {
		if out[i] < 0xFF {
			out[i]++
			return out[:i+1]
		}
	}
	return nil
}

package verify

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/snapexport/snapexport/milvus"
)

// profile counts the NULLs of a column and finds its extremes. The zero value is not of use: see newProfile.
type profile struct {
	name   string
	want   arrow.DataType // of the snapshot's side
	plain  bool           // scalars that have an order worth showing
	norms  bool
	nulls  int64
	ints   span[int64]
	floats span[float64] // of vectors: the norms
	texts  span[string]
	dims   span[int64] // of vectors
}

// newProfile is that of a column of the scan.
func newProfile(collection *milvus.Schema, want arrow.Field, norms bool) profile {
	p := profile{name: want.Name, want: want.Type, norms: norms,
		ints: span[int64]{min: math.MaxInt64, max: math.MinInt64}, floats: span[float64]{min: math.Inf(1), max: math.Inf(-1)},
		dims: span[int64]{min: math.MaxInt64, max: math.MinInt64}}
	text, _ := want.Metadata.GetValue(metaFieldID)
	id, _ := strconv.ParseInt(text, 10, 64) // NewHasher has refused what is no number
	f, _ := collection.Field(milvus.FieldID(id))
	p.plain = f.Type != milvus.TypeJSON // its text may be gone
	return p
}

// span holds the extremes of values. The zero value is that of texts; numbers begin with the ends of their range, the wrong
// way round, so that a NaN is never taken.
type span[T cmp.Ordered] struct {
	any      bool
	min, max T
}

func (s *span[T]) take(v T) {
	if v <= s.min {
		s.min, s.any = v, true
	}
	if v >= s.max {
		s.max, s.any = v, true
	}
}

func (s *span[T]) merge(o span[T]) {
	switch {
	case !o.any:
	case !s.any:
		*s = o
	default:
		s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	}
}

// takeText keeps a copy: arrays are used again.
func (s *span[T]) takeText(v T, keep func(T) T) {
	if !s.any || v < s.min {
		s.min = keep(v)
	}
	if !s.any || v > s.max {
		s.max = keep(v)
	}
	s.any = true
}

type number interface {
	~int32 | ~int64 | ~float32 | ~float64
}

// takeAll takes the values that are not NULL.
func takeAll[S number, T int64 | float64](s *span[T], values []S, a arrow.Array) {
	if a.NullN() == 0 {
		for _, v := range values {
			s.take(T(v))
		}
		return
	}
	for i, v := range values {
		if a.IsValid(i) {
			s.take(T(v))
		}
	}
}

// add adds the values of an array, in the form of the snapshot's side or of label.
func (p *profile) add(a arrow.Array) {
	p.nulls += int64(a.NullN())
	if vector, ok := p.want.(*arrow.FixedSizeListType); ok {
		p.addVectors(a, vector)
		return
	}
	if _, ok := p.want.(*arrow.FixedSizeBinaryType); ok {
		p.addBits(a)
		return
	}
	if !p.plain {
		return
	}
	switch a := a.(type) {
	case *array.Boolean:
		for i := range a.Len() {
			if a.IsValid(i) && a.Value(i) {
				p.ints.take(1)
			} else if a.IsValid(i) {
				p.ints.take(0)
			}
		}
	case *array.Int32:
		takeAll(&p.ints, a.Int32Values(), a)
	case *array.Int64:
		takeAll(&p.ints, a.Int64Values(), a)
	case *array.Date32:
		takeAll(&p.ints, a.Date32Values(), a)
	case *array.Timestamp:
		takeAll(&p.ints, a.TimestampValues(), a)
	case *array.Float32:
		takeAll(&p.floats, a.Float32Values(), a)
	case *array.Float64:
		takeAll(&p.floats, a.Float64Values(), a)
	case array.StringLike:
		for i := range a.Len() {
			if a.IsValid(i) {
				p.texts.takeText(a.Value(i), keepText)
			}
		}
	}
}

func keepText(s string) string { return string([]byte(s)) }

// addVectors finds the dimension and the norms of vectors.
func (p *profile) addVectors(a arrow.Array, want *arrow.FixedSizeListType) {
	list, ok := a.(array.ListLike)
	if !ok {
		return
	}
	var floats []float32
	var ints []int32
	switch v := list.ListValues().(type) {
	case *array.Float32:
		floats = v.Float32Values()
	case *array.Int32:
		ints = v.Int32Values()
	}
	for i := range list.Len() {
		if list.IsNull(i) {
			continue
		}
		start, end := list.ValueOffsets(i)
		p.dims.take(end - start)
		switch {
		case !p.norms:
		case floats != nil:
			p.floats.take(norm(floats[start:end]))
		case ints != nil:
			p.floats.take(norm(ints[start:end]))
		}
	}
}

// norm adds in the order of the elements, so that both sides come to the same bits.
func norm[T float32 | int32](v []T) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// addBits finds the dimension of binary vectors.
func (p *profile) addBits(a arrow.Array) {
	switch a := a.(type) {
	case *array.FixedSizeBinary:
		if a.NullN() < a.Len() {
			p.dims.take(int64(a.DataType().(*arrow.FixedSizeBinaryType).ByteWidth) * 8)
		}
	case *array.Binary:
		for i := range a.Len() {
			if a.IsValid(i) {
				p.dims.take(int64(a.ValueLen(i)) * 8)
			}
		}
	}
}

func (p *profile) merge(o *profile) {
	p.nulls += o.nulls
	p.ints.merge(o.ints)
	p.floats.merge(o.floats)
	p.texts.merge(o.texts)
	p.dims.merge(o.dims)
}

// same reports whether the extremes are the same.
func (p *profile) same(o *profile) bool {
	return p.ints == o.ints && p.floats == o.floats && p.texts == o.texts && p.dims == o.dims
}

func (p *profile) values() Values {
	v := Values{Nulls: p.nulls}
	switch {
	case p.ints.any:
		v.Min, v.Max = p.whole(p.ints.min), p.whole(p.ints.max)
	case p.floats.any:
		v.Min, v.Max = decimal(p.floats.min), decimal(p.floats.max)
	case p.texts.any:
		v.Min, v.Max = shown(p.texts.min), shown(p.texts.max)
	}
	if p.dims.any {
		v.Dim = strconv.FormatInt(p.dims.min, 10)
		if p.dims.max != p.dims.min {
			v.Dim = fmt.Sprintf("%d to %d", p.dims.min, p.dims.max)
		}
	}
	return v
}

// whole shows what integers stand for.
func (p *profile) whole(v int64) string {
	switch p.want.ID() {
	case arrow.BOOL:
		return strconv.FormatBool(v != 0)
	case arrow.DATE32:
		return time.Unix(v*86400, 0).UTC().Format(time.DateOnly)
	case arrow.TIMESTAMP:
		return time.UnixMicro(v).UTC().Format(time.RFC3339Nano)
	}
	return strconv.FormatInt(v, 10)
}

func decimal(v float64) string { return strconv.FormatFloat(v+0, 'g', -1, 64) } // of the two zeros, the one without a sign

// shownText is how many bytes of a text are shown.
const shownText = 40

// shown quotes a text and cuts it.
func shown(s string) string {
	if len(s) <= shownText {
		return strconv.Quote(s)
	}
	end := shownText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strconv.Quote(s[:end]) + "..."
}

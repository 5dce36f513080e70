package filter

import (
	"math/bits"
	"slices"
)

// intSet is a set of integers for many look-ups: a bitmap where they lie close together, else a hash table with linear probing.
type intSet struct {
	low, span uint64 // bitmap: values from low on, span of them
	dense     bitmap
	slots     []int64
	used      bitmap
	shift     int
}

// A bitmap may have densePerValue bits for each value, and denseAlways in any case.
const (
	densePerValue = 64
	denseAlways   = 1 << 16
)

func newIntSet(values []int64) intSet {
	if len(values) == 0 {
		return intSet{}
	}
	low, high := slices.Min(values), slices.Max(values)
	s := intSet{low: uint64(low), span: uint64(high) - uint64(low)}
	if s.span < denseAlways || s.span/densePerValue < uint64(len(values)) {
		s.dense = zeros(int(s.span) + 1)
		for _, v := range values {
			s.dense.set(int(uint64(v) - s.low))
		}
		return s
	}
	size := bits.Len(uint(2 * len(values)))
	s.slots, s.used, s.shift = make([]int64, 1<<size), zeros(1<<size), 64-size
	for _, v := range values {
		s.insert(v)
	}
	return s
}

func (s *intSet) insert(v int64) {
	i := s.slot(v)
	for s.used.bit(i) {
		i = (i + 1) & (len(s.slots) - 1)
	}
	s.slots[i] = v
	s.used.set(i)
}

// slot is Fibonacci hashing.
func (s *intSet) slot(v int64) int { return int(uint64(v) * 0x9e3779b97f4a7c15 >> s.shift) }

func (s *intSet) has(v int64) bool {
	if s.slots == nil {
		at := uint64(v) - s.low
		return s.dense != nil && at <= s.span && s.dense.bit(int(at))
	}
	for i := s.slot(v); s.used.bit(i); i = (i + 1) & (len(s.slots) - 1) {
		if s.slots[i] == v {
			return true
		}
	}
	return false
}

// findAll looks every value up.
func findAll[T ~int32 | ~int64](s *intSet, xs []T) bitmap {
	out := zeros(len(xs))
	for w := range out {
		var word uint64
		for j, x := range xs[w<<6 : min(len(xs), w<<6+64)] {
			word |= toBit(s.has(int64(x))) << j
		}
		out[w] = word
	}
	return out
}

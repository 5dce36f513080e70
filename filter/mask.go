package filter

import (
	"iter"
	"math/bits"
)

// bitmap is one bit per row, the first row in the lowest bit of the first word. Bits past the last row are 0.
type bitmap []uint64

func words(n int) int { return (n + 63) / 64 }

func zeros(n int) bitmap { return make(bitmap, words(n)) }

func ones(n int) bitmap {
	m := zeros(n)
	for i := range m {
		m[i] = ^uint64(0)
	}
	m.trim(n)
	return m
}

func (m bitmap) trim(n int) {
	if n%64 != 0 {
		m[len(m)-1] &= 1<<(n%64) - 1
	}
}

func (m bitmap) bit(i int) bool { return m[i>>6]>>(i&63)&1 != 0 }
func (m bitmap) set(i int)      { m[i>>6] |= 1 << (i & 63) }

func (m bitmap) empty() bool {
	for _, w := range m {
		if w != 0 {
			return false
		}
	}
	return true
}

// rows yields the indexes of the bits that are set.
func (m bitmap) rows(yield func(int) bool) {
	for i, w := range m {
		for ; w != 0; w &= w - 1 {
			if !yield(i<<6 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}

// Mask says which rows of a batch are selected. It does not change.
type Mask struct {
	bits  bitmap
	n     int
	count int
}

func newMask(b bitmap, n int) *Mask {
	m := &Mask{bits: b, n: n}
	for _, w := range b {
		m.count += bits.OnesCount64(w)
	}
	return m
}

// NewMask returns a mask of n rows in which the rows for which selected is true are selected; nil selects all.
func NewMask(n int, selected func(row int) bool) *Mask {
	if selected == nil {
		return newMask(ones(n), n)
	}
	b := zeros(n)
	for i := range n {
		if selected(i) {
			b.set(i)
		}
	}
	return newMask(b, n)
}

// MaskOf returns a mask of n rows in which the given ones are selected.
func MaskOf(n int, rows []int) *Mask {
	b := zeros(n)
	for _, i := range rows {
		b.set(i)
	}
	return newMask(b, n)
}

// Len returns the number of rows, Count that of selected rows, Bit whether row i (0-based, below Len) is selected.
func (m *Mask) Len() int       { return m.n }
func (m *Mask) Count() int     { return m.count }
func (m *Mask) Bit(i int) bool { return m.bits.bit(i) }

// All reports whether every row is selected, None whether no row is.
func (m *Mask) All() bool  { return m.count == m.n }
func (m *Mask) None() bool { return m.count == 0 }

// And returns the rows that both select; both must have the same length.
func (m *Mask) And(other *Mask) *Mask {
	return m.combine(other, func(a, b uint64) uint64 { return a & b })
}

// Or returns the rows that either selects; both must have the same length.
func (m *Mask) Or(other *Mask) *Mask {
	return m.combine(other, func(a, b uint64) uint64 { return a | b })
}

// Not returns the rows that are not selected.
func (m *Mask) Not() *Mask {
	return m.combine(m, func(a, _ uint64) uint64 { return ^a })
}

func (m *Mask) combine(other *Mask, op func(a, b uint64) uint64) *Mask {
	if m.n != other.n {
		panic("filter: masks of different lengths")
	}
	out := make(bitmap, len(m.bits))
	for i, w := range m.bits {
		out[i] = op(w, other.bits[i])
	}
	out.trim(m.n)
	return newMask(out, m.n)
}

// Rows yields the indexes of the selected rows, ascending.
func (m *Mask) Rows() iter.Seq[int] { return m.bits.rows }

// Runs yields the selected rows as maximal runs [start, end), ascending.
func (m *Mask) Runs() iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		for i := m.next(0, 0); i < m.n; {
			end := m.next(i, ^uint64(0))
			if !yield(i, end) {
				return
			}
			i = m.next(end, 0)
		}
	}
}

// next returns the first row at or after i whose bit, xored with flip, is set; Len if there is none.
func (m *Mask) next(i int, flip uint64) int {
	for w := i >> 6; w < len(m.bits); w++ {
		word := m.bits[w] ^ flip
		if w == i>>6 {
			word &= ^uint64(0) << (i & 63)
		}
		if word != 0 {
			return min(m.n, w<<6+bits.TrailingZeros64(word))
		}
	}
	return m.n
}

// truth is the result of a condition: yes has the rows where it is TRUE, unknown (nil if there are none) those where it is
// UNKNOWN. No row is in both.
type truth struct{ yes, unknown bitmap }

// not swaps TRUE and FALSE.
func (t truth) not(n int) truth {
	out := make(bitmap, len(t.yes))
	for i, w := range t.yes {
		if t.unknown != nil {
			w |= t.unknown[i]
		}
		out[i] = ^w
	}
	out.trim(n)
	return truth{out, t.unknown}
}

// and and or follow Kleene.
func (t truth) and(o truth) truth {
	yes := make(bitmap, len(t.yes))
	for i := range yes {
		yes[i] = t.yes[i] & o.yes[i]
	}
	if t.unknown == nil && o.unknown == nil {
		return truth{yes: yes}
	}
	unknown := make(bitmap, len(yes))
	for i := range unknown {
		a, b := t.unknown.word(i), o.unknown.word(i)
		unknown[i] = a&(b|o.yes[i]) | b&t.yes[i]
	}
	return truth{yes, unknown}
}

func (t truth) or(o truth) truth {
	yes := make(bitmap, len(t.yes))
	for i := range yes {
		yes[i] = t.yes[i] | o.yes[i]
	}
	if t.unknown == nil && o.unknown == nil {
		return truth{yes: yes}
	}
	unknown := make(bitmap, len(yes))
	for i := range unknown {
		unknown[i] = (t.unknown.word(i) | o.unknown.word(i)) &^ yes[i]
	}
	return truth{yes, unknown}
}

// word returns a word of a bitmap that may be nil.
func (m bitmap) word(i int) uint64 {
	if m == nil {
		return 0
	}
	return m[i]
}

// masked takes the unknown rows out of yes.
func masked(yes, unknown bitmap) truth {
	if unknown != nil {
		for i := range yes {
			yes[i] &^= unknown[i]
		}
	}
	return truth{yes, unknown}
}

package deltamerge

import "sync/atomic"

// Rows is a set of a segment's rows by number, a bit each. A nil Rows is empty. Safe for concurrent use.
type Rows struct{ words []atomic.Uint64 }

// NewRows returns an empty set of n rows.
func NewRows(n int64) *Rows { return &Rows{make([]atomic.Uint64, (n+63)/64)} }

// RowsBytes returns the memory that a set of n rows takes.
func RowsBytes(n int64) int64 { return (n + 63) / 64 * 8 }

// Add adds a row.
func (r *Rows) Add(row int64) { r.words[row>>6].Or(1 << (row & 63)) }

// Has reports whether the row is in the set.
func (r *Rows) Has(row int64) bool {
	return r != nil && row>>6 < int64(len(r.words)) && r.words[row>>6].Load()>>(row&63)&1 == 1
}

// Clear clears live[i] where row first+i is in the set, and returns how many it cleared.
func (r *Rows) Clear(first int64, live []bool) (cleared int64) {
	if r == nil {
		return 0
	}
	for i := 0; i < len(live); {
		row := first + int64(i)
		end := min(len(live), i+64-int(row&63))
		if row>>6 < int64(len(r.words)) {
			if word := r.words[row>>6].Load() >> (row & 63); word != 0 {
				for k := i; k < end; k++ {
					if word>>(k-i)&1 == 1 && live[k] {
						live[k] = false
						cleared++
					}
				}
			}
		}
		i = end
	}
	return cleared
}

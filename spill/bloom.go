package spill

import (
	"math/bits"
	"sync/atomic"
)

// Bloom tells keys that are not in a set, by four bits of one word each. A nil Bloom knows nothing. Safe for concurrent use.
type Bloom struct{ words []atomic.Uint64 }

// NewBloom returns one for so many keys, 8 to 16 bits each, or nil if that takes more than limit bytes.
func NewBloom(keys, limit int64) *Bloom {
	if keys <= 0 || keys > limit {
		return nil
	}
	n := int64(1) << bits.Len64(uint64(keys)/8)
	for ; n*8 > limit; n /= 2 {
	}
	return &Bloom{make([]atomic.Uint64, n)}
}

// Bytes returns the memory that the filter takes.
func (b *Bloom) Bytes() int64 {
	if b == nil {
		return 0
	}
	return int64(len(b.words)) * 8
}

func (b *Bloom) at(hash uint64) (word *atomic.Uint64, mask uint64) {
	return &b.words[(hash>>32)&uint64(len(b.words)-1)], 1<<(hash&63) | 1<<(hash>>6&63) | 1<<(hash>>12&63) | 1<<(hash>>18&63)
}

// Add adds a key by its hash.
func (b *Bloom) Add(hash uint64) {
	if b == nil {
		return
	}
	if w, mask := b.at(hash); w.Load()&mask != mask {
		w.Or(mask)
	}
}

// Has is false only if the key was not added.
func (b *Bloom) Has(hash uint64) bool {
	if b == nil {
		return true
	}
	w, mask := b.at(hash)
	return w.Load()&mask == mask
}

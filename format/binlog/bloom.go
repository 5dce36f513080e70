package binlog

import (
	"math"

	"github.com/twmb/murmur3"
	"github.com/zeebo/xxh3"

	"github.com/snapexport/snapexport/milvus"
)

// FilterKind is the "bfType" of a statistics object (docs/format/binlog-v1.md 11).
type FilterKind int

const (
	FilterUndeclared  FilterKind = 0 // releases up to 2.3 write no kind: as FilterBasic
	FilterUnsupported FilterKind = 1
	FilterAlwaysTrue  FilterKind = 2
	FilterBasic       FilterKind = 3 // one bit set, murmur3
	FilterBlocked     FilterKind = 4 // 512-bit blocks, xxh3; the default since 2.4.3
)

// FalsePositives is the rate that Milvus asks of its filters.
const FalsePositives = 0.001

// Filter is a Bloom filter of primary keys.
type Filter struct {
	Kind  FilterKind
	bits  uint64       // basic: number of bits
	k     int          // basic: locations per key; blocked: one more than bits set per key
	words []uint64     // basic
	block [][16]uint32 // blocked
}

// NewFilter returns an empty filter of the kind, sized for n keys.
func NewFilter(kind FilterKind, n int) *Filter {
	keys := float64(max(n, 1))
	f := &Filter{Kind: kind}
	switch kind {
	case FilterUndeclared, FilterBasic:
		f.bits = uint64(math.Ceil(-keys * math.Log(FalsePositives) / (math.Ln2 * math.Ln2)))
		f.k = int(math.Ceil(math.Ln2 * float64(f.bits) / keys))
		f.words = make([]uint64, (f.bits+63)/64)
	case FilterBlocked:
		const perKey = 17 // bits; blocks fill unevenly, so more than the 14.4 of a filter without blocks
		f.block = make([][16]uint32, (uint64(perKey*keys)+511)/512)
		f.k = max(2, int(math.Ceil(float64(len(f.block)*512)/keys*math.Ln2)))
		f.k = min(f.k, maxFilterHashes)
	}
	return f
}

// Bytes is the memory that the filter takes.
func (f *Filter) Bytes() int64 { return int64(8*len(f.words) + 64*len(f.block)) }

// AddInt64 adds an Int64 key.
func (f *Filter) AddInt64(key int64) {
	var b [8]byte
	le.PutUint64(b[:], uint64(key))
	f.add(b[:])
}

// AddString adds a VarChar key.
func (f *Filter) AddString(key string) { f.add([]byte(key)) }

// HasInt64 reports whether the Int64 key may have been added; false is certain.
func (f *Filter) HasInt64(key int64) bool {
	var b [8]byte
	le.PutUint64(b[:], uint64(key))
	return f.has(b[:])
}

// HasString reports whether the VarChar key may have been added; false is certain.
func (f *Filter) HasString(key string) bool { return f.has([]byte(key)) }

func (f *Filter) add(key []byte) {
	switch f.Kind {
	case FilterUndeclared, FilterBasic:
		h := basicHashes(key)
		for i := range f.k {
			l := basicLocation(h, uint64(i)) % f.bits
			f.words[l/64] |= 1 << (l % 64)
		}
	case FilterBlocked:
		h := newBlockedHash(key, len(f.block))
		for i := 1; i < f.k; i++ {
			l := h.next(i)
			f.block[h.block][l/32%16] |= 1 << (l % 32)
		}
	}
}

func (f *Filter) has(key []byte) bool {
	switch f.Kind {
	case FilterUndeclared, FilterBasic:
		h := basicHashes(key)
		for i := range f.k {
			if l := basicLocation(h, uint64(i)) % f.bits; f.words[l/64]&(1<<(l%64)) == 0 {
				return false
			}
		}
	case FilterBlocked:
		h := newBlockedHash(key, len(f.block))
		for i := 1; i < f.k; i++ {
			if l := h.next(i); f.block[h.block][l/32%16]&(1<<(l%32)) == 0 {
				return false
			}
		}
	}
	return true
}

// basicHashes are the 128-bit murmur3 of the key, then that of the key with a byte 1 after it.
func basicHashes(key []byte) [4]uint64 {
	var room [64]byte
	a, b := murmur3.Sum128(key)
	c, d := murmur3.Sum128(append(append(room[:0], key...), 1))
	return [4]uint64{a, b, c, d}
}

func basicLocation(h [4]uint64, i uint64) uint64 { return h[i%2] + i*h[2+(i+i%2)%4/2] }

// blockedHash walks the bits of one key within its block: enhanced double hashing.
type blockedHash struct {
	block  int
	h1, h2 uint32
}

func newBlockedHash(key []byte, blocks int) blockedHash {
	h := xxh3.Hash(key)
	return blockedHash{block: int(uint64(uint32(h)) * uint64(blocks) >> 32), h1: uint32(h >> 32), h2: uint32(h)}
}

func (h *blockedHash) next(i int) uint32 {
	h.h1 += h.h2
	h.h2 += uint32(i)
	return h.h1
}

// Key is a primary key: int64 or string, nil if unknown.
type Key any

// keyType is the data type that a key of that Go type belongs to.
func keyType(k Key) milvus.DataType {
	switch k.(type) {
	case int64:
		return milvus.TypeInt64
	case string:
		return milvus.TypeVarChar
	}
	return milvus.TypeNone
}

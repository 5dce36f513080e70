package spill

import (
	"math/bits"

	"github.com/zeebo/xxh3"
)

// HashInt64 spreads keys that differ in few bits (auto ids do) over all bits.
func HashInt64(key int64) uint64 {
	x := uint64(key)
	x = (x ^ x>>32) * 0xD6E8FEB86659FD93
	x = (x ^ x>>32) * 0xD6E8FEB86659FD93
	return x ^ x>>32
}

// HashText hashes the bytes of a key.
func HashText(key []byte) uint64 { return xxh3.Hash(key) }

// part returns the partition of a hash, of a number of them that is a power of two. It mixes once more: the bits that tables
// within a partition go by still differ.
func part(hash uint64, log uint) int { return int((hash * 0x9E3779B97F4A7C15) >> (64 - log)) }

// Class returns the hash's class among n that divide a partition further.
func Class(hash uint64, n int) int {
	high, _ := bits.Mul64(bits.Reverse64(hash*0xC2B2AE3D27D4EB4F), uint64(n))
	return int(high)
}

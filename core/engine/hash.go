package engine

import (
	"hash/crc32"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// hashedBytes is how much of a text its hash looks at, as in Milvus.
const hashedBytes = 100

// hashKeys returns, for each key (Int64 or String, no NULLs), its bucket among n. Shards and the partitions of a partition key
// are chosen by the same hashes as Milvus's: murmur3 of integers, CRC-32 of texts.
func hashKeys(keys arrow.Array, n int) []int {
	out := make([]int, keys.Len())
	if n == 1 {
		return out
	}
	switch k := keys.(type) {
	case *array.Int64:
		for i, v := range k.Int64Values() {
			out[i] = int(murmur64(uint64(v))&0x7fffffff) % n
		}
	case *array.String:
		for i := range out {
			v := k.Value(i)
			out[i] = int(crc32.ChecksumIEEE([]byte(v[:min(len(v), hashedBytes)]))) % n
		}
	}
	return out
}

// murmur64 is the 32-bit murmur3 hash, seed 0, of the eight little-endian bytes of v.
func murmur64(v uint64) uint32 {
	h := uint32(0)
	for _, k := range [2]uint32{uint32(v), uint32(v >> 32)} {
		h ^= bits.RotateLeft32(k*0xcc9e2d51, 15) * 0x1b873593
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	h ^= 8
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

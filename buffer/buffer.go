// Package buffer keeps large byte slices for use again. Files, pages and columns of an export come and go by the megabyte; to
// allocate each anew costs clearing it, faults of fresh pages, and the garbage collector's time.
//
// [Get] lends, [Put] gives back. What is never given back is the garbage collector's, as any memory.
package buffer

import (
	"math/bits"
	"sync"
	"unsafe"
)

const (
	least   = 1 << 16 // smaller slices are left to the runtime, which is good at them
	most    = 1 << 28 // larger ones are too rare
	steps   = 8       // sizes between two powers of two: at most an eighth is wasted
	classes = 12 * steps
)

// pools hold *byte, the first of a slice whose capacity is the class's size. The collector empties them.
var pools [classes + 1]sync.Pool

// Get returns n bytes whose contents mean nothing. The capacity may be larger.
func Get(n int) []byte {
	if n < least || n > most {
		return make([]byte, n)
	}
	class, size := classOf(n)
	if p, ok := pools[class].Get().(*byte); ok {
		return unsafe.Slice(p, size)[:n]
	}
	return make([]byte, size)[:n]
}

// Put gives back what Get returned; nothing may refer to it from then on. Slices of other origin, or that begin further on,
// are left alone if their capacity is none of Get's.
func Put(b []byte) {
	n := cap(b)
	if n < least || n > most {
		return
	}
	if class, size := classOf(n); size == n {
		poison(b[:n])
		pools[class].Put(unsafe.SliceData(b))
	}
}

// classOf returns the smallest size of at least n bytes, and its number.
func classOf(n int) (class, size int) {
	power := bits.Len(uint(n)) - 1 // n >= 1<<power
	step := 1 << power / steps
	k := (n - 1<<power + step - 1) / step
	return (power-16)*steps + k, 1<<power + k*step
}

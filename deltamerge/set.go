package deltamerge

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/snapexport/snapexport/fault"
	"github.com/snapexport/snapexport/milvus"
)

// Set holds, for each deleted key, the newest delete at or before the cut. It is built by one goroutine with Add and then
// read by any number of them.
type Set struct {
	cut      milvus.Timestamp
	ints     intTable
	strs     stringTable
	entries  int64
	afterCut int64
}

// NewSet returns an empty set that leaves out deletes after cut (0: none are).
func NewSet(cut milvus.Timestamp) *Set {
	if cut == 0 {
		cut = ^milvus.Timestamp(0)
	}
	return &Set{cut: cut}
}

// GrowInt64 makes room for n deletes of Int64 keys, so that the table is not made anew while they are added.
func (s *Set) GrowInt64(n int) { s.ints.reserve(n) }

// GrowStrings is GrowInt64 for VarChar keys of so many bytes together.
func (s *Set) GrowStrings(n, bytes int) { s.strs.reserve(n, bytes) }

// AddInt64 adds deletes of Int64 keys; the slices are of equal length and not kept.
func (s *Set) AddInt64(keys []int64, ts []uint64) {
	s.entries += int64(len(keys))
	for from := 0; from < len(keys); from += ahead {
		to := min(from+ahead, len(keys))
		s.afterCut += s.ints.putAll(keys[from:to], ts[from:to], uint64(s.cut))
	}
}

// AddStrings adds deletes of VarChar keys; ts has one element per key. Nothing is kept of either.
func (s *Set) AddStrings(keys *array.String, ts []uint64) {
	s.entries += int64(keys.Len())
	for from := 0; from < len(ts); from += ahead {
		to := min(from+ahead, len(ts))
		s.afterCut += s.strs.putAll(keys, from, ts[from:to], uint64(s.cut))
	}
}

// Entries is the number of deletes added, AfterCut how many of them are newer than the cut and do not count.
func (s *Set) Entries() int64  { return s.entries }
func (s *Set) AfterCut() int64 { return s.afterCut }

// Keys is the number of distinct keys held.
func (s *Set) Keys() int { return s.ints.n + len(s.strs.ends) }

// Bytes is the memory that the set holds.
func (s *Set) Bytes() int64 {
	return int64(cap(s.ints.slots))*16 + int64(cap(s.strs.slots))*8 + int64(cap(s.strs.ends))*16 + int64(cap(s.strs.arena))
}

// Add adds a delete of an Int64 key.
func (s *Set) Add(key int64, ts uint64) {
	s.entries++
	if ts > uint64(s.cut) {
		s.afterCut++
		return
	}
	s.ints.put(key, ts)
}

// AddText adds a delete of a text key, which is copied.
func (s *Set) AddText(key []byte, ts uint64) {
	s.entries++
	if ts > uint64(s.cut) {
		s.afterCut++
		return
	}
	s.strs.put(unsafe.String(unsafe.SliceData(key), len(key)), ts)
}

// Reset empties the set and keeps its memory.
func (s *Set) Reset() {
	s.entries, s.afterCut, s.ints.n = 0, 0, 0
	clear(s.ints.slots)
	clear(s.strs.slots)
	s.strs.ends, s.strs.arena = s.strs.ends[:0], s.strs.arena[:0]
}

// Newest returns the newest delete of the key at or before the cut, 0 if there is none.
func (s *Set) Newest(key int64) uint64 {
	if s.ints.n == 0 {
		return 0
	}
	mask := uint64(len(s.ints.slots) - 1)
	for i := mix(key, s.ints.shift()); ; i = (i + 1) & mask {
		if t := s.ints.slots[i]; t.ts == 0 || t.key == key {
			return t.ts
		}
	}
}

// NewestText is Newest for a text key.
func (s *Set) NewestText(key []byte) uint64 {
	if len(s.strs.ends) == 0 {
		return 0
	}
	if e, _, ok := s.strs.find(unsafe.String(unsafe.SliceData(key), len(key)), xxh3.Hash(key)); ok {
		return s.strs.ends[e].ts
	}
	return 0
}

// kill clears live[i] for every row whose key has a delete newer than max(eff[i], after).
// It returns how many it cleared.
func (s *Set) kill(keys arrow.Array, eff []uint64, after uint64, live []bool) (int64, error) {
	if s.Keys() == 0 {
		return 0, nil
	}
	switch k := keys.(type) {
	case *array.Int64:
		if s.ints.n == 0 {
			return 0, s.mismatch(len(s.strs.ends), "Int64")
		}
		return s.ints.kill(k.Int64Values(), eff, after, live), nil
	case *array.String:
		if len(s.strs.ends) == 0 {
			return 0, s.mismatch(s.ints.n, "VarChar")
		}
		return s.strs.kill(k, eff, after, live), nil
	}
	return 0, fault.Unsupported("apply deletes", "primary key of Arrow type %s", keys.DataType())
}

// mismatch is an error if there are keys of the other type: they can't be those of this collection.
func (s *Set) mismatch(others int, want string) error {
	if others == 0 {
		return nil
	}
	return fault.Corrupt("apply deletes", "deletes have keys of another type than the collection's %s", want)
}

package deltamerge

import (
	"math/bits"
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

// AddInt64 adds deletes of Int64 keys; the slices are of equal length and not kept.
func (s *Set) AddInt64(keys []int64, ts []uint64) {
	s.entries += int64(len(keys))
	for i, k := range keys {
		if ts[i] > uint64(s.cut) {
			s.afterCut++
			continue
		}
		s.ints.put(k, ts[i])
	}
}

// AddStrings adds deletes of VarChar keys; ts has one element per key. Nothing is kept of either.
func (s *Set) AddStrings(keys *array.String, ts []uint64) {
	s.entries += int64(keys.Len())
	for i := range ts {
		if ts[i] > uint64(s.cut) {
			s.afterCut++
			continue
		}
		s.strs.put(keys.Value(i), ts[i])
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

// intTable is an open-addressing hash table of (key, ts). A slot with ts 0 is free: no row is older than 0.
type intTable struct {
	slots []intSlot // length is a power of two
	n     int
}

type intSlot struct {
	key int64
	ts  uint64
}

// mix spreads keys that differ in few bits (auto ids do) over the upper bits (Fibonacci hashing).
func mix(k int64, shift uint) uint64 { return (uint64(k) * 0x9E3779B97F4A7C15) >> shift }

func (t *intTable) shift() uint { return uint(64 - bits.TrailingZeros(uint(len(t.slots)))) }

func (t *intTable) put(key int64, ts uint64) {
	if ts == 0 {
		return
	}
	if (t.n+1)*4 > len(t.slots)*3 {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	for i := mix(key, t.shift()); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.ts == 0 {
			*s = intSlot{key, ts}
			t.n++
			return
		}
		if s.key == key {
			s.ts = max(s.ts, ts)
			return
		}
	}
}

func (t *intTable) grow() {
	old := t.slots
	t.slots = make([]intSlot, max(16, 2*len(old)))
	t.n = 0
	for _, s := range old {
		if s.ts != 0 {
			t.put(s.key, s.ts)
		}
	}
}

func (t *intTable) kill(keys []int64, eff []uint64, after uint64, live []bool) int64 {
	var killed int64
	shift, mask := t.shift(), uint64(len(t.slots)-1)
	for r, key := range keys {
		for i := mix(key, shift); t.slots[i].ts != 0; i = (i + 1) & mask {
			if t.slots[i].key != key {
				continue
			}
			if t.slots[i].ts > max(eff[r], after) && live[r] {
				live[r] = false
				killed++
			}
			break
		}
	}
	return killed
}

// stringTable is the same for strings: the bytes of all keys lie in one arena, entry i ends at ends[i].
type stringTable struct {
	slots []stringSlot // length is a power of two
	ends  []stringEntry
	arena []byte
}

type stringSlot struct {
	entry uint32 // index + 1; 0 is free
	tag   uint32 // upper half of the hash, to compare before the bytes
}

type stringEntry struct {
	end uint64
	ts  uint64
}

// key returns the bytes of an entry; comparing string(key(e)) does not allocate.
func (t *stringTable) key(e uint32) []byte {
	start := uint64(0)
	if e > 0 {
		start = t.ends[e-1].end
	}
	return t.arena[start:t.ends[e].end]
}

// find returns the entry of the key, or the free slot where it belongs.
func (t *stringTable) find(key string, hash uint64) (entry uint32, slot int, ok bool) {
	mask := len(t.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.entry == 0 {
			return 0, i, false
		}
		if s.tag == uint32(hash>>32) && string(t.key(s.entry-1)) == key {
			return s.entry - 1, i, true
		}
	}
}

func (t *stringTable) put(key string, ts uint64) {
	if ts == 0 {
		return
	}
	if (len(t.ends)+1)*4 > len(t.slots)*3 {
		t.grow()
	}
	hash := xxh3.HashString(key)
	e, slot, ok := t.find(key, hash)
	if ok {
		t.ends[e].ts = max(t.ends[e].ts, ts)
		return
	}
	t.arena = append(t.arena, key...)
	t.ends = append(t.ends, stringEntry{uint64(len(t.arena)), ts})
	t.slots[slot] = stringSlot{uint32(len(t.ends)), uint32(hash >> 32)}
}

func (t *stringTable) grow() {
	t.slots = make([]stringSlot, max(16, 2*len(t.slots)))
	for e := range t.ends {
		hash := xxh3.Hash(t.key(uint32(e)))
		mask := len(t.slots) - 1
		i := int(hash) & mask
		for t.slots[i].entry != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = stringSlot{uint32(e + 1), uint32(hash >> 32)}
	}
}

func (t *stringTable) kill(keys *array.String, eff []uint64, after uint64, live []bool) int64 {
	var killed int64
	for r := range live {
		key := keys.Value(r)
		e, _, ok := t.find(key, xxh3.HashString(key))
		if ok && live[r] && t.ends[e].ts > max(eff[r], after) {
			live[r] = false
			killed++
		}
	}
	return killed
}

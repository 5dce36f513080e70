package deltamerge

import (
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"
)

// stringTable is intTable for strings: the bytes of all keys lie in one arena, entry i ends at ends[i].
type stringTable struct {
	slots []stringSlot // length is a power of two, at most 1<<32
	ends  []stringEntry
	arena []byte
}

// stringSlot keeps half of the key's hash: its upper bits say where probing begins, whatever the size of the table, the others
// tell most keys apart without a look at their bytes.
type stringSlot struct {
	entry uint32 // index + 1; 0 is free
	tag   uint32
}

type stringEntry struct {
	end uint64
	ts  uint64
}

func tagOf(hash uint64) uint32 { return uint32(hash >> 32) }

func (t *stringTable) shift() uint { return uint(32 - bits.TrailingZeros(uint(len(t.slots)))) }

// reserve makes room for n more keys of so many bytes together.
func (t *stringTable) reserve(n, bytes int) {
	if (len(t.ends)+n)*4 > len(t.slots)*3 {
		t.resize(max(slotsFor(len(t.ends)+n), 2*len(t.slots)))
	}
	t.ends = slices.Grow(t.ends, n)
	t.arena = slices.Grow(t.arena, bytes)
}

// resize moves all slots to a table of another size, without a look at the keys, from one end to the other.
func (t *stringTable) resize(slots int) {
	old := t.slots
	t.slots = make([]stringSlot, slots)
	shift, mask := t.shift(), uint32(slots-1)
	for _, s := range old {
		if s.entry == 0 {
			continue
		}
		i := s.tag >> shift
		for t.slots[i].entry != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
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
func (t *stringTable) find(key string, hash uint64) (entry, slot uint32, ok bool) {
	tag, mask := tagOf(hash), uint32(len(t.slots)-1)
	for i := tag >> t.shift(); ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.entry == 0 {
			return 0, i, false
		}
		if s.tag == tag && string(t.key(s.entry-1)) == key {
			return s.entry - 1, i, true
		}
	}
}

// starts sets hash to the hashes of keys from first on, and reads where probing for each begins: a slot, and if it may be
// that of the key, its entry.
//
//go:noinline
func (t *stringTable) starts(keys *array.String, first int, hash []uint64) (read uint64) {
	shift := t.shift()
	var slots [ahead]stringSlot
	for i := range hash {
		h := xxh3.HashString(keys.Value(first + i))
		hash[i], slots[i%ahead] = h, t.slots[tagOf(h)>>shift]
	}
	for i, h := range hash {
		if s := slots[i%ahead]; s.entry != 0 && s.tag == tagOf(h) {
			read |= t.ends[s.entry-1].end
		}
	}
	return read
}

func (t *stringTable) put(key string, ts uint64) {
	if ts == 0 {
		return
	}
	t.reserve(1, len(key))
	t.putHashed(key, xxh3.HashString(key), ts)
}

// putHashed puts a key for which there is a free slot.
func (t *stringTable) putHashed(key string, hash, ts uint64) {
	e, slot, ok := t.find(key, hash)
	if ok {
		t.ends[e].ts = max(t.ends[e].ts, ts)
		return
	}
	t.arena = append(t.arena, key...)
	t.ends = append(t.ends, stringEntry{uint64(len(t.arena)), ts})
	t.slots[slot] = stringSlot{uint32(len(t.ends)), tagOf(hash)}
}

// putAll puts at most ahead keys, from first on, but those newer than the cut, whose number it returns.
func (t *stringTable) putAll(keys *array.String, first int, ts []uint64, cut uint64) (afterCut int64) {
	t.reserve(len(ts), 0)
	var hash [ahead]uint64
	t.starts(keys, first, hash[:len(ts)])
	for i, v := range ts {
		switch {
		case v > cut:
			afterCut++
		case v != 0:
			t.putHashed(keys.Value(first+i), hash[i%ahead], v)
		}
	}
	return afterCut
}

func (t *stringTable) kill(keys *array.String, eff []uint64, after uint64, live []bool) (killed int64) {
	var hash [ahead]uint64
	for from := 0; from < len(live); from += ahead {
		n := min(ahead, len(live)-from)
		t.starts(keys, from, hash[:n])
		for i := range n {
			r := from + i
			e, _, ok := t.find(keys.Value(r), hash[i%ahead])
			if ok && live[r] && t.ends[e].ts > max(eff[r], after) {
				live[r] = false
				killed++
			}
		}
	}
	return killed
}

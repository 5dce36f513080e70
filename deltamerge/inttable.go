package deltamerge

import "math/bits"

// ahead is how many keys are looked up at a time: where each of them may be is read before the first is dealt with, so that the
// processor waits once for the memory of all of them and not for each in turn. Tables are far larger than caches.
const ahead = 64

// leastSlots is the size of the smallest table.
const leastSlots = 16

// slotsFor returns the size, a power of two, of a table that n entries fill to three quarters at most.
func slotsFor(n int) int { return max(leastSlots, 1<<bits.Len(uint(n+(n+2)/3-1))) }

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

// reserve makes room for n more keys.
func (t *intTable) reserve(n int) {
	if (t.n+n)*4 > len(t.slots)*3 {
		t.resize(max(slotsFor(t.n+n), 2*len(t.slots)))
	}
}

// resize moves all keys to a table of another size. Slots are in the order of hashes, so that memory is read and written from
// one end to the other.
func (t *intTable) resize(slots int) {
	old := t.slots
	t.slots = make([]intSlot, slots)
	shift, mask := t.shift(), uint64(slots-1)
	for _, s := range old {
		if s.ts == 0 {
			continue
		}
		i := mix(s.key, shift)
		for t.slots[i].ts != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
	}
}

// starts sets at to where probing for each of at most ahead keys begins, and reads there.
//
//go:noinline
func (t *intTable) starts(keys []int64, at *[ahead]uint64) (read uint64) {
	shift := t.shift()
	for i, k := range keys {
		h := mix(k, shift)
		at[i%ahead] = h
		read |= t.slots[h].ts // what it is does not matter
	}
	return read
}

func (t *intTable) put(key int64, ts uint64) {
	if ts == 0 {
		return
	}
	t.reserve(1)
	t.putAt(mix(key, t.shift()), key, ts)
}

// putAt probes from slot i; there is a free one.
func (t *intTable) putAt(i uint64, key int64, ts uint64) {
	for mask := uint64(len(t.slots) - 1); ; i = (i + 1) & mask {
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

// putAll puts at most ahead keys but those newer than the cut, whose number it returns.
func (t *intTable) putAll(keys []int64, ts []uint64, cut uint64) (afterCut int64) {
	t.reserve(len(keys))
	var at [ahead]uint64
	t.starts(keys, &at)
	for i, key := range keys {
		switch {
		case ts[i] > cut:
			afterCut++
		case ts[i] != 0:
			t.putAt(at[i%ahead], key, ts[i])
		}
	}
	return afterCut
}

func (t *intTable) kill(keys []int64, eff []uint64, after uint64, live []bool) (killed int64) {
	for from := 0; from < len(keys); from += ahead {
		to := min(from+ahead, len(keys))
		killed += t.killSome(keys[from:to], eff[from:to], after, live[from:to])
	}
	return killed
}

func (t *intTable) killSome(keys []int64, eff []uint64, after uint64, live []bool) (killed int64) {
	var at [ahead]uint64
	t.starts(keys, &at)
	mask := uint64(len(t.slots) - 1)
	for r, key := range keys {
		for i := at[r%ahead]; t.slots[i].ts != 0; i = (i + 1) & mask {
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

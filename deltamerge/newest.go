package deltamerge

import (
	"bytes"
	"math/bits"
)

// Place is a row: its effective timestamp, the rank of its segment, and its number there.
type Place struct {
	TS      uint64
	Segment uint32
	Row     uint32
}

// before reports whether q is the newer of two rows of one key: by timestamp, then segment, then row.
func (p Place) before(q Place) bool {
	if p.TS != q.TS {
		return p.TS < q.TS
	}
	if p.Segment != q.Segment {
		return p.Segment < q.Segment
	}
	return p.Row < q.Row
}

// Newest finds the newest row of each key, among keys of one type. The zero value is empty.
type Newest struct {
	slots []uint32 // entry + 1; 0 is free. The length is a power of two
	rows  []Place
	hash  []uint64
	ints  []int64
	ends  []uint64 // of texts
	text  []byte
}

// Reset empties it and keeps its memory.
func (n *Newest) Reset() {
	clear(n.slots)
	n.rows, n.hash, n.ints, n.ends, n.text = n.rows[:0], n.hash[:0], n.ints[:0], n.ends[:0], n.text[:0]
}

// Int64 adds a row of an Int64 key with the key's hash. If the key has been there, it returns which of the two rows is the older.
func (n *Newest) Int64(hash uint64, key int64, p Place) (older Place, twice bool) {
	slot, found := n.find(hash, func(e uint32) bool { return n.ints[e] == key })
	if found {
		return n.replace(n.slots[slot]-1, p), true
	}
	n.ints = append(n.ints, key)
	n.add(slot, hash, p)
	return Place{}, false
}

// Text is Int64 for a text key, which is copied.
func (n *Newest) Text(hash uint64, key []byte, p Place) (older Place, twice bool) {
	slot, found := n.find(hash, func(e uint32) bool {
		start := uint64(0)
		if e > 0 {
			start = n.ends[e-1]
		}
		return bytes.Equal(n.text[start:n.ends[e]], key)
	})
	if found {
		return n.replace(n.slots[slot]-1, p), true
	}
	n.text = append(n.text, key...)
	n.ends = append(n.ends, uint64(len(n.text)))
	n.add(slot, hash, p)
	return Place{}, false
}

// find returns the key's slot, or the free one where it belongs.
func (n *Newest) find(hash uint64, equal func(uint32) bool) (slot int, found bool) {
	if (len(n.rows)+1)*4 > len(n.slots)*3 {
		n.grow()
	}
	mask := len(n.slots) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		e := n.slots[i]
		if e == 0 {
			return i, false
		}
		if n.hash[e-1] == hash && equal(e-1) {
			return i, true
		}
	}
}

func (n *Newest) add(slot int, hash uint64, p Place) {
	n.rows, n.hash = append(n.rows, p), append(n.hash, hash)
	n.slots[slot] = uint32(len(n.rows))
}

func (n *Newest) replace(e uint32, p Place) (older Place) {
	if n.rows[e].before(p) {
		n.rows[e], p = p, n.rows[e]
	}
	return p
}

func (n *Newest) grow() {
	n.slots = make([]uint32, 1<<bits.Len(uint(max(15, 2*len(n.slots)-1))))
	mask := len(n.slots) - 1
	for e, h := range n.hash {
		i := int(h) & mask
		for n.slots[i] != 0 {
			i = (i + 1) & mask
		}
		n.slots[i] = uint32(e + 1)
	}
}

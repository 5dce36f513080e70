package datafile

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

const (
	dictionaryValues = 1 << 16
	dictionaryTrial  = 4096 // values from which on at least half of them must be repetitions
)

// dictionary is of one leaf in one row group.
type dictionary struct {
	limit  int // bytes of values
	seed   maphash.Seed
	slots  []uint32 // numbers of values from 1 on, where their hashes say or after; a power of two, at most half of them taken
	hashes []uint32 // of each value
	values []byte   // in PLAIN
	ends   []int    // of each value in values
	index  []uint32
	seen   int
	used   bool // by finished pages
	left   bool // for PLAIN
}

func newDictionary(limit int) *dictionary {
	return &dictionary{limit: limit, seed: maphash.MakeSeed()}
}

// add adds a value to the page, or says that there is no room, or no use.
func (d *dictionary) add(value []byte, framed bool) bool {
	if 2*len(d.ends) >= len(d.slots) {
		d.grow()
	}
	hash := uint32(maphash.Bytes(d.seed, value))
	slot := d.find(value, hash, framed)
	if d.slots[slot] == 0 {
		n := len(d.ends)
		if n == dictionaryValues || len(d.values)+len(value)+4 > d.limit {
			return false
		}
		if d.seen >= dictionaryTrial && n > d.seen/2 {
			return false
		}
		if framed {
			d.values = binary.LittleEndian.AppendUint32(d.values, uint32(len(value)))
		}
		d.values = append(d.values, value...)
		d.ends, d.hashes = append(d.ends, len(d.values)), append(d.hashes, hash)
		d.slots[slot] = uint32(n + 1)
	}
	d.index = append(d.index, d.slots[slot]-1)
	d.seen++
	return true
}

// find returns the value's slot, or the one that it would take.
func (d *dictionary) find(value []byte, hash uint32, framed bool) uint32 {
	mask := uint32(len(d.slots) - 1)
	for slot := hash & mask; ; slot = (slot + 1) & mask {
		i := d.slots[slot]
		if i == 0 || d.hashes[i-1] == hash && bytes.Equal(d.value(int(i-1), framed), value) {
			return slot
		}
	}
}

func (d *dictionary) value(i int, framed bool) []byte {
	from := d.begin(i)
	if framed {
		from += 4
	}
	return d.values[from:d.ends[i]]
}

// begin is where a value begins in values.
func (d *dictionary) begin(i int) int {
	if i == 0 {
		return 0
	}
	return d.ends[i-1]
}

// grow makes room for twice as many values.
func (d *dictionary) grow() {
	d.slots = make([]uint32, max(256, 2*len(d.slots)))
	mask := uint32(len(d.slots) - 1)
	for i, hash := range d.hashes {
		slot := hash & mask
		for d.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		d.slots[slot] = uint32(i + 1)
	}
}

// width is the bits of an index.
func (d *dictionary) width() int { return bits.Len(uint(max(len(d.ends)-1, 0))) }

// pays says whether the page, whose values take so many bytes in PLAIN, is to be written with the dictionary.
func (d *dictionary) pays(plain int) bool {
	if len(d.index) == 0 {
		return d.used
	}
	cost := len(d.index) * d.width() / 8
	if !d.used {
		cost += len(d.values)
	}
	return cost < plain
}

// plain appends the page's values in PLAIN and empties the page.
func (d *dictionary) plain(dst []byte) []byte {
	for _, i := range d.index {
		dst = append(dst, d.values[d.begin(int(i)):d.ends[i]]...)
	}
	d.index = d.index[:0]
	return dst
}

// indices appends the page's values as indices and empties the page.
func (d *dictionary) indices(dst []byte) []byte {
	w := d.width()
	dst = appendHybrid(append(dst, byte(w)), d.index, w)
	d.index, d.used = d.index[:0], true
	return dst
}

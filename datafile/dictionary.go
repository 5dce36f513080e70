package datafile

import (
	"encoding/binary"
	"math/bits"
)

const (
	dictionaryValues = 1 << 16
	dictionaryTrial  = 4096 // values from which on at least half of them must be repetitions
)

// dictionary is of one leaf in one row group.
type dictionary struct {
	limit  int // bytes of values
	at     map[string]uint32
	values []byte // in PLAIN
	ends   []int  // of each value in values
	index  []uint32
	seen   int
	used   bool // by finished pages
	left   bool // for PLAIN
}

func newDictionary(limit int) *dictionary { return &dictionary{limit: limit, at: map[string]uint32{}} }

// add adds a value to the page, or says that there is no room, or no use.
func (d *dictionary) add(value []byte, framed bool) bool {
	i, ok := d.at[string(value)]
	if !ok {
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
		d.ends = append(d.ends, len(d.values))
		i = uint32(n)
		d.at[string(value)] = i
	}
	d.index = append(d.index, i)
	d.seen++
	return true
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
		from := 0
		if i > 0 {
			from = d.ends[i-1]
		}
		dst = append(dst, d.values[from:d.ends[i]]...)
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

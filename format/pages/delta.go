package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// delta decodes DELTA_BINARY_PACKED. Sums wrap around, so that 32-bit values are the low half of 64-bit ones.
type delta struct {
	src   []byte
	total int // values declared
	done  int // values returned

	perMini int
	last    int64
	min     int64
	widths  []byte // of the miniblocks of the block that are still to come
	minis   int    // per block
	mini    []byte // current miniblock
	width   int
	bit     int
	left    int // values left in the miniblock
}

var errDelta = errors.New("a delta block is cut off")

func newDelta(src []byte) (*delta, error) {
	d := &delta{src: src}
	block, err1 := d.uvarint()
	minis, err2 := d.uvarint()
	total, err3 := d.uvarint()
	first, err4 := d.varint()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, errDelta
	}
	if block == 0 || block > 1<<20 || block%128 != 0 || minis == 0 || minis > block || block%minis != 0 || block/minis%8 != 0 {
		return nil, fmt.Errorf("delta blocks of %d values in %d miniblocks", block, minis)
	}
	if total > maxPageValues {
		return nil, fmt.Errorf("%d delta values", total)
	}
	d.minis, d.perMini, d.total, d.last = int(minis), int(block/minis), int(total), first
	return d, nil
}

func (d *delta) uvarint() (uint64, error) {
	v, n := binary.Uvarint(d.src)
	if n <= 0 {
		return 0, errDelta
	}
	d.src = d.src[n:]
	return v, nil
}

func (d *delta) varint() (int64, error) {
	u, err := d.uvarint()
	return int64(u>>1) ^ -int64(u&1), err
}

// next returns the next value; the caller asks for no more than total.
func (d *delta) next() (int64, error) {
	if d.done == 0 {
		d.done = 1
		return d.last, nil
	}
	if d.left == 0 {
		if err := d.nextMini(); err != nil {
			return 0, err
		}
	}
	d.last += d.min + int64(bitsAt(d.mini, d.bit, d.width))
	d.bit += d.width
	d.left--
	d.done++
	return d.last, nil
}

func (d *delta) nextMini() error {
	if len(d.widths) == 0 {
		var err error
		if d.min, err = d.varint(); err != nil {
			return err
		}
		if len(d.src) < d.minis {
			return errDelta
		}
		d.widths, d.src = d.src[:d.minis], d.src[d.minis:]
	}
	d.width = int(d.widths[0])
	d.widths = d.widths[1:]
	size := d.perMini / 8 * d.width
	if d.width > 64 || size > len(d.src) {
		return errDelta
	}
	d.mini, d.src, d.bit, d.left = d.src[:size], d.src[size:], 0, d.perMini
	return nil
}

// bitsAt returns width bits (up to 64) of b from a bit position.
func bitsAt(b []byte, bit, width int) uint64 {
	shift := bit & 7
	v := load(b, bit>>3) >> shift
	if shift+width > 64 {
		v |= load(b, bit>>3+8) << (64 - shift)
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}

// deltaLengths decodes a whole sequence of n lengths, which must not be negative, and returns the bytes behind them too.
func deltaLengths(src []byte, n int) (lengths []int32, rest []byte, err error) {
	d, err := newDelta(src)
	if err != nil {
		return nil, nil, err
	}
	if d.total != n {
		return nil, nil, fmt.Errorf("%d delta lengths for %d values", d.total, n)
	}
	lengths = make([]int32, n)
	for i := range lengths {
		v, err := d.next()
		if err != nil {
			return nil, nil, err
		}
		if v < 0 || v > 1<<31-1 {
			return nil, nil, fmt.Errorf("length %d", v)
		}
		lengths[i] = int32(v)
	}
	return lengths, d.src, nil
}

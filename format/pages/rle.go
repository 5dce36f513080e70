package pages

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// hybrid decodes Parquet's RLE/bit-packing hybrid: levels, booleans, dictionary indices.
type hybrid struct {
	src   []byte // behind the current run
	width int    // bits of a value, 0 to 32

	left   int    // values left in the current run
	packed []byte // of a bit-packed run, nil in a repeated one
	bit    int    // next bit of packed
	value  uint32 // of a repeated run
}

var errRunsEnd = errors.New("the runs end before all values are read")

// run makes sure that the current run has values.
func (h *hybrid) run() error {
	for h.left == 0 {
		if h.width == 0 && len(h.src) == 0 { // nothing has to be written to say 0
			h.left, h.packed, h.value = maxPageValues, nil, 0
			return nil
		}
		head, n := binary.Uvarint(h.src)
		if n == 0 {
			return errRunsEnd
		}
		if n < 0 || head > 1<<33 {
			return errors.New("a run header is out of range")
		}
		h.src = h.src[n:]
		if err := h.start(int(head>>1), head&1 != 0); err != nil {
			return err
		}
	}
	return nil
}

func (h *hybrid) start(count int, packed bool) error {
	if packed {
		if h.width == 0 {
			h.left, h.packed, h.value = count*8, nil, 0
			return nil
		}
		size := count * h.width // bytes of count groups of eight values
		h.left = count * 8
		if size > len(h.src) { // the last group may be cut short
			size = len(h.src)
			h.left = size * 8 / h.width
		}
		if h.left == 0 && count > 0 {
			return errRunsEnd
		}
		h.packed, h.bit, h.src = h.src[:size:size], 0, h.src[size:]
		return nil
	}
	size := (h.width + 7) / 8
	if size > len(h.src) {
		return errRunsEnd
	}
	var b [4]byte
	copy(b[:], h.src[:size])
	h.value = binary.LittleEndian.Uint32(b[:])
	if h.width < 32 && h.value>>h.width != 0 {
		return fmt.Errorf("value %d in a run of %d bits", h.value, h.width)
	}
	h.left, h.packed, h.src = count, nil, h.src[size:]
	return nil
}

// indices fills dst.
func (h *hybrid) indices(dst []uint32) error {
	for len(dst) > 0 {
		if err := h.run(); err != nil {
			return err
		}
		n := min(h.left, len(dst))
		if h.packed == nil {
			for i := range dst[:n] {
				dst[i] = h.value
			}
		} else {
			h.unpack(dst[:n])
		}
		h.left -= n
		dst = dst[n:]
	}
	return nil
}

func (h *hybrid) unpack(dst []uint32) {
	w, bit, b := uint(h.width), h.bit, h.packed
	mask := uint64(1)<<w - 1
	i := 0
	for ; i < len(dst) && bit>>3+8 <= len(b); i++ {
		dst[i] = uint32(binary.LittleEndian.Uint64(b[bit>>3:]) >> (bit & 7) & mask)
		bit += int(w)
	}
	for ; i < len(dst); i++ {
		dst[i] = uint32(load(b, bit>>3) >> (bit & 7) & mask)
		bit += int(w)
	}
	h.bit = bit
}

// load returns the eight bytes of b at i, zeros behind its end.
func load(b []byte, i int) uint64 {
	if i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:])
	}
	var t [8]byte
	if i < len(b) {
		copy(t[:], b[i:])
	}
	return binary.LittleEndian.Uint64(t[:])
}

// levels fills dst with values of at most limit.
func (h *hybrid) levels(dst []uint8, limit int) error {
	var buf [512]uint32
	for len(dst) > 0 {
		n := min(len(dst), len(buf))
		if err := h.indices(buf[:n]); err != nil {
			return err
		}
		for i, v := range buf[:n] {
			if v > uint32(limit) {
				return fmt.Errorf("level %d of at most %d", v, limit)
			}
			dst[i] = uint8(v)
		}
		dst = dst[n:]
	}
	return nil
}

// bits returns n values of one bit as a bitmap.
func (h *hybrid) bits(n int) ([]byte, error) {
	out := make([]byte, bitutil.BytesForBits(int64(n)))
	for at := 0; at < n; {
		if err := h.run(); err != nil {
			return nil, err
		}
		k := min(h.left, n-at)
		if h.packed == nil {
			bitutil.SetBitsTo(out, int64(at), int64(k), h.value != 0)
		} else {
			bitutil.CopyBitmap(h.packed, h.bit, k, out, at)
			h.bit += k
		}
		h.left -= k
		at += k
	}
	return out, nil
}

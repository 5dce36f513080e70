package datafile

import "encoding/binary"

// minRun is how often a value repeats before a run is shorter than packing it with its neighbours.
const minRun = 8

// appendRun appends n times the value as one run of Parquet's RLE/bit-packing hybrid.
func appendRun(dst []byte, value uint32, n, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for ; width > 0; width -= 8 {
		dst = append(dst, byte(value))
		value >>= 8
	}
	return dst
}

// appendHybrid appends values of at most width bits in Parquet's RLE/bit-packing hybrid. Its last group is padded.
func appendHybrid[T uint8 | uint32](dst []byte, values []T, width int) []byte {
	packed := 0 // values[packed:i] await packing
	for i := 0; i < len(values); {
		run := 1
		for v := values[i]; i+run < len(values) && values[i+run] == v; {
			run++
		}
		fill := (8 - (i-packed)%8) % 8 // groups are of eight
		if run-fill < minRun {
			i += run
			continue
		}
		dst = appendPacked(dst, values[packed:i+fill], width)
		dst = appendRun(dst, uint32(values[i]), run-fill, width)
		i += run
		packed = i
	}
	return appendPacked(dst, values[packed:], width)
}

func appendPacked[T uint8 | uint32](dst []byte, values []T, width int) []byte {
	if len(values) == 0 {
		return dst
	}
	groups := (len(values) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	var acc uint64
	bits, end := 0, len(dst)+groups*width
	for _, v := range values {
		acc |= uint64(v) << bits
		for bits += width; bits >= 8; bits -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	for len(dst) < end {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

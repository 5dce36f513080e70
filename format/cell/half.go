package cell

import "math"

// Halves are widened and narrowed by their bits, so that payloads of NaN and signs of zero survive.

// widenHalf returns the float32 bits of an IEEE half. It is small enough to be inlined.
func widenHalf(h uint16) uint32 {
	bits := uint32(h&0x7fff) << 13
	if e := bits >> 23; e-1 < 30 { // normal
		return uint32(h&0x8000)<<16 | (bits + (127-15)<<23)
	}
	return uint32(h&0x8000)<<16 | widenRare(bits)
}

// widenRare widens what is no normal number.
func widenRare(bits uint32) uint32 {
	if bits >= 0x7c00<<13 { // infinite or NaN
		return 0x7f800000 | bits&0x007fffff
	}
	// Subnormal or zero: the bits are a fraction of the smallest normal half.
	const base = (127 - 15 + 1) << 23
	return math.Float32bits(math.Float32frombits(bits+base) - math.Float32frombits(base))
}

// narrowHalf returns the IEEE half nearest to the float32 bits, ties to even.
func narrowHalf(b uint32) uint16 {
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN stays NaN
		if h := uint16(b >> 13 & 0x3ff); h != 0 {
			return sign | 0x7c00 | h
		}
		return sign | 0x7c01
	case b >= 0x47800000: // 65536 and more
		return sign | 0x7c00
	case b >= 0x38800000: // normal
		b -= (127 - 15) << 23
		return sign + uint16((b+0xfff+b>>13&1)>>13) // may carry into infinity, rightly
	}
	// Subnormal: adding 2^-1 leaves the half's ten bits at the low end of the fraction, rounded.
	f := math.Float32frombits(b) + 0.5
	return sign | uint16(math.Float32bits(f)-0x3f000000)
}

// widenBrain returns the float32 bits of a bfloat16.
func widenBrain(h uint16) uint32 { return uint32(h) << 16 }

// narrowBrain returns the bfloat16 nearest to the float32 bits, ties to even.
func narrowBrain(b uint32) uint16 {
	if b&0x7fffffff > 0x7f800000 {
		if h := uint16(b >> 16); h&0x7f != 0 {
			return h
		}
		return uint16(b>>16) | 1
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

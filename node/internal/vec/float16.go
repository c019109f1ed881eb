package vec

import "math"

// Float16 is the bits of a binary16 of IEEE 754: 1 of sign, 5 of exponent, 10 of fraction. Finite up to 65,504.
type Float16 uint16

// BFloat16 is the upper half of the bits of a float32: its range, with 8 significant bits.
type BFloat16 uint16

// Float32 returns the same number, exactly. NaN stays NaN.
func (h Float16) Float32() float32 {
	// The fields fit into those of float32 with an exponent that is 112 too small: a multiplication corrects that, and
	// makes subnormal numbers normal on the way.
	magnitude := math.Float32bits(math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112)
	if h&0x7c00 == 0x7c00 {
		magnitude |= 0x7f800000
	}
	return math.Float32frombits(uint32(h&0x8000)<<16 | magnitude)
}

// ToFloat16 rounds to the nearest number, of two to the even one; what is 65,520 or larger becomes infinite. NaN stays
// NaN.
func ToFloat16(x float32) Float16 {
	all := math.Float32bits(x)
	sign, magnitude := Float16(all>>16&0x8000), all&^(1<<31)
	switch {
	case magnitude > 0x7f800000: // NaN
		return sign | 0x7e00
	case magnitude >= 0x477ff000: // 65,520
		return sign | 0x7c00
	case magnitude < 0x38800000: // 2^-14: subnormal, adding 1/2 rounds to a multiple of 2^-24
		return sign | Float16(math.Float32bits(math.Float32frombits(magnitude)+0.5)-0x3f000000)
	}
	magnitude -= (127 - 15) << 23
	return sign | Float16((magnitude+0xfff+magnitude>>13&1)>>13)
}

// Float32 returns the same number, exactly. NaN stays NaN.
func (b BFloat16) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }

// ToBFloat16 rounds to the nearest number, of two to the even one. NaN stays NaN.
func ToBFloat16(x float32) BFloat16 {
	all := math.Float32bits(x)
	if x != x {
		return BFloat16(all>>16 | 0x40) // a bit of the fraction that is kept, lest it become infinite
	}
	return BFloat16((all + 0x7fff + all>>16&1) >> 16)
}

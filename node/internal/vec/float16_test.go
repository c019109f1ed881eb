package vec_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// half computes what the bits of a binary16 mean from their definition.
func half(h uint16) float64 {
	sign, exponent, fraction := 1-2*float64(h>>15), int(h>>10&31), float64(h&0x3ff)/1024
	switch {
	case exponent == 31 && fraction != 0:
		return math.NaN()
	case exponent == 31:
		return sign * math.Inf(1)
	case exponent == 0:
		return math.Copysign(math.Ldexp(fraction, -14), sign)
	}
	return sign * math.Ldexp(1+fraction, exponent-15)
}

func TestEveryFloat16MeansWhatTheStandardSaysAndComesBack(t *testing.T) {
	for bits := range 1 << 16 {
		h := vec.Float16(bits)
		got, want := h.Float32(), half(uint16(bits))
		if math.IsNaN(want) {
			if got == got || vec.ToFloat16(got).Float32() == vec.ToFloat16(got).Float32() {
				t.Fatalf("%#04x: NaN became a number", bits)
			}
			continue
		}
		if math.Float64bits(float64(got)) != math.Float64bits(want) {
			t.Fatalf("%#04x: got %v, want %v", bits, got, want)
		}
		if back := vec.ToFloat16(got); back != h {
			t.Fatalf("%#04x came back as %#04x", bits, back)
		}
	}
}

func TestEveryBFloat16IsTheUpperHalfAndComesBack(t *testing.T) {
	for bits := range 1 << 16 {
		b := vec.BFloat16(bits)
		x := b.Float32()
		if math.Float32bits(x) != uint32(bits)<<16 {
			t.Fatalf("%#04x became %v", bits, x)
		}
		back := vec.ToBFloat16(x)
		if x != x {
			if back.Float32() == back.Float32() {
				t.Fatalf("%#04x: NaN became a number", bits)
			}
		} else if back != b {
			t.Fatalf("%#04x came back as %#04x", bits, back)
		}
	}
}

// nearest checks that a rounded number is the nearest of its neighbours, of two the even one.
func nearest(t *rapid.T, x float64, bits uint16, value func(uint16) float64) {
	distance := math.Abs(value(bits) - x)
	for _, neighbour := range []uint16{bits - 1, bits + 1} {
		if neighbour&0x7fff == 0x7fff || (neighbour^bits)&0x8000 != 0 {
			continue // across zero, or a NaN
		}
		other := math.Abs(value(neighbour) - x)
		if other < distance || other == distance && bits&1 == 1 {
			t.Fatalf("%v became %v, but %v is as near or nearer", x, value(bits), value(neighbour))
		}
	}
	if value(bits) != 0 && math.Signbit(value(bits)) != math.Signbit(x) {
		t.Fatalf("%v became %v", x, value(bits))
	}
}

// Ties are as good as never drawn by chance, so bits below those that are kept are drawn from few.
func drawn(t *rapid.T, low, high float32) float32 {
	x := rapid.Float32Range(low, high).Draw(t, "x")
	keep := rapid.SampledFrom([]uint32{0, 0xffff0000, 0xffff8000, 0xfffff000, 0xffffe000}).Draw(t, "keep")
	if keep == 0 {
		return x
	}
	return math.Float32frombits(math.Float32bits(x)&keep | rapid.SampledFrom([]uint32{0, 1}).Draw(t, "more"))
}

func TestFloat16RoundsToTheNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low, high := float32(-65519), float32(65519)
		if rapid.Bool().Draw(t, "small") {
			low, high = -1e-4, 1e-4
		}
		x := drawn(t, low, high)
		nearest(t, float64(x), uint16(vec.ToFloat16(x)), func(bits uint16) float64 {
			if bits&0x7fff == 0x7c00 {
				return math.Copysign(65536, half(bits))
			}
			return half(bits)
		})
	})
	for x, want := range map[float32]vec.Float16{
		65504: 0x7bff, 65519.99: 0x7bff, 65520: 0x7c00, 1e30: 0x7c00, -65520: 0xfc00, float32(math.Inf(1)): 0x7c00, float32(math.Inf(-1)): 0xfc00,
		1.0 / (1 << 25): 0, 1.0 / (1 << 25) * 1.0001: 1, -1e-30: 0x8000, 2049: 0x6800, 2051: 0x6802,
	} {
		if got := vec.ToFloat16(x); got != want {
			t.Errorf("%v: got %#04x, want %#04x", x, got, want)
		}
	}
}

func TestBFloat16RoundsToTheNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawn(t, -math.MaxFloat32, math.MaxFloat32)
		nearest(t, float64(x), uint16(vec.ToBFloat16(x)), func(bits uint16) float64 {
			if bits&0x7fff == 0x7f80 {
				return math.Copysign(math.Ldexp(1, 128), float64(vec.BFloat16(bits).Float32()))
			}
			return float64(vec.BFloat16(bits).Float32())
		})
	})
	for x, want := range map[float32]vec.BFloat16{1: 0x3f80, 257: 0x4380, 259: 0x4382, math.MaxFloat32: 0x7f80, -0.5: 0xbf00} {
		if got := vec.ToBFloat16(x); got != want {
			t.Errorf("%v: got %#04x, want %#04x", x, got, want)
		}
	}
}

package main

import (
	"math/bits"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	signBits = 0x80808080
	ones     = 0x01010101
)

// wideByteKernels compares bytes, 64 at a time. VPDPBUSD multiplies unsigned by signed bytes and adds four products
// to each 32 bit lane without saturation, so it is exact.
func wideByteKernels() []*x86Kernel {
	return []*x86Kernel{
		{
			name: "dotInt8", set: "VNNI", sum: "int32", query: 1, row: 1, lanes: 64, wide: true,
			loadQuery: loadBytes, loadMask: loadMasked,
			step: func(e *emitter, row int, query reg.Register, at operand.Op, turn int) {
				e.VPDPBUSD(query, loadBytes(e, at), e.sums[row][turn%2])
			},
		},
		dotUint8VNNI(), euclidUint8VNNI(),
		{
			name: "manhattanUint8", set: "AVX512", sum: "uint32", query: 1, row: 1, lanes: 64, wide: true,
			loadQuery: loadBytes, loadMask: loadMasked,
			step: func(e *emitter, row int, query reg.Register, at operand.Op, turn int) {
				t := e.ZMM()
				e.VPSADBW(at, query, t)
				e.VPADDQ(t, e.sums[row][turn%2], e.sums[row][turn%2])
			},
		},
		{
			name: "hamming", set: "VPOPCNTDQ", sum: "uint32", query: 8, row: 8, lanes: 8, wide: true,
			loadQuery: loadBytes, loadMask: loadMasked,
			step: func(e *emitter, row int, query reg.Register, at operand.Op, turn int) {
				t := e.ZMM()
				e.VPXORQ(at, query, t)
				e.VPOPCNTQ(t, t)
				e.VPADDQ(t, e.sums[row][turn%2], e.sums[row][turn%2])
			},
		},
	}
}

// dotUint8VNNI makes one side signed: q*r = q*(r-128) + 128*q, and the sum of q is the same for all rows.
func dotUint8VNNI() *x86Kernel {
	return &x86Kernel{
		name: "dotUint8", set: "VNNI", sum: "uint32", query: 1, row: 1, lanes: 64, wide: true,
		prepare: func(e *emitter) {
			e.constant(signBits)
			e.constant(ones)
			e.common = e.zero()
		},
		loadQuery: loadBytes, loadMask: loadMasked,
		shared: func(e *emitter, query reg.Register) { e.VPDPBUSD(e.constants[1], query, e.common) },
		step: func(e *emitter, row int, query reg.Register, at operand.Op, turn int) {
			t := e.ZMM()
			e.VPXORD(at, e.constants[0], t)
			e.VPDPBUSD(t, query, e.sums[row][turn%2])
		},
		finish: func(e *emitter, row int) {
			if row == 0 {
				e.VPSLLD(operand.U8(7), e.common, e.common)
			}
			e.add(e.common, e.sums[row][0])
		},
	}
}

// euclidUint8VNNI squares d = |q-r|, which is unsigned, as d*(d-128) + 128*d.
func euclidUint8VNNI() *x86Kernel {
	return &x86Kernel{
		name: "euclidUint8", set: "VNNI", sum: "uint32", query: 1, row: 1, lanes: 64, wide: true,
		prepare: func(e *emitter) {
			e.constant(signBits)
			e.constant(ones)
			for range e.rows {
				e.extra = append(e.extra, e.zero())
			}
		},
		loadQuery: loadBytes, loadMask: loadMasked,
		step: func(e *emitter, row int, query reg.Register, at operand.Op, turn int) {
			larger, difference := e.ZMM(), e.ZMM()
			e.VPMAXUB(at, query, larger)
			e.VPMINUB(at, query, difference)
			e.VPSUBB(difference, larger, difference)
			e.VPXORD(difference, e.constants[0], larger)
			e.VPDPBUSD(larger, difference, e.sums[row][turn%2])
			e.VPDPBUSD(e.constants[1], difference, e.extra[row])
		},
		finish: func(e *emitter, row int) {
			e.VPSLLD(operand.U8(7), e.extra[row], e.extra[row])
			e.add(e.extra[row], e.sums[row][0])
		},
	}
}

// loadBytes puts integers from memory in a register.
func loadBytes(e *emitter, at operand.Op) reg.Register {
	if r, ok := at.(reg.Register); ok {
		return r
	}
	v := e.kernel.register(e)
	if e.kernel.wide {
		e.VMOVDQU64(at, v)
	} else {
		e.VMOVDQU(at, v)
	}
	return v
}

// narrowKernels compares bytes and bits with AVX2. Bytes are widened to 16 bits and multiplied to 32: unlike
// VPMADDUBSW, which saturates at 16 bits, that is exact.
func narrowKernels() []*x86Kernel {
	return []*x86Kernel{
		narrowProduct("dotInt8", "int32", true),
		narrowProduct("dotUint8", "uint32", false),
		{
			name: "euclidUint8", set: "AVX2", sum: "uint32", query: 1, row: 1, lanes: 16,
			loadQuery: widened(false),
			step: func(e *emitter, row int, query reg.Register, at operand.Op, turn int) {
				t := widened(false)(e, at)
				e.VPSUBW(t, query, t)
				e.VPMADDWD(t, t, t)
				e.VPADDD(t, e.sums[row][turn%2], e.sums[row][turn%2])
			},
			single: func(e *emitter, row int, query, at operand.Mem) {
				q, r := e.GP32(), e.GP32()
				e.MOVBLZX(query, q)
				e.MOVBLZX(at, r)
				e.SUBL(r, q)
				e.IMULL(q, q)
				e.addWord(q, row)
			},
		},
		narrowManhattan(), narrowHamming(),
	}
}

func narrowProduct(name, sum string, signed bool) *x86Kernel {
	return &x86Kernel{
		name: name, set: "AVX2", sum: sum, query: 1, row: 1, lanes: 16,
		loadQuery: widened(signed),
		step: func(e *emitter, row int, query reg.Register, at operand.Op, turn int) {
			t := widened(false)(e, at)
			e.VPMADDWD(t, query, t)
			e.VPADDD(t, e.sums[row][turn%2], e.sums[row][turn%2])
		},
		single: func(e *emitter, row int, query, at operand.Mem) {
			q, r := e.GP32(), e.GP32()
			if signed {
				e.MOVBLSX(query, q)
			} else {
				e.MOVBLZX(query, q)
			}
			e.MOVBLZX(at, r)
			e.IMULL(r, q)
			e.addWord(q, row)
		},
	}
}

// widened loads 16 bytes as 16 bit integers.
func widened(signed bool) func(e *emitter, at operand.Op) reg.Register {
	return func(e *emitter, at operand.Op) reg.Register {
		v := e.YMM()
		if signed {
			e.VPMOVSXBW(at, v)
		} else {
			e.VPMOVZXBW(at, v)
		}
		return v
	}
}

// narrowManhattan works on 128 bits, so that not more than 15 elements are left to be taken one by one.
func narrowManhattan() *x86Kernel {
	return &x86Kernel{
		name: "manhattanUint8", set: "AVX2", sum: "uint32", query: 1, row: 1, lanes: 16,
		loadQuery: func(e *emitter, at operand.Op) reg.Register {
			v := e.XMM()
			e.VMOVDQU(at, v)
			return v
		},
		step: func(e *emitter, row int, query reg.Register, at operand.Op, turn int) {
			t := e.XMM()
			e.VPSADBW(at, query, t)
			e.VPADDQ(t, e.sums[row][turn%2].AsX(), e.sums[row][turn%2].AsX())
		},
		single: func(e *emitter, row int, query, at operand.Mem) {
			q, r := e.GP32(), e.GP32()
			e.MOVBLZX(query, q)
			e.MOVBLZX(at, r)
			e.SUBL(r, q)
			e.MOVL(q, r)
			e.SARL(operand.U8(31), r)
			e.XORL(r, q)
			e.SUBL(r, q)
			e.addWord(q, row)
		},
	}
}

// narrowHamming counts the bits of each half of a byte with a table, as Muła does.
func narrowHamming() *x86Kernel {
	return &x86Kernel{
		name: "hamming", set: "AVX2", sum: "uint32", query: 8, row: 8, lanes: 4,
		prepare: func(e *emitter) {
			e.constant(0x0f0f0f0f)
			table, zero := e.YMM(), e.YMM()
			e.VBROADCASTI128(operand.NewDataAddr(operand.NewStaticSymbol("bitsOfHalf"), 0), table)
			e.VPXOR(zero, zero, zero)
			e.constants = append(e.constants, table, zero)
		},
		loadQuery: loadBytes,
		step: func(e *emitter, row int, query reg.Register, at operand.Op, turn int) {
			low, high, half := e.YMM(), e.YMM(), e.constants[0]
			e.VPXOR(at, query, low)
			e.VPSRLW(operand.U8(4), low, high)
			e.VPAND(half, low, low)
			e.VPAND(half, high, high)
			e.VPSHUFB(low, e.constants[1], low)
			e.VPSHUFB(high, e.constants[1], high)
			e.VPADDB(low, high, low)
			e.VPSADBW(e.constants[2], low, low)
			e.VPADDQ(low, e.sums[row][turn%2], e.sums[row][turn%2])
		},
		single: func(e *emitter, row int, query, at operand.Mem) {
			q := e.GP64()
			e.MOVQ(query, q)
			e.XORQ(at, q)
			e.POPCNTQ(q, q)
			e.addWord(q.As32(), row)
		},
	}
}

// narrowData writes the tables that the kernels read: masks of the first lanes, and the bits of half a byte.
func narrowData(c *build.Context) {
	c.StaticGlobal("firstLanes")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 16 {
		word := operand.U32(0)
		if i < 8 {
			word = 0xffffffff
		}
		c.AddDatum(4*i, word)
	}
	c.StaticGlobal("bitsOfHalf")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 16 {
		c.AddDatum(i, operand.U8(bits.OnesCount(uint(i))))
	}
}

// addWord adds a 32 bit integer to the sum of what is taken one by one.
func (e *emitter) addWord(word reg.Register, row int) {
	v := e.XMM()
	e.VMOVD(word, v)
	e.VPADDD(v, e.tails[row].AsX(), e.tails[row].AsX())
}

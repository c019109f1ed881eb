package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const clearSign = 0x7fffffff

// floatKernels compares float32 queries with rows of each format.
func floatKernels(wide bool) []*x86Kernel {
	var all []*x86Kernel
	for _, format := range []string{"Float32", "Float16", "BFloat16"} {
		for _, measure := range []string{"dot", "euclid", "manhattan"} {
			all = append(all, floatKernel(measure, format, wide))
		}
	}
	return all
}

func floatKernel(measure, format string, wide bool) *x86Kernel {
	k := &x86Kernel{
		name: measure + format, set: "AVX2", sum: "float32",
		query: 4, row: 4, lanes: 8, wide: wide,
		loadQuery: loadFloats,
		step: func(e *emitter, row int, query reg.Register, at operand.Op, turn int) {
			e.measure(measure, query, e.float32s(format, at), e.sums[row][turn%2])
		},
		single: func(e *emitter, row int, query, at operand.Mem) {
			q := e.XMM()
			e.VMOVSS(query, q)
			e.measureOne(measure, q, e.float32One(format, at), e.tails[row].AsX())
		},
	}
	if format != "Float32" {
		k.row = 2
	}
	if wide {
		k.set, k.lanes = "AVX512", 16
	}
	if wide || format == "Float32" {
		k.loadMask = loadMasked
	}
	if measure == "manhattan" {
		k.prepare = func(e *emitter) { e.constant(clearSign) }
	}
	return k
}

// loadFloats puts floats from memory in a register.
func loadFloats(e *emitter, at operand.Op) reg.Register {
	if r, ok := at.(reg.Register); ok {
		return r
	}
	v := e.kernel.register(e)
	e.VMOVUPS(at, v)
	return v
}

// loadMasked loads the lanes of a mask and makes the others zero.
func loadMasked(e *emitter, at operand.Mem, size int, mask reg.Register) operand.Op {
	switch {
	case !e.kernel.wide:
		v := e.YMM()
		e.VMASKMOVPS(at, mask, v)
		return v
	case size == 8:
		v := e.ZMM()
		e.VMOVDQU64_Z(at, mask, v)
		return v
	case size == 4:
		v := e.ZMM()
		e.VMOVUPS_Z(at, mask, v)
		return v
	case size == 2:
		v := e.YMM()
		e.VMOVDQU16_Z(at, mask, v)
		return v
	default:
		v := e.ZMM()
		e.VMOVDQU8_Z(at, mask, v)
		return v
	}
}

// float32s turns the elements of a step into float32, which is exact.
func (e *emitter) float32s(format string, at operand.Op) operand.Op {
	switch format {
	case "Float16":
		v := e.kernel.register(e)
		e.VCVTPH2PS(at, v)
		return v
	case "BFloat16":
		v := e.kernel.register(e)
		e.VPMOVZXWD(at, v)
		e.VPSLLD(operand.U8(16), v, v)
		return v
	}
	return at
}

// measure adds what a step is worth to a sum.
func (e *emitter) measure(measure string, query reg.Register, row operand.Op, sum reg.Register) {
	if measure == "dot" {
		e.VFMADD231PS(row, query, sum)
		return
	}
	difference := e.kernel.register(e)
	e.VSUBPS(row, query, difference)
	if measure == "euclid" {
		e.VFMADD231PS(difference, difference, sum)
		return
	}
	e.VANDPS(e.constants[0], difference, difference)
	e.VADDPS(difference, sum, sum)
}

func (e *emitter) float32One(format string, at operand.Mem) reg.Register {
	v, word := e.XMM(), e.GP32()
	e.MOVWLZX(at, word)
	if format == "BFloat16" {
		e.SHLL(operand.U8(16), word)
	}
	e.VMOVD(word, v)
	if format == "Float16" {
		e.VCVTPH2PS(v, v)
	}
	return v
}

func (e *emitter) measureOne(measure string, query, row, sum reg.Register) {
	if measure == "dot" {
		e.VFMADD231SS(row, query, sum)
		return
	}
	difference := e.XMM()
	e.VSUBSS(row, query, difference)
	if measure == "euclid" {
		e.VFMADD231SS(difference, difference, sum)
		return
	}
	e.VANDPS(e.constants[0].AsX(), difference, difference)
	e.VADDSS(difference, sum, sum)
}

package main

import (
	"bytes"
	"fmt"
)

// armKernel is what distinguishes the kernels for arm64. avo does not know that architecture, so they are written as
// text, with fixed registers:
//
//	R0 query, R1 elements left, R2-R5 rows, R6-R9 the rows to come, R10-R11 scratch, R12-R15 sums of single integers
//	V0-V1 query, V2 row, V3-V7 scratch, V16-V23 two sums for each row, V24-V27 sums of single floats, or further
//	sums of integers, V30-V31 constants
//
// A step takes 16 bytes of a row, a turn of the main loop a cache line.
type armKernel struct {
	name, set string
	sum       string // its Go type
	query     int    // bytes of an element of the query
	row       int    // bytes of an element of a row

	prepare func(*armText)                // may be nil
	shared  func(*armText)                // may be nil: what is done once with the query in V0 and V1 for all rows
	step    func(t *armText, a, b vector) // adds the row in V2 to the sums a and b
	more    func(t *armText, row int)     // may be nil: adds the row in V2 to a further sum
	load    func(t *armText)              // one element of the query to R10 or F0
	single  func(t *armText, row int)     // one element of a row
	finish  func(t *armText, row int)     // may be nil: before the lanes are added up
}

// vector is the number of a vector register.
type vector uint32

func (k *armKernel) lanes() int { return 16 / k.row }

// armText is the assembly of one file.
type armText struct{ bytes.Buffer }

func (t *armText) line(format string, args ...any) { fmt.Fprintf(&t.Buffer, "\t"+format+"\n", args...) }

func (t *armText) label(name string) { fmt.Fprintf(&t.Buffer, "\n%s:\n", name) }

// armCodes are the instructions that Go's assembler has no name for, or other names, with all registers 0.
var armCodes = map[string]uint32{
	"fadd 4s": 0x4e20d400, "fsub 4s": 0x4ea0d400, "fabd 4s": 0x6ea0d400, "faddp 4s": 0x6e20d400, "fmla 4s": 0x4e20cc00,
	"add 4s": 0x4ea08400, "sub 4s": 0x6ea08400, "addp 4s": 0x4ea0bc00, "shl 4s, 7": 0x4f275400,
	"uabd 16b": 0x6e207400, "eor 16b": 0x6e201c00, "cnt 16b": 0x4e205800,
	"umull 8h, 8b": 0x2e20c000, "umull2 8h, 16b": 0x6e20c000, "smlal 4s, 4h": 0x0e608000, "smlal2 4s, 8h": 0x4e608000,
	"uadalp 4s, 8h": 0x6e606800, "uaddlp 8h, 16b": 0x6e202800,
	"fcvtl 4s, 4h": 0x0e217800, "fcvtl2 4s, 8h": 0x4e217800, "shll 4s, 4h, 16": 0x2e613800, "shll2 4s, 8h, 16": 0x6e613800,
	"sxtl 8h, 8b": 0x0f08a400, "sxtl2 8h, 16b": 0x4f08a400, "uxtl 8h, 8b": 0x2f08a400, "uxtl2 8h, 16b": 0x6f08a400,
	"udot 4s, 16b": 0x6e809400,
}

// three writes to = op(a, b), two writes to = op(a), both of instructions in armCodes.
func (t *armText) three(op string, to, a, b vector) {
	t.line("WORD $0x%08x // %s: v%d, v%d, v%d", armCode(op)|uint32(b)<<16|uint32(a)<<5|uint32(to), op, to, a, b)
}

func (t *armText) two(op string, to, a vector) {
	t.line("WORD $0x%08x // %s: v%d, v%d", armCode(op)|uint32(a)<<5|uint32(to), op, to, a)
}

func armCode(op string) uint32 {
	code, ok := armCodes[op]
	if !ok {
		panic("no code for " + op)
	}
	return code
}

// assembleArm writes kernels, each for one row and for four, as one file of assembly.
func assembleArm(kernels []*armKernel) []byte {
	t := &armText{}
	fmt.Fprintf(&t.Buffer, "%s\n//go:build arm64 && !purego\n\n#include \"textflag.h\"\n", header)
	for _, k := range kernels {
		t.function(k, 1)
		t.function(k, 4)
	}
	t.prefetch()
	return t.Bytes()
}

func (t *armText) function(k *armKernel, rows int) {
	if rows == 1 {
		t.begin(k.name+k.set, "func(query unsafe.Pointer, row unsafe.Pointer, n int) "+k.sum, 28)
		t.line("MOVD query+0(FP), R0")
		t.line("MOVD row+8(FP), R2")
		t.line("MOVD n+16(FP), R1")
	} else {
		t.begin(k.name+"x4"+k.set, "func(query unsafe.Pointer, n int, row0, row1, row2, row3, next0, next1, next2, next3 unsafe.Pointer, sums *[4]"+k.sum+")", 88)
		t.line("MOVD query+0(FP), R0")
		t.line("MOVD n+8(FP), R1")
		for i := range 4 {
			t.line("MOVD row%d+%d(FP), R%d", i, 16+8*i, 2+i)
			t.line("MOVD next%d+%d(FP), R%d", i, 48+8*i, 6+i)
		}
		t.lastLines(k)
	}
	for i := range 2 * rows {
		t.line("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", 16+i)
	}
	for i := range rows {
		t.line("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", 24+i)
		t.line("MOVD ZR, R%d", 12+i)
	}
	if k.prepare != nil {
		k.prepare(t)
	}
	t.loop(k, rows, "main", 4)
	t.loop(k, rows, "step", 1)
	t.singles(k, rows)
	t.reduce(k, rows)
}

func (t *armText) begin(name, signature string, arguments int) {
	fmt.Fprintf(&t.Buffer, "\n// %s\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", "func "+name+signature[len("func"):], name, arguments)
}

// lastLines asks for the line with the last byte of each row to come: the main loop takes every 64th byte.
func (t *armText) lastLines(k *armKernel) {
	shift := map[int]int{1: 0, 2: 1, 4: 2, 8: 3}[k.row]
	t.line("LSL $%d, R1, R10", shift)
	t.line("SUB $1, R10, R10")
	for i := range 4 {
		t.line("ADD R10, R%d, R11", 6+i)
		t.line("PRFM (R11), PLDL1KEEP")
	}
}

// loop takes turns steps at a time, as long as there are so many elements.
func (t *armText) loop(k *armKernel, rows int, label string, turns int) {
	t.line("CMP $%d, R1", k.lanes()*turns)
	t.line("BLT after_%s", label)
	t.label(label)
	if rows > 1 {
		for i := range rows {
			t.line("PRFM (R%d), PLDL1KEEP", 6+i)
			if turns > 1 {
				t.line("ADD $64, R%[1]d, R%[1]d", 6+i)
			}
		}
	}
	for turn := range turns {
		if k.query > k.row {
			t.line("VLD1.P 32(R0), [V0.B16, V1.B16]")
		} else {
			t.line("VLD1.P 16(R0), [V0.B16]")
		}
		if k.shared != nil {
			k.shared(t)
		}
		for i := range rows {
			t.line("VLD1.P 16(R%d), [V2.B16]", 2+i)
			a, b := vector(16+2*i+turn%2), vector(16+2*i+1-turn%2)
			k.step(t, a, b)
			if k.more != nil {
				k.more(t, i)
			}
		}
	}
	t.line("SUB $%d, R1, R1", k.lanes()*turns)
	t.line("CMP $%d, R1", k.lanes()*turns)
	t.line("BGE %s", label)
	t.label("after_" + label)
}

// singles takes what is left element by element.
func (t *armText) singles(k *armKernel, rows int) {
	t.line("CBZ R1, sum")
	t.label("element")
	k.load(t)
	for i := range rows {
		k.single(t, i)
	}
	t.line("SUB $1, R1, R1")
	t.line("CBNZ R1, element")
	t.label("sum")
}

// reduce adds the lanes of each row's sum, for one row in the same order as for four.
func (t *armText) reduce(k *armKernel, rows int) {
	add, pair := "add 4s", "addp 4s"
	if k.sum == "float32" {
		add, pair = "fadd 4s", "faddp 4s"
	}
	for i := range rows {
		row := vector(16 + 2*i)
		t.three(add, row, row, row+1)
		if k.finish != nil {
			k.finish(t, i)
		}
	}
	if rows == 1 {
		t.three(pair, 16, 16, 16)
		t.three(pair, 16, 16, 16)
	} else {
		t.three(pair, 16, 16, 18)
		t.three(pair, 20, 20, 22)
		t.three(pair, 16, 16, 20)
	}
	for i := range rows {
		switch {
		case k.sum != "float32":
			t.line("VMOV R%d, V24.S[%d]", 12+i, i)
		case i > 0:
			t.line("VMOV V%d.S[0], V24.S[%d]", 24+i, i)
		}
	}
	t.three(add, 16, 16, 24)
	switch {
	case rows == 4:
		t.line("MOVD sums+80(FP), R10")
		t.line("VST1 [V16.B16], (R10)")
	case k.sum == "float32":
		t.line("FMOVS F16, ret+24(FP)")
	default:
		t.line("FMOVS F16, R10")
		t.line("MOVW R10, ret+24(FP)")
	}
	t.line("RET")
}

// prefetch writes the function that asks for every cache line of some memory.
func (t *armText) prefetch() {
	t.begin("prefetch", "func(from unsafe.Pointer, n int)", 16)
	t.line("MOVD from+0(FP), R0")
	t.line("MOVD n+8(FP), R1")
	t.line("CMP $0, R1")
	t.line("BLE end")
	t.line("ADD R0, R1, R1")
	t.line("SUB $1, R1, R1")
	t.label("line")
	t.line("PRFM (R0), PLDL1KEEP")
	t.line("ADD $64, R0, R0")
	t.line("CMP R1, R0")
	t.line("BLO line")
	t.line("PRFM (R1), PLDL1KEEP")
	t.label("end")
	t.line("RET")
}

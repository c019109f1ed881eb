package main

// neonKernels are those that every arm64 can run.
func neonKernels() []*armKernel {
	var all []*armKernel
	for _, format := range []string{"Float32", "Float16", "BFloat16"} {
		for _, measure := range []string{"dot", "euclid", "manhattan"} {
			all = append(all, armFloat(measure, format))
		}
	}
	return append(all, armBytes("dotInt8", "NEON", nil, func(t *armText, a, b vector) {
		t.two("uxtl 8h, 8b", 3, 2)
		t.two("uxtl2 8h, 16b", 4, 2)
		t.three("smlal 4s, 4h", a, 3, 5)
		t.three("smlal2 4s, 8h", b, 3, 5)
		t.three("smlal 4s, 4h", a, 4, 6)
		t.three("smlal2 4s, 8h", b, 4, 6)
	}), armBytes("dotUint8", "NEON", nil, func(t *armText, a, b vector) {
		t.products(0, 2, a, b)
	}), armBytes("euclidUint8", "NEON", nil, func(t *armText, a, b vector) {
		t.three("uabd 16b", 3, 0, 2)
		t.products(3, 3, a, b)
	}), armBytes("manhattanUint8", "NEON", nil, func(t *armText, a, b vector) {
		t.three("uabd 16b", 3, 0, 2)
		t.two("uaddlp 8h, 16b", 3, 3)
		t.two("uadalp 4s, 8h", a, 3)
	}), armHamming())
}

// dotProductKernels use UDOT, which multiplies unsigned bytes and adds four products to each 32 bit lane.
func dotProductKernels() []*armKernel {
	return []*armKernel{
		armBytes("dotUint8", "DOTPROD", nil, func(t *armText, a, b vector) {
			t.three("udot 4s, 16b", a, 0, 2)
		}),
		armBytes("euclidUint8", "DOTPROD", nil, func(t *armText, a, b vector) {
			t.three("uabd 16b", 3, 0, 2)
			t.three("udot 4s, 16b", a, 3, 3)
		}),
		signedDotProduct(),
	}
}

// signedDotProduct makes the query unsigned: q*r = (q+128)*r - 128*r.
func signedDotProduct() *armKernel {
	k := armBytes("dotInt8", "DOTPROD", func(t *armText) {
		t.three("eor 16b", 0, 0, 30)
	}, func(t *armText, a, b vector) {
		t.three("udot 4s, 16b", a, 0, 2)
	})
	k.prepare = func(t *armText) {
		t.line("VMOVI $128, V30.B16")
		t.line("VMOVI $1, V31.B16")
	}
	k.more = func(t *armText, row int) { t.three("udot 4s, 16b", vector(24+row), 2, 31) }
	k.finish = func(t *armText, row int) {
		extra, sum := vector(24+row), vector(16+2*row)
		t.two("shl 4s, 7", extra, extra)
		t.three("sub 4s", sum, sum, extra)
	}
	return k
}

// products adds the products of the bytes in x and y to a and b.
func (t *armText) products(x, y, a, b vector) {
	t.three("umull 8h, 8b", 4, x, y)
	t.three("umull2 8h, 16b", 5, x, y)
	t.two("uadalp 4s, 8h", a, 4)
	t.two("uadalp 4s, 8h", b, 5)
}

func armFloat(measure, format string) *armKernel {
	k := &armKernel{name: measure + format, set: "NEON", sum: "float32", query: 4, row: 2}
	switch format {
	case "Float32":
		k.row = 4
		k.step = func(t *armText, a, _ vector) { t.measure(measure, 0, 2, a) }
	case "Float16":
		k.step = func(t *armText, a, b vector) {
			t.two("fcvtl 4s, 4h", 3, 2)
			t.two("fcvtl2 4s, 8h", 4, 2)
			t.measure(measure, 0, 3, a)
			t.measure(measure, 1, 4, b)
		}
	case "BFloat16":
		k.step = func(t *armText, a, b vector) {
			t.two("shll 4s, 4h, 16", 3, 2)
			t.two("shll2 4s, 8h, 16", 4, 2)
			t.measure(measure, 0, 3, a)
			t.measure(measure, 1, 4, b)
		}
	}
	k.load = func(t *armText) { t.line("FMOVS.P 4(R0), F0") }
	k.single = func(t *armText, row int) {
		t.loadFloat(format, row)
		t.measureOne(measure, 24+row)
	}
	return k
}

// measure adds what four floats are worth to a sum.
func (t *armText) measure(measure string, query, row, sum vector) {
	switch measure {
	case "dot":
		t.three("fmla 4s", sum, query, row)
	case "euclid":
		t.three("fsub 4s", 5, query, row)
		t.three("fmla 4s", sum, 5, 5)
	default:
		t.three("fabd 4s", 5, query, row)
		t.three("fadd 4s", sum, sum, 5)
	}
}

func (t *armText) loadFloat(format string, row int) {
	switch format {
	case "Float32":
		t.line("FMOVS.P 4(R%d), F2", 2+row)
	case "Float16":
		t.line("MOVHU.P 2(R%d), R11", 2+row)
		t.line("FMOVS R11, F2")
		t.line("FCVTHS F2, F2")
	default:
		t.line("MOVHU.P 2(R%d), R11", 2+row)
		t.line("LSL $16, R11, R11")
		t.line("FMOVS R11, F2")
	}
}

func (t *armText) measureOne(measure string, sum int) {
	switch measure {
	case "dot":
		t.line("FMADDS F2, F%[1]d, F0, F%[1]d", sum)
	case "euclid":
		t.line("FSUBS F2, F0, F3")
		t.line("FMADDS F3, F%[1]d, F3, F%[1]d", sum)
	default:
		t.line("FSUBS F2, F0, F3")
		t.line("FABSS F3, F3")
		t.line("FADDS F3, F%[1]d, F%[1]d", sum)
	}
}

func armBytes(name, set string, shared func(*armText), step func(t *armText, a, b vector)) *armKernel {
	k := &armKernel{name: name, set: set, sum: "uint32", query: 1, row: 1, shared: shared, step: step}
	k.load = func(t *armText) { t.line("MOVBU.P 1(R0), R10") }
	if name == "dotInt8" {
		k.sum = "int32"
		k.load = func(t *armText) { t.line("MOVB.P 1(R0), R10") }
		if shared == nil {
			k.shared = func(t *armText) {
				t.two("sxtl 8h, 8b", 5, 0)
				t.two("sxtl2 8h, 16b", 6, 0)
			}
		}
	}
	k.single = func(t *armText, row int) {
		t.line("MOVBU.P 1(R%d), R11", 2+row)
		switch name {
		case "euclidUint8":
			t.line("SUBW R11, R10, R11")
			t.line("MADDW R11, R%[1]d, R11, R%[1]d", 12+row)
		case "manhattanUint8":
			t.line("SUBSW R11, R10, R11")
			t.line("CNEGW LT, R11, R11")
			t.line("ADDW R11, R%[1]d, R%[1]d", 12+row)
		default:
			t.line("MADDW R11, R%[1]d, R10, R%[1]d", 12+row)
		}
	}
	return k
}

func armHamming() *armKernel {
	return &armKernel{
		name: "hamming", set: "NEON", sum: "uint32", query: 8, row: 8,
		step: func(t *armText, a, _ vector) {
			t.three("eor 16b", 3, 0, 2)
			t.two("cnt 16b", 3, 3)
			t.two("uaddlp 8h, 16b", 3, 3)
			t.two("uadalp 4s, 8h", a, 3)
		},
		load: func(t *armText) { t.line("MOVD.P 8(R0), R10") },
		single: func(t *armText, row int) {
			t.line("MOVD.P 8(R%d), R11", 2+row)
			t.line("EOR R10, R11, R11")
			t.line("FMOVD R11, F2")
			t.line("VCNT V2.B8, V2.B8")
			t.line("VUADDLV V2.B8, V2")
			t.line("FMOVS F2, R11")
			t.line("ADDW R11, R%[1]d, R%[1]d", 12+row)
		},
	}
}

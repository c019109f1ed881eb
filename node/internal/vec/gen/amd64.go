package main

import (
	"fmt"
	"go/token"
	"go/types"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// prefetchBytes is the length of a cache line, which is also what one turn of a main loop takes of a row, or a
// multiple of it: so each line of the rows to come is asked for once.
const prefetchBytes = 64

// linesAhead is how many lines of each row are asked for before the first rows are compared: the processor has more
// of them on their way then than the next four rows would give it to do.
const linesAhead = 2

// emitter writes the instructions of one kernel for x86.
type emitter struct {
	*build.Context
	kernel *x86Kernel

	query, n, index reg.GPVirtual
	rows, next      []reg.GPVirtual
	sums            [][]reg.VecVirtual // of each row: accumulators, which the steps of a loop take in turn
	extra           []reg.VecVirtual   // one per row, for kernels that need a second kind of sum
	tails           []reg.VecVirtual   // one per row, for elements that are taken one by one
	common          reg.VecVirtual     // a sum that all rows share
	constants       []reg.VecVirtual
}

// x86Kernel is what distinguishes the kernels: how a step, some lanes of query and row, goes into the sums.
type x86Kernel struct {
	name, set string // the set of instructions
	sum       string // its Go type
	query     int    // bytes of an element of the query
	row       int    // bytes of an element of a row
	lanes     int    // elements of a step
	wide      bool   // 512 bits and masks

	prepare   func(*emitter)                                                           // may be nil
	loadQuery func(e *emitter, at operand.Op) reg.Register                             // at: memory or register
	loadMask  func(e *emitter, at operand.Mem, size int, mask reg.Register) operand.Op // nil: one by one
	shared    func(e *emitter, query reg.Register)                                     // may be nil: what is done once for all rows
	step      func(e *emitter, row int, query reg.Register, at operand.Op, turn int)   // at: memory or register
	single    func(e *emitter, row int, query, at operand.Mem)                         // one element
	finish    func(e *emitter, row int)                                                // may be nil: before the lanes are added up
}

// turns is how many steps one turn of the main loop takes: whole cache lines of a row, and two steps at least, for
// two independent sums.
func (k *x86Kernel) turns() int { return max(prefetchBytes/(k.lanes*k.row), 2) }

func (k *x86Kernel) register(e *emitter) reg.VecVirtual {
	if k.wide {
		return e.ZMM()
	}
	return e.YMM()
}

// assemble prints kernels, each for one row and for many, as one file of assembly.
func assemble(kernels []*x86Kernel, constraint string, data func(*build.Context)) ([]byte, error) {
	c := build.NewContext()
	c.ConstraintExpr(constraint)
	data(c)
	for _, k := range kernels {
		one := &emitter{Context: c, kernel: k}
		one.begin(k.name+k.set, oneSignature(k.sum), "row")
		one.body()
		one.giveBack()
		one.end()

		many := &emitter{Context: c, kernel: k}
		many.begin(k.name+"Many"+k.set, manySignature(k.sum))
		many.groups()
		many.end()
	}
	return compile(c)
}

func compile(c *build.Context) ([]byte, error) {
	f, err := c.Result()
	if err != nil {
		return nil, fmt.Errorf("build assembly: %w", err)
	}
	if err := pass.Compile.Execute(f); err != nil {
		return nil, fmt.Errorf("compile assembly: %w", err)
	}
	return printer.NewGoAsm(printer.Config{Name: generator, Pkg: "vec"}).Print(f)
}

var pointer = types.Typ[types.UnsafePointer]

func oneSignature(sum string) *gotypes.Signature {
	params := types.NewTuple(param("query", pointer), param("row", pointer), param("n", types.Typ[types.Int]))
	return gotypes.NewSignature(nil, types.NewSignatureType(nil, nil, nil, params, types.NewTuple(param("", basic(sum))), false))
}

func manySignature(sum string) *gotypes.Signature {
	params := types.NewTuple(
		param("query", pointer), param("n", types.Typ[types.Int]),
		param("rows", types.NewPointer(pointer)), param("count", types.Typ[types.Int]),
		param("sums", types.NewPointer(basic(sum))),
	)
	return gotypes.NewSignature(nil, types.NewSignatureType(nil, nil, nil, params, nil, false))
}

func param(name string, t types.Type) *types.Var { return types.NewParam(token.NoPos, nil, name, t) }

func basic(name string) types.Type { return types.Universe.Lookup(name).Type() }

func (e *emitter) begin(name string, signature *gotypes.Signature, rows ...string) {
	e.Function(name)
	e.Attributes(attr.NOSPLIT)
	e.Signature(signature)
	load := func(param string) reg.GPVirtual { return loadParam(e.Context, param) }
	e.query, e.n = load("query"), load("n")
	for _, param := range rows {
		e.rows = append(e.rows, load(param))
	}
}

// groups compares four rows at a time. What is left over at the end, fewer than four, is taken together with some of
// the rows before once more.
func (e *emitter) groups() {
	list := loadParam(e.Context, "rows")
	count, sums := paramAddress(e.Context, "count"), paramAddress(e.Context, "sums")
	e.ahead(list, count)
	e.Label("group")
	next := e.GP64()
	e.MOVQ(count, next)
	e.CMPQ(next, operand.U8(8))
	e.JLE(operand.LabelRef("last_rows_ahead"))
	e.MOVQ(operand.U32(8), next)
	e.Label("last_rows_ahead")
	for i := range 4 {
		row, ahead := e.GP64(), e.GP64()
		e.MOVQ(operand.Mem{Base: list, Disp: 8 * i}, row)
		e.MOVQ(operand.Mem{Base: list, Index: next, Scale: 8, Disp: 8 * (i - 4)}, ahead)
		e.rows, e.next = append(e.rows, row), append(e.next, ahead)
	}
	e.body()
	to := e.GP64()
	e.MOVQ(sums, to)
	e.VMOVUPS(e.sums[0][0].AsX(), operand.Mem{Base: to})
	e.ADDQ(operand.U8(32), list)
	e.ADDQ(operand.U8(16), sums)
	e.SUBQ(operand.U8(4), count)
	e.JEQ(operand.LabelRef("done"))
	left := e.GP64()
	e.MOVQ(count, left)
	e.SUBQ(operand.U8(4), left)
	e.JGE(operand.LabelRef("group"))
	e.LEAQ(operand.Mem{Base: list, Index: left, Scale: 8}, list)
	e.SHLQ(operand.U8(2), left)
	e.ADDQ(left, sums)
	e.MOVQ(operand.U32(4), count)
	e.JMP(operand.LabelRef("group"))
	e.Label("done")
}

// ahead asks for the beginning of every row but the first four, which are used at once.
func (e *emitter) ahead(list reg.GPVirtual, count operand.Mem) {
	i, row := e.GP64(), e.GP64()
	e.MOVQ(operand.U32(4), i)
	e.Label("ahead")
	e.CMPQ(i, count)
	e.JGE(operand.LabelRef("group"))
	e.MOVQ(operand.Mem{Base: list, Index: i, Scale: 8}, row)
	for line := range linesAhead {
		e.PREFETCHT0(operand.Mem{Base: row, Disp: prefetchBytes * line})
	}
	e.INCQ(i)
	e.JMP(operand.LabelRef("ahead"))
}

func paramAddress(c *build.Context, name string) operand.Mem {
	p, err := c.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// loadParam loads a parameter of 64 bits. avo's own Load does not know unsafe.Pointer.
func loadParam(c *build.Context, name string) reg.GPVirtual {
	v := c.GP64()
	c.MOVQ(paramAddress(c, name), v)
	return v
}

// giveBack stores the result, whatever its type in 32 bits.
func (e *emitter) giveBack() {
	result, err := e.ReturnIndex(0).Resolve()
	if err != nil {
		panic(err)
	}
	if e.kernel.sum == "float32" {
		e.VMOVSS(e.sums[0][0].AsX(), result.Addr)
		return
	}
	word := e.GP32()
	e.VMOVD(e.sums[0][0].AsX(), word)
	e.MOVL(word, result.Addr)
}

func (e *emitter) end() {
	e.VZEROUPPER()
	e.RET()
}

// body leaves the sums of all rows in the lanes of the first accumulator: one row's in lane 0, four rows' in 0 to 3.
func (e *emitter) body() {
	k := e.kernel
	for range e.rows {
		e.sums = append(e.sums, []reg.VecVirtual{e.zero(), e.zero()})
	}
	if k.prepare != nil {
		k.prepare(e)
	}
	e.index = e.GP64()
	e.XORQ(e.index, e.index)
	e.loop("main", k.turns())
	e.loop("step", 1)
	for i := range e.next {
		e.PREFETCHT0(operand.Mem{Base: e.next[i], Index: e.n, Scale: uint8(k.row), Disp: -1})
	}
	for i := range e.rows {
		e.add(e.sums[i][1], e.sums[i][0])
	}
	if k.loadMask != nil {
		e.masked()
	} else {
		e.oneByOne()
	}
	e.reduce()
}

// loop takes turns steps at a time, as long as there are so many.
func (e *emitter) loop(label string, turns int) {
	k := e.kernel
	past := func() { // the index after the next turn, against n
		after := e.GP64()
		e.LEAQ(operand.Mem{Base: e.index, Disp: k.lanes * turns}, after)
		e.CMPQ(after, e.n)
	}
	past()
	e.JGT(operand.LabelRef("after_" + label))
	e.Label(label)
	for turn := range turns {
		if turn*k.lanes*k.row%prefetchBytes == 0 {
			for _, p := range e.next {
				e.PREFETCHT0(e.at(p, k.row, turn))
			}
		}
		query := k.loadQuery(e, e.at(e.query, k.query, turn))
		if k.shared != nil {
			k.shared(e, query)
		}
		for i, row := range e.rows {
			k.step(e, i, query, e.at(row, k.row, turn), turn)
		}
	}
	e.ADDQ(operand.I32(k.lanes*turns), e.index)
	past()
	e.JLE(operand.LabelRef(label))
	e.Label("after_" + label)
}

// at is the memory of a step: turn steps after the index.
func (e *emitter) at(base reg.Register, size, turn int) operand.Mem {
	return operand.Mem{Base: base, Index: e.index, Scale: uint8(size), Disp: turn * e.kernel.lanes * size}
}

// masked takes what is left in one step whose other lanes are zero and are not read: they cannot fault.
func (e *emitter) masked() {
	k := e.kernel
	left := e.GP64()
	e.MOVQ(e.n, left)
	e.SUBQ(e.index, left)
	e.JEQ(operand.LabelRef("sum"))
	mask := e.mask(left)
	query := k.loadQuery(e, k.loadMask(e, e.at(e.query, k.query, 0), k.query, mask))
	if k.shared != nil {
		k.shared(e, query)
	}
	for i, row := range e.rows {
		k.step(e, i, query, k.loadMask(e, e.at(row, k.row, 0), k.row, mask), 0)
	}
	e.Label("sum")
}

// mask has the first lanes set, as many as left says.
func (e *emitter) mask(left reg.GPVirtual) reg.Register {
	if e.kernel.wide {
		bits, mask := e.GP64(), e.K()
		e.MOVQ(operand.I32(-1), bits)
		e.BZHIQ(left, bits, bits)
		e.KMOVQ(bits, mask)
		return mask
	}
	table, mask := e.GP64(), e.YMM()
	e.LEAQ(operand.NewDataAddr(operand.NewStaticSymbol("firstLanes"), 32), table)
	e.NEGQ(left)
	e.VMOVDQU(operand.Mem{Base: table, Index: left, Scale: 4}, mask)
	return mask
}

// oneByOne takes what is left element by element, in sums of its own: 128 bit instructions clear the upper half.
func (e *emitter) oneByOne() {
	for range e.rows {
		tail := e.YMM()
		e.VPXOR(tail, tail, tail)
		e.tails = append(e.tails, tail)
	}
	e.CMPQ(e.index, e.n)
	e.JGE(operand.LabelRef("sum"))
	e.Label("element")
	for i, row := range e.rows {
		e.kernel.single(e, i, e.at(e.query, e.kernel.query, 0), e.at(row, e.kernel.row, 0))
	}
	e.INCQ(e.index)
	e.CMPQ(e.index, e.n)
	e.JLT(operand.LabelRef("element"))
	e.Label("sum")
}

// reduce adds the lanes of each row's sum, for one row in the same order as for four.
func (e *emitter) reduce() {
	halves := make([]reg.VecVirtual, len(e.rows))
	for i := range e.rows {
		if e.kernel.finish != nil {
			e.kernel.finish(e, i)
		}
		sum, half := e.sums[i][0], e.YMM()
		if e.kernel.wide {
			e.VEXTRACTI64X4(operand.U8(1), sum, half)
			e.addIn(e.plain(), half.AsY(), sum.AsY())
		}
		e.VEXTRACTI128(operand.U8(1), sum.AsY(), half.AsX())
		e.addIn(e.plain(), half.AsX(), sum.AsX())
		if e.tails != nil {
			e.addIn(e.plain(), e.tails[i].AsX(), sum.AsX())
		}
		halves[i] = sum
	}
	pair := func(a, b reg.VecVirtual) {
		if e.kernel.sum == "float32" {
			e.VHADDPS(b.AsX(), a.AsX(), a.AsX())
		} else {
			e.VPHADDD(b.AsX(), a.AsX(), a.AsX())
		}
	}
	if len(halves) == 1 {
		pair(halves[0], halves[0])
		pair(halves[0], halves[0])
		return
	}
	pair(halves[0], halves[1])
	pair(halves[2], halves[3])
	pair(halves[0], halves[2])
}

// plain is the addition that fits the sums.
func (e *emitter) plain() func(ops ...operand.Op) {
	if e.kernel.sum == "float32" {
		return e.VADDPS
	}
	return func(ops ...operand.Op) { e.VPADDD(ops...) }
}

func (e *emitter) addIn(add func(ops ...operand.Op), from, to reg.Register) { add(from, to, to) }

func (e *emitter) add(from, to reg.VecVirtual) { e.addIn(e.plain(), from, to) }

func (e *emitter) zero() reg.VecVirtual {
	v := e.kernel.register(e)
	if e.kernel.wide {
		e.VPXORD(v, v, v)
	} else {
		e.VPXOR(v, v, v)
	}
	return v
}

// constant fills a register with one 32 bit word.
func (e *emitter) constant(word uint32) {
	w, v := e.GP32(), e.kernel.register(e)
	e.MOVL(operand.U32(word), w)
	e.VMOVD(w, v.AsX())
	e.VPBROADCASTD(v.AsX(), v)
	e.constants = append(e.constants, v)
}

// hintsX86 writes the functions that only ask for memory.
func hintsX86(c *build.Context) {
	prefetchX86(c)
	aheadX86(c)
}

// prefetchX86 writes the function that asks for every cache line of some memory.
func prefetchX86(c *build.Context) {
	c.Function("prefetch")
	c.Attributes(attr.NOSPLIT)
	c.Signature(gotypes.NewSignature(nil, types.NewSignatureType(nil, nil, nil,
		types.NewTuple(param("from", pointer), param("n", types.Typ[types.Int])), nil, false)))
	from, n, at := loadParam(c, "from"), loadParam(c, "n"), c.GP64()
	c.XORQ(at, at)
	c.SUBQ(operand.U8(1), n)
	c.JLT(operand.LabelRef("end"))
	c.Label("line")
	c.PREFETCHT0(operand.Mem{Base: from, Index: at, Scale: 1})
	c.ADDQ(operand.U8(prefetchBytes), at)
	c.CMPQ(at, n)
	c.JLT(operand.LabelRef("line"))
	c.PREFETCHT0(operand.Mem{Base: from, Index: n, Scale: 1})
	c.Label("end")
	c.RET()
}

// aheadX86 writes the function that asks for every cache line of the first n bytes of rows.
func aheadX86(c *build.Context) {
	c.Function("ahead")
	c.Attributes(attr.NOSPLIT)
	c.Signature(gotypes.NewSignature(nil, types.NewSignatureType(nil, nil, nil, types.NewTuple(
		param("rows", types.NewPointer(pointer)), param("count", types.Typ[types.Int]), param("n", types.Typ[types.Int]),
	), nil, false)))
	rows, count, n := loadParam(c, "rows"), loadParam(c, "count"), loadParam(c, "n")
	i, row, at := c.GP64(), c.GP64(), c.GP64()
	c.XORQ(i, i)
	c.Label("row")
	c.CMPQ(i, count)
	c.JGE(operand.LabelRef("end"))
	c.MOVQ(operand.Mem{Base: rows, Index: i, Scale: 8}, row)
	c.XORQ(at, at)
	c.Label("line")
	c.PREFETCHT0(operand.Mem{Base: row, Index: at, Scale: 1})
	c.ADDQ(operand.U8(prefetchBytes), at)
	c.CMPQ(at, n)
	c.JLT(operand.LabelRef("line"))
	c.INCQ(i)
	c.JMP(operand.LabelRef("row"))
	c.Label("end")
	c.RET()
}

// unpackX86 writes the function that Unpack describes.
func unpackX86(c *build.Context) {
	c.Function("unpackAVX2")
	c.Attributes(attr.NOSPLIT)
	c.Signature(gotypes.NewSignature(nil, types.NewSignatureType(nil, nil, nil, types.NewTuple(
		param("row", pointer), param("to", pointer), param("n", types.Typ[types.Int]),
	), nil, false)))
	row, to, n := loadParam(c, "row"), loadParam(c, "to"), loadParam(c, "n")
	upper, at, word := c.GP64(), c.GP64(), c.GP32()
	halves, low, high, moved := c.YMM(), c.YMM(), c.YMM(), c.YMM()
	c.MOVL(operand.U32(0x0f0f0f0f), word)
	c.VMOVD(word, halves.AsX())
	c.VPBROADCASTD(halves.AsX(), halves)
	c.LEAQ(operand.Mem{Base: to, Index: n, Scale: 1}, upper)
	c.XORQ(at, at)
	c.Label("bytes")
	c.CMPQ(at, n)
	c.JGE(operand.LabelRef("end"))
	c.VMOVDQU(operand.Mem{Base: row, Index: at, Scale: 1}, high)
	c.VPAND(high, halves, low)
	c.VPANDN(high, halves, high)
	c.VPSLLW(operand.U8(4), low, moved)
	c.VPOR(low, moved, low)
	c.VMOVDQU(low, operand.Mem{Base: to, Index: at, Scale: 1})
	c.VPSRLW(operand.U8(4), high, moved)
	c.VPOR(high, moved, high)
	c.VMOVDQU(high, operand.Mem{Base: upper, Index: at, Scale: 1})
	c.ADDQ(operand.U8(unpackBytes), at)
	c.JMP(operand.LabelRef("bytes"))
	c.Label("end")
	c.VZEROUPPER()
	c.RET()
}

// unpackBytes is how many bytes of a row are unpacked at a time.
const unpackBytes = 32

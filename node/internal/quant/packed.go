package quant

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// A packed row holds each component in half a byte: of a Scalar's 256 levels the 16 that lie 17 apart. It is compared as the
// bytes that it stands for, so queries keep all levels, and nothing but the rows is coarser.
//
//	row   byte i: the lower half is component i, the upper one component i + packedBytes; then, where a Scalar has it, the sum
const (
	packedStep = 17
	packedTop  = 15
)

// TrainPacked is TrainScalar for packed rows.
func TrainPacked(d vec.Distance, size int, quantile float32, sample [][]float32) (*Scalar, error) {
	c, err := TrainScalar(d, size, quantile, sample)
	if err == nil {
		c.packed = true
	}
	return c, err
}

// packedBytes is the length of a packed row without a sum.
func packedBytes(size int) int {
	const whole = vec.UnpackedAtOnce
	return (size + 2*whole - 1) / (2 * whole) * whole
}

// pack writes a row, and returns the sum of the bytes that it stands for.
func (c *Scalar) pack(vector []float32, row []byte) (sum uint32) {
	clear(row)
	factor := 1 / (c.step * packedStep)
	lower, upper := vector[:min(len(vector), len(row))], vector[min(len(vector), len(row)):]
	for i, x := range lower {
		level := packedLevel((x - c.least) * factor)
		row[i] = level
		sum += uint32(level)
	}
	for i, x := range upper {
		level := packedLevel((x - c.least) * factor)
		row[i] |= level << 4
		sum += uint32(level)
	}
	return sum * packedStep
}

func packedLevel(x float32) byte {
	if x += 0.5; !(x > 0) {
		return 0
	} else if x > packedTop {
		return packedTop
	}
	return byte(x)
}

// scalarRows is where a scorer finds the bytes of rows.
type scalarRows struct {
	*arena.Arena
	size    int
	packed  int    // the length of a packed row; 0: rows are bytes as they lie
	block   []byte // of unpacked rows
	own     []byte // of the one that others are compared with
	offsets [unpackedRows]int
}

// unpackedRows is how many rows are unpacked before they are compared: they are to stay in the processor's nearest memory.
const unpackedRows = 8

func (c *Scalar) rowsIn(a *arena.Arena) *scalarRows {
	r := &scalarRows{Arena: a, size: c.size}
	if c.packed {
		r.packed = packedBytes(c.size)
		r.block, r.own = make([]byte, unpackedRows*2*r.packed), make([]byte, 2*r.packed)
		for i := range r.offsets {
			r.offsets[i] = i * 2 * r.packed
		}
	}
	return r
}

// bytes are those of a row, good until the next call.
func (r *scalarRows) bytes(t *vec.Table, row uint32) []byte {
	if r.packed == 0 {
		return arena.Slice[byte](t, row, r.size)
	}
	vec.Unpack(arena.Slice[byte](t, row, r.packed), r.own)
	return r.own[:r.size]
}

// gather is vec.Kernel.Gather of the rows' bytes.
func gather[Q any, S vec.Sum](k vec.Kernel[Q, uint8, S], r *scalarRows, query []Q, t *vec.Table, rows []uint32, sums []S) {
	if r.packed == 0 {
		k.Gather(query, t, rows, sums)
		return
	}
	t.Ahead(rows, r.packed)
	for len(rows) > 0 {
		n := min(len(rows), unpackedRows)
		for i, row := range rows[:n] {
			vec.Unpack(arena.Slice[byte](t, row, r.packed), r.block[r.offsets[i]:][:2*r.packed])
		}
		k.Rows(query, r.block, r.offsets[:n], sums[:n])
		rows, sums = rows[n:], sums[n:]
	}
}

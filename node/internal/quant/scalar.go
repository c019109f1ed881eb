package quant

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Scalar holds each component as one byte: 255 equal steps between two bounds, beyond which components are cut off.
//
// The bounds are the same for all components, so that differences of bytes are differences of components but for a
// factor. For Dot and Cosine, whose scores do not depend on differences, a row ends with the sum of its bytes, and a
// query is held as signed bytes with a scale of its own.
type Scalar struct {
	distance    vec.Distance
	size        int
	least, step float32 // component = least + step * byte
	packed      bool    // rows are half as long (packed.go)
}

// TrainScalar chooses bounds that leave out a share of 1-quantile of the sample's components, the smallest and the
// largest ones. quantile is above 0.5 and not above 1; 0 means 1.
func TrainScalar(d vec.Distance, size int, quantile float32, sample [][]float32) (*Scalar, error) {
	if quantile == 0 {
		quantile = 1
	}
	if err := check(d, size); err != nil {
		return nil, err
	}
	if !(quantile > 0.5 && quantile <= 1) {
		return nil, fault.New(fault.Invalid, "scalar quantization: quantile is %v, want more than 0.5 and at most 1", quantile)
	}
	least, most := bounds(sample, quantile)
	return newScalar(d, size, least, (most-least)/255), nil
}

func newScalar(d vec.Distance, size int, least, step float32) *Scalar {
	if !(step > 0) || math.IsInf(float64(step), 1) { // all components are equal, or are so far apart that float32 ends
		step = 1
	}
	return &Scalar{distance: d, size: size, least: least, step: step}
}

// maxSampled bounds how many components are sorted for a quantile.
const maxSampled = 1 << 20

// bounds are what the given share of components lies between.
func bounds(sample [][]float32, quantile float32) (least, most float32) {
	total := 0
	for _, v := range sample {
		total += len(v)
	}
	if total == 0 {
		return 0, 1
	}
	if quantile == 1 {
		least, most = sample[0][0], sample[0][0]
		for _, v := range sample {
			least, most = min(least, slices.Min(v)), max(most, slices.Max(v))
		}
		return least, most
	}
	every, i := total/maxSampled+1, 0
	some := make([]float32, 0, total/every+1)
	for _, v := range sample {
		for ; i < len(v); i += every {
			some = append(some, v[i])
		}
		i -= len(v)
	}
	slices.Sort(some)
	cut := int(float64(len(some)) * float64(1-quantile) / 2)
	return some[cut], some[len(some)-1-cut]
}

// Packed reports whether rows hold half a byte of each component.
func (c *Scalar) Packed() bool { return c.packed }

func (c *Scalar) sums() bool { return c.distance.LargerIsBetter() }

// Bytes is one for each component, or half of one, and four for a sum where it is needed.
func (c *Scalar) Bytes() int {
	switch {
	case c.sums():
		return c.sumAt() + 4
	case c.packed:
		return packedBytes(c.size)
	}
	return c.size
}

// sumAt is where a row's sum stands: aligned if the row is.
func (c *Scalar) sumAt() int {
	if c.packed {
		return packedBytes(c.size)
	}
	return (c.size + 3) &^ 3
}

// Encode rounds each component to the nearest step.
func (c *Scalar) Encode(vector []float32, row []byte) {
	sum := c.write(vector, row)
	if c.sums() {
		binary.NativeEndian.PutUint32(row[c.sumAt():], sum)
	}
}

// write writes a row without its sum, which it returns.
func (c *Scalar) write(vector []float32, row []byte) (sum uint32) {
	if c.packed {
		return c.pack(vector, row[:packedBytes(c.size)])
	}
	if c.sums() {
		clear(row[c.size:c.sumAt()])
	}
	return c.encode(vector, row[:c.size])
}

func (c *Scalar) encode(vector []float32, row []byte) (sum uint32) {
	vector = vector[:len(row)]
	for i, x := range vector {
		code := (x-c.least)/c.step + 0.5
		if !(code > 0) {
			code = 0
		} else if code > 255 { // both seldom: foretold, they cost less than a minimum of numbers that might be NaN
			code = 255
		}
		b := byte(code)
		row[i] = b
		sum += uint32(b)
	}
	return sum
}

// NewScorer makes a scorer of rows.
func (c *Scalar) NewScorer(rows *arena.Arena) Scorer {
	if c.sums() {
		return &scalarDot{codec: c, rows: c.rowsIn(rows), signed: vec.ForInt8(), unsigned: vec.ForUint8(vec.Dot), query: make([]int8, c.size)}
	}
	factor := c.step
	if c.distance == vec.Euclid {
		factor *= c.step
	}
	return &scalarDifference{codec: c, rows: c.rowsIn(rows), kernel: vec.ForUint8(c.distance), factor: factor, query: make([]byte, c.size)}
}

// scalarDifference scores Euclid and Manhattan: the query is bytes too.
type scalarDifference struct {
	codec  *Scalar
	rows   *scalarRows
	kernel vec.Kernel[uint8, uint8, uint32]
	factor float32
	query  []byte
	sums   [batch]uint32
}

func (s *scalarDifference) Query(query []float32) { s.codec.encode(query, s.query) }

func (s *scalarDifference) Score(rows []uint32, out []float32) {
	s.compare(s.rows.Table(), s.query, rows, out)
}

func (s *scalarDifference) Between(row uint32, rows []uint32, out []float32) {
	t := s.rows.Table()
	s.compare(t, s.rows.bytes(t, row), rows, out)
}

func (s *scalarDifference) Hint(rows []uint32) { hint(s.rows.Arena, rows, s.codec.Bytes()) }

func (s *scalarDifference) compare(t *vec.Table, query []byte, rows []uint32, out []float32) {
	for len(rows) > 0 {
		n := min(len(rows), batch)
		gather(s.kernel, s.rows, query, t, rows[:n], s.sums[:n])
		for i, sum := range s.sums[:n] {
			out[i] = s.factor * float32(sum)
		}
		rows, out = rows[n:], out[n:]
	}
}

// scalarDot scores Dot and Cosine. With components q of the query = scale*k (k signed bytes) and x = least + step*b of a
// row, the dot product is scale*step*sum(k*b) + least*sum(q).
type scalarDot struct {
	codec          *Scalar
	rows           *scalarRows
	signed         vec.Kernel[int8, uint8, int32]
	unsigned       vec.Kernel[uint8, uint8, uint32]
	query          []int8
	factor, offset float32
	sums           [batch]int32
	products       [batch]uint32
}

func (s *scalarDot) Query(query []float32) {
	var largest, sum float32
	for _, x := range query {
		largest = max(largest, float32(math.Abs(float64(x))))
		sum += x
	}
	scale := largest / 127
	if !(scale > 0) {
		scale = 1
	}
	for i, x := range query[:len(s.query)] {
		s.query[i] = int8(math.RoundToEven(float64(x / scale)))
	}
	s.factor, s.offset = -scale*s.codec.step, -s.codec.least*sum
}

func (s *scalarDot) Score(rows []uint32, out []float32) {
	t := s.rows.Table()
	for len(rows) > 0 {
		n := min(len(rows), batch)
		gather(s.signed, s.rows, s.query, t, rows[:n], s.sums[:n])
		for i, sum := range s.sums[:n] {
			out[i] = s.offset + s.factor*float32(sum)
		}
		rows, out = rows[n:], out[n:]
	}
}

// Between multiplies out the two rows' components.
func (s *scalarDot) Between(row uint32, rows []uint32, out []float32) {
	t, c := s.rows.Table(), s.codec
	code, own := s.rows.bytes(t, row), s.sum(t, row)
	product, single := -c.step*c.step, -c.least*c.step
	fixed := -c.least*c.least*float32(c.size) + single*own
	for len(rows) > 0 {
		n := min(len(rows), batch)
		gather(s.unsigned, s.rows, code, t, rows[:n], s.products[:n])
		for i, sum := range s.products[:n] {
			out[i] = fixed + single*s.sum(t, rows[i]) + product*float32(sum)
		}
		rows, out = rows[n:], out[n:]
	}
}

func (s *scalarDot) Hint(rows []uint32) { hint(s.rows.Arena, rows, s.codec.Bytes()) }

func (s *scalarDot) sum(t *vec.Table, row uint32) float32 {
	return float32(*(*uint32)(unsafe.Add(t.At(row), s.codec.sumAt())))
}

// Marshal appends the parameters.
func (c *Scalar) Marshal(to []byte) []byte {
	body := binary.LittleEndian.AppendUint32(nil, math.Float32bits(c.least))
	body = binary.LittleEndian.AppendUint32(body, math.Float32bits(c.step))
	k := kindScalar
	if c.packed {
		k = kindPacked
	}
	return seal(to, k, c.distance, c.size, body)
}

func unmarshalScalar(d vec.Distance, size int, body []byte, packed bool) (Codec, error) {
	if len(body) != 8 {
		return nil, fault.New(fault.Corrupt, "scalar codec has %d bytes", len(body))
	}
	least := math.Float32frombits(binary.LittleEndian.Uint32(body))
	step := math.Float32frombits(binary.LittleEndian.Uint32(body[4:]))
	if least-least != 0 || !(step > 0) || step-step != 0 {
		return nil, fault.New(fault.Corrupt, "scalar codec from %v by %v", least, step)
	}
	c := newScalar(d, size, least, step)
	c.packed = packed
	return c, nil
}

package quant

import (
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// binaryQuery is a query as a Binary takes it: a weight for each bit of a row, such that the sum of the weights of the
// bits that are set, and a constant, is the product of the query with the row's estimate. Weights are rounded to a few
// bits, least + step*level, and the levels' bits gathered in planes: with XOR and counting, the processor then adds up
// 512 weights at a time.
type binaryQuery struct {
	codec *Binary

	weights     []float32
	planes      [][]uint64
	least, step float32 // of the weights
	constant    float32 // of the product
	fixed       float32 // of the score, whatever the row
	set         int64   // sum over planes of 2^plane times the bits set in it
}

func newBinaryQuery(c *Binary) *binaryQuery {
	q := &binaryQuery{codec: c, weights: make([]float32, c.size+len(c.fine))}
	for range c.query.planes() {
		q.planes = append(q.planes, make([]uint64, c.words()))
	}
	return q
}

// take sets the query. For Dot and Cosine the product is with the query itself; for Euclid with the query less the mean.
// For Manhattan a row is taken to have all components at their estimates, so that each bit changes the sum by some weight.
func (q *binaryQuery) take(query []float32) {
	c := q.codec
	q.constant, q.fixed = 0, 0
	switch c.distance {
	case vec.Manhattan:
		for i, x := range query {
			q.differ(i, x-c.mean[i])
		}
		for j, i := range c.fine {
			q.differFine(int(i), c.size+j, query[i]-c.mean[i])
		}
	case vec.Euclid:
		for i, x := range query {
			from := x - c.mean[i]
			q.fixed += from * from
			q.multiply(i, from)
		}
		q.multiplyFine(func(i uint32) float32 { return query[i] - c.mean[i] })
	default:
		for i, x := range query {
			q.fixed -= x * c.mean[i]
			q.multiply(i, x)
		}
		q.multiplyFine(func(i uint32) float32 { return query[i] })
	}
	q.round()
}

// multiply gives the bit of component i its weight in the product with x.
func (q *binaryQuery) multiply(i int, x float32) {
	w := x * q.codec.spread[i] * oneBitLevel
	q.weights[i] = 2 * w
	q.constant -= w
}

// multiplyFine does so for the components with two bits, in place of what multiply did.
func (q *binaryQuery) multiplyFine(of func(i uint32) float32) {
	c := q.codec
	for j, i := range c.fine {
		w := of(i) * c.spread[i]
		q.constant += w*oneBitLevel - 1.5*w*twoBitStep
		q.weights[i], q.weights[c.size+j] = 2*w*twoBitStep, w*twoBitStep
	}
}

// differ gives the bit of component i its weight in the sum of differences from x.
func (q *binaryQuery) differ(i int, x float32) {
	level := q.codec.spread[i] * oneBitLevel
	low, high := abs(x+level), abs(x-level)
	q.weights[i] = high - low
	q.constant += low
}

// differFine does so for a component with two bits, whose four differences are not quite a sum of two: the weights are
// what errs least.
func (q *binaryQuery) differFine(i, second int, x float32) {
	step, level := q.codec.spread[i]*twoBitStep, q.codec.spread[i]*oneBitLevel
	d := [4]float32{abs(x + 1.5*step), abs(x + 0.5*step), abs(x - 0.5*step), abs(x - 1.5*step)}
	q.constant -= abs(x + level)
	q.weights[i] = (d[2] + d[3] - d[0] - d[1]) / 2
	q.weights[second] = (d[1] + d[3] - d[0] - d[2]) / 2
	q.constant += (3*d[0] + d[1] + d[2] - d[3]) / 4
}

func abs(x float32) float32 { return max(x, -x) }

// round turns weights into planes.
func (q *binaryQuery) round() {
	levels := float32(int(1)<<len(q.planes) - 1)
	least, most := q.bounds()
	q.least, q.step = least, (most-least)/levels
	if !(q.step > 0) || math.IsInf(float64(q.step), 1) {
		q.step = 1
	}
	for _, plane := range q.planes {
		clear(plane)
	}
	q.set = 0
	for i, w := range q.weights {
		level := uint(min(max((w-q.least)/q.step+0.5, 0), levels))
		for p, plane := range q.planes {
			plane[i/64] |= uint64(level>>p&1) << (i % 64)
		}
		q.set += int64(level)
	}
}

// bounds are what the weights are rounded between: with one plane the mean magnitude to both sides, else the extremes.
func (q *binaryQuery) bounds() (least, most float32) {
	if len(q.planes) > 1 {
		for _, w := range q.weights {
			least, most = min(least, w), max(most, w)
		}
		return least, most
	}
	var sum float64
	for _, w := range q.weights {
		sum += float64(abs(w))
	}
	mean := float32(sum / float64(len(q.weights)))
	return -mean, mean
}

// binaryScorer compares rows of a Binary.
type binaryScorer struct {
	codec      *Binary
	rows       *arena.Arena
	query, own *binaryQuery
	other      []float32
	sums       [batch]uint32
	levels     [batch]int64
}

func (s *binaryScorer) Query(query []float32) { s.query.take(query[:s.codec.size]) }

func (s *binaryScorer) Score(rows []uint32, out []float32) { s.compare(s.query, rows, out) }

// Between takes what the row's bits stand for as a query.
func (s *binaryScorer) Between(row uint32, rows []uint32, out []float32) {
	c, t := s.codec, s.rows.Table()
	c.estimate(arena.Slice[uint64](t, row, c.words()), s.other)
	factor := c.tail(t.At(row)).factor
	for i := range s.other {
		s.other[i] = s.other[i]*factor + c.mean[i]
	}
	s.own.take(s.other)
	s.compare(s.own, rows, out)
}

func (s *binaryScorer) Hint(rows []uint32) { hint(s.rows, rows, s.codec.Bytes()) }

func (s *binaryScorer) compare(q *binaryQuery, rows []uint32, out []float32) {
	c, t, kernel := s.codec, s.rows.Table(), vec.ForBits()
	all := int64(1)<<len(q.planes) - 1
	for len(rows) > 0 {
		n := min(len(rows), batch)
		clear(s.levels[:n])
		for p, plane := range q.planes {
			kernel.Gather(plane, t, rows[:n], s.sums[:n])
			for i, differ := range s.sums[:n] {
				s.levels[i] += int64(differ) << p
			}
		}
		for i, row := range rows[:n] {
			tail := c.tail(t.At(row))
			// Of two sets, those in both are half of (those in one + those in the other - those that differ).
			levels := (q.set + all*int64(tail.set) - s.levels[i]) / 2
			out[i] = q.score(q.constant+q.least*float32(tail.set)+q.step*float32(levels), tail)
		}
		rows, out = rows[n:], out[n:]
	}
}

func (q *binaryQuery) score(product float32, tail *binaryTail) float32 {
	switch q.codec.distance {
	case vec.Manhattan:
		return product
	case vec.Euclid:
		return q.fixed + tail.norm - 2*tail.factor*product
	default:
		return q.fixed - tail.factor*product
	}
}

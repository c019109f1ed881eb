package quant

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Product cuts vectors into parts of a few components and holds each part as the number of the nearest of 256 centres,
// which were found in a sample (Jégou, Douze, Schmid, 2011). A query is compared with all centres of all parts once;
// after that a row's score is a sum of one number per part.
type Product struct {
	distance vec.Distance
	size     int
	part     int       // components of a part; the last one may have fewer
	parts    int       // and bytes of a row
	centres  []float32 // of part p: [p*256*part:], each with part components, of which those beyond size are 0
}

// maxPart is how many components a part may have.
const maxPart = 16

// centreCount is how many centres a byte tells apart.
const centreCount = 256

// Compressions are how many times less memory than float32 a Product may take.
func Compressions() []int { return []int{4, 8, 16, 32, 64} }

// productSample is how many vectors of a sample are looked at: 32 for each centre.
const productSample = 32 * centreCount

// TrainProduct finds centres in a sample. compression is one of Compressions. threads at a time work on different parts;
// the outcome depends on seed and sample alone.
func TrainProduct(
	ctx context.Context, d vec.Distance, size, compression int, sample [][]float32, threads int, seed uint64,
) (*Product, error) {
	if err := check(d, size); err != nil {
		return nil, err
	}
	part, err := partOf(compression)
	if err != nil {
		return nil, err
	}
	c := newProduct(d, size, part)
	c.centres = make([]float32, c.parts*centreCount*part)
	sample = thin(sample, productSample)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(max(threads, 1), c.parts) {
		wg.Go(func() {
			for p := int(next.Add(1)) - 1; p < c.parts && ctx.Err() == nil; p = int(next.Add(1)) - 1 {
				centres, err := means(ctx, c.column(sample, p), part, centreCount, rand.New(rand.NewPCG(seed, uint64(p))))
				if err == nil {
					copy(c.ofPart(p), centres)
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("train product quantization: %w", ctx.Err())
	}
	return c, nil
}

func partOf(compression int) (int, error) {
	for _, c := range Compressions() {
		if c == compression {
			return c / 4, nil
		}
	}
	return 0, fault.New(fault.Invalid, "product quantization: compression is %d, want one of %v", compression, Compressions())
}

func newProduct(d vec.Distance, size, part int) *Product {
	return &Product{distance: d, size: size, part: part, parts: (size + part - 1) / part}
}

// thin takes vectors at equal distances, at most n.
func thin(sample [][]float32, n int) [][]float32 {
	if len(sample) <= n {
		return sample
	}
	some := make([][]float32, n)
	for i := range some {
		some[i] = sample[i*len(sample)/n]
	}
	return some
}

// column is part p of all vectors, filled up with zeros.
func (c *Product) column(sample [][]float32, p int) []float32 {
	points := make([]float32, len(sample)*c.part)
	for i, v := range sample {
		copy(points[i*c.part:(i+1)*c.part], v[p*c.part:min((p+1)*c.part, c.size)])
	}
	return points
}

func (c *Product) ofPart(p int) []float32 {
	return c.centres[p*centreCount*c.part : (p+1)*centreCount*c.part]
}

// Bytes is one for each part.
func (c *Product) Bytes() int { return c.parts }

// Encode finds the nearest centre of each part.
func (c *Product) Encode(vector []float32, row []byte) {
	if c.part == 1 {
		for p, x := range vector[:c.size] {
			row[p] = byte(nearestNumber(x, c.ofPart(p)))
		}
		return
	}
	m := meansRound{components: c.part, k: centreCount}
	var offsets [centreCount]int
	var distances [centreCount]float32
	m.kernel, m.offsets, m.distances = vec.ForFloat32(vec.Euclid), offsets[:], distances[:]
	for i := range offsets {
		offsets[i] = i * c.part
	}
	var padded [maxPart]float32
	for p := range c.parts {
		point := padded[:c.part]
		clear(point)
		copy(point, vector[p*c.part:min((p+1)*c.part, c.size)])
		row[p] = byte(m.nearest(point, c.ofPart(p)))
	}
}

// decode writes the centres of a row to vector, which is as long as all parts.
func (c *Product) decode(row []byte, vector []float32) {
	for p, b := range row {
		copy(vector[p*c.part:(p+1)*c.part], c.ofPart(p)[int(b)*c.part:])
	}
}

// NewScorer makes a scorer of rows.
func (c *Product) NewScorer(rows *arena.Arena) Scorer {
	whole := c.parts * c.part
	s := &productScorer{
		codec: c, rows: rows, kernel: vec.ForFloat32(c.distance), negate: c.distance.LargerIsBetter(),
		table: make([]float32, c.parts*centreCount), one: make([]float32, whole), other: make([]float32, whole),
	}
	for i := range s.offsets {
		s.offsets[i] = i * c.part
	}
	return s
}

type productScorer struct {
	codec      *Product
	rows       *arena.Arena
	kernel     vec.Kernel[float32, float32, float32]
	negate     bool
	table      []float32 // of part p: [p*256:], the query's part compared with each centre
	offsets    [centreCount]int
	one, other []float32
}

func (s *productScorer) Query(query []float32) {
	c := s.codec
	clear(s.one)
	copy(s.one, query[:c.size])
	for p := range c.parts {
		s.kernel.Rows(s.one[p*c.part:(p+1)*c.part], c.ofPart(p), s.offsets[:], s.table[p*centreCount:(p+1)*centreCount])
	}
	if s.negate {
		negate(s.table)
	}
}

func (s *productScorer) Score(rows []uint32, out []float32) {
	t := s.rows.Table()
	for i, row := range rows {
		out[i] = lookUp(s.table, arena.Slice[byte](t, row, s.codec.parts))
	}
}

// lookUp adds up the numbers that a row chooses, in four sums that do not wait for one another.
func lookUp(table []float32, row []byte) float32 {
	var s0, s1, s2, s3 float32
	for len(row) >= 4 && len(table) >= 4*centreCount {
		s0 += table[row[0]]
		s1 += table[centreCount+int(row[1])]
		s2 += table[2*centreCount+int(row[2])]
		s3 += table[3*centreCount+int(row[3])]
		row, table = row[4:], table[4*centreCount:]
	}
	for i, b := range row {
		s0 += table[i*centreCount+int(b)]
	}
	return (s0 + s1) + (s2 + s3)
}

func (s *productScorer) Between(row uint32, rows []uint32, out []float32) {
	c, t := s.codec, s.rows.Table()
	c.decode(arena.Slice[byte](t, row, c.parts), s.one)
	for i, r := range rows {
		c.decode(arena.Slice[byte](t, r, c.parts), s.other)
		out[i] = s.kernel.One(s.one, s.other)
	}
	if s.negate {
		negate(out[:len(rows)])
	}
}

func (s *productScorer) Hint(rows []uint32) { hint(s.rows, rows, s.codec.parts) }

// Marshal appends the parameters: the components of a part, then the centres.
func (c *Product) Marshal(to []byte) []byte {
	body := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+4*len(c.centres)), uint32(c.part))
	for _, x := range c.centres {
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(x))
	}
	return seal(to, kindProduct, c.distance, c.size, body)
}

func unmarshalProduct(d vec.Distance, size int, body []byte) (Codec, error) {
	if len(body) < 4 {
		return nil, fault.New(fault.Corrupt, "product codec has %d bytes", len(body))
	}
	part := int(binary.LittleEndian.Uint32(body))
	if _, err := partOf(4 * part); part > maxPart || err != nil {
		return nil, fault.New(fault.Corrupt, "product codec has parts of %d", part)
	}
	c := newProduct(d, size, part)
	body = body[4:]
	if len(body) != 4*c.parts*centreCount*part {
		return nil, fault.New(fault.Corrupt, "product codec has %d bytes of centres", len(body))
	}
	c.centres = make([]float32, c.parts*centreCount*part)
	for i := range c.centres {
		x := math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
		if x-x != 0 {
			return nil, fault.New(fault.Corrupt, "product codec: a centre is at %v", x)
		}
		c.centres[i] = x
	}
	for p := range c.parts {
		if part == 1 && !slices.IsSorted(c.ofPart(p)) {
			return nil, fault.New(fault.Corrupt, "product codec: centres are out of order")
		}
	}
	return c, nil
}

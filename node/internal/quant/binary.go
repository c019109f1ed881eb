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

// BinaryBits is how many bits a Binary holds of a component.
type BinaryBits uint8

// The numbers of bits, as in Qdrant's API.
const (
	OneBit         BinaryBits = 0 // which side of the mean it is on
	TwoBits        BinaryBits = 1 // and whether it is near it
	OneAndHalfBits BinaryBits = 2 // two of the half of the components that vary most, one of the others
)

// BinaryQuery is how exactly a Binary takes queries.
type BinaryQuery uint8

// The ways, as in Qdrant's API.
const (
	QueryDefault BinaryQuery = 0 // QueryBinary
	QueryBinary  BinaryQuery = 1 // one bit of each weight
	QueryScalar4 BinaryQuery = 2 // four
	QueryScalar8 BinaryQuery = 3 // eight
)

func (q BinaryQuery) planes() int {
	switch q {
	case QueryScalar4:
		return 4
	case QueryScalar8:
		return 8
	default:
		return 1
	}
}

// Binary holds of each component a bit or two: on which side of the sample's mean it lies, and how far. What is estimated
// is the product of query and row, both less the mean, from the sum of the weights of the row's bits; each row's estimate
// is corrected by a factor that makes that of the row with itself right (as in RaBitQ: Gao, Long, 2024).
//
//	row   bits, in words of 64; then factor, norm (float32) and how many bits are set (uint32)
//
// The components of a row x less the mean m are estimated as y, which is linear in the bits, and x-m as factor*y with
// factor = |x-m|^2 / <x-m, y>; norm is |x-m|^2. So scores are estimated without bias for Cosine, Dot and Euclid. For
// Manhattan they order rows, but are too small: differences from what a bit stands for are smaller than those from what
// it stood in for.
type Binary struct {
	distance vec.Distance
	size     int
	bits     BinaryBits
	query    BinaryQuery
	mean     []float32
	spread   []float32 // the standard deviation, 0 where a component is always the same
	fine     []uint32  // the components with two bits, in order
}

// For components that are spread as a normal distribution, the estimates that err least: with one bit the mean of each
// half, with two four equally distant levels (Max, 1960).
const (
	oneBitLevel = 0.7979 // sqrt(2/pi)
	twoBitStep  = 0.9957
)

// TrainBinary looks at a sample for the mean and spread of each component.
func TrainBinary(d vec.Distance, size int, bits BinaryBits, query BinaryQuery, sample [][]float32) (*Binary, error) {
	if err := check(d, size); err != nil {
		return nil, err
	}
	if bits > OneAndHalfBits || query > QueryScalar8 {
		return nil, fault.New(fault.Invalid, "binary quantization: encoding %d, query encoding %d", bits, query)
	}
	c := &Binary{distance: d, size: size, bits: bits, query: query}
	c.mean, c.spread = moments(size, sample)
	c.fine = c.fineOnes()
	return c, nil
}

// moments are the mean and the standard deviation of each component.
func moments(size int, sample [][]float32) (mean, spread []float32) {
	sums, squares := make([]float64, size), make([]float64, size)
	for _, v := range sample {
		for i, x := range v[:size] {
			sums[i] += float64(x)
			squares[i] += float64(x) * float64(x)
		}
	}
	mean, spread = make([]float32, size), make([]float32, size)
	n := float64(max(len(sample), 1))
	for i := range mean {
		m := sums[i] / n
		mean[i] = bounded(m)
		spread[i] = bounded(math.Sqrt(max(squares[i]/n-m*m, 0)))
	}
	return mean, spread
}

// bounded keeps what becomes of sums of very large components in float32, with room to be added up.
func bounded(x float64) float32 {
	const most = 1e30
	return float32(min(max(x, -most), most))
}

func (c *Binary) fineOnes() []uint32 {
	all := make([]uint32, c.size)
	for i := range all {
		all[i] = uint32(i)
	}
	switch c.bits {
	case TwoBits:
		return all
	case OneAndHalfBits:
		slices.SortStableFunc(all, func(a, b uint32) int {
			switch {
			case c.spread[a] > c.spread[b]:
				return -1
			case c.spread[a] < c.spread[b]:
				return 1
			}
			return 0
		})
		all = all[:(c.size+1)/2]
		slices.Sort(all)
		return all
	default:
		return nil
	}
}

// words is how many words the bits take: one bit of each component, then the second ones.
func (c *Binary) words() int { return (c.size + len(c.fine) + 63) / 64 }

// Bytes is that of the bits and of three numbers.
func (c *Binary) Bytes() int { return 8*c.words() + 16 }

// binaryTail is what follows the bits of a row.
type binaryTail struct {
	factor, norm float32
	set          uint32
	_            uint32
}

func (c *Binary) tail(row unsafe.Pointer) *binaryTail {
	return (*binaryTail)(unsafe.Add(row, 8*c.words()))
}

// Encode sets the bits. row is aligned to 8 bytes.
func (c *Binary) Encode(vector []float32, row []byte) {
	at := unsafe.Pointer(unsafe.SliceData(row[:c.Bytes()]))
	words := unsafe.Slice((*uint64)(at), c.words())
	clear(words)
	set := uint32(0)
	mark := func(bit int, on bool) {
		if on {
			words[bit/64] |= 1 << (bit % 64)
			set++
		}
	}
	var norm, product float64
	for i, x := range vector[:c.size] {
		from := x - c.mean[i]
		mark(i, from > 0)
		norm += float64(from) * float64(from)
		product += float64(c.spread[i]) * oneBitLevel * math.Abs(float64(from))
	}
	for j, i := range c.fine {
		// Levels from the lowest are 00, 01, 10, 11, of which the first bit is set above the mean.
		from, step := vector[i]-c.mean[i], c.spread[i]*twoBitStep
		far := from > step || from <= -step
		mark(c.size+j, far == (from > 0))
		level := 0.5
		if far {
			level = 1.5
		}
		product += (float64(step)*level - float64(c.spread[i])*oneBitLevel) * math.Abs(float64(from))
	}
	tail := c.tail(at)
	*tail = binaryTail{norm: float32(norm), set: set}
	if product > 0 {
		tail.factor = float32(norm / product)
	}
}

// estimate decodes bits: what the components less the mean are, but for the row's factor.
func (c *Binary) estimate(words []uint64, to []float32) {
	bit := func(i int) float32 { return float32(words[i/64] >> (i % 64) & 1) }
	for i, s := range c.spread {
		to[i] = s * oneBitLevel * (2*bit(i) - 1)
	}
	for j, i := range c.fine {
		to[i] = c.spread[i] * twoBitStep * (2*bit(int(i)) + bit(c.size+j) - 1.5)
	}
}

// NewScorer makes a scorer of rows, which are aligned to 8 bytes.
func (c *Binary) NewScorer(rows *arena.Arena) Scorer {
	s := &binaryScorer{codec: c, rows: rows, other: make([]float32, c.size)}
	s.query, s.own = newBinaryQuery(c), newBinaryQuery(c)
	return s
}

// Marshal appends the parameters: the kind of bits, that of queries, two bytes 0, then means and spreads.
func (c *Binary) Marshal(to []byte) []byte {
	body := append(make([]byte, 0, 4+8*c.size), byte(c.bits), byte(c.query), 0, 0)
	for _, all := range [][]float32{c.mean, c.spread} {
		for _, x := range all {
			body = binary.LittleEndian.AppendUint32(body, math.Float32bits(x))
		}
	}
	return seal(to, kindBinary, c.distance, c.size, body)
}

func unmarshalBinary(d vec.Distance, size int, body []byte) (Codec, error) {
	if len(body) != 4+8*size {
		return nil, fault.New(fault.Corrupt, "binary codec has %d bytes", len(body))
	}
	c := &Binary{distance: d, size: size, bits: BinaryBits(body[0]), query: BinaryQuery(body[1])}
	if c.bits > OneAndHalfBits || c.query > QueryScalar8 || body[2] != 0 || body[3] != 0 {
		return nil, fault.New(fault.Corrupt, "binary codec of encodings %d and %d", c.bits, c.query)
	}
	c.mean, c.spread = make([]float32, size), make([]float32, size)
	for i := range 2 * size {
		x := math.Float32frombits(binary.LittleEndian.Uint32(body[4+4*i:]))
		if x-x != 0 || i >= size && x < 0 {
			return nil, fault.New(fault.Corrupt, "binary codec: number %d is %v", i, x)
		}
		if i < size {
			c.mean[i] = x
		} else {
			c.spread[i-size] = x
		}
	}
	c.fine = c.fineOnes()
	return c, nil
}

package quant

import (
	"unsafe"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Half holds components as binary16: half the memory, scores of the rounded components.
type Half struct {
	distance vec.Distance
	size     int
}

// NewHalf makes a codec for vectors of a size.
func NewHalf(d vec.Distance, size int) (*Half, error) {
	if err := check(d, size); err != nil {
		return nil, err
	}
	return &Half{distance: d, size: size}, nil
}

// Bytes is two for each component.
func (c *Half) Bytes() int { return 2 * c.size }

// Encode rounds a vector. Components beyond what binary16 holds become the largest that it holds.
func (c *Half) Encode(vector []float32, row []byte) {
	const largest = 65504
	halves := unsafe.Slice((*vec.Float16)(unsafe.Pointer(unsafe.SliceData(row[:c.Bytes()]))), c.size)
	for i, x := range vector[:c.size] {
		halves[i] = vec.ToFloat16(min(max(x, -largest), largest))
	}
}

// Decode writes the components that a row holds to vector.
func (c *Half) Decode(row []byte, vector []float32) {
	halves := unsafe.Slice((*vec.Float16)(unsafe.Pointer(unsafe.SliceData(row[:c.Bytes()]))), c.size)
	for i, h := range halves {
		vector[i] = h.Float32()
	}
}

// Compare returns what a scorer does of a query and the row of a vector.
func (c *Half) Compare(query, vector []float32) float32 {
	halves := make([]vec.Float16, c.size)
	c.Encode(vector, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(halves))), c.Bytes()))
	return score(c.distance, vec.ForFloat16(c.distance).One(query, halves))
}

// NewScorer makes a scorer of rows.
func (c *Half) NewScorer(rows *arena.Arena) Scorer {
	return &halfScorer{
		codec: c, rows: rows, kernel: vec.ForFloat16(c.distance), negate: c.distance.LargerIsBetter(),
		query: make([]float32, c.size), other: make([]float32, c.size),
	}
}

type halfScorer struct {
	codec        *Half
	rows         *arena.Arena
	kernel       vec.Kernel[float32, vec.Float16, float32]
	negate       bool
	query, other []float32
}

func (s *halfScorer) Query(query []float32) { copy(s.query, query) }

func (s *halfScorer) Score(rows []uint32, out []float32) { s.compare(s.query, rows, out) }

func (s *halfScorer) Between(row uint32, rows []uint32, out []float32) {
	s.codec.Decode(s.rows.Row(row), s.other)
	s.compare(s.other, rows, out)
}

func (s *halfScorer) Hint(rows []uint32) { hint(s.rows, rows, s.codec.Bytes()) }

func (s *halfScorer) compare(query []float32, rows []uint32, out []float32) {
	out = out[:len(rows)]
	s.kernel.Gather(query, s.rows.Table(), rows, out)
	if s.negate {
		negate(out)
	}
}

func negate(out []float32) {
	for i, score := range out {
		out[i] = -score
	}
}

// Marshal appends the parameters.
func (c *Half) Marshal(to []byte) []byte { return seal(to, kindHalf, c.distance, c.size, nil) }

func unmarshalHalf(d vec.Distance, size int, body []byte) (Codec, error) {
	if len(body) != 0 {
		return nil, fault.New(fault.Corrupt, "codec of binary16 has %d bytes too many", len(body))
	}
	return NewHalf(d, size)
}

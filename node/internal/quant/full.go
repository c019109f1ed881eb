package quant

import (
	"unsafe"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Full holds vectors as float32: its scores are exact.
type Full struct {
	distance vec.Distance
	size     int
}

// NewFull makes a codec for vectors of a size.
func NewFull(d vec.Distance, size int) (*Full, error) {
	if err := check(d, size); err != nil {
		return nil, err
	}
	return &Full{distance: d, size: size}, nil
}

// Bytes is four for each component.
func (c *Full) Bytes() int { return 4 * c.size }

// Encode copies a vector.
func (c *Full) Encode(vector []float32, row []byte) {
	copy(unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(row[:c.Bytes()]))), c.size), vector)
}

// Decode copies what a row holds to vector.
func (c *Full) Decode(row []byte, vector []float32) {
	copy(vector, unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(row[:c.Bytes()]))), c.size))
}

// Compare returns what a scorer does of a query and the row of a vector.
func (c *Full) Compare(query, vector []float32) float32 {
	return score(c.distance, vec.ForFloat32(c.distance).One(query, vector))
}

// score is what a sum says, the smaller the nearer.
func score(d vec.Distance, sum float32) float32 {
	if d.LargerIsBetter() {
		return -sum
	}
	return sum
}

// NewScorer makes a scorer of rows.
func (c *Full) NewScorer(rows *arena.Arena) Scorer {
	return &fullScorer{
		rows: rows, kernel: vec.ForFloat32(c.distance), negate: c.distance.LargerIsBetter(),
		size: c.size, query: make([]float32, c.size),
	}
}

type fullScorer struct {
	rows   *arena.Arena
	kernel vec.Kernel[float32, float32, float32]
	negate bool
	size   int
	query  []float32
}

func (s *fullScorer) Query(query []float32) { copy(s.query, query) }

func (s *fullScorer) Score(rows []uint32, out []float32) {
	s.compare(s.rows.Table(), s.query, rows, out)
}

func (s *fullScorer) Between(row uint32, rows []uint32, out []float32) {
	t := s.rows.Table()
	s.compare(t, arena.Slice[float32](t, row, s.size), rows, out)
}

func (s *fullScorer) Hint(rows []uint32) { hint(s.rows, rows, 4*s.size) }

func (s *fullScorer) compare(t *vec.Table, query []float32, rows []uint32, out []float32) {
	out = out[:len(rows)]
	s.kernel.Gather(query, t, rows, out)
	if s.negate {
		negate(out)
	}
}

// Marshal appends the parameters.
func (c *Full) Marshal(to []byte) []byte { return seal(to, kindFull, c.distance, c.size, nil) }

func unmarshalFull(d vec.Distance, size int, body []byte) (Codec, error) {
	if len(body) != 0 {
		return nil, fault.New(fault.Corrupt, "codec of whole vectors has %d bytes too many", len(body))
	}
	return NewFull(d, size)
}

package quant

import (
	"math"
	"unsafe"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Bytes holds vectors whose components are whole numbers from 0 to 255, exactly. Queries are rounded to such numbers.
//
// Such vectors cannot have length 1. For Cosine they are held as they are, not in the form of vec.Distance.Stored, and a
// row ends with what its dot products are divided by.
type Bytes struct {
	distance vec.Distance
	size     int
}

// NewBytes makes a codec for vectors of a size.
func NewBytes(d vec.Distance, size int) (*Bytes, error) {
	if err := check(d, size); err != nil {
		return nil, err
	}
	return &Bytes{distance: d, size: size}, nil
}

// Bytes is one for each component, and for Cosine four for the length.
func (c *Bytes) Bytes() int {
	if c.distance == vec.Cosine {
		return c.lengthAt() + 4
	}
	return c.size
}

// lengthAt is where a row's length stands: aligned if the row is.
func (c *Bytes) lengthAt() int { return (c.size + 3) &^ 3 }

// Encode rounds each component to the nearest of the numbers.
func (c *Bytes) Encode(vector []float32, row []byte) {
	length := c.encode(vector, row[:c.size])
	if c.distance == vec.Cosine {
		clear(row[c.size:c.lengthAt()])
		*(*float32)(unsafe.Pointer(&row[c.lengthAt()])) = length
	}
}

// encode returns the length of what it wrote, 1 for zeros.
func (c *Bytes) encode(vector []float32, row []byte) float32 {
	var squares uint64
	vector = vector[:len(row)]
	for i, x := range vector {
		b := byte(min(max(x+0.5, 0), 255))
		row[i] = b
		squares += uint64(b) * uint64(b)
	}
	if squares == 0 {
		return 1
	}
	return float32(math.Sqrt(float64(squares)))
}

// Decode writes the components that a row holds to vector.
func (c *Bytes) Decode(row []byte, vector []float32) {
	for i, b := range row[:c.size] {
		vector[i] = float32(b)
	}
}

// Compare returns what a scorer does of a query and the row of a vector.
func (c *Bytes) Compare(query, vector []float32) float32 {
	q, v := make([]byte, c.size), make([]byte, c.size)
	lengths := c.encode(query, q)
	lengths *= c.encode(vector, v)
	return c.score(vec.ForUint8(c.distance).One(q, v), lengths)
}

// score is that of a sum, and of the product of two lengths.
func (c *Bytes) score(sum uint32, lengths float32) float32 {
	if c.distance == vec.Cosine {
		return -float32(sum) / lengths
	}
	return score(c.distance, float32(sum))
}

// NewScorer makes a scorer of rows.
func (c *Bytes) NewScorer(rows *arena.Arena) Scorer {
	return &byteScorer{codec: c, rows: rows, kernel: vec.ForUint8(c.distance), query: make([]byte, c.size), length: 1}
}

type byteScorer struct {
	codec  *Bytes
	rows   *arena.Arena
	kernel vec.Kernel[uint8, uint8, uint32]
	query  []byte
	length float32
	sums   [batch]uint32
}

func (s *byteScorer) Query(query []float32) { s.length = s.codec.encode(query, s.query) }

func (s *byteScorer) Score(rows []uint32, out []float32) {
	s.compare(s.rows.Table(), s.query, s.length, rows, out)
}

func (s *byteScorer) Between(row uint32, rows []uint32, out []float32) {
	t, length := s.rows.Table(), float32(1)
	if s.codec.distance == vec.Cosine {
		length = s.lengthOf(t, row)
	}
	s.compare(t, arena.Slice[byte](t, row, s.codec.size), length, rows, out)
}

func (s *byteScorer) Hint(rows []uint32) { hint(s.rows, rows, s.codec.Bytes()) }

func (s *byteScorer) lengthOf(t *vec.Table, row uint32) float32 {
	return *(*float32)(unsafe.Add(t.At(row), s.codec.lengthAt()))
}

func (s *byteScorer) compare(t *vec.Table, query []byte, length float32, rows []uint32, out []float32) {
	for len(rows) > 0 {
		n := min(len(rows), batch)
		s.kernel.Gather(query, t, rows[:n], s.sums[:n])
		for i, sum := range s.sums[:n] {
			lengths := length
			if s.codec.distance == vec.Cosine {
				lengths *= s.lengthOf(t, rows[i])
			}
			out[i] = s.codec.score(sum, lengths)
		}
		rows, out = rows[n:], out[n:]
	}
}

// Marshal appends the parameters.
func (c *Bytes) Marshal(to []byte) []byte { return seal(to, kindBytes, c.distance, c.size, nil) }

func unmarshalBytes(d vec.Distance, size int, body []byte) (Codec, error) {
	if len(body) != 0 {
		return nil, fault.New(fault.Corrupt, "codec of bytes has %d bytes too many", len(body))
	}
	return NewBytes(d, size)
}

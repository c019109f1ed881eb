// Package quant owns the forms in which rows of vectors are held and compared: whole, or as codes that take less memory
// and time and lose some precision.
//
// A Codec is trained once on a sample, never changes, and writes rows of bytes; where they lie, an arena, is the
// caller's. Scorers compare rows: with a query (for searches) or with one another (for graphs). Scores order as the
// smaller, the nearer, whatever the distance: the squared distance for Euclid, the sum of differences for Manhattan, the
// negated dot product for Dot and Cosine; those of codes are estimates of the same. Vectors and queries have the form
// that vec.Distance.Stored gives them, and finite components.
//
// The package keeps nothing on disk; Marshal and Unmarshal are for those who do.
package quant

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// MaxSize bounds the components of a vector.
const MaxSize = 1 << 16

// Codec turns vectors into rows of bytes and makes what compares them. It may be used by many goroutines at once.
type Codec interface {
	// Bytes is the length of a row. The stride of the arena that holds rows must not be less.
	Bytes() int
	// Encode writes the row of a vector, whose length is the codec's size, to the first Bytes of row.
	Encode(vector []float32, row []byte)
	// NewScorer makes a scorer of rows that Encode wrote and that lie in an arena.
	NewScorer(rows *arena.Arena) Scorer
	// Marshal appends the codec's parameters, for Unmarshal.
	Marshal(to []byte) []byte
}

// Scorer compares rows. It is used by one goroutine at a time, and again and again: it holds buffers.
type Scorer interface {
	// Query sets what Score compares with: a vector of the codec's size, which is not kept.
	Query(query []float32)
	// Score compares the query with rows: out[i] is of rows[i]. out is not shorter than rows.
	Score(rows []uint32, out []float32)
	// Between compares a row with other rows. It does not change the query.
	Between(row uint32, rows []uint32, out []float32)
	// Hint asks memory for rows that will soon be compared. It changes nothing but time.
	Hint(rows []uint32)
}

func check(d vec.Distance, size int) error {
	if !d.Valid() || size < 1 || size > MaxSize {
		return fault.New(fault.Invalid, "vectors of %d components compared by %s", size, d)
	}
	return nil
}

// batch is how many rows a scorer compares at a time.
const batch = 64

// hintBytes is how much of a row is asked for ahead of time: enough for the fetching to have begun, and not so much that
// the processor has to wait until it can ask for more.
const hintBytes = 128

func hint(a *arena.Arena, rows []uint32, bytes int) { a.Table().Ahead(rows, min(bytes, hintBytes)) }

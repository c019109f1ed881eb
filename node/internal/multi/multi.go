// Package multi owns the multivectors of one name of a shard, and the exact search among them by MaxSim: each vector of
// the query counts with the best it finds among those of a point (O. Khattab, M. Zaharia, ColBERT, SIGIR 2020).
//
// As in package dense, what is stored is a row that nobody changes; what replaces it is another row, and the old one notes
// when it died. A Snapshot shows what was published at one moment, and is walked without a lock.
//
// The vectors of a point, and of a query, lie one behind the other.
//
// Changes (Put, Remove, Publish) are made by one goroutine at a time; everything else may be called at any time.
package multi

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/best"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Index holds at most one multivector per label. A label that is given to another point must not be in use by a Snapshot
// any more.
type Index struct {
	size     int
	distance vec.Distance
	state    atomic.Pointer[state]

	rows  []*chunk // the rest is for changes only
	next  uint32
	seq   uint64 // of the last Publish
	count int
	rowOf []uint32 // by label, 1 + its newest row; 0: it has none
}

// state is what was published at one moment.
type state struct {
	rows  []*chunk
	next  uint32 // rows from here on are not published
	seq   uint64
	count int
}

// chunk holds some rows.
type chunk struct {
	labels  [rowsPerChunk]uint32
	died    [rowsPerChunk]atomic.Uint64 // the Publish that ended a row; 0: it lives
	vectors [rowsPerChunk][]float32
}

const rowsPerChunk = 512

// New returns an empty index of vectors of a size.
func New(size int, distance vec.Distance) (*Index, error) {
	if size < 1 || !distance.Valid() {
		return nil, fault.New(fault.Invalid, "multivector index: size %d, distance %s", size, distance)
	}
	x := &Index{size: size, distance: distance}
	x.publish()
	return x, nil
}

// Len returns the number of multivectors published.
func (x *Index) Len() int { return x.state.Load().count }

// Put stages a multivector in the form that vec.Distance.Stored gives its vectors, instead of what is there. The index
// keeps v, which nobody may change.
func (x *Index) Put(label uint32, v []float32) error {
	if err := check(x.size, v); err != nil {
		return err
	}
	x.Remove(label)
	x.renew()
	for int(label) >= len(x.rowOf) {
		x.rowOf = append(x.rowOf, 0)
	}
	x.rowOf[label] = 1 + x.add(label, v, 0)
	x.count++
	return nil
}

func check(size int, v []float32) error {
	if len(v) == 0 || len(v)%size != 0 {
		return fault.New(fault.Invalid, "Vector dimension error: expected dim: %d, got %d", size, len(v))
	}
	return nil
}

func (x *Index) add(label uint32, v []float32, died uint64) uint32 {
	row := x.next
	if int(row/rowsPerChunk) == len(x.rows) {
		x.rows = append(x.rows[:len(x.rows):len(x.rows)], new(chunk))
	}
	c, at := x.rows[row/rowsPerChunk], row%rowsPerChunk
	c.labels[at], c.vectors[at] = label, v
	c.died[at].Store(died)
	x.next++
	return row
}

// Remove stages the removal of the multivector of a label, if there is one.
func (x *Index) Remove(label uint32) {
	if int(label) >= len(x.rowOf) || x.rowOf[label] == 0 {
		return
	}
	row := x.rowOf[label] - 1
	x.rows[row/rowsPerChunk].died[row%rowsPerChunk].Store(x.seq + 1)
	x.rowOf[label] = 0
	x.count--
}

// Publish lets new snapshots see everything that was staged, in one step.
func (x *Index) Publish() {
	x.seq++
	x.publish()
}

func (x *Index) publish() {
	x.state.Store(&state{rows: x.rows, next: x.next, seq: x.seq, count: x.count})
}

// manyDead is how many rows may be dead besides as many as there are alive.
const manyDead = 1 << 12

// renew lists the rows anew without those that are dead, once these are most; the vectors stay where they are.
func (x *Index) renew() {
	if int(x.next) < 2*x.count+manyDead {
		return
	}
	old, published := Index{rows: x.rows, next: x.next}, x.state.Load()
	x.rows, x.next = nil, 0
	shown := uint32(0)
	for row := range old.next {
		c, at := old.rows[row/rowsPerChunk], row%rowsPerChunk
		died := c.died[at].Load()
		if died != 0 && died <= x.seq {
			continue
		}
		to := x.add(c.labels[at], c.vectors[at], died)
		if died == 0 {
			x.rowOf[c.labels[at]] = 1 + to
		}
		if row < published.next {
			shown = x.next
		}
	}
	x.state.Store(&state{rows: x.rows, next: shown, seq: published.seq, count: published.count})
}

// Snapshot is what was published at one moment.
type Snapshot struct {
	*state
	x *Index
}

// Snapshot returns what is published now.
func (x *Index) Snapshot() Snapshot { return Snapshot{x.state.Load(), x} }

// Each visits all multivectors, in no order. What it passes is nobody's to change.
func (s Snapshot) Each(ctx context.Context, visit func(label uint32, v []float32)) error {
	for row := range s.next {
		if row%ctxEvery == 0 && ctx.Err() != nil {
			return fmt.Errorf("visit multivectors: %w", ctx.Err())
		}
		c, at := s.rows[row/rowsPerChunk], row%rowsPerChunk
		if died := c.died[at].Load(); died == 0 || died > s.seq {
			visit(c.labels[at], c.vectors[at])
		}
	}
	return nil
}

// Query asks for the points with the best scores.
type Query struct {
	Vectors []float32 // in the stored form
	Limit   int
	// Accept, which may be nil, is asked about the best points only, one after the other; its error ends the search.
	Accept func(label uint32) (bool, error)
	// Only, which may be nil, tells cheaply what Accept refuses.
	Only func(label uint32) bool
	// Before orders the points of equal scores.
	Before func(a, b uint32) bool
}

// Hit is one result of a search.
type Hit struct {
	Label uint32
	Score float32
}

// ctxEvery is how many rows are compared between two looks at the context.
const ctxEvery = 64

// Search compares the query with everything, and returns the best, best first. The score is the sum of what the vectors of
// the query find: of the greatest products, or of the least distances; for Euclid it is the root of the sum of squares.
func (s Snapshot) Search(ctx context.Context, q Query) ([]Hit, error) {
	if err := check(s.x.size, q.Vectors); err != nil {
		return nil, err
	}
	var hits []Hit
	for row := range s.next {
		if row%ctxEvery == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("search multivectors: %w", ctx.Err())
		}
		c, at := s.rows[row/rowsPerChunk], row%rowsPerChunk
		if died := c.died[at].Load(); died != 0 && died <= s.seq || q.Only != nil && !q.Only(c.labels[at]) {
			continue
		}
		hits = append(hits, Hit{c.labels[at], Score(s.x.distance, s.x.size, q.Vectors, c.vectors[at])})
	}
	d := s.x.distance
	queue := best.NewQueue(hits, func(a, b Hit) bool {
		return d.Better(a.Score, b.Score) || !d.Better(b.Score, a.Score) && q.Before(a.Label, b.Label)
	})
	var found []Hit
	for next, ok := queue.Next(); ok && len(found) < q.Limit; next, ok = queue.Next() {
		if q.Accept != nil {
			if ok, err := q.Accept(next.Label); err != nil {
				return nil, err
			} else if !ok {
				continue
			}
		}
		found = append(found, next)
	}
	return found, nil
}

// Score is that of a query and a point, both in the stored form.
func Score(d vec.Distance, size int, query, v []float32) float32 {
	var sum float32
	for q := 0; q < len(query); q += size {
		sum += closest(d, query[q:q+size], v)
	}
	if d == vec.Euclid {
		return float32(math.Sqrt(float64(sum)))
	}
	return sum
}

// closest returns the best product or distance, for Euclid squared, of one vector with several.
func closest(d vec.Distance, q, vs []float32) float32 {
	var best float32
	for at := 0; at < len(vs); at += len(q) {
		var score float32
		switch v := vs[at : at+len(q)]; d {
		case vec.Euclid:
			score = vec.EuclidSquared(q, v)
		case vec.Manhattan:
			score = vec.ManhattanSum(q, v)
		default:
			score = vec.DotProduct(q, v)
		}
		if at == 0 || d.Better(score, best) {
			best = score
		}
	}
	return best
}

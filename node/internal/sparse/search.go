package sparse

import (
	"context"
	"fmt"
	"math"
	"math/bits"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/best"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Query asks for the vectors with the greatest dot product with one.
type Query struct {
	Vector point.Sparse
	Limit  int
	// Accept, which may be nil, is only asked about vectors whose scores are among the best so far; its error ends the
	// search.
	Accept func(label uint32) (bool, error)
	// Before orders the points of equal scores.
	Before func(a, b uint32) bool
}

// Hit is one result of a search.
type Hit struct {
	Label uint32
	Score float32
}

// Snapshot is what is published at one moment, as far as one query needs it.
type Snapshot struct {
	*state
	chunks []*chunk
	terms  []term
	only   []uint32 // rows to compare with, ascending; nil: all
}

// term is one index of a query, and the list of the rows that have it.
type term struct {
	weight float32
	rows   []uint32
	values []float32
	blocks []bounds
	tail   bounds
}

// Labels is a set of labels.
type Labels interface {
	GetCardinality() uint64
	Iterate(visit func(label uint32) bool)
}

// Begin takes what a query needs of what is published now. It must not run beside Publish. With labels in only, which may
// be nil, vectors of others are not looked at, if that is less work; Accept has to leave them out all the same.
func (x *Index) Begin(v point.Sparse, only Labels) Snapshot {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := Snapshot{state: x.state.Load()}
	s.chunks = s.core.chunks
	postings := 0
	for i, index := range v.Indices {
		l := s.core.lists[index]
		if l == nil {
			continue
		}
		s.terms = append(s.terms, term{weight: v.Values[i], rows: l.rows, values: l.values, blocks: l.blocks, tail: l.tail})
		postings += len(l.rows)
	}
	if only == nil || only.GetCardinality()*uint64(len(s.terms))*costOfLookup > uint64(postings) {
		return s
	}
	s.only = make([]uint32, 0, only.GetCardinality())
	only.Iterate(func(label uint32) bool {
		if row, ok := x.publishedLocked(label); ok {
			s.only = append(s.only, row)
		}
		return true
	})
	return s
}

// costOfLookup is how many postings are added up in the time that looking one up takes.
const costOfLookup = 16

// publishedLocked returns the row of a label that is published.
func (x *Index) publishedLocked(label uint32) (row uint32, ok bool) {
	row, changed := x.mu.staged[label]
	if !changed && int(label) < len(x.mu.rowOf) {
		row = x.mu.rowOf[label]
	}
	return row - 1, row != 0
}

// Frequencies returns how many vectors have each of some indices, and how many vectors there are.
func (x *Index) Frequencies(indices []uint32) (df []uint64, vectors uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.state.Load()
	df = make([]uint64, len(indices))
	for i, index := range indices {
		if l := s.core.lists[index]; l != nil {
			df[i] = uint64(max(l.df, 0))
		}
	}
	return df, uint64(s.size)
}

func (s *Snapshot) visible(row uint32) bool {
	died := s.chunks[row/rowsPerChunk].died[row%rowsPerChunk].Load()
	return row < s.rows && (died == 0 || died > s.seq)
}

func (s *Snapshot) label(row uint32) uint32 {
	return s.chunks[row/rowsPerChunk].labels[row%rowsPerChunk]
}

// window is how many rows are added up at a time.
const window = 4096

// Search returns the best vectors, best first.
func (s *Snapshot) Search(ctx context.Context, q Query) ([]Hit, error) {
	if q.Limit <= 0 || len(s.terms) == 0 {
		return nil, nil
	}
	r := search{Snapshot: s, query: q}
	r.best.Reset(q.Limit, r.better)
	var err error
	if s.only != nil {
		err = r.among(ctx)
	} else {
		err = r.all(ctx)
	}
	return r.best.Sorted(), err
}

// search is one search under way.
type search struct {
	*Snapshot
	query   Query
	best    best.Few[Hit]
	at      []int // of each term, the first posting that is not done
	ends    []int // and of the window
	scores  [window]float32
	touched [window / 64]uint64
}

// among compares the query with the rows that it may find.
func (r *search) among(ctx context.Context) error {
	for n, row := range r.only {
		if n%window == 0 && ctx.Err() != nil {
			return fmt.Errorf("search sparse vectors: %w", ctx.Err())
		}
		score, met := float32(0), false
		for i := range r.terms {
			t := &r.terms[i]
			if x, ok := valueIn(t.rows, t.values, row); ok {
				score += float32(t.weight * x) // rounded before it is added, on every processor
				met = true
			}
		}
		if met {
			if err := r.visit(row, score); err != nil {
				return err
			}
		}
	}
	return nil
}

// all adds up the lists, a window of rows at a time, and leaves out windows in which nothing can be good enough.
func (r *search) all(ctx context.Context) error {
	r.at, r.ends = make([]int, len(r.terms)), make([]int, len(r.terms))
	for n := 0; ; n++ {
		if n%16 == 0 && ctx.Err() != nil {
			return fmt.Errorf("search sparse vectors: %w", ctx.Err())
		}
		first, ok := r.nextRow()
		if !ok {
			return nil
		}
		start := first / window * window
		if err := r.window(start); err != nil {
			return err
		}
	}
}

// nextRow returns the first row that is not done.
func (r *search) nextRow() (row uint32, ok bool) {
	for i := range r.terms {
		if rows := r.terms[i].rows[r.at[i]:]; len(rows) > 0 && rows[0] < r.rows && (!ok || rows[0] < row) {
			row, ok = rows[0], true
		}
	}
	return row, ok
}

func (r *search) window(start uint32) error {
	ends := r.ends
	most := float64(0)
	for i := range r.terms {
		t := &r.terms[i]
		ends[i] = r.at[i] + before(t.rows[r.at[i]:], start+window)
		most += t.most(r.at[i], ends[i])
	}
	defer copy(r.at, ends)
	if most > math.MaxFloat32 {
		most = math.Inf(1) // a sum may be
	}
	if r.best.Full() && most < float64(r.best.Worst().Score) {
		return nil
	}
	for i := range r.terms {
		t := &r.terms[i]
		for p := r.at[i]; p < ends[i]; p++ {
			at := t.rows[p] - start
			r.scores[at] += float32(t.weight * t.values[p])
			r.touched[at/64] |= 1 << (at % 64)
		}
	}
	for w, word := range r.touched {
		for ; word != 0; word &= word - 1 {
			at := uint32(w*64 + bits.TrailingZeros64(word))
			score := r.scores[at]
			r.scores[at] = 0
			if err := r.visit(start+at, score); err != nil {
				return err
			}
		}
		r.touched[w] = 0
	}
	return nil
}

// most bounds what a term adds to the scores of the postings from..to-1, or of rows without it. It is a little more than
// that, so that rounding cannot make a sum of float32 greater.
func (t *term) most(from, to int) float64 {
	if from == to {
		return 0
	}
	greatest := float64(0)
	for b := from / blockSize; b <= (to-1)/blockSize; b++ {
		of := t.tail
		if b < len(t.blocks) {
			of = t.blocks[b]
		}
		greatest = max(greatest, float64(t.weight)*float64(of.high), float64(t.weight)*float64(of.low))
	}
	return greatest * (1 + 1e-2)
}

// better orders hits by score, equal ones as the query does.
func (r *search) better(a, b Hit) bool {
	if order := vec.Dot.Compare(a.Score, b.Score); order != 0 {
		return order < 0
	}
	return r.query.Before(a.Label, b.Label)
}

// visit keeps a row if it is good enough, is shown, and is accepted.
func (r *search) visit(row uint32, score float32) error {
	if row >= r.rows || r.best.Full() && score < r.best.Worst().Score || !r.visible(row) {
		return nil
	}
	h := Hit{r.label(row), score}
	if !r.best.Wants(h) {
		return nil
	}
	if r.query.Accept != nil {
		if ok, err := r.query.Accept(h.Label); !ok || err != nil {
			return err
		}
	}
	r.best.Add(h)
	return nil
}

// Dot is the score of a query and a vector, as a search computes it; ok tells whether they share an index.
func Dot(query, v point.Sparse) (score float32, ok bool) {
	at := 0
	for i, index := range query.Indices {
		for at < len(v.Indices) && v.Indices[at] < index {
			at++
		}
		if at < len(v.Indices) && v.Indices[at] == index {
			score, ok = score+float32(query.Values[i]*v.Values[at]), true
		}
	}
	return score, ok
}

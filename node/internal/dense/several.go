package dense

import (
	"context"
	"math"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Several asks for the vectors that score best by how alike they are to several.
type Several struct {
	Vectors [][]float32 // in the stored form, at least one
	Toward  int         // how many of them, the first, that are near to one may score well; 0: no graph leads to what scores well
	// Sides says that scores jump where a vector comes nearer to another one of Vectors: then it is not left to codes which it is nearer
	// to, more candidates are kept, and all vectors are compared if fewer than are wanted score at least Right, as do those on the best side
	// of all.
	Sides bool
	Right float32
	// Lead says that of those on the same sides the nearest to the first of Vectors are best.
	Lead bool
	// Combine makes a score, the larger the better, of how alike a vector and each of Vectors are: of their products, or of their
	// distances negated, for Euclid squared. It keeps nothing.
	Combine func(alike []float64) float64
}

// mostWalked is how many vectors a graph is walked for at most: each takes a scorer, which may hold tables of its own.
const mostWalked = 64

func (q *Several) check(size int) error {
	if len(q.Vectors) == 0 || q.Toward < 0 || q.Toward > len(q.Vectors) {
		return fault.New(fault.Invalid, "vector index: %d vectors, %d to be near to", len(q.Vectors), q.Toward)
	}
	for _, v := range q.Vectors {
		if err := checkSize(size, v); err != nil {
			return err
		}
	}
	return nil
}

// alike is how alike what a scorer compared is.
func alike(compared float32) float64 { return -float64(compared) }

// scorer compares rows with what a search looks for.
type scorer interface {
	hnsw.Scorer
	hnsw.Hinter
}

// times is how many times as long as with one vector it takes to compare a row.
func (s *search) times() int {
	if s.query.Several == nil {
		return 1
	}
	return len(s.query.Several.Vectors)
}

// walks is how many times as much as one walk costs what a search walks in all.
func (s *search) walks() int {
	if q := s.query.Several; q != nil && q.Lead {
		return 3
	}
	return 1
}

// setWhole has the search compare by a scorer of whole vectors.
func (s *search) setWhole(by quant.Scorer) {
	if q := s.query.Several; q != nil {
		m := newSeveral(q)
		m.one = by
		s.order, s.whole = vec.Dot, m
		s.query.Params.Exact = s.query.Params.Exact || len(q.Vectors) > mostWalked || q.Toward == 0
		return
	}
	by.Query(s.query.Vector)
	s.order, s.whole = s.core.form.distance, by
}

// misses reports whether all vectors are to be compared after a walk, of which too little is on the right sides.
func (s *search) misses() bool {
	q := s.query.Several
	return q != nil && q.Sides && s.right < Part(s.query.Limit, s.query.Params.Share)
}

// onWhole reports whether the search walks on whole vectors: if there are no codes, or not for it. Codes that nobody declared are not for
// what Several.Sides tells of, unless to look at whole vectors means to read.
func (s *search) onWhole(n *net) bool {
	if n.codec == nil || s.query.Params.IgnoreCodes {
		return true
	}
	q := s.query.Several
	return q != nil && q.Sides && n.config.Codes.Kind == Automatic && s.core.dir == ""
}

// ask has the search walk by scorers that take returns of a vector each, until answered gives them back.
func (s *search) ask(take func(v []float32) quant.Scorer) {
	q := s.query.Several
	if q == nil {
		s.scorer = take(s.query.Vector)
		return
	}
	m := newSeveral(q)
	for _, v := range q.Vectors {
		m.each = append(m.each, take(v))
	}
	s.scorer = m
}

func (s *search) answered(done func(quant.Scorer)) {
	switch by := s.scorer.(type) {
	case *several:
		for _, one := range by.each {
			done(one)
		}
	case quant.Scorer:
		done(by)
	}
	s.scorer = nil
}

const (
	sidesTimes = 2  // so many times as many candidates are kept where it matters on which sides they are
	startShare = 8  // walks that tell where another begins keep so much less than that
	leastStart = 16 // but so many
	leadShare  = 8  // the one about what leads keeps more, this share of all rows at most
)

// setStarts finds where walks begin besides: about each of the vectors to be near to. What is best of all may lie about any of them, and
// whoever climbs about one does not see the others.
func (s *search) setStarts(ctx context.Context, g *hnsw.Graph) (err error) {
	s.starts, s.doubtful = s.starts[:0], 0
	m, ok := s.scorer.(*several)
	if !ok {
		return nil
	}
	for i, by := range m.each[:m.Toward] {
		ef := max(s.ef()/startShare, leastStart)
		if i == 0 && m.Lead { // so many that those on the right sides are among them; they cost one comparison each, and not one with each vector
			ef = max(s.ef(), min(s.ef()*len(m.Vectors), s.count/leadShare, hnsw.MaxEf))
		}
		if s.walked, err = g.Search(ctx, by, ef, nil, s.walked[:0]); err != nil {
			return err
		}
		for _, h := range s.walked {
			s.starts = append(s.starts, h.Row)
		}
		if i == 0 && m.Lead && !s.exact {
			s.doubtful = min(s.ef(), len(s.starts))
		}
	}
	return nil
}

// addDoubtful adds what is nearest to what leads to what a walk on codes met, without that: it may be on other sides than codes say, and is
// to be compared whole.
func (s *search) addDoubtful() {
	if s.doubtful == 0 {
		return
	}
	met := make(map[uint32]struct{}, len(s.walked))
	for _, h := range s.walked {
		met[h.Row] = struct{}{}
	}
	for _, row := range s.starts[:s.doubtful] {
		if _, ok := met[row]; !ok {
			s.walked = append(s.walked, hnsw.Hit{Row: row, Score: float32(math.Inf(1))})
		}
	}
}

// several scores rows by how alike they are to several vectors.
type several struct {
	*Several
	each  []quant.Scorer // of one vector each
	one   quant.Scorer   // or of all, one after the other
	turn  int            // rows at a time
	sums  [wordRows]float32
	alike []float64 // of each row at a time, and each vector
}

// mostAlike bounds the memory of a several.
const mostAlike = 1 << 16

func newSeveral(q *Several) *several {
	turn := max(min(mostAlike/len(q.Vectors), wordRows), 1)
	return &several{Several: q, turn: turn, alike: make([]float64, turn*len(q.Vectors))}
}

// Score implements hnsw.Scorer: the smaller, the better.
func (m *several) Score(rows []uint32, out []float32) {
	k := len(m.Vectors)
	for len(rows) > 0 {
		n := min(m.turn, len(rows))
		for j := range m.Vectors {
			m.by(j).Score(rows[:n], m.sums[:n])
			for i, sum := range m.sums[:n] {
				m.alike[i*k+j] = alike(sum)
			}
		}
		for i := range n {
			out[i] = float32(-m.Combine(m.alike[i*k : (i+1)*k]))
		}
		rows, out = rows[n:], out[n:]
	}
}

// by returns what compares with vector j.
func (m *several) by(j int) quant.Scorer {
	if m.one == nil {
		return m.each[j]
	}
	m.one.Query(m.Vectors[j])
	return m.one
}

// Hint implements hnsw.Hinter.
func (m *several) Hint(rows []uint32) {
	if m.one == nil {
		m.each[0].Hint(rows)
		return
	}
	m.one.Hint(rows)
}

package dense

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
)

// Rows is the number of rows that were written.
func (x *Index) Rows() int { return int(x.mu.core.next) }

// RowBytes is how much memory a row takes.
func (x *Index) RowBytes() int { return x.mu.core.vectors.Stride() }

// Working reports whether anything is being done in the background.
func (x *Index) Working() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.worker.busy
}

// Hold takes all threads of a pool, until release.
func (p *Pool) Hold() (release func()) {
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	return func() { p.done(cap(p.slots)) }
}

// Kept tells whether anything is kept.
func (r *Rows) Kept() bool { return r.kept.Load() != nil }

// Rest sets how long the index waits until it tries again what failed.
func (x *Index) Rest(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.worker.rest = d
}

// Judge makes an idle index look as if it judged codes, until done.
func (x *Index) Judge() (done func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.worker.busy, x.worker.judging = true, true
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.worker.busy = false
		x.wakeLocked()
	}
}

// Labels are those of all rows, in their order.
func (x *Index) Labels() (all []uint32) {
	for row := range x.mu.core.next {
		all = append(all, x.mu.core.label(row))
	}
	return all
}

// SmallSubs lets values of few labels have graphs, and changes come to them soon.
func (x *Index) SmallSubs(least int64, step uint64) { x.leastSub, x.subStep = least, step }

// CountScores counts the whole vectors that are compared from here on. The index must be new.
func (x *Index) CountScores(n *atomic.Int64) { x.form.rows = counted{x.form.rows, n} }

type counted struct {
	quant.Held
	n *atomic.Int64
}

func (c counted) NewScorer(a *arena.Arena) quant.Scorer {
	return countedScorer{c.Held.NewScorer(a), c.n}
}

type countedScorer struct {
	quant.Scorer
	n *atomic.Int64
}

func (c countedScorer) Score(rows []uint32, out []float32) {
	c.n.Add(int64(len(rows)))
	c.Scorer.Score(rows, out)
}

// Sub is what CheckSubs tells of the graph of one value.
type Sub struct {
	Places, Labels int
	ByCode         bool
	// Holds tells whether what the snapshot shows of a label is in the graph.
	Holds func(label uint32) bool
}

// CheckSubs returns the graphs of values that a search of the snapshot may walk, and what in them is not as shown promises.
func (s Snapshot) CheckSubs() (subs map[Value]Sub, wrong []string) {
	subs = map[Value]Sub{}
	for value, v := range s.core.subs.all() {
		if v.seq > s.seq {
			continue
		}
		places := map[uint32]int{}
		subs[value] = Sub{
			Places: int(v.places), Labels: int(v.labels.GetCardinality()), ByCode: v.shape.net != nil && v.shape.net.codec != nil,
			Holds: func(label uint32) bool {
				row, ok := s.row(label)
				return ok && places[row] > 0
			},
		}
		for place, row := range (*v.rows.Load())[:v.places] {
			if places[row]++; !v.graph.Has(uint32(place)) || row >= v.mark {
				wrong = append(wrong, fmt.Sprintf("%v: place %d, row %d, is not linked", value, place, row))
			}
		}
		v.labels.Iterate(func(label uint32) bool {
			if row, ok := s.row(label); ok && row < v.mark && places[row] != 1 {
				wrong = append(wrong, fmt.Sprintf("%v: label %d, row %d, is at %d places", value, label, row, places[row]))
			}
			return true
		})
	}
	return subs, wrong
}

// CodeBytes is how long a row's code is; 0: the graph is walked on whole vectors.
func (x *Index) CodeBytes() int {
	if n := x.mu.core.net.Load(); n.codec != nil {
		return n.codec.Bytes()
	}
	return 0
}

// Wider is how many more than ten candidates by code hold the ten nearest.
func (x *Index) Wider() int { return int(x.mu.core.net.Load().wider.Load()) }

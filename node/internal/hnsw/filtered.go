package hnsw

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// A search under a filter has two ways.
//
// The wide one walks as if there were no filter, keeps more candidates, and asks the filter about those alone. It costs
// as much more as it keeps, finds what is near the query, and fails where the filter takes hardly anything near it.
//
// The narrow one compares only rows that the filter takes: where a link leads to another, it looks at the links of that
// one, and so on (as in ACORN: Patel et al., 2024). It begins at rows drawn at random among those that the filter takes,
// so it finds the way to them wherever they are; but it asks the filter about very many rows.
//
// Either is to find as many of the nearest as a walk without a filter does, and which costs less is taken. How many candidates they
// need for that, and what one costs, was measured (docs/design/search.md).
const (
	leastWide  = 0.04 // the share from which on the wide way is tried: of less, hardly any are among what it keeps
	askCost    = 3    // times as much costs the narrow way if it is yet to be found out which rows are taken
	sampled    = 3    // rows beside where a search begins, whose links tell how many are taken there
	mostNarrow = 7    // times as much as one without a filter costs a candidate of the narrow way at most
	leastTied  = 0.03 // the share from which on links of links connect what is taken
	nearlyAll  = 0.75 // the share from which on they need not be asked
	drawn      = 32   // rows that the narrow way begins at
	wanted     = 24   // rows to compare that it looks for around each
	ahead      = 3    // of the rows between, whose links it looks at for that, are on their way from memory
)

// filtered finds rows that a filter takes.
func (w *walker) filtered(
	ctx context.Context, g *Graph, s Scorer, from candidate, ef int, filter *Filter, hits []Hit,
) ([]Hit, error) {
	a := acceptor{g: g, filter: filter}
	share := a.share()
	wide, narrow := filter.wideCost(ef, share), filter.narrowCost(ef, share)
	if !filter.Kept {
		narrow *= askCost
	} else if wide > narrow {
		a.tell()
	}
	about := w.about(g, &a, from.row(), share)
	even := about > share/3 && about < 3*share
	begun := len(hits)
	if even && wide <= narrow || about >= nearlyAll {
		around := share
		if about >= nearlyAll {
			around = about
		}
		enough, err := w.widely(ctx, g, s, from, ef, &a, around, &hits)
		if enough || err != nil {
			return hits, err
		}
	}
	a.tell()
	a.bridges = bridges(share)
	if err := w.narrow(ctx, g, s, from.row(), &a, filter.narrow(ef, share, even), hits[begun:]); err != nil {
		return hits, err
	}
	hits = hits[:begun]
	found := w.pool.found()
	for _, c := range found[:min(ef, len(found))] {
		hits = append(hits, Hit{Row: c.row(), Score: c.score()})
	}
	return hits, nil
}

// widely appends to hits what it finds on the wide way, and reports whether that is about as many as are to be expected where a share
// of rows is taken.
func (w *walker) widely(ctx context.Context, g *Graph, s Scorer, from candidate, ef int, a *acceptor, share float64, hits *[]Hit) (bool, error) {
	bound := a.filter.wide(ef, share)
	if err := w.level(ctx, g, s, from, 0, bound, equalFound(bound)); err != nil {
		return false, err
	}
	kept := w.pool.found()
	least := max(min(share*float64(len(kept))/2, float64(ef)), min(1.25*float64(a.filter.Wanted), share*float64(g.Len())))
	taken := 0
	for _, c := range kept {
		if !a.takes(c.row()) {
			continue
		}
		if taken < ef {
			*hits = append(*hits, Hit{Row: c.row(), Score: c.score()})
		}
		if taken++; taken >= ef && float64(taken) >= least {
			return true, nil
		}
	}
	return float64(taken) >= least, nil
}

// about is about which part of the rows around one a filter takes, of which the share of all is known. If that is much less or much
// more, what the filter takes goes with what lies near the query.
func (w *walker) about(g *Graph, a *acceptor, row uint32, share float64) float64 {
	if share >= nearlyAll {
		return share
	}
	w.behind = read(g.links.list(row, 0), w.aside[:0])
	taken, all := 0, 0
	for _, r := range w.behind[:min(sampled, len(w.behind))] {
		list := g.links.list(r, 0)
		for i := range list {
			link := atomic.LoadUint32(&list[i])
			if link == 0 {
				break
			}
			if all++; a.takes(link - 1) {
				taken++
			}
		}
	}
	return float64(taken) / max(float64(all), 1)
}

// bridges is of how many rows that are not taken the narrow way looks at the links, around each row that it expands. The less is
// taken, the more: so that they lead to about as many that are taken, fifty with 32 links each, most of which were met before.
func bridges(share float64) uint {
	const least, most = 16, 64
	return uint(min(max(1.6/share, least), most))
}

// wide is how many candidates the wide way keeps, where a filter takes a share of all rows. A candidate in share of all is
// taken, so the k-th that is taken is about the k/share-th of all. A walk of w candidates misses the r-th with a chance that grows
// about as r^0.34 / w^0.85, and so share^-0.4 times as many candidates find it as surely as the k-th; and among them are to be three
// quarters more than are wanted.
func (f *Filter) wide(ef int, share float64) int {
	return int(min(max(1.02*math.Pow(share, -0.4)*float64(ef)+1, 1.75*float64(f.Wanted)/share), MaxEf))
}

// narrow is how many candidates the narrow way keeps. The fewer rows it walks among, the fewer find as many, as long as links of links
// connect what is taken. Where a filter does not take as much about the query as elsewhere, what is to be found lies apart from it,
// and less close together: then it takes more, most where a fifth is taken.
func (f *Filter) narrow(ef int, share float64, even bool) int {
	times, more := 1.0, 0.0
	if !even {
		more = 1.5 * float64(f.Wanted)
	}
	switch {
	case share < leastTied:
	case even:
		times = max(4.0/3*math.Sqrt(math.Sqrt(share)), 0.6)
	default:
		times = max(min(3.2*math.Sqrt(share), max(1.6-0.8*share, 1)), 0.6)
	}
	// What is taken may be scattered: more candidates than are wanted find the way among them.
	return int(min(max(times*float64(ef)+more, 2.5*float64(f.Wanted), 1), MaxEf))
}

// The ways cost about as much as a walk without a filter that keeps so many candidates.

func (f *Filter) wideCost(ef int, share float64) float64 {
	if share < leastWide {
		return math.Inf(1)
	}
	return float64(f.wide(ef, share))
}

func (f *Filter) narrowCost(ef int, share float64) float64 {
	return float64(f.narrow(ef, share, true)) * min(1/math.Sqrt(share), mostNarrow)
}

// Cost is how many candidates a walk without a filter keeps that costs about as much as one with ef under a filter that takes a share
// of all rows.
func (f *Filter) Cost(ef int, share float64) float64 {
	return min(f.wideCost(ef, share), f.narrowCost(ef, share))
}

// acceptor says what a search may find.
type acceptor struct {
	g      *Graph
	filter *Filter
	bits   []uint64 // of the rows that are taken; nil: the filter is asked
	told   bool     // whether it was asked for those

	bridges uint // that the narrow way looks at around each row
}

// tell has the filter tell its rows, if it can and has not yet.
func (a *acceptor) tell() {
	if a.filter.Bits != nil && !a.told {
		a.bits, a.told = a.filter.Bits(), true
	}
}

func (a *acceptor) takes(row uint32) bool {
	if a.bits != nil {
		return int(row/64) < len(a.bits) && a.bits[row/64]&(1<<(row%64)) != 0
	}
	return a.filter.Accept(row)
}

// share is about which part of the linked rows is taken.
func (a *acceptor) share() float64 {
	all := float64(a.g.linked.Load())
	if a.filter.Count < 0 {
		return 1
	}
	return max(min(float64(a.filter.Count), all), 1) / all
}

// narrow leaves what it finds in the pool. It begins with what was found before, with rows around one, and with rows drawn
// at random.
func (w *walker) narrow(ctx context.Context, g *Graph, s Scorer, around uint32, a *acceptor, ef int, before []Hit) error {
	w.seen.reset(g.links.capacity())
	w.pool.reset(ef, equalFound(ef))
	for _, h := range before {
		w.seen.add(h.Row)
		w.pool.add(newCandidate(h.Score, h.Row))
	}
	if w.seen.add(around) && a.takes(around) {
		w.turns[0][0] = around
		w.score(s, w.turns[0][:1])
	}
	if len(w.starts) > 0 {
		w.begin(g, s, a)
	}
	w.score(s, w.bridge(g, a, around, 0))
	w.score(s, w.draw(g, a))
	hint, _ := s.(Hinter)
	rows := w.narrowStep(g, a, hint, 0)
	for n := 1; len(rows) > 0; n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return fmt.Errorf("walk graph: %w", ctx.Err())
		}
		next := w.narrowStep(g, a, hint, n%2)
		w.score(s, rows)
		if rows = next; len(rows) == 0 {
			rows = w.narrowStep(g, a, hint, n%2)
		}
	}
	return nil
}

// draw returns some rows that the filter takes, drawn at random, always the same of the same graph.
func (w *walker) draw(g *Graph, a *acceptor) []uint32 {
	const tries = 64 // for each: what takes less of the rows than one in so many is better not walked
	n, state, rows := 0, g.o.Seed, uint64(g.links.capacity())
	for range tries * drawn {
		state = state*6364136223846793005 + 1442695040888963407
		row := uint32((state >> 33) * rows >> 31)
		if g.links.has(row) && a.takes(row) && w.seen.add(row) {
			w.turns[0][n] = row
			if n++; n == drawn {
				break
			}
		}
	}
	return w.turns[0][:n]
}

// narrowStep expands the best candidate around which there are rows that are taken and that the walk has not seen.
func (w *walker) narrowStep(g *Graph, a *acceptor, hint Hinter, turn int) []uint32 {
	for {
		c, ok := w.pool.pop()
		if !ok {
			return nil
		}
		if rows := w.bridge(g, a, c.row(), turn); len(rows) > 0 {
			if hint != nil {
				hint.Hint(rows)
			}
			return rows
		}
	}
}

// bridge returns rows that are taken and that the walk has not seen: those that a row links to, and while those are few,
// those behind others that it links to.
func (w *walker) bridge(g *Graph, a *acceptor, row uint32, turn int) []uint32 {
	w.behind = w.aside[:0]
	found, near := w.look(g, a, row, w.turns[turn][:0])
	if near >= wanted/2 {
		return found
	}
	for i := range min(ahead, len(w.behind)) {
		vec.Prefetch(g.links.list(w.behind[i], 0))
	}
	for i := 0; i < len(w.behind) && len(found) < wanted; i++ {
		if i+ahead < len(w.behind) {
			vec.Prefetch(g.links.list(w.behind[i+ahead], 0))
		}
		if r := w.behind[i]; w.seen.add(r) {
			found, _ = w.look(g, a, r, found)
		}
	}
	return found
}

// look appends to found those that a row links to, are taken and new to the walk, notes in behind, while there is room, which are
// new but not taken, and returns how many of its links lead to others then: to rows that are taken, or were seen.
//
// No processor can guess which rows are taken. So all are written where those would be, and counted if they belong there.
func (w *walker) look(g *Graph, a *acceptor, row uint32, found []uint32) (_ []uint32, near int) {
	list := g.links.list(row, 0)
	list = list[:min(len(list), batchCap-len(found))]
	if a.bits == nil {
		return w.lookAsking(a, list, found)
	}
	known := min(len(a.bits), len(w.seen.words)) // what lies beyond is not taken
	bits, seen := a.bits[:known], w.seen.words[:known]
	n, m, all := uint(len(found)), uint(len(w.behind)), found[:batchCap]
	if m >= a.bridges {
		for i := range list {
			link := atomic.LoadUint32(&list[i])
			if link == 0 {
				break
			}
			r := link - 1
			if at := int(r / 64); at < known {
				all[n%batchCap] = r
				n += uint((bits[at] &^ seen[at]) >> (r % 64) & 1)
			}
		}
		return w.unseen(found, all[len(found):n]), 0
	}
	for i := range list {
		link := atomic.LoadUint32(&list[i])
		if link == 0 {
			break
		}
		r := link - 1
		at := int(r / 64)
		if at >= known { // it is not taken, but may lead on
			if w.seen.has(r) {
				near++
			} else {
				w.aside[m%uint(len(w.aside))] = r
				m++
			}
			continue
		}
		fresh := ^seen[at] >> (r % 64) & 1
		taken := fresh & (bits[at] >> (r % 64))
		all[n%batchCap] = r
		n += uint(taken)
		w.aside[m%uint(len(w.aside))] = r
		m += uint(fresh &^ taken)
		near += int(^fresh&1 | taken)
	}
	w.behind = w.aside[:min(m, a.bridges)]
	return w.unseen(found, all[len(found):n]), near
}

// unseen appends to found those of rows that the walk has not seen: a list that is being changed may hold a link twice.
func (w *walker) unseen(found, rows []uint32) []uint32 {
	for _, r := range rows {
		if w.seen.add(r) {
			found = append(found, r)
		}
	}
	return found
}

// lookAsking is look where the filter has to be asked.
func (w *walker) lookAsking(a *acceptor, list, found []uint32) (_ []uint32, near int) {
	for i := range list {
		link := atomic.LoadUint32(&list[i])
		if link == 0 {
			break
		}
		r := link - 1
		switch {
		case w.seen.has(r):
			near++ // or a bridge
		case a.takes(r):
			near++
			w.seen.add(r)
			found = append(found, r)
		case uint(len(w.behind)) < a.bridges:
			w.behind = append(w.behind, r)
		}
	}
	return found, near
}

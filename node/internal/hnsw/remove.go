package hnsw

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// Remove makes a row that is in the graph unfindable and reports whether it did. Walks still pass through it, until
// Repair.
func (g *Graph) Remove(row uint32) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.Has(row) {
		return false
	}
	g.removed.set(row)
	g.gone.Add(1)
	return true
}

// Repair takes the rows that were removed before it began out of the graph, and links their neighbours to one another in
// their place. It returns the rows, which may be inserted again once the searches have ended that began before Repair
// returned. newSpace makes a Space for each of the threads, at least one. Searches, inserts and removals may go on.
// When ctx ends, nothing is freed and what was repaired so far stays.
func (g *Graph) Repair(ctx context.Context, threads int, newSpace func() Space) (freed []uint32, err error) {
	g.maintenance.Lock()
	defer g.maintenance.Unlock()
	dead := g.doom()
	if dead == nil {
		return nil, nil
	}
	defer g.doomed.Store(nil)
	r := repair{g: g, dead: *dead, ctx: ctx}
	r.sweep(threads, newSpace)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("repair graph: %w", ctx.Err())
	}
	freed = g.free(*dead)
	g.adopt(newSpace())
	return freed, nil
}

// doom decides which rows this repair is about: those that are removed now. Inserts that run may link to them, later
// ones do not, so it waits for the former.
func (g *Graph) doom() *marks {
	g.inserts.Lock()
	defer g.inserts.Unlock()
	if g.gone.Load() == 0 {
		return nil
	}
	dead := g.removed.copy()
	g.doomed.Store(&dead)
	return &dead
}

type repair struct {
	g    *Graph
	dead marks
	ctx  context.Context //nolint:containedctx // of the one call of Repair
}

const repairChunk = 1024

// sweep visits all rows.
func (r *repair) sweep(threads int, newSpace func() Space) {
	rows := uint32(r.g.links.capacity())
	var next atomic.Uint32
	var wg sync.WaitGroup
	for range max(threads, 1) {
		wg.Go(func() { r.run(&next, rows, newSpace()) })
	}
	wg.Wait()
}

func (r *repair) run(next *atomic.Uint32, rows uint32, space Space) {
	w := r.g.walker()
	defer r.g.walkers.Put(w)
	for {
		from := next.Add(repairChunk) - repairChunk
		if from >= rows || r.ctx.Err() != nil {
			return
		}
		for row := from; row < min(from+repairChunk, rows); row++ {
			if r.dead.has(row) || !r.g.links.has(row) {
				continue
			}
			for l := r.g.level(row); l >= 0; l-- {
				r.row(w, space, row, l)
			}
		}
	}
}

// row chooses the links of a row anew if some lead to dead ones.
func (r *repair) row(w *walker, space Space, row uint32, level int) {
	list := r.g.links.list(row, level)
	w.rows = read(list, w.rows[:0])
	if !slices.ContainsFunc(w.rows, r.dead.has) {
		return
	}
	defer r.g.lock(row).Unlock()
	w.rows = r.candidates(w, row, list, level)
	o := chooser{row: row, salt: saltOf(row, uint32(level)), limit: len(list)}
	o.self = w.rescore(space, row, w.rows, o.salt)
	write(list, w.choose(r.g, space, o, w.build.pairs, w.kept[:0]))
}

// maxRepair bounds how many rows one row chooses its links from.
const maxRepair = 1024

// candidates are the links of a row that live, and in place of each that is dead its links, and theirs where those are
// dead in turn.
func (r *repair) candidates(w *walker, row uint32, list []uint32, level int) []uint32 {
	w.seen.reset(r.g.links.capacity())
	w.seen.add(row)
	rows := w.rows[:0]
	var dead []uint32
	take := func(links []uint32) {
		for _, l := range links {
			switch {
			case len(rows) >= maxRepair || !w.seen.add(l):
			case r.dead.has(l):
				dead = append(dead, l)
			default:
				rows = append(rows, l)
			}
		}
	}
	take(read(list, w.batch[:0]))
	for i := 0; i < len(dead) && len(rows) < maxRepair; i++ {
		take(read(r.g.links.list(dead[i], level), w.batch[:0]))
	}
	return rows
}

// free empties the lists of dead rows, to which nothing links any more, and returns them. No insert runs meanwhile.
func (g *Graph) free(dead marks) (rows []uint32) {
	g.inserts.Lock()
	defer g.inserts.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.moveEntryLocked(dead)
	for i, word := range dead {
		for ; word != 0; word &= word - 1 {
			row := uint32(i*64 + bits.TrailingZeros64(word))
			for l := g.level(row); l >= 0; l-- {
				write(g.links.list(row, l), nil)
			}
			meta := g.links.word(row)
			atomic.StoreUint32(meta, atomic.LoadUint32(meta)&^present)
			g.removed.clear(row)
			rows = append(rows, row)
		}
	}
	g.gone.Add(-int64(len(rows)))
	g.linked.Add(-int64(len(rows)))
	return rows
}

// moveEntryLocked chooses another entry if that one is dead: a row that lives and reaches highest.
func (g *Graph) moveEntryLocked(dead marks) {
	if row, _, ok := g.top(); !ok || !dead.has(row) {
		return
	}
	best, highest := uint64(0), -1
	for row := range uint32(g.links.capacity()) {
		word := atomic.LoadUint32(g.links.word(row))
		if word&present == 0 || dead.has(row) || word == present && highest >= 0 {
			continue
		}
		if l := g.level(row); l > highest {
			best, highest = entryOf(row, l), l
		}
	}
	g.entry.Store(best)
}

// adopt links the rows that were inserted while there was nothing but dead rows to link to.
func (g *Graph) adopt(space Space) {
	g.inserts.Lock()
	orphans := g.orphans.rows
	g.orphans.rows = nil
	g.inserts.Unlock()
	for _, row := range orphans {
		g.inserts.RLock()
		if g.links.has(row) {
			g.link(row, g.level(row), space)
		}
		g.inserts.RUnlock()
	}
}

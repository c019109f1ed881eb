package hnsw

import (
	"context"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// building is what an insert collects before it links: the neighbours of each level.
type building struct {
	chosen [maxLevel + 1][]uint32
	pairs  []candidate
}

// equalInserted is how many candidates that score the same an insert looks at: enough for copies to be linked to one
// another, and few enough for there to be others to link to.
const equalInserted = 8

// Insert links a row that is not in the graph. Many may be inserted at once, each with a Space of its own. It returns an
// error of class fault.Exists for a row that is there, and then changes nothing.
func (g *Graph) Insert(row uint32, space Space) error {
	g.inserts.RLock()
	defer g.inserts.RUnlock()
	if err := g.grow(row); err != nil {
		return err
	}
	level := g.level(row)
	_, top, ok := g.top()
	if !ok || level > top {
		// The first row, and those that reach higher than all others, come one by one.
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.insertHighLocked(row, level, space)
	}
	if err := g.take(row, level); err != nil {
		return err
	}
	g.link(row, level, space)
	g.linked.Add(1)
	return nil
}

func (g *Graph) insertHighLocked(row uint32, level int, space Space) error {
	if err := g.takeLocked(row, level); err != nil {
		return err
	}
	_, top, ok := g.top()
	if ok {
		g.link(row, level, space)
	}
	if !ok || level > top {
		g.entry.Store(entryOf(row, level))
	}
	g.linked.Add(1)
	return nil
}

// take puts a row into the graph, with lists that are empty.
func (g *Graph) take(row uint32, level int) error {
	word := g.links.word(row)
	if old := atomic.LoadUint32(word); level == 0 || old&^present != 0 {
		if old&present != 0 || !atomic.CompareAndSwapUint32(word, old, old|present) {
			return exists(row)
		}
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.takeLocked(row, level)
}

func (g *Graph) takeLocked(row uint32, level int) error {
	word := g.links.word(row)
	old := atomic.LoadUint32(word)
	if old&present != 0 {
		return exists(row)
	}
	if level > 0 && old == 0 {
		first, err := g.links.growUpper(level)
		if err != nil {
			return err
		}
		old = 1 + first
	}
	atomic.StoreUint32(word, old|present)
	return nil
}

func exists(row uint32) error { return fault.New(fault.Exists, "hnsw: row %d is in the graph", row) }

// link finds the row's neighbours on all its levels, writes its lists, and only then makes others point to it, from level
// 0 upwards: whoever comes to the row finds a way on.
func (g *Graph) link(row uint32, level int, space Space) {
	w := g.walker()
	defer g.walkers.Put(w)
	w.between = betweenScorer{space: space, row: row}
	o := chooser{row: row, self: w.itself(), salt: saltOf(row, none), limit: g.o.M}
	w.salt = o.salt
	defer func() { w.salt = 0 }()
	defer func() { w.between.space = nil }()
	_, top, _ := g.top()
	highest := min(level, top)
	from, _ := w.descend(g, &w.between, highest)
	for l := highest; l >= 0; l-- {
		_ = w.level(context.Background(), g, &w.between, from, l, g.o.EfConstruct, equalInserted) // the context never ends
		from = w.pool.items[0] ^ candidate(w.salt)<<1
		w.build.chosen[l] = w.choose(space, o, w.pool.items, w.build.chosen[l][:0])
	}
	lock := g.lock(row)
	for l := highest; l >= 0; l-- {
		write(g.links.list(row, l), w.build.chosen[l])
	}
	lock.Unlock()
	for l := 0; l <= highest; l++ {
		for _, neighbour := range w.build.chosen[l] {
			w.connect(g, space, neighbour, row, l)
		}
	}
}

// itself is the score of the row that is inserted with itself.
func (w *walker) itself() float32 {
	w.batch[0] = w.between.row
	w.between.Score(w.batch[:1], w.scores[:1])
	return w.scores[0]
}

// connect adds a link from a row to another; when there is no room, the row chooses again.
func (w *walker) connect(g *Graph, space Space, from, to uint32, level int) {
	defer g.lock(from).Unlock()
	list := g.links.list(from, level)
	w.rows = read(list, w.rows[:0])
	for _, r := range w.rows {
		if r == to {
			return
		}
	}
	if len(w.rows) < len(list) {
		atomic.StoreUint32(&list[len(w.rows)], to+1)
		return
	}
	w.rows = append(w.rows, to)
	o := chooser{row: from, salt: saltOf(from, to), limit: len(list)}
	o.self = w.rescore(space, from, w.rows, o.salt)
	write(list, w.choose(space, o, w.build.pairs, w.kept[:0]))
}

package dense

import "sync"

// worker is what an index does in the background: one thing at a time.
type worker struct {
	wg      sync.WaitGroup
	closing chan struct{}
	busy    bool // guarded by Index.mu
}

func (w *worker) init() { w.closing = make(chan struct{}) }

func (w *worker) close() {
	select {
	case <-w.closing:
	default:
		close(w.closing)
	}
	w.wg.Wait()
}

func (w *worker) closed() bool {
	select {
	case <-w.closing:
		return true
	default:
		return false
	}
}

// smallCopy is how many rows are copied under the lock: about a millisecond.
const smallCopy = 1000

// tidyLocked clears the dead away if they are many.
func (x *Index) tidyLocked() {
	c, config := x.mu.core, x.mu.config
	if x.worker.busy || x.mu.closed || int(c.next) < config.VacuumMinVectors || float64(c.dead) <= config.DeletedThreshold*float64(c.next) {
		return
	}
	x.worker.busy = true
	x.worker.wg.Go(x.vacuum)
}

// vacuum copies what lives into a new core while changes go on, and puts it in the place of the old one. What changes
// meanwhile is made up for in rounds that get shorter, the last one under the lock.
func (x *Index) vacuum() {
	old := x.state.Load()
	m := move{from: old.core, to: newCore(old.core.size)}
	for done := false; !done && !x.worker.closed(); {
		m.seq = x.state.Load().seq
		done = x.moved(&m)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.worker.busy = false
	x.tidyLocked()
}

// moved makes one round, and reports whether it was the last.
func (x *Index) moved(m *move) bool {
	if now := x.state.Load(); now.rows-m.done > smallCopy {
		m.copy(now.rows, x.worker.closed)
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	published := m.copied(x.state.Load().rows)
	m.copied(m.from.next)
	m.bury()
	x.mu.core = m.to
	x.state.Store(&state{core: m.to, rows: published, seq: x.mu.seq, count: x.state.Load().count})
	return true
}

// move is the copying of one core into another.
type move struct {
	from, to *core
	seq      uint64   // a Publish that all later snapshots have seen: what it ended is left behind
	done     uint32   // rows of from that were looked at
	rows     []uint32 // by row of to: the row of from that it is a copy of
}

// copied copies the rows up to a number, and returns how many rows there are then.
func (m *move) copied(to uint32) uint32 {
	m.copy(to, func() bool { return false })
	return m.to.next
}

func (m *move) copy(to uint32, stop func() bool) {
	for ; m.done < to; m.done++ {
		if m.done%wordRows == 0 && stop() {
			return
		}
		b, at := m.from.place(m.done)
		if died := b.died[at].Load(); died == 0 || died > m.seq {
			m.to.add(b.labels[at], m.from.vector(m.done))
			m.rows = append(m.rows, m.done)
		}
	}
}

// bury lets die what died after it was copied. Changes must wait meanwhile.
func (m *move) bury() {
	for row, was := range m.rows {
		b, at := m.from.place(was)
		if died := b.died[at].Load(); died != 0 {
			m.to.bury(uint32(row), died)
		}
	}
}

// bury ends a row as kill does, but knows it by its number.
func (c *core) bury(row uint32, seq uint64) {
	b, at := c.place(row)
	b.died[at].Store(seq)
	b.dead.Add(1)
	c.dead++
}

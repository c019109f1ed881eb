package dense

import (
	"cmp"
	"errors"
	"slices"
)

// smallCopy is how many rows are copied under the lock: about a millisecond.
const smallCopy = 256

// rebuild makes a new core of the rows that live, as the configuration wants it, while changes and searches go on with
// the old one, and puts it in its place. What changes meanwhile is made up for in rounds that get shorter, the last one
// under the lock.
func (x *Index) rebuild() error {
	x.mu.Lock()
	old, config := x.mu.core, *x.full.Load()
	wants := config.wantsGraph(x.mu.count, &x.form)
	x.mu.Unlock()
	to, err := x.newCore(&config)
	if err != nil {
		return err
	}
	m := move{x: x, from: old, to: to}
	m.sort()
	if wants {
		var n *net
		if n, err = x.newNet(to, config, old, x.state.Load().rows); err == nil {
			to.net.Store(n)
		}
	}
	if err == nil {
		err = m.run()
	}
	if err != nil {
		return errors.Join(err, to.release())
	}
	return old.release()
}

// move is the copying of one core into another.
type move struct {
	x        *Index
	from, to *core
	order    []uint32 // rows of from in the order in which they are looked at; those behind come as they are
	done     uint32   // rows of from that were looked at
	grouped  bool     // the graphs of values were built
	rows     []uint32 // by row of to: the row of from that it is a copy of
}

// sort has rows copied, and linked, in the order of their labels, which is about that in which their points first came: so what is
// built anew is as what was built of the same points at first, whichever of them were replaced since. What lies in a file is
// read in the order in which it lies there. A label's rows stay in their order.
func (m *move) sort() {
	if m.from.dir != "" {
		return
	}
	m.order = make([]uint32, m.x.state.Load().rows)
	for row := range m.order {
		m.order[row] = uint32(row)
	}
	slices.SortStableFunc(m.order, func(a, b uint32) int { return cmp.Compare(m.from.label(a), m.from.label(b)) })
}

// next is the row of from to be looked at.
func (m *move) next() uint32 {
	if int(m.done) < len(m.order) {
		return m.order[m.done]
	}
	return m.done
}

// moveStep is how many rows are copied, and linked, between two looks at what came to the old core meanwhile.
const moveStep = 1024

func (m *move) run() error {
	x := m.x
	for {
		if err := x.worker.ctx.Err(); err != nil {
			return err
		}
		now := x.state.Load()
		switch {
		case now.rows-m.done > smallCopy:
			if err := m.copy(min(now.rows, m.done+moveStep), now.seq); err != nil {
				return err
			}
			if m.to.net.Load() != nil {
				if err := x.link(x.worker.ctx, m.to, m.to.next, x.full.Load().threads()); err != nil {
					return err
				}
			}
		case !m.grouped:
			if err := m.group(now); err != nil {
				return err
			}
		default:
			return m.finish()
		}
		// Searches compare what is not in the old graph one by one: that must not become much.
		if m.from.net.Load() != nil && now.rows-m.from.linked.Load() > linkStep {
			if err := x.link(x.worker.ctx, m.from, now.rows, x.full.Load().threads()); err != nil {
				return err
			}
		}
	}
}

// group builds a part of the graphs of values, of what was copied so far.
func (m *move) group(now *state) error {
	s := &state{core: m.to, rows: m.to.next, seq: now.seq, count: now.count, changes: now.changes}
	if !m.x.subsDue(s) {
		m.grouped = true
		return nil
	}
	err := m.x.stepSubs(s)
	m.grouped = m.to.subs.growing == nil && len(m.to.subs.todo) == 0 // what changed since comes later
	return err
}

// finish copies the rest while changes wait, and puts the new core in place.
func (m *move) finish() error {
	x := m.x
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.state.Load()
	if err := m.copy(now.rows, now.seq); err != nil {
		return err
	}
	published := m.to.next
	if err := m.copy(m.from.next, now.seq); err != nil { // what is staged
		return err
	}
	for row, was := range m.rows {
		b, at := m.from.place(was)
		if died := b.died[at].Load(); died != 0 {
			m.to.bury(uint32(row), died)
		}
	}
	x.mu.core = m.to
	x.state.Store(&state{core: m.to, rows: published, seq: now.seq, count: now.count, changes: now.changes})
	return nil
}

// copy copies rows of from, up to a number. What was published to have died by seq, no later snapshot sees: that is
// left behind.
func (m *move) copy(to uint32, seq uint64) error {
	for ; m.done < to; m.done++ {
		next := m.next()
		b, at := m.from.place(next)
		if died := b.died[at].Load(); died != 0 && died <= seq {
			continue
		}
		if err := m.to.append(b.labels[at], func(row []byte) { copy(row, m.from.row(next)) }); err != nil {
			return err
		}
		m.rows = append(m.rows, next)
	}
	return nil
}

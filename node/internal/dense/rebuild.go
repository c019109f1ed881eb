package dense

import "errors"

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
	done     uint32   // rows of from that were looked at
	rows     []uint32 // by row of to: the row of from that it is a copy of
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
		if now.rows-m.done <= smallCopy {
			return m.finish()
		}
		if err := m.copy(min(now.rows, m.done+moveStep), now.seq); err != nil {
			return err
		}
		if m.to.net.Load() != nil {
			if err := x.link(x.worker.ctx, m.to, m.to.next, x.full.Load().threads()); err != nil {
				return err
			}
		}
		// Searches compare what is not in the old graph one by one: that must not become much.
		if m.from.net.Load() != nil && now.rows-m.from.linked.Load() > linkStep {
			if err := x.link(x.worker.ctx, m.from, now.rows, x.full.Load().threads()); err != nil {
				return err
			}
		}
	}
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
	x.state.Store(&state{core: m.to, rows: published, seq: now.seq, count: now.count})
	return nil
}

// copy copies rows of from, up to a number. What was published to have died by seq, no later snapshot sees: that is
// left behind.
func (m *move) copy(to uint32, seq uint64) error {
	for ; m.done < to; m.done++ {
		b, at := m.from.place(m.done)
		if died := b.died[at].Load(); died != 0 && died <= seq {
			continue
		}
		if err := m.to.append(b.labels[at], func(row []byte) { copy(row, m.from.row(m.done)) }); err != nil {
			return err
		}
		m.rows = append(m.rows, m.done)
	}
	return nil
}

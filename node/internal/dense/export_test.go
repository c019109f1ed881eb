package dense

import "time"

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

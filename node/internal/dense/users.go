package dense

import "sync/atomic"

// users counts who uses what is given back when nobody does any more.
type users struct{ n atomic.Int64 }

// acquire adds a user. It fails when there was none any more.
func (u *users) acquire() bool {
	for {
		n := u.n.Load()
		if n == 0 {
			return false
		}
		if u.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave takes a user away, and reports whether it was the last.
func (u *users) leave() bool { return u.n.Add(-1) == 0 }

package hnsw

import "math"

// A candidate is a row and its score in one word that orders as the score does, then as the row: the score's bits in the
// upper half, turned so that they order as integers; then the row; then, in the lowest bit, whether it was expanded.
type candidate uint64

const expanded candidate = 1

func newCandidate(score float32, row uint32) candidate {
	return candidate(ordered(score))<<32 | candidate(row)<<1
}

// ordered maps scores to integers of the same order, NaN behind all others.
func ordered(score float32) uint32 {
	if score != score {
		return math.MaxUint32
	}
	b := math.Float32bits(score)
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

func (c candidate) row() uint32 { return uint32(c) >> 1 }

func (c candidate) score() float32 {
	o := uint32(c >> 32)
	return math.Float32frombits(o ^ (^uint32(int32(o)>>31) | 1<<31))
}

// pool is the best candidates of a walk in order, at most as many as its bound.
type pool struct {
	items []candidate
	bound int
	next  int // all before it are expanded
}

func (p *pool) reset(bound int) {
	if cap(p.items) < bound+1 {
		p.items = make([]candidate, 0, bound+1)
	}
	p.items, p.bound, p.next = p.items[:0], bound, 0
}

// limit is the score from which on a candidate is not wanted.
func (p *pool) limit() float32 {
	if len(p.items) < p.bound {
		return float32(math.Inf(1))
	}
	return p.items[len(p.items)-1].score()
}

// add puts c in its place and drops the last if there are too many.
func (p *pool) add(c candidate) {
	n := len(p.items)
	if n == p.bound {
		if c >= p.items[n-1] {
			return
		}
		n--
	}
	at, end := 0, n
	for at < end {
		middle := int(uint(at+end) >> 1)
		if p.items[middle] < c {
			at = middle + 1
		} else {
			end = middle
		}
	}
	p.items = p.items[:n+1]
	copy(p.items[at+1:], p.items[at:n])
	p.items[at] = c
	p.next = min(p.next, at)
}

// pop marks the best candidate that is not expanded and returns it.
func (p *pool) pop() (candidate, bool) {
	for p.next < len(p.items) {
		c := p.items[p.next]
		if c&expanded == 0 {
			p.items[p.next] |= expanded
			p.next++
			return c, true
		}
		p.next++
	}
	return 0, false
}

// peek returns what pop would.
func (p *pool) peek() (candidate, bool) {
	for i := p.next; i < len(p.items); i++ {
		if c := p.items[i]; c&expanded == 0 {
			return c, true
		}
	}
	return 0, false
}

package hnsw

import (
	"math"
	"slices"
)

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
//
// Of candidates that score the same only so many are among them, those with the smallest rows; the others are set aside:
// they may be found, but do not crowd out what leads elsewhere. Copies of one vector would else be all that a walk sees.
type pool struct {
	items []candidate
	bound int
	next  int // all before it are expanded
	equal int // how many may score the same
	aside []candidate
	tried int // of aside
}

func (p *pool) reset(bound, equal int) {
	if cap(p.items) < bound+1 {
		p.items = make([]candidate, 0, bound+1)
	}
	p.items, p.aside = p.items[:0], p.aside[:0]
	p.bound, p.equal, p.next, p.tried = bound, equal, 0, 0
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
	if n == p.bound && c >= p.items[n-1] {
		return
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
	if at < n && c.ties(p.items[at]) || at > 0 && c.ties(p.items[at-1]) {
		if last := p.crowd(c, at); last >= 0 {
			p.displace(c, at, last)
			return
		}
	}
	if n == p.bound {
		n--
	}
	p.items = p.items[:n+1]
	copy(p.items[at+1:], p.items[at:n])
	p.items[at] = c
	p.next = min(p.next, at)
}

// ties reports whether two candidates score the same.
func (c candidate) ties(other candidate) bool { return (c^other)>>32 == 0 }

// crowd returns the end of those that score the same as c, whose place is at, or -1 if there is room for one more.
func (p *pool) crowd(c candidate, at int) int {
	first, last := at, at
	for first > 0 && last-first < p.equal && c.ties(p.items[first-1]) {
		first--
	}
	for last < len(p.items) && c.ties(p.items[last]) {
		last++
	}
	if last-first < p.equal {
		return -1
	}
	return last
}

// displace puts c in its place among those that score the same, and sets the last of them aside, which may be c.
func (p *pool) displace(c candidate, at, last int) {
	dropped := c
	if at < last {
		dropped = p.items[last-1]
		copy(p.items[at+1:last], p.items[at:last-1])
		p.items[at] = c
		p.next = min(p.next, at)
	}
	if len(p.aside) < p.bound {
		p.aside = append(p.aside, dropped)
	}
}

// found returns the best candidates, those set aside too.
func (p *pool) found() []candidate {
	if len(p.aside) > 0 {
		for i := range p.items {
			p.items[i] &^= expanded
		}
		for i := range p.aside {
			p.aside[i] &^= expanded
		}
		p.items = append(p.items, p.aside...)
		slices.Sort(p.items)
		p.items = p.items[:min(len(p.items), p.bound)]
	}
	return p.items
}

// pop marks the best candidate that is not expanded and returns it. When there is none, though there is room for more,
// those set aside have their turn.
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
	for len(p.items) < p.bound && p.tried < len(p.aside) {
		c := p.aside[p.tried]
		p.tried++
		if c&expanded == 0 {
			return c, true
		}
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

package dense

import "github.com/ostraka/terraform-provider-ostraka/node/internal/vec"

type hit struct {
	label uint32
	score float32
}

// heap keeps the best hits, as many as it has room for; the worst of them is on top.
type heap struct {
	hits     []hit
	room     int
	distance vec.Distance
	before   func(a, b uint32) bool
}

// reset empties the heap and makes room for k hits.
func (h *heap) reset(k int, d vec.Distance, before func(a, b uint32) bool) {
	if cap(h.hits) < k {
		h.hits = make([]hit, 0, k)
	}
	h.hits, h.room, h.distance, h.before = h.hits[:0], k, d, before
}

func (h *heap) clear() { h.hits = h.hits[:0] }

func (h *heap) full() bool { return len(h.hits) == h.room }

// better is a total order, as long as before is one.
func (h *heap) better(a, b hit) bool {
	if h.distance.Better(a.score, b.score) {
		return true
	}
	return !h.distance.Better(b.score, a.score) && h.before(a.label, b.label)
}

// wants reports whether add would keep x.
func (h *heap) wants(x hit) bool { return len(h.hits) < h.room || h.better(x, h.hits[0]) }

// add keeps x, and forgets the worst hit if there is no room. wants(x) must hold.
func (h *heap) add(x hit) {
	if len(h.hits) == h.room {
		h.hits[0] = x
		h.sink(0, len(h.hits))
		return
	}
	h.hits = append(h.hits, x)
	for i := len(h.hits) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.better(h.hits[parent], h.hits[i]) {
			return
		}
		h.hits[parent], h.hits[i] = h.hits[i], h.hits[parent]
		i = parent
	}
}

// sink restores the order below i among the first n hits.
func (h *heap) sink(i, n int) {
	for {
		worst := i
		for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
			if h.better(h.hits[worst], h.hits[c]) {
				worst = c
			}
		}
		if worst == i {
			return
		}
		h.hits[i], h.hits[worst] = h.hits[worst], h.hits[i]
		i = worst
	}
}

// sorted empties the heap, best first.
func (h *heap) sorted() []Hit {
	out := make([]Hit, len(h.hits))
	for n := len(h.hits) - 1; n >= 0; n-- {
		out[n] = Hit{Label: h.hits[0].label, Score: h.hits[0].score}
		h.hits[0] = h.hits[n]
		h.sink(0, n)
	}
	return out
}

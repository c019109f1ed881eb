package simulation_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// absent is the value of what is not there.
const absent = int64(-1)

// history is what a client knows of one thing that it alone changes, one change at a time: the value that the last
// acknowledged change gave it, and the values of changes whose outcome it never learned. Those may happen at any later
// time, or never.
type history struct {
	sure  int64
	maybe map[int64]bool
}

func newHistory() *history { return &history{sure: absent, maybe: map[int64]bool{}} }

// certain reports whether the thing is there in any case.
func (h *history) certain() bool { return h.sure != absent && !h.maybe[absent] }

// note records the outcome of a change to a value.
func (h *history) note(value int64, o outcome) {
	switch o {
	case acknowledged:
		h.sure = value
	case unknown:
		h.maybe[value] = true
	case refused:
	}
}

// allows reports whether a value may be there now.
func (h *history) allows(value int64) bool { return value == h.sure || h.maybe[value] }

func (h *history) String() string {
	return fmt.Sprintf("%d, maybe %v", h.sure, slices.Sorted(maps.Keys(h.maybe)))
}

// outcome is what a client knows of a change that it asked for.
type outcome int

const (
	acknowledged outcome = iota
	refused              // it was surely not made
	unknown
)

// histories is what all clients know of many things.
type histories[K comparable] struct {
	mu  sync.Mutex
	all map[K]*history
}

func (h *histories[K]) note(key K, value int64, o outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[K]*history{}
	}
	if h.all[key] == nil {
		h.all[key] = newHistory()
	}
	h.all[key].note(value, o)
}

// check compares everything with what is there. With lossy, acknowledged changes may be missing, but nothing may be
// there that nobody wrote.
func (h *histories[K]) check(got map[K]int64, lossy bool) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var wrong []string
	for key, known := range h.all {
		value, ok := got[key]
		if !ok {
			value = absent
		}
		if !known.allows(value) && !lossy {
			wrong = append(wrong, fmt.Sprintf("%v is %d, should be %v", key, value, known))
		}
	}
	for key, value := range got {
		if h.all[key] == nil {
			wrong = append(wrong, fmt.Sprintf("%v is %d, and nobody wrote it", key, value))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// count tells how many things there are, and how many of them for certain.
func (h *histories[K]) count() (all, certain int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, known := range h.all {
		if known.certain() {
			certain++
		}
	}
	return len(h.all), certain
}

// get returns a copy of what is known of one thing, nil if nothing.
func (h *histories[K]) get(key K) *history {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.all[key]
	if known == nil {
		return nil
	}
	return &history{sure: known.sure, maybe: maps.Clone(known.maybe)}
}

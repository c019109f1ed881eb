// Package best chooses the best of many items, whatever better means: the few best ones while all pass by (Few), or all that are
// there, best first, for as long as somebody asks (Queue). Neither puts more in order than it has to. Better is a strict order;
// where it is total, so is what comes out.
package best

// Few keeps the best items that it was given, as many as it has room for. Make it with Reset.
type Few[T any] struct {
	items  []T // a heap with the worst on top
	room   int
	better func(a, b T) bool
}

// Reset empties it, and has it keep so many items, one at least. better stays if it is nil.
func (f *Few[T]) Reset(room int, better func(a, b T) bool) {
	if better != nil {
		f.better = better
	}
	f.items, f.room = f.items[:0], room
}

// Clear empties it.
func (f *Few[T]) Clear() { f.items = f.items[:0] }

// Full reports whether an item has to go when another comes.
func (f *Few[T]) Full() bool { return len(f.items) == f.room }

// Cap is how many items it has memory for.
func (f *Few[T]) Cap() int { return cap(f.items) }

// Worst is the item that goes first. There must be one.
func (f *Few[T]) Worst() T { return f.items[0] }

// Wants reports whether Add would keep an item.
func (f *Few[T]) Wants(x T) bool { return !f.Full() || f.better(x, f.items[0]) }

// Add keeps an item that is wanted, in place of the worst if there is no room.
func (f *Few[T]) Add(x T) {
	if f.Full() {
		f.items[0] = x
		sink(f.items, 0, f.worse)
		return
	}
	f.items = append(f.items, x)
	for i := len(f.items) - 1; i > 0; {
		parent := (i - 1) / 2
		if !f.better(f.items[parent], f.items[i]) {
			return
		}
		f.items[parent], f.items[i] = f.items[i], f.items[parent]
		i = parent
	}
}

func (f *Few[T]) worse(a, b T) bool { return f.better(b, a) }

// Sorted empties it, and returns what it kept, best first: good until the next item comes.
func (f *Few[T]) Sorted() []T {
	all := f.items
	for n := len(all) - 1; n > 0; n-- {
		all[0], all[n] = all[n], all[0]
		sink(all[:n], 0, f.worse)
	}
	f.Clear()
	return all
}

// Queue gives items best first.
type Queue[T any] struct {
	items  []T
	better func(a, b T) bool
}

// NewQueue makes a queue of items, which become its own.
func NewQueue[T any](items []T, better func(a, b T) bool) *Queue[T] {
	for i := len(items)/2 - 1; i >= 0; i-- {
		sink(items, i, better)
	}
	return &Queue[T]{items: items, better: better}
}

// Next takes the best item out; ok is false if there is none.
func (q *Queue[T]) Next() (item T, ok bool) {
	n := len(q.items)
	if n == 0 {
		return item, false
	}
	item = q.items[0]
	q.items[0], q.items = q.items[n-1], q.items[:n-1]
	sink(q.items, 0, q.better)
	return item, true
}

// sink moves item i of a heap down until none below comes before it.
func sink[T any](items []T, i int, before func(a, b T) bool) {
	for {
		first := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(items); c++ {
			if before(items[c], items[first]) {
				first = c
			}
		}
		if first == i {
			return
		}
		items[i], items[first] = items[first], items[i]
		i = first
	}
}

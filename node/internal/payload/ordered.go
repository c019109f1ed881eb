package payload

import (
	"cmp"
	"slices"
	"sort"
)

// ordered is pairs of a key and a label, in ascending order of both: a list of chunks, each of which is a sorted list.
type ordered struct {
	chunks []*chunk // none is empty
	n      int
}

type chunk struct {
	keys   []int64
	labels []uint32
}

// maxChunk is how many pairs a chunk holds before it is cut in two.
const maxChunk = 512

func comparePairs(k int64, l uint32, key int64, label uint32) int {
	return cmp.Or(cmp.Compare(k, key), cmp.Compare(l, label))
}

// chunkOf returns the chunk that a pair is in, or belongs into, and its place there.
func (o *ordered) chunkOf(key int64, label uint32) (at, place int) {
	at = sort.Search(len(o.chunks), func(i int) bool {
		c := o.chunks[i]
		last := len(c.keys) - 1
		return comparePairs(c.keys[last], c.labels[last], key, label) >= 0
	})
	if at == len(o.chunks) {
		at--
	}
	c := o.chunks[at]
	place = sort.Search(len(c.keys), func(i int) bool { return comparePairs(c.keys[i], c.labels[i], key, label) >= 0 })
	return at, place
}

// add takes a pair that is not there.
func (o *ordered) add(key int64, label uint32) {
	o.n++
	if len(o.chunks) == 0 {
		o.chunks = append(o.chunks, &chunk{keys: []int64{key}, labels: []uint32{label}})
		return
	}
	at, place := o.chunkOf(key, label)
	c := o.chunks[at]
	c.keys, c.labels = slices.Insert(c.keys, place, key), slices.Insert(c.labels, place, label)
	if len(c.keys) <= maxChunk {
		return
	}
	half := maxChunk / 2
	if at == len(o.chunks)-1 && place == len(c.keys)-1 {
		half = maxChunk * 7 / 8 // keys that grow, such as times, fill their chunks
	}
	upper := &chunk{keys: slices.Clone(c.keys[half:]), labels: slices.Clone(c.labels[half:])}
	c.keys, c.labels = c.keys[:half:half], c.labels[:half:half]
	o.chunks = slices.Insert(o.chunks, at+1, upper)
}

// remove takes a pair out that is there.
func (o *ordered) remove(key int64, label uint32) {
	o.n--
	at, place := o.chunkOf(key, label)
	c := o.chunks[at]
	c.keys, c.labels = slices.Delete(c.keys, place, place+1), slices.Delete(c.labels, place, place+1)
	if len(c.keys) == 0 {
		o.chunks = slices.Delete(o.chunks, at, at+1)
		return
	}
	if at+1 < len(o.chunks) && len(c.keys)+len(o.chunks[at+1].keys) <= maxChunk/2 {
		next := o.chunks[at+1]
		c.keys, c.labels = append(c.keys, next.keys...), append(c.labels, next.labels...)
		o.chunks = slices.Delete(o.chunks, at+1, at+2)
	}
}

// between calls visit with the pairs whose keys are in from..to, in order and a run at a time.
func (o *ordered) between(from, to int64, visit func(keys []int64, labels []uint32) bool) {
	first := sort.Search(len(o.chunks), func(i int) bool { return o.chunks[i].keys[len(o.chunks[i].keys)-1] >= from })
	for _, c := range o.chunks[first:] {
		if c.keys[0] > to {
			return
		}
		low, high := 0, len(c.keys)
		if c.keys[0] < from {
			low, _ = slices.BinarySearch(c.keys, from)
		}
		if c.keys[high-1] > to {
			high = sort.Search(high, func(i int) bool { return c.keys[i] > to })
		}
		if !visit(c.keys[low:high], c.labels[low:high]) {
			return
		}
	}
}

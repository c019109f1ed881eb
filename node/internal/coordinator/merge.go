package coordinator

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// merge takes lists that are each sorted by before and returns the items at offset..offset+limit-1 of their sorted
// union. Equal items keep the order of their lists.
func merge[T any](lists [][]T, before func(a, b *T) bool, offset, limit uint64) []T {
	if len(lists) == 1 {
		only := lists[0][min(offset, uint64(len(lists[0]))):]
		return slices.Clip(only[:min(limit, uint64(len(only)))])
	}
	h := &frontier[T]{before: before}
	total := uint64(0)
	for i, l := range lists {
		if len(l) > 0 {
			h.heads = append(h.heads, head[T]{rest: l, list: i})
			total += uint64(len(l))
		}
	}
	if offset >= total || limit == 0 {
		return nil
	}
	heap.Init(h)
	merged := make([]T, 0, min(limit, total-offset))
	for i := uint64(0); i < total && uint64(len(merged)) < limit; i++ {
		first := &h.heads[0]
		if i >= offset {
			merged = append(merged, first.rest[0])
		}
		if first.rest = first.rest[1:]; len(first.rest) == 0 {
			heap.Pop(h)
		} else {
			heap.Fix(h, 0)
		}
	}
	return merged
}

// frontier is a heap of what is left of the lists, the one with the next item first.
type frontier[T any] struct {
	heads  []head[T]
	before func(a, b *T) bool
}

type head[T any] struct {
	rest []T
	list int
}

// Len is for container/heap.
func (f *frontier[T]) Len() int { return len(f.heads) }

// Less is for container/heap.
func (f *frontier[T]) Less(i, j int) bool {
	a, b := &f.heads[i], &f.heads[j]
	if f.before(&a.rest[0], &b.rest[0]) {
		return true
	}
	return !f.before(&b.rest[0], &a.rest[0]) && a.list < b.list
}

// Swap is for container/heap.
func (f *frontier[T]) Swap(i, j int) { f.heads[i], f.heads[j] = f.heads[j], f.heads[i] }

// Push is for container/heap.
func (f *frontier[T]) Push(x any) { f.heads = append(f.heads, x.(head[T])) }

// Pop is for container/heap.
func (f *frontier[T]) Pop() any {
	last := f.heads[len(f.heads)-1]
	f.heads = f.heads[:len(f.heads)-1]
	return last
}

// byScore orders results best first, equal scores by id.
func byScore(d vec.Distance) func(a, b *shard.Scored) bool {
	return func(a, b *shard.Scored) bool { return cmp.Or(d.Compare(a.Score, b.Score), a.ID.Compare(b.ID)) < 0 }
}

// byRank orders results by rank, equal ranks by id.
func byRank(desc bool) func(a, b *shard.Scored) bool {
	return func(a, b *shard.Scored) bool {
		if a.Rank != b.Rank {
			return (a.Rank < b.Rank) != desc
		}
		return a.ID.Compare(b.ID) < 0
	}
}

func byID(a, b *point.Record) bool { return a.ID.Compare(b.ID) < 0 }

// cutScores leaves out what is not strictly better than the threshold; shards have done so already, but the order of a
// merged list rests on it only here.
func cutScores(d vec.Distance, sorted []shard.Scored, threshold *float32) []shard.Scored {
	if threshold == nil {
		return sorted
	}
	for i := range sorted {
		if !d.Better(sorted[i].Score, *threshold) {
			return sorted[:i]
		}
	}
	return sorted
}

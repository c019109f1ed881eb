package wire

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
)

// The fields that filters ask for, and how many groups each has.
const (
	Random     = "random"
	Correlated = "correlated"
	GroupCount = 1000
)

// Groups are the groups of a set's vectors: by chance, and such that vectors that lie near one another are in groups
// near one another.
type Groups map[string][]int

// NewGroups gives each vector its groups: in the field Random a hash of its number, in the field Correlated its place in
// the order of likeness to the first one.
func NewGroups(set *dataset.Set) Groups {
	g := Groups{Random: make([]int, set.Len()), Correlated: make([]int, set.Len())}
	order := make([]int, set.Len())
	likeness := make([]float32, set.Len())
	for i := range order {
		x := uint64(i+1) * 0x9e3779b97f4a7c15
		x ^= x >> 29
		x *= 0xbf58476d1ce4e5b9
		g[Random][i] = int((x ^ x>>32) % GroupCount)
		order[i], likeness[i] = i, set.Distance.Score(set.Vector(0), set.Vector(i))
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if set.Distance.Better(likeness[a], likeness[b]) {
			return -1
		}
		if set.Distance.Better(likeness[b], likeness[a]) {
			return 1
		}
		return 0
	})
	for place, i := range order {
		g[Correlated][i] = place * GroupCount / len(order)
	}
	return g
}

// Under returns some of a set's queries with the truth under a filter.
func Under(ctx context.Context, set *dataset.Set, groups Groups, f *Filter) (*dataset.Set, error) {
	const queries = 100
	some := *set
	some.Queries = set.Queries[:queries*set.Size]
	truth, err := dataset.Truth(ctx, &some, func(row uint32) bool { return groups[f.Field][row] < f.Below })
	some.Truth = truth
	return &some, err
}

// Filtered has one client search under a filter. set is what Under returns for it.
func Filtered(ctx context.Context, s Server, set *dataset.Set, f *Filter, span time.Duration) (m Measured, err error) {
	return searches(ctx, s, set, 1, span, f)
}

// WhileStoring has one client search while others store vectors of the set again, which all get new rows.
func WhileStoring(ctx context.Context, s Server, set *dataset.Set, span time.Duration) (Measured, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stored sync.WaitGroup
	errs := make([]error, writers)
	for w := range errs {
		stored.Go(func() {
			for from := w * set.Len() / writers; ctx.Err() == nil && errs[w] == nil; from += batch {
				from %= set.Len() - batch
				if errs[w] = s.Store(ctx, set, from, from+batch); ctx.Err() != nil {
					errs[w] = nil
				}
			}
		})
	}
	m, err := searches(ctx, s, set, 1, span, nil)
	cancel()
	stored.Wait()
	return m, errors.Join(append(errs, err)...)
}

// StoreHalf stores every other vector again, and waits until all are indexed.
func StoreHalf(ctx context.Context, s Server, set *dataset.Set) error {
	for from := 0; from+batch <= set.Len(); from += 2 * batch {
		if err := s.Store(ctx, set, from, from+batch); err != nil {
			return err
		}
	}
	return s.Ready(ctx, set.Len())
}

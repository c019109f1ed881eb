package dataset

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

const (
	truthQueries = 64  // that are compared with a group of vectors while it is in the cache
	truthGroup   = 256 // vectors
)

type scored struct {
	row   uint32
	score float32 // smaller is nearer
}

func order(a, b scored) int {
	switch {
	case a.score < b.score:
		return -1
	case a.score > b.score:
		return 1
	}
	return int(a.row) - int(b.row)
}

// Truth returns the TruthK nearest vectors of each query, nearest first, among those that accept takes; nil takes all.
// Where there are fewer, the row number 1<<32-1 stands for those that are missing.
func Truth(ctx context.Context, s *Set, accept func(row uint32) bool) ([]uint32, error) {
	truth := make([]uint32, s.QueryCount()*TruthK)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			t := newTruthWorker(s, accept)
			for ctx.Err() == nil {
				from := int(next.Add(truthQueries)) - truthQueries
				if from >= s.QueryCount() {
					return
				}
				t.some(from, min(from+truthQueries, s.QueryCount()), truth)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("compare all: %w", ctx.Err())
	}
	return truth, nil
}

type truthWorker struct {
	set     *Set
	accept  func(uint32) bool
	kernel  vec.Kernel[float32, float32, float32]
	rows    []uint32
	offsets []int
	sums    [truthGroup]float32
	best    [truthQueries][]scored // some of the nearest so far: when full, the first TruthK are in order
	full    [truthQueries]bool
}

func newTruthWorker(s *Set, accept func(uint32) bool) *truthWorker {
	return &truthWorker{set: s, accept: accept, kernel: vec.ForFloat32(s.Distance)}
}

func (t *truthWorker) some(from, to int, truth []uint32) {
	for i := range t.best {
		t.best[i], t.full[i] = t.best[i][:0], false
	}
	for row := 0; row < t.set.Len(); {
		t.rows, t.offsets = t.rows[:0], t.offsets[:0]
		for ; row < t.set.Len() && len(t.rows) < truthGroup; row++ {
			if t.accept == nil || t.accept(uint32(row)) {
				t.rows, t.offsets = append(t.rows, uint32(row)), append(t.offsets, row*t.set.Size)
			}
		}
		for q := from; q < to; q++ {
			t.group(q, q-from)
		}
	}
	for q := from; q < to; q++ {
		best := t.cut(q - from)
		out := truth[q*TruthK : (q+1)*TruthK]
		for i := range out {
			out[i] = 1<<32 - 1
			if i < len(best) {
				out[i] = best[i].row
			}
		}
	}
}

func (t *truthWorker) group(query, slot int) {
	sums := t.sums[:len(t.rows)]
	t.kernel.Rows(t.set.Query(query), t.set.Base, t.offsets, sums)
	for i, sum := range sums {
		if t.set.Distance.LargerIsBetter() {
			sum = -sum
		}
		if s := (scored{t.rows[i], sum}); !t.full[slot] || order(s, t.best[slot][TruthK-1]) < 0 {
			if t.best[slot] = append(t.best[slot], s); len(t.best[slot]) == 4*TruthK {
				t.cut(slot)
			}
		}
	}
}

// cut puts the best in order and forgets the others.
func (t *truthWorker) cut(slot int) []scored {
	slices.SortFunc(t.best[slot], order)
	t.best[slot] = t.best[slot][:min(TruthK, len(t.best[slot]))]
	t.full[slot] = len(t.best[slot]) == TruthK
	return t.best[slot]
}

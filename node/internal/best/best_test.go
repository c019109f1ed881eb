package best_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/best"
)

type item struct{ score, number int }

// better orders by score, equal ones by number.
func better(a, b item) bool { return compare(a, b) < 0 }

func compare(a, b item) int { return cmp.Or(b.score-a.score, a.number-b.number) }

func draw(t *rapid.T) (items []item) {
	for i, score := range rapid.SliceOfN(rapid.IntRange(0, 20), 0, 100).Draw(t, "scores") {
		items = append(items, item{score, i})
	}
	return items
}

func TestFewAreTheFirstOfAllInOrder(t *testing.T) {
	var few best.Few[item]
	rapid.Check(t, func(t *rapid.T) {
		room, items := rapid.IntRange(1, 30).Draw(t, "room"), draw(t)
		few.Reset(room, better)
		var kept []item
		for i, x := range items {
			wanted := len(kept) < room || better(x, kept[len(kept)-1])
			if few.Wants(x) != wanted || few.Full() != (len(kept) == room) {
				t.Fatalf("item %d: wanted %v", i, few.Wants(x))
			}
			if wanted {
				few.Add(x)
				kept = append(kept, x)
				slices.SortFunc(kept, compare)
				kept = kept[:min(room, len(kept))]
			}
			if w := few.Worst(); w != kept[len(kept)-1] {
				t.Fatalf("the worst is %v of %v", w, kept)
			}
		}
		if got := few.Sorted(); !slices.Equal(got, kept) {
			t.Fatalf("%v, want %v", got, kept)
		}
		if got := few.Sorted(); len(got) != 0 || few.Full() {
			t.Fatalf("%v are left", got)
		}
	})
}

func TestAQueueGivesAllInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := draw(t)
		q := best.NewQueue(slices.Clone(items), better)
		slices.SortFunc(items, compare)
		for _, want := range items {
			if got, ok := q.Next(); !ok || got != want {
				t.Fatalf("%v, %v, want %v", got, ok, want)
			}
		}
		if x, ok := q.Next(); ok {
			t.Fatalf("%v is one too many", x)
		}
	})
}

func TestNothingIsAllocatedPerItem(t *testing.T) {
	var few best.Few[item]
	few.Reset(10, better)
	if n := testing.AllocsPerRun(10, func() {
		few.Reset(10, nil)
		for i := range 1000 {
			if x := (item{i, i}); few.Wants(x) {
				few.Add(x)
			}
		}
		few.Sorted()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

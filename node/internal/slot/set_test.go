package slot_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// drawSet draws a set both as slot.Set and as a map.
func drawSet(t *rapid.T, name string) (slot.Set, map[slot.Slot]bool) {
	var s slot.Set
	m := map[slot.Slot]bool{}
	for range rapid.IntRange(0, 6).Draw(t, name+" ranges") {
		from := rapid.IntRange(0, slot.Count-1).Draw(t, name+" from")
		to := min(from+rapid.SampledFrom([]int{0, 1, 62, 63, 64, 65, 700}).Draw(t, name+" length"), slot.Count-1)
		for at := from; at <= to; at++ {
			s.Add(slot.Slot(at))
			m[slot.Slot(at)] = true
		}
	}
	return s, m
}

func TestSetIsASetOfSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, ma := drawSet(t, "a")
		b, mb := drawSet(t, "b")
		and, or, minus := a.And(b), a.Or(b), a.Minus(b)
		common, within := 0, true
		for at := slot.Slot(0); at < slot.Count; at++ {
			if a.Has(at) != ma[at] {
				t.Fatalf("slot %d: %v", at, a.Has(at))
			}
			if and.Has(at) != (ma[at] && mb[at]) || or.Has(at) != (ma[at] || mb[at]) || minus.Has(at) != (ma[at] && !mb[at]) {
				t.Fatalf("slot %d: and, or or minus are wrong", at)
			}
			if ma[at] && mb[at] {
				common++
			}
			within = within && (!ma[at] || mb[at])
		}
		if a.Len() != len(ma) || a.Empty() != (len(ma) == 0) || a.Meets(&b) != (common > 0) || a.Within(&b) != within {
			t.Fatalf("length %d, empty %v, meets %v, within %v", a.Len(), a.Empty(), a.Meets(&b), a.Within(&b))
		}
		ranges := a.Ranges()
		if slot.SetOf(ranges...) != a {
			t.Fatalf("%v is another set", ranges)
		}
		if !slices.IsSortedFunc(ranges, func(x, y slot.Range) int { return int(x.From) - int(y.From) }) {
			t.Fatalf("%v are not in order", ranges)
		}
		for i := 1; i < len(ranges); i++ {
			if ranges[i].From <= ranges[i-1].To+1 {
				t.Fatalf("%v could be fewer", ranges)
			}
		}
	})
}

func TestSetForgetsWhatIsRemoved(t *testing.T) {
	s := slot.SetOf(slot.Range{From: 60, To: 70}, slot.Range{From: 4090, To: 60000})
	s.Remove(64)
	if s.Has(64) || !s.Has(63) || !s.Has(65) || s.Len() != 10+6 || s.Has(slot.Count) {
		t.Fatalf("%v", s.Ranges())
	}
}

package slot_test

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// Points on users' disks lie where these slots say. If this test fails, the hash is wrong, not the test.
func TestSlotsNeverChange(t *testing.T) {
	id, err := point.ParseUUID("f47ac10b-58cc-4372-a567-0e02b2c3d479")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id   point.ID
		want slot.Slot
	}{
		{point.Num(0), 3901}, {point.Num(1), 172}, {point.Num(42), 1009}, {point.Num(1 << 63), 2602},
		{point.Num(1<<64 - 1), 339}, {point.UUID([16]byte{}), 473}, {id, 2853},
	} {
		if got := slot.Of(c.id); got != c.want {
			t.Errorf("slot of %v: got %d, want %d", c.id, got, c.want)
		}
	}
}

func TestSpreadOwnsEverySlotOnceAndEvenly(t *testing.T) {
	for n := 1; n <= slot.Count; n++ {
		ranges := slot.Spread(n)
		next := 0
		for _, r := range ranges {
			if int(r.From) != next || r.Len() != slot.Count/n && r.Len() != slot.Count/n+1 {
				t.Fatalf("spread over %d: range %v after slot %d", n, r, next-1)
			}
			next = int(r.To) + 1
		}
		if len(ranges) != n || next != slot.Count {
			t.Fatalf("spread over %d: %d ranges up to slot %d", n, len(ranges), next-1)
		}
	}
}

func TestSpreadOverNothingIsABug(t *testing.T) {
	for _, n := range []int{-1, 0, slot.Count + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Spread(%d) did not panic", n)
				}
			}()
			slot.Spread(n)
		}()
	}
}

// With 256 ids per slot on average, the counts of a good hash lie within 6 standard deviations (of 16) of it.
func TestIDsSpreadEvenly(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, id := range map[string]func(i int) point.ID{
		"sequential numbers": func(i int) point.ID { return point.Num(uint64(i)) },
		"multiples of 4096":  func(i int) point.ID { return point.Num(uint64(i) << 12) },
		"random UUIDs": func(int) point.ID {
			var u [16]byte
			for i := range u {
				u[i] = byte(random.Uint32())
			}
			return point.UUID(u)
		},
		"UUIDs that count": func(i int) point.ID { return point.UUID([16]byte{13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}) },
	} {
		counts := make([]int, slot.Count)
		for i := range slot.Count * 256 {
			counts[slot.Of(id(i))]++
		}
		for s, n := range counts {
			if n < 256-6*16 || n > 256+6*16 {
				t.Errorf("%s: slot %d holds %d of an average of 256", name, s, n)
			}
		}
	}
}

func TestNumbersAndUUIDsOfTheSameBitsAreDifferentPoints(t *testing.T) {
	same := 0
	for i := range 64 {
		if slot.Of(point.Num(uint64(i))) == slot.Of(point.UUID([16]byte{15: byte(i)})) {
			same++
		}
	}
	if same > 4 {
		t.Errorf("%d of 64 pairs share a slot", same)
	}
}

func TestTableFindsTheRangeThatContainsASlot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		owners := make([][]slot.Range, rapid.IntRange(1, 5).Draw(t, "owners"))
		for _, r := range slot.Spread(rapid.IntRange(1, 40).Draw(t, "ranges")) {
			if o := rapid.IntRange(-1, len(owners)-1).Draw(t, "owner"); o >= 0 {
				owners[o] = append(owners[o], r)
			}
		}
		table, err := slot.NewTable(owners)
		if err != nil {
			t.Fatal(err)
		}
		for s := rapid.SampledFrom([]slot.Slot{0, 1, 2, 3, 4, 5, 6}).Draw(t, "first"); s < slot.Count; s += 7 {
			want, found := naive(owners, s)
			if got, ok := table.Owner(s); ok != found || ok && got != want {
				t.Fatalf("slot %d: got %d, %v", s, got, ok)
			}
			if got, ok := slot.OwnerAmong(owners, s); ok != found || ok && got != want {
				t.Fatalf("slot %d without a table: got %d, %v", s, got, ok)
			}
		}
		owned := 0
		for _, ranges := range owners {
			for _, r := range ranges {
				owned += r.Len()
			}
		}
		if table.Complete() != (owned == slot.Count) {
			t.Fatalf("complete with %d slots", owned)
		}
	})
}

func naive(owners [][]slot.Range, s slot.Slot) (int, bool) {
	for i, ranges := range owners {
		for _, r := range ranges {
			if r.Contains(s) {
				return i, true
			}
		}
	}
	return 0, false
}

func TestTableRefusesOverlapsAndMalformedRanges(t *testing.T) {
	for name, owners := range map[string][][]slot.Range{
		"overlap":        {{{From: 0, To: 9}}, {{From: 9, To: 20}}},
		"own overlap":    {{{From: 0, To: 9}, {From: 3, To: 4}}},
		"backwards":      {{{From: 9, To: 0}}},
		"beyond the end": {{{From: 0, To: slot.Count}}},
	} {
		if _, err := slot.NewTable(owners); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	table, err := slot.NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := table.Owner(slot.Count); ok {
		t.Error("a slot beyond the last has an owner")
	}
}

package slot

import "github.com/ostraka/terraform-provider-ostraka/node/internal/fault"

// Table finds the owner of a slot in one step. It is immutable.
type Table struct {
	owner [Count]int32 // -1: nobody
}

// NewTable makes the table of owners 0..len(owners)-1, each with the ranges it owns. Ranges that are malformed or that
// overlap are an error; slots that nobody owns are none.
func NewTable(owners [][]Range) (*Table, error) {
	t := &Table{}
	for s := range t.owner {
		t.owner[s] = -1
	}
	for i, ranges := range owners {
		for _, r := range ranges {
			if err := t.give(int32(i), r); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func (t *Table) give(owner int32, r Range) error {
	if r.From > r.To || r.To >= Count {
		return fault.New(fault.Invalid, "slots %d..%d are no range of 0..%d", r.From, r.To, Count-1)
	}
	for s := r.From; s <= r.To; s++ {
		if t.owner[s] >= 0 {
			return fault.New(fault.Invalid, "slot %d is owned twice", s)
		}
		t.owner[s] = owner
	}
	return nil
}

// Owner returns the owner of s, and false if it has none.
func (t *Table) Owner(s Slot) (int, bool) {
	if s >= Count || t.owner[s] < 0 {
		return 0, false
	}
	return int(t.owner[s]), true
}

// Complete reports whether every slot has an owner.
func (t *Table) Complete() bool {
	for _, o := range t.owner {
		if o < 0 {
			return false
		}
	}
	return true
}

// OwnerAmong is Owner for a single question: it looks through the ranges, and makes no table.
func OwnerAmong(owners [][]Range, s Slot) (int, bool) {
	for i, ranges := range owners {
		for _, r := range ranges {
			if r.Contains(s) {
				return i, true
			}
		}
	}
	return 0, false
}

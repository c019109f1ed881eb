package slot

import "math/bits"

// Set is a set of slots. The zero value is empty; it is a value: assigning it copies it.
type Set [Count / 64]uint64

// SetOf returns the slots of ranges. Slots beyond the last are left out.
func SetOf(ranges ...Range) (s Set) {
	for _, r := range ranges {
		to := min(int(r.To), Count-1)
		for at := int(r.From); at <= to; {
			if at%64 == 0 && at+63 <= to {
				s[at/64] = ^uint64(0)
				at += 64
				continue
			}
			s.Add(Slot(at))
			at++
		}
	}
	return s
}

// Add puts a slot into s.
func (s *Set) Add(at Slot) { s[at/64] |= 1 << (at % 64) }

// Remove takes a slot out of s.
func (s *Set) Remove(at Slot) { s[at/64] &^= 1 << (at % 64) }

// Has reports whether a slot is in s.
func (s *Set) Has(at Slot) bool { return at < Count && s[at/64]&(1<<(at%64)) != 0 }

// Len returns how many slots are in s.
func (s *Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty reports whether no slot is in s.
func (s *Set) Empty() bool { return *s == Set{} }

// Meets reports whether s and o have a slot in common.
func (s *Set) Meets(o *Set) bool {
	for i, w := range s {
		if w&o[i] != 0 {
			return true
		}
	}
	return false
}

// Within reports whether every slot of s is in o.
func (s *Set) Within(o *Set) bool {
	for i, w := range s {
		if w&^o[i] != 0 {
			return false
		}
	}
	return true
}

// And returns the slots that are in both.
func (s Set) And(o Set) Set {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

// Or returns the slots that are in either.
func (s Set) Or(o Set) Set {
	for i := range s {
		s[i] |= o[i]
	}
	return s
}

// Minus returns the slots of s that are not in o.
func (s Set) Minus(o Set) Set {
	for i := range s {
		s[i] &^= o[i]
	}
	return s
}

// Ranges returns s as the fewest ranges, ascending; nil if it is empty.
func (s Set) Ranges() []Range {
	var ranges []Range
	for at := 0; at < Count; at++ {
		if !s.Has(Slot(at)) {
			continue
		}
		from := at
		for at+1 < Count && s.Has(Slot(at+1)) {
			at++
		}
		ranges = append(ranges, Range{From: Slot(from), To: Slot(at)})
	}
	return ranges
}

package payload

import "github.com/ostraka/terraform-provider-ostraka/node/internal/filter"

// The values of a Bool entry.
const (
	isFalse = 1 << iota
	isTrue
)

// bools is the index of booleans.
type bools struct{ yes, no bitmap }

func (b *bools) put(label uint32, e *entry) {
	b.yes.set(label, e.bools&isTrue != 0)
	b.no.set(label, e.bools&isFalse != 0)
}

func (b *bools) remove(label uint32) {
	b.yes.set(label, false)
	b.no.set(label, false)
}

func (b *bools) count() uint64 {
	if b.yes.empty() || b.no.empty() {
		return b.yes.count() + b.no.count()
	}
	return b.yes.bm.OrCardinality(b.no.bm)
}

func (b *bools) match(c *filter.Field) (answer, bool) {
	switch {
	case c.Match == nil || c.Match.Bool == nil:
		return answer{}, false
	case *c.Match.Bool:
		return exactly(b.yes.shared()), true
	}
	return exactly(b.no.shared()), true
}

// Package slot maps point ids to slots and slots to shards.
//
// A point's slot is a fixed hash of its id; a collection's shards own the Count slots between them. The hash and
// Count never change: stored data depends on them.
package slot

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Count is the number of slots of a collection (of each shard key, once there are any).
const Count = 4096

// Slot is one of 0..Count-1.
type Slot uint16

// Of returns the slot of a point: XXH64 (seed 0) of its key, modulo Count.
func Of(id point.ID) Slot {
	var buf [17]byte
	return Slot(xxhash.Sum64(id.AppendKey(buf[:0])) % Count)
}

// Range is the slots From..To, both included.
type Range struct {
	From Slot `json:"from"`
	To   Slot `json:"to"`
}

// Contains reports whether s lies in r.
func (r Range) Contains(s Slot) bool { return r.From <= s && s <= r.To }

// Spread cuts the slots into n contiguous ranges whose sizes differ by at most one; n is 1..Count, else it panics.
func Spread(n int) []Range {
	if n < 1 || n > Count {
		panic(fmt.Sprintf("slot: Spread over %d", n))
	}
	ranges := make([]Range, n)
	for i := range ranges {
		ranges[i] = Range{From: Slot(i * Count / n), To: Slot((i+1)*Count/n - 1)}
	}
	return ranges
}

// Len returns how many slots r holds.
func (r Range) Len() int { return int(r.To) - int(r.From) + 1 }

// Total counts the slots of ranges that do not overlap.
func Total(ranges []Range) (n int) {
	for _, r := range ranges {
		n += r.Len()
	}
	return n
}

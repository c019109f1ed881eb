package catalog

import (
	"cmp"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// Moving is what is left to do until slots lie as declared.
type Moving struct {
	Begin  []BeginMove // now: of shards that no other move is about
	Cancel []*Move     // under way, and not wanted any more
	Drop   []ShardID   // shards without slots that are too many
	Left   int         // slots that are not yet where they are to be, those under way among them
	Over   int         // moves that are under way or have something left to clean up, and shards that are too many
}

// Rest reports whether nothing is left to do and nothing is under way.
func (m *Moving) Rest() bool { return m.Left == 0 && m.Over == 0 }

// PlanMoves tells how a collection's slots come to lie as declared: in each group spread over as many shards as declared so that any two own
// about as many (one more or less), by moving the fewest. It is a function of the collection alone, and following it step by
// step leads to the same number of moved slots as following it at once. Moves under way are kept if they serve that.
func PlanMoves(c *Collection) Moving {
	var all Moving
	for _, g := range c.Groups() {
		m := g.Plan()
		all.Begin, all.Cancel, all.Drop = append(all.Begin, m.Begin...), append(all.Cancel, m.Cancel...), append(all.Drop, m.Drop...)
		all.Left, all.Over = all.Left+m.Left, all.Over+m.Over
	}
	return all
}

// Plan is PlanMoves for one group.
func (g Group) Plan() Moving {
	if g.Partial() || g.even() {
		return Moving{}
	}
	p := newMovePlan(g)
	p.keep()
	p.begin()
	return p.out
}

// even tells quickly of most groups that nothing is to be done.
func (g Group) even() bool {
	if len(g.Moves) > 0 || len(g.Shards) != int(g.Number) {
		return false
	}
	least, most := slot.Count, 0
	for _, sh := range g.Shards {
		n := sh.Owns()
		least, most = min(least, n), max(most, n)
	}
	return most-least <= 1
}

// movePlan holds, per shard, how many slots it has to give (positive) or to get (negative).
type movePlan struct {
	g    Group
	over map[ShardID]int
	out  Moving
}

func newMovePlan(g Group) *movePlan {
	p := &movePlan{g: g, over: map[ShardID]int{}}
	p.out.Over = len(g.Moves) + g.Excess()
	owned, coming := map[ShardID]int{}, map[ShardID]int{}
	for _, sh := range g.Shards {
		owned[sh.ID] = sh.Owns()
		coming[sh.ID] += owned[sh.ID]
	}
	for _, m := range g.Moves {
		if m.Running() {
			n := slot.Total(m.Slots)
			coming[m.Source] -= n
			coming[m.Target] += n
		}
	}
	quota := quotas(g, coming)
	for _, sh := range g.Shards {
		p.over[sh.ID] = owned[sh.ID] - quota[sh.ID]
		p.out.Left += max(p.over[sh.ID], 0)
		if quota[sh.ID] == 0 && len(sh.Slots) == 0 {
			p.out.Drop = append(p.out.Drop, sh.ID)
		}
	}
	return p
}

// quotas says how many slots each shard is to own. coming is what they own once the moves under way are over. Those that own
// most stay. The slots that do not divide go to those that can best keep one more: who has exactly that; who has to give
// anyway; who has to get anyway; then the others. So the fewest slots move, and no finished move changes what another is to move.
func quotas(g Group, coming map[ShardID]int) map[ShardID]int {
	stay := slices.Clone(g.Shards)
	slices.SortFunc(stay, func(a, b *Shard) int { return cmp.Or(cmp.Compare(coming[b.ID], coming[a.ID]), cmp.Compare(a.ID, b.ID)) })
	stay = stay[:min(int(g.Number), len(stay))]
	base := slot.Count / len(stay)
	rank := func(sh *Shard) int {
		switch n := coming[sh.ID]; {
		case n == base+1:
			return 0
		case n > base:
			return 1
		case n < base:
			return 2
		}
		return 3
	}
	slices.SortStableFunc(stay, func(a, b *Shard) int { return cmp.Compare(rank(a), rank(b)) })
	quota := map[ShardID]int{}
	for i, sh := range stay {
		quota[sh.ID] = base
		if i < slot.Count%len(stay) {
			quota[sh.ID]++
		}
	}
	return quota
}

// keep goes through the moves under way. A shard that is to be dropped has to wait for those that are about it.
func (p *movePlan) keep() {
	for _, m := range p.g.Moves {
		if !m.Running() {
			continue
		}
		set := slot.SetOf(m.Slots...)
		n := set.Len()
		if p.over[m.Source] < n || -p.over[m.Target] < n {
			p.out.Cancel = append(p.out.Cancel, m)
			continue
		}
		p.over[m.Source] -= n
		p.over[m.Target] += n
	}
	p.out.Drop = slices.DeleteFunc(p.out.Drop, p.busy)
}

func (p *movePlan) busy(id ShardID) bool {
	return slices.ContainsFunc(p.g.Moves, func(m *Move) bool { return m.Running() && m.About(id) })
}

// begin pairs those that give with those that get, both in the order of their ids.
func (p *movePlan) begin() {
	taken := map[ShardID]bool{}
	to := 0
	for _, from := range p.g.Shards {
		free := p.movable(from)
		for p.over[from.ID] > 0 && to < len(p.g.Shards) {
			target := p.g.Shards[to]
			n := min(p.over[from.ID], -p.over[target.ID])
			if n <= 0 {
				to++
				continue
			}
			p.over[from.ID] -= n
			p.over[target.ID] += n
			slots := takeLast(&free, n)
			if len(slots) == 0 || taken[from.ID] || taken[target.ID] || p.busy(from.ID) || p.busy(target.ID) {
				continue // its turn comes
			}
			taken[from.ID], taken[target.ID] = true, true
			p.out.Begin = append(p.out.Begin, BeginMove{Source: from.ID, Target: target.ID, Slots: slots})
		}
	}
}

// movable is what of a shard's slots no move is about.
func (p *movePlan) movable(sh *Shard) slot.Set {
	free := sh.Owned()
	for _, m := range p.g.Moves {
		free = free.Minus(slot.SetOf(m.Slots...))
	}
	return free
}

// takeLast takes up to n slots out of a set, the highest ones.
func takeLast(from *slot.Set, n int) []slot.Range {
	var taken slot.Set
	for at := slot.Count - 1; at >= 0 && n > 0; at-- {
		if s := slot.Slot(at); from.Has(s) {
			from.Remove(s)
			taken.Add(s)
			n--
		}
	}
	return taken.Ranges()
}

package reconcile

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// slotMove is a move of slots that may begin.
type slotMove struct {
	begin    catalog.BeginMove
	from, to *look
	declared string // why
}

// slots plans what makes the slots of collections lie as declared: moves that are not wanted any more are withdrawn, and shards that
// are one too many and own nothing go, whatever else they may lack. The moves that may begin are kept for beginMoves.
func (p *planner) slots(only catalog.CollectionID) {
	first := 0 // of the looks: they are in the order of collections and shards
	for _, id := range slices.Sorted(maps.Keys(p.state.Collections)) {
		col := p.state.Collections[id]
		looks := p.looks[first : first+len(col.Shards)]
		first += len(col.Shards)
		if only == 0 || only == id {
			p.slotsOf(col, looks)
		}
	}
}

func (p *planner) slotsOf(col *catalog.Collection, looks []look) {
	for _, g := range col.Groups() {
		p.slotsIn(col, g, looks)
	}
}

// slotsIn is slotsOf for the shards of one key.
func (p *planner) slotsIn(col *catalog.Collection, g catalog.Group, looks []look) {
	plan := g.Plan()
	for _, m := range plan.Cancel {
		c := &catalog.ChangeMove{Collection: col.ID, Move: m.ID, Version: m.Version, Cancel: true}
		p.add(Step{Change: &catalog.Command{ChangeMove: c}, Why: sprint("%d shards%s are declared", g.Number, g.Of())})
	}
	find := func(id catalog.ShardID) *look {
		i, _ := slices.BinarySearchFunc(looks, id, func(l look, id catalog.ShardID) int { return cmp.Compare(l.ref.Shard, id) })
		return &looks[i]
	}
	for _, id := range plan.Drop {
		l := find(id)
		l.done = true
		p.add(Step{Change: &catalog.Command{DropShard: &catalog.DropShard{Ref: l.ref}}, Why: sprint("%d shards%s are declared, and it owns no slots", g.Number, g.Of())})
	}
	for _, b := range plan.Begin {
		p.moves = append(p.moves, slotMove{begin: b, from: find(b.Source), to: find(b.Target), declared: sprint("%d shards%s are declared", g.Number, g.Of())})
	}
}

// beginMoves begins moves of slots that can come to their end, where the peers have room, as many as the limits leave beside the copies that are on
// their way. Copies do not wait for moves: a move may need them.
func (p *planner) beginMoves() {
	for _, m := range p.moves {
		if !p.ready(m.from, m.to) {
			continue
		}
		n := slot.Total(m.begin.Slots)
		bytes, known := p.moveBytes(m.from, n)
		if slices.ContainsFunc(m.to.members, func(r catalog.Replica) bool { return !p.room(r.Peer, bytes) }) ||
			!p.limit.takeMove(m.from.sh.Primary, m.to.sh.Primary, known && bytes <= lightBytes) {
			continue
		}
		for _, r := range m.to.members {
			p.loads.coming[r.Peer] += bytes
		}
		p.add(Step{
			Change: &catalog.Command{ChangeMove: &catalog.ChangeMove{Collection: m.from.col.ID, Begin: &m.begin}},
			Why:    sprint("%d slots of shard %d go to shard %d: %s", n, m.begin.Source, m.begin.Target, m.declared),
		})
	}
}

// ready tells whether a move can come to its end: both shards are led, and the target is not less safe than the source.
func (p *planner) ready(from, to *look) bool {
	return from.led(p) && to.led(p) && to.serving >= min(from.serving, to.want)
}

// moveBytes estimates what some of a shard's slots hold.
func (p *planner) moveBytes(from *look, slots int) (bytes uint64, known bool) {
	all, known := p.obs.Bytes[from.ref]
	return all * uint64(slots) / uint64(max(from.sh.Owns(), 1)), known
}

// resharded ends an operation once the slots lie as declared.
func (p *planner) resharded(o *catalog.Operation) (catalog.OperationState, string) {
	g, err := p.state.Collections[o.Collection].Group(o.Reshard.Key)
	if err != nil {
		return catalog.Cancelled, "the shard key was deleted"
	}
	if plan := g.Plan(); plan.Rest() {
		return catalog.Done, "the slots lie as declared"
	}
	return "", ""
}

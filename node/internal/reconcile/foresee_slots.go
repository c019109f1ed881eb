package reconcile

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// sides tells between whom slots move. What they hold moves with them.
func (m *imagined) sides(id catalog.CollectionID, b catalog.BeginMove) (from, to catalog.PeerID, bytes uint64) {
	col := m.state.Collections[id]
	source, ok1 := col.Shard(b.Source)
	target, ok2 := col.Shard(b.Target)
	if !ok1 || !ok2 {
		return 0, 0, 0
	}
	n := slot.Total(b.Slots)
	bytes = m.obs.Bytes[catalog.ShardRef{Collection: id, Shard: b.Source}] * uint64(n) / uint64(max(source.Owns(), 1))
	return source.Primary, target.Primary, bytes
}

// moves is what comes next of the moves of slots whose shards are led.
func (m *imagined) moves(p *planner, only catalog.CollectionID) []catalog.Command {
	var cmds []catalog.Command
	for id, col := range m.state.Collections {
		for _, mv := range col.Moves {
			if only != 0 && only != id {
				continue
			}
			if c, ok := m.next(p, col, mv); ok {
				c.Collection, c.Move, c.Version = id, mv.ID, mv.Version
				cmds = append(cmds, catalog.Command{ChangeMove: &c})
			}
		}
	}
	return cmds
}

func (m *imagined) next(p *planner, col *catalog.Collection, mv *catalog.Move) (catalog.ChangeMove, bool) {
	led := func(id catalog.ShardID) (*catalog.Shard, bool) {
		sh, ok := col.Shard(id)
		if !ok {
			return nil, false
		}
		l := p.look(catalog.ShardRef{Collection: col.ID, Shard: id}, sh)
		return sh, l.led(p)
	}
	source, leads1 := led(mv.Source)
	target, leads2 := led(mv.Target)
	switch {
	case mv.Running() && (!leads1 || !leads2):
		return catalog.ChangeMove{}, false
	case mv.Near, mv.Phase == catalog.Ready: // it waits for others
		return catalog.ChangeMove{}, false
	case mv.Phase == catalog.Copying:
		return catalog.ChangeMove{Seal: true}, true
	case mv.Phase == catalog.Sealing:
		return catalog.ChangeMove{Flip: &catalog.FlipMove{SourceUnsafe: source.UnsafePromotions, TargetUnsafe: target.UnsafePromotions}}, true
	case leads1 && !mv.SourceDone:
		return catalog.ChangeMove{SourceDone: true}, true
	case leads2 && !mv.TargetDone:
		return catalog.ChangeMove{TargetDone: true}, true
	}
	return catalog.ChangeMove{}, false
}

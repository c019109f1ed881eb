package reconcile

import "github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"

const (
	// lightBytes is the size up to which a copy counts as light: its transfer takes a moment, whatever the rate.
	lightBytes = 4 << 20
	// lightPerPeer bounds the light copies that one peer receives, or gives, at once.
	lightPerPeer = 32
)

// limit counts the transfers under way, and what the settings leave for more. Copies that are small do not wait for large ones.
type limit struct {
	unlimited           bool
	perPeer, perCluster int
	total               int // heavy ones
	in, out             map[catalog.PeerID]int
	lightIn, lightOut   map[catalog.PeerID]int
	slots               *limit // the same with the moves of slots beside the copies
}

func newLimit(p *planner) *limit {
	lim := emptyLimit(p)
	lim.slots = emptyLimit(p)
	for i := range p.looks {
		l := &p.looks[i]
		if !l.led(p) {
			continue
		}
		for _, r := range l.members {
			if r.State == catalog.Partial && p.obs.alive(r.Peer) {
				lim.count(l.sh.Primary, r.Peer, p.light(l.ref))
			}
		}
	}
	for _, col := range p.state.Collections {
		for _, m := range col.Moves {
			source, ok1 := col.Shard(m.Source)
			target, ok2 := col.Shard(m.Target)
			if !m.Running() || !ok1 || !ok2 {
				continue
			}
			ref := catalog.ShardRef{Collection: col.ID, Shard: m.Source}
			from, to := p.look(ref, source), p.look(catalog.ShardRef{Collection: col.ID, Shard: m.Target}, target)
			if p.ready(&from, &to) { // else nothing goes over the network for long
				lim.slots.count(source.Primary, target.Primary, p.light(ref))
			}
		}
	}
	return lim
}

func emptyLimit(p *planner) *limit {
	return &limit{
		unlimited: p.obs.Unlimited, perPeer: p.state.Settings.PerPeer(), perCluster: p.state.Settings.PerCluster(),
		in: map[catalog.PeerID]int{}, out: map[catalog.PeerID]int{}, lightIn: map[catalog.PeerID]int{}, lightOut: map[catalog.PeerID]int{},
	}
}

// light tells whether a copy of a shard is small; one whose size is not known is not.
func (p *planner) light(ref catalog.ShardRef) bool {
	bytes, known := p.obs.Bytes[ref]
	return known && bytes <= lightBytes
}

func (lim *limit) count(from, to catalog.PeerID, light bool) { lim.add(from, to, light, 1) }

func (lim *limit) add(from, to catalog.PeerID, light bool, n int) {
	if lim.slots != nil {
		lim.slots.add(from, to, light, n)
	}
	if light {
		lim.lightOut[from] += n
		lim.lightIn[to] += n
		return
	}
	lim.total += n
	lim.out[from] += n
	lim.in[to] += n
}

// may reports whether one more copy may be filled.
func (lim *limit) may(from, to catalog.PeerID, light bool) bool {
	switch {
	case lim.unlimited:
		return true
	case light:
		return lim.lightOut[from] < lightPerPeer && lim.lightIn[to] < lightPerPeer
	}
	return lim.total < lim.perCluster && lim.out[from] < lim.perPeer && lim.in[to] < lim.perPeer
}

// take is may, and counts the copy.
func (lim *limit) take(from, to catalog.PeerID, light bool) bool {
	may := lim.may(from, to, light)
	if may {
		lim.count(from, to, light)
	}
	return may
}

// takeMove is take for a move of slots.
func (lim *limit) takeMove(from, to catalog.PeerID, light bool) bool {
	return lim.slots.take(from, to, light)
}

// both reports whether two more copies may be filled at once.
func (p *planner) both(a *look, toA catalog.PeerID, b *look, toB catalog.PeerID) bool {
	if !p.limit.may(a.sh.Primary, toA, p.light(a.ref)) {
		return false
	}
	p.limit.add(a.sh.Primary, toA, p.light(a.ref), 1)
	defer p.limit.add(a.sh.Primary, toA, p.light(a.ref), -1)
	return p.limit.may(b.sh.Primary, toB, p.light(b.ref))
}

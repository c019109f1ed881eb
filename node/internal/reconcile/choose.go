package reconcile

import (
	"cmp"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// ballot is what one shard's fence brought.
type ballot struct {
	Failover
	shard   *catalog.Shard
	answers []replication.FenceAnswer
	// promised is the highest promise heard, if it is beyond Term: then a fence by somebody else came first.
	promised uint64
}

// taste says whom to prefer among replicas whose logs are equal.
type taste struct {
	obs       Observations
	primaries map[catalog.PeerID]int
}

func newTaste(s *catalog.State, o Observations) taste {
	t := taste{obs: o, primaries: map[catalog.PeerID]int{}}
	for _, sh := range s.Shards() {
		t.primaries[sh.Primary]++
	}
	return t
}

// order puts the preferred answers first: replication.Choose takes the first of equals. The primary itself comes first
// when it only needs a new term; otherwise who leads least.
func (t taste) order(b ballot) {
	slices.SortFunc(b.answers, func(x, y replication.FenceAnswer) int {
		px, py := catalog.PeerID(x.Peer), catalog.PeerID(y.Peer)
		return cmp.Or(
			falseFirst(t.obs.leaving(b.Ref, px), t.obs.leaving(b.Ref, py)),
			falseFirst(retiring(b.shard, px), retiring(b.shard, py)),
			falseFirst(px != b.shard.Primary, py != b.shard.Primary),
			cmp.Compare(t.primaries[px], t.primaries[py]),
			cmp.Compare(px, py),
		)
	})
}

func retiring(sh *catalog.Shard, id catalog.PeerID) bool {
	r, ok := sh.Replica(id)
	return ok && r.Retiring
}

// choose is R6: who may be promoted, if anybody. A draining primary is left for a replica with an equal log; if there
// is none, for the best of the others, provided that their answers alone satisfy R6, because then nothing that was
// committed is missing there; else it leads on in the new term, since the fence has ended its old one.
func (t taste) choose(b ballot) (*catalog.Promote, bool) {
	t.order(b)
	active, w := len(b.shard.Active()), int(b.shard.WriteQuorum)
	term := replication.Term(b.Term)
	best, ok, safe := replication.Choose(term, active, w, b.answers)
	if !ok || !safe && !b.Unsafe {
		return nil, false
	}
	if b.Drain && t.obs.leaving(b.Ref, catalog.PeerID(best.Peer)) {
		others := slices.DeleteFunc(slices.Clone(b.answers), func(a replication.FenceAnswer) bool {
			return t.obs.leaving(b.Ref, catalog.PeerID(a.Peer))
		})
		if other, _, othersSafe := replication.Choose(term, active, w, others); othersSafe {
			best = other
		}
	}
	candidate := catalog.PeerID(best.Peer)
	t.primaries[b.shard.Primary]--
	t.primaries[candidate]++
	return &catalog.Promote{Term: b.Term, Candidate: candidate, Unsafe: !safe}, true
}

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

// choose is R6: who may be promoted, if anybody. A primary that is to go is left for an heir (heir); if there is none, it
// leads on in the new term, since the fence has ended its old one.
func (t taste) choose(b ballot) (*catalog.Promote, bool) {
	t.order(b)
	active, w := len(b.shard.Active()), int(b.shard.WriteQuorum)
	term := replication.Term(b.Term)
	best, ok, safe := replication.Choose(term, active, w, b.answers)
	if !ok || !safe && !b.Unsafe {
		return nil, false
	}
	if b.Drain {
		if heir, ok := t.heir(b); ok {
			best = heir
		}
	}
	candidate := catalog.PeerID(best.Peer)
	t.primaries[b.shard.Primary]--
	t.primaries[candidate]++
	return &catalog.Promote{Term: b.Term, Candidate: candidate, Unsafe: !safe}, true
}

// heir finds the best of those who may lead in place of a primary that is to go. R6 is satisfied by the answers that are
// no longer than the heir's, if they are as many as it asks for: then the heir has whatever was committed, though others
// may have more.
func (t taste) heir(b ballot) (replication.FenceAnswer, bool) {
	enough := max(len(b.shard.Active())-int(b.shard.WriteQuorum)+1, 1)
	var best replication.FenceAnswer
	found := false
	for _, a := range b.answers {
		id := catalog.PeerID(a.Peer)
		if id == b.shard.Primary || t.obs.leaving(b.Ref, id) || len(b.Heirs) > 0 && !slices.Contains(b.Heirs, id) {
			continue
		}
		covered := slices.DeleteFunc(slices.Clone(b.answers), a.Shorter)
		if len(covered) >= enough && (!found || best.Shorter(a)) {
			best, found = a, true
		}
	}
	return best, found
}

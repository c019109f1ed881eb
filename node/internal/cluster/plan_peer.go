package cluster

import (
	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// changePeer declares the state, or removes the peer.
func (q *question) changePeer() (*catalog.State, bool) {
	id := catalog.PeerID(q.peer.GetPeer())
	if q.peer.GetRemove() {
		return q.remove(id)
	}
	state, err := peerStateFromWire(q.peer.GetState())
	if err != nil {
		q.found(clusterpb.PlanFinding_ERROR, "refused", "state", "the change would be refused: %v", err)
		return q.state, false
	}
	return q.declare(id, state)
}

func (q *question) declare(id catalog.PeerID, state catalog.PeerState) (*catalog.State, bool) {
	s, _, ok := q.apply(q.state, catalog.Command{UpdatePeer: &catalog.UpdatePeer{ID: id, State: &state, At: q.view.Now.UnixMilli()}}, "state")
	return s, ok
}

// remove takes the peer for removed. Where the removal would be refused, and the peer is up, it is planned to be drained instead: that
// is what has to come first.
func (q *question) remove(id catalog.PeerID) (*catalog.State, bool) {
	who := name(q.state, id)
	alive := func(id catalog.PeerID) bool { return q.obs.Peers[id].Alive }
	_, err := catalog.PrepareExpel(q.state, catalog.ExpelPeer{ID: id}, catalog.Surroundings{
		Alive: alive, Voters: q.voters, Usable: func(id catalog.PeerID) bool { return alive(id) && !q.obs.Peers[id].Draining },
	})
	leads, holds := 0, q.state.ReplicasOn(id)
	for _, sh := range q.state.Shards() {
		if sh.Primary == id {
			leads++
		}
	}
	first := ""
	if alive(id) && holds > 0 {
		first = "; the steps are those of draining it, which comes first"
	}
	switch lost := q.state.LastCopies(id, alive); {
	case len(lost) > 0:
		q.found(clusterpb.PlanFinding_ERROR, "last_copy", "", "%s holds the last copy that counts of %s: drain it first, or say that they may be lost%s", who, listed(lost), first)
	case err != nil && alive(id) && leads > 0:
		q.found(clusterpb.PlanFinding_ERROR, "not_drained", "",
			"%s is up, holds %s and leads %d of them: `ostraka peer remove` refuses it until it is drained (`ostraka peer drain %s`)%s",
			who, count(holds, "replica"), leads, who, first)
	case err != nil:
		q.found(clusterpb.PlanFinding_ERROR, "refused", "", "the removal would be refused: %v%s", err, first)
	default:
		if first != "" {
			q.found(clusterpb.PlanFinding_WARNING, "not_drained", "",
				"%s is up and holds %s, to be made anew from other copies once it is removed: drain it first, and they count until others do", who, count(holds, "replica"))
		}
		return q.removed(id), true
	}
	if first == "" {
		return q.state, false
	}
	if q.state.Peers[id].State == catalog.Draining {
		return q.state, true
	}
	return q.declare(id, catalog.Draining)
}

// removed is the metadata without the peer.
func (q *question) removed(id catalog.PeerID) *catalog.State {
	s := *q.state
	s.Peers = make(map[catalog.PeerID]*catalog.Peer, len(q.state.Peers))
	for other, p := range q.state.Peers {
		s.Peers[other] = p
	}
	gone := *s.Peers[id]
	gone.Removed = true
	s.Peers[id] = &gone
	return &s
}

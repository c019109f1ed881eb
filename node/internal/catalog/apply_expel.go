package catalog

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// maxExpelled bounds the ids of removed peers that are remembered, so that one that comes back is told what it is.
const maxExpelled = 1024

// expelPeer marks a peer as removed, and begins the shards anew that are lost with it. Whether they have to be lost was for the leader to
// find out; here is checked what needs no liveness.
func (e *edit) expelPeer(cmd ExpelPeer) error {
	p, ok := e.next.Peers[cmd.ID]
	switch {
	case !ok:
		return fault.New(fault.NotFound, "Peer %d does not exist", cmd.ID)
	case p.Removed:
		return nil
	case !p.Gone() && e.next.Members() == 1:
		return refuse("%s is the only peer: a cluster cannot do without", p.Name)
	}
	if c, k := e.next.needs(cmd.ID); k != nil {
		return refuse("shard key %s of collection `%s` may be placed on no peer but %s: delete it, or create it anew", k.Key, c.Name, p.Name)
	}
	for _, loss := range cmd.Lose {
		if err := e.checkLoss(cmd.ID, loss); err != nil {
			return err
		}
	}
	for ref, sh := range e.next.Shards() {
		named := slices.ContainsFunc(cmd.Lose, func(l Loss) bool { return l.Ref == ref })
		if !named && lastCopy(&e.next, sh, cmd.ID, func(PeerID) bool { return true }) {
			return refuse("%s holds the last copy that counts of %s", p.Name, e.next.shardName(ref))
		}
	}
	e.peer(cmd.ID).Removed = true
	for _, loss := range cmd.Lose {
		e.beginAnew(loss)
	}
	e.repin(cmd.ID, 0)
	e.rekey(cmd.ID, 0)
	if o, runs := e.next.RunningOperation(func(o *Operation) bool { return o.Kind == Drain && o.Peer == cmd.ID }); runs {
		e.finish(o.ID, Done, "", cmd.At)
	}
	return nil
}

func (e *edit) checkLoss(id PeerID, loss Loss) error {
	c, sh, ok := e.next.Shard(loss.Ref)
	switch {
	case !ok:
		return fault.New(fault.NotFound, "shard %d of collection %d does not exist", loss.Ref.Shard, loss.Ref.Collection)
	case sh.Version != loss.Version:
		return fault.New(fault.Conflict, "shard %d of collection %d has changed meanwhile: ask again", loss.Ref.Shard, loss.Ref.Collection)
	case loss.Keep != 0:
		return e.checkKept(id, sh, loss)
	case len(loss.Peers) == 0 || len(loss.Peers) > MaxReplicas:
		return invalid("a shard cannot begin anew on %d peers", len(loss.Peers))
	}
	if _, held := sh.Replica(id); !held {
		return invalid("shard %d of collection %d is not lost with peer %d, which holds no copy of it", loss.Ref.Shard, loss.Ref.Collection, id)
	}
	for i, to := range loss.Peers {
		if to == id || e.next.Gone(to) || !c.Allows(sh, to) || slices.Contains(loss.Peers[:i], to) {
			return invalid("shard %d of collection %d cannot begin anew on peer %d", loss.Ref.Shard, loss.Ref.Collection, to)
		}
	}
	return nil
}

// checkKept makes sure that a shard goes on with a copy that counts.
func (e *edit) checkKept(id PeerID, sh *Shard, loss Loss) error {
	r, held := sh.Replica(loss.Keep)
	if !held || r.State != Active || loss.Keep == id || e.next.Gone(loss.Keep) || len(loss.Peers) > 0 {
		return invalid("shard %d of collection %d cannot go on with what peer %d has", loss.Ref.Shard, loss.Ref.Collection, loss.Keep)
	}
	return nil
}

// beginAnew gives a shard new copies that hold nothing, in a new term, or one copy alone that it has. Whatever was promised, led or
// acknowledged in other generations concerns nobody any more.
func (e *edit) beginAnew(loss Loss) {
	sh := e.shard(loss.Ref)
	old := sh.Replicas
	sh.Replicas = nil
	for _, r := range old {
		if r.Peer == loss.Keep {
			r.Replaces, r.Reason, r.Retiring = 0, "", false
			sh.Replicas = append(sh.Replicas, r)
		}
	}
	for _, id := range slices.Sorted(slices.Values(loss.Peers)) {
		sh.Replicas = append(sh.Replicas, Replica{Peer: id, Generation: e.generation(), State: Active})
	}
	sh.Primary, sh.Handover = sh.Replicas[0].Peer, false
	if len(loss.Peers) > 0 {
		sh.Primary = loss.Peers[0]
	}
	sh.Term++
	sh.UnsafePromotions++
	sh.Version++
}

package catalog

import "github.com/ostraka/terraform-provider-ostraka/node/internal/fault"

func (e *edit) found(f Found) error {
	if e.next.ClusterID != "" {
		return fault.New(fault.Exists, "the cluster was founded already, as %s", e.next.ClusterID)
	}
	if f.ClusterID == "" {
		return invalid("a cluster id cannot be empty")
	}
	if err := checkText("cluster id", f.ClusterID); err != nil {
		return err
	}
	e.next.ClusterID = f.ClusterID
	return nil
}

// registerPeer adds a peer or updates one. A new id under a known name means that the node came back with an empty
// disk: the old id is marked as replaced for ever. Whether the old one is really gone is for the leader to find out
// before it proposes this; here is no liveness.
func (e *edit) registerPeer(p Peer) error {
	if err := p.check(); err != nil {
		return err
	}
	if old, ok := e.next.Peers[p.ID]; ok && old.Replaced {
		return refuse("peer %d was replaced by another node named %q: give this node an empty data directory", p.ID, old.Name)
	}
	p.Replaced = false
	for id, old := range e.next.Peers {
		if id != p.ID && old.Name == p.Name && !old.Replaced {
			gone := *old
			gone.Replaced = true
			e.peers()[id] = &gone
		}
	}
	e.peers()[p.ID] = &p
	return nil
}

func (p Peer) check() error {
	if p.ID == 0 || p.ID > maxSafeInteger {
		return invalid("peer id %d is outside 1..2^53-1", p.ID)
	}
	if p.Name == "" {
		return invalid("peer %d has no name", p.ID)
	}
	if p.PeerAddr == "" {
		return invalid("peer %q has no address for its peers", p.Name)
	}
	for what, text := range map[string]string{
		"peer name": p.Name, "client address": p.GRPCAddr, "peer address": p.PeerAddr, "HTTP address": p.HTTPAddr,
		"zone": p.Zone, "version": p.Version,
	} {
		if err := checkText(what, text); err != nil {
			return err
		}
	}
	return nil
}

func (e *edit) removePeer(id PeerID) error {
	p, ok := e.next.Peers[id]
	if !ok {
		return fault.New(fault.NotFound, "Peer %d does not exist", id)
	}
	if n := e.next.ReplicasOn(id); n > 0 {
		return refuse("cannot remove peer %d (%s): it still holds replicas (%d)", id, p.Name, n)
	}
	delete(e.peers(), id)
	return nil
}

package catalog

import (
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

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

// registerPeer adds a peer or updates one; what was declared of it stays. A new id under a known name means that the node came back with an empty
// disk: the old id is marked as replaced for ever. Whether the old one is really gone is for the leader to find out
// before it proposes this; here is no liveness.
func (e *edit) registerPeer(p Peer) error {
	if err := p.check(); err != nil {
		return err
	}
	if old, ok := e.next.Peers[p.ID]; ok && old.Replaced {
		return refuse("peer %d was replaced by another node named %q: give this node an empty data directory", p.ID, old.Name)
	}
	if e.next.WasExpelled(p.ID) {
		return refuse("peer %d (%s) was removed from the cluster for good: give this node an empty data directory to join as a new peer", p.ID, p.Name)
	}
	p = Peer{
		ID: p.ID, Name: p.Name, GRPCAddr: p.GRPCAddr, PeerAddr: p.PeerAddr, HTTPAddr: p.HTTPAddr, Zone: p.Zone, Version: p.Version,
	}
	if old, ok := e.next.Peers[p.ID]; ok {
		p.inherit(old)
	}
	for id, old := range e.next.Peers {
		if id != p.ID && old.Name == p.Name && !old.Gone() {
			e.peer(id).Replaced = true
			p.inherit(old)
			e.repin(id, p.ID)
			e.rekey(id, p.ID)
		}
	}
	e.peers()[p.ID] = &p
	return nil
}

// inherit takes over what is declared of a peer: of itself, or of the one under whose name it comes.
func (p *Peer) inherit(old *Peer) {
	p.State, p.Labels = old.State, old.Labels
	if old.OwnZone != nil {
		own := p.Zone
		p.Zone, p.OwnZone = old.Zone, &own
	}
}

// Says reports whether the metadata holds of a peer what the node itself says: that it need not register anew.
func (p *Peer) Says(own Peer) bool {
	zone := p.Zone
	if p.OwnZone != nil {
		zone = *p.OwnZone
	}
	return p.ID == own.ID && p.Name == own.Name && p.GRPCAddr == own.GRPCAddr && p.PeerAddr == own.PeerAddr && p.HTTPAddr == own.HTTPAddr &&
		p.Version == own.Version && zone == own.Zone
}

// repin lets a peer take the place of another one of its name where copies were placed by hand; 0 is none.
func (e *edit) repin(old, by PeerID) {
	for ref, sh := range e.next.Shards() {
		if !slices.Contains(sh.Pinned, old) {
			continue
		}
		pinned := repinned(sh.Pinned, old, by)
		if by == 0 {
			pinned = e.next.tenable(e.next.Collections[ref.Collection], sh, sh.Pinned)
		}
		next := e.shard(ref)
		next.Pinned = pinned
		next.Version++
	}
}

// repinned returns a sorted list of peers without one and with another; 0 is none.
func repinned(pinned []PeerID, without, with PeerID) []PeerID {
	next := slices.DeleteFunc(slices.Clone(pinned), func(id PeerID) bool { return id == without || id == with })
	if with != 0 {
		next = append(next, with)
	}
	slices.Sort(next)
	return next
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

// updatePeer changes what is declared of a peer. To drain one is an operation: asked for again, the one that runs is joined.
func (e *edit) updatePeer(cmd UpdatePeer) (OperationID, error) {
	p, ok := e.next.Peers[cmd.ID]
	if !ok || p.Gone() {
		return 0, fault.New(fault.NotFound, "Peer %d does not exist", cmd.ID)
	}
	if err := cmd.check(); err != nil {
		return 0, err
	}
	var id OperationID
	if cmd.State != nil {
		drain, err := e.drain(cmd.ID, *cmd.State, cmd.At)
		if err != nil {
			return 0, err
		}
		id = drain
	}
	next := e.peer(cmd.ID)
	if cmd.State != nil {
		next.State = *cmd.State
	}
	if cmd.Labels != nil {
		next.Labels = maps.Clone(*cmd.Labels)
	}
	if cmd.Zone != nil {
		next.declareZone(*cmd.Zone)
	}
	return id, nil
}

// drain begins, joins or ends the operation that a peer's state asks for.
func (e *edit) drain(id PeerID, state PeerState, at int64) (OperationID, error) {
	o, runs := e.next.RunningOperation(func(o *Operation) bool { return o.Kind == Drain && o.Peer == id })
	held := e.next.ReplicasOn(id)
	switch {
	case state == Draining && runs:
		return o.ID, nil
	case state == Draining && held > 0:
		return e.start(Operation{Kind: Drain, Peer: id, Total: uint32(held), Started: at})
	case state != Draining && runs:
		e.finish(o.ID, Cancelled, "the peer is no longer to be drained", at)
	}
	return 0, nil
}

func (p *Peer) declareZone(zone string) {
	switch {
	case zone != "" && p.OwnZone == nil:
		own := p.Zone
		p.Zone, p.OwnZone = zone, &own
	case zone != "":
		p.Zone = zone
	case p.OwnZone != nil:
		p.Zone, p.OwnZone = *p.OwnZone, nil
	}
}

func (cmd UpdatePeer) check() error {
	if cmd.Zone != nil {
		if err := checkText("zone", *cmd.Zone); err != nil {
			return err
		}
	}
	if cmd.State != nil && !slices.Contains([]PeerState{InService, Draining, Maintenance}, *cmd.State) {
		return invalid("a peer cannot be %q", *cmd.State)
	}
	if cmd.Labels == nil {
		return nil
	}
	if len(*cmd.Labels) > MaxLabels {
		return invalid("a peer cannot have %d labels, at most %d are allowed", len(*cmd.Labels), MaxLabels)
	}
	for _, key := range sortedKeys(*cmd.Labels) {
		if key == "" {
			return invalid("a label needs a name")
		}
		for what, text := range map[string]string{"name of a label": key, "value of a label": (*cmd.Labels)[key]} {
			if err := checkText(what, text); err != nil {
				return err
			}
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
	if c, k := e.next.needs(id); k != nil {
		return refuse("cannot remove peer %d (%s): shard key %s of collection `%s` may be placed on no other", id, p.Name, k.Key, c.Name)
	}
	e.rekey(id, 0)
	delete(e.peers(), id)
	if p.Removed {
		expelled := append(slices.Clone(e.next.Expelled), id)
		e.next.Expelled = expelled[max(0, len(expelled)-maxExpelled):]
	}
	return nil
}

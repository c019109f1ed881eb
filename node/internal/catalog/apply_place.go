package catalog

import (
	"slices"
	"strconv"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// placeShard notes where the copies of a shard are to be. Copies come and go by the reconciler's hand, under its limits.
func (e *edit) placeShard(cmd PlaceShard) (OperationID, error) {
	c, sh, ok := e.next.Shard(cmd.Ref)
	if !ok {
		return 0, fault.New(fault.NotFound, "shard %d of collection %d does not exist", cmd.Ref.Shard, cmd.Ref.Collection)
	}
	same := func(o *Operation) bool {
		return o.Kind == Replicate && o.Collection == c.ID && o.Placement.Shard == sh.ID && o.Placement.From == cmd.From && o.Placement.To == cmd.To
	}
	if o, ok := e.next.RunningOperation(same); ok {
		return o.ID, nil
	}
	if sh.Version != cmd.Version {
		return 0, fault.New(fault.Conflict, "shard %d of collection %d has version %d, not %d",
			cmd.Ref.Shard, cmd.Ref.Collection, sh.Version, cmd.Version).With("version", strconv.FormatUint(sh.Version, 10))
	}
	pinned := sh.Places(&e.next)
	if err := e.checkPlace(cmd, c, sh, pinned); err != nil {
		return 0, err
	}
	after := repinned(pinned, cmd.From, cmd.To)
	if len(after) < c.Quorum(sh) {
		return 0, refuse("shard %d would have %d copies, and a write needs %d: lower write_consistency_factor first", sh.ID, len(after), c.Quorum(sh))
	}
	if len(after) > MaxReplicas {
		return 0, refuse("shard %d would have %d copies, at most %d are allowed", sh.ID, len(after), MaxReplicas)
	}
	id, err := e.start(Operation{
		Kind: Replicate, Collection: c.ID, Peer: cmd.To, Total: 1, Started: cmd.At,
		Placement: &Placement{Shard: sh.ID, From: cmd.From, To: cmd.To, Before: sh.Pinned, After: after},
	})
	if err != nil {
		return 0, err
	}
	next := e.shard(cmd.Ref)
	next.Pinned = after
	next.Version++
	return id, nil
}

func (e *edit) checkPlace(cmd PlaceShard, c *Collection, sh *Shard, pinned []PeerID) error {
	switch {
	case cmd.From == 0 && cmd.To == 0 || cmd.From == cmd.To:
		return invalid("a copy is to be placed from peer %d to peer %d: name two different peers, or one", cmd.From, cmd.To)
	case cmd.From != 0 && !slices.Contains(pinned, cmd.From):
		return fault.New(fault.NotFound, "peer %d holds no replica of shard %d of collection `%s`", cmd.From, cmd.Ref.Shard, c.Name)
	case cmd.To == 0:
		return nil
	case slices.Contains(pinned, cmd.To):
		return fault.New(fault.Exists, "peer %d holds a replica of shard %d of collection `%s` already", cmd.To, cmd.Ref.Shard, c.Name)
	case !c.Allows(sh, cmd.To):
		return invalid("shard key %s may be placed on the peers %d only", sh.Key, c.keyOf(sh).Peers)
	case e.next.Gone(cmd.To):
		return fault.New(fault.NotFound, "Peer %d does not exist", cmd.To)
	case e.next.Peers[cmd.To].State != InService:
		return refuse("peer %d (%s) is in state %s: it gets nothing new", cmd.To, e.next.Peers[cmd.To].Name, e.next.Peers[cmd.To].State)
	}
	return nil
}

// Places returns where the copies of a shard are to be: as placed by hand, else where they are, those apart that go or that
// are about to take the place of another.
func (sh *Shard) Places(s *State) []PeerID {
	if len(sh.Pinned) > 0 {
		return sh.Pinned
	}
	var peers []PeerID
	for _, r := range sh.Replicas {
		if !r.Retiring && r.Replaces == 0 && !s.Gone(r.Peer) {
			peers = append(peers, r.Peer)
		}
	}
	return peers
}

// tenable returns a placement by hand without the peers that are gone for good. It ends, with none, where a shard would have fewer copies
// than are declared for want of these, or fewer than a write needs.
func (s *State) tenable(c *Collection, sh *Shard, pinned []PeerID) []PeerID {
	left := slices.DeleteFunc(slices.Clone(pinned), s.Gone)
	if lost := len(left) < len(pinned); len(left) < c.Quorum(sh) || lost && len(left) < c.Copies(c.keyOf(sh)) {
		return nil
	}
	return left
}

// Factor is how many copies of a shard there are to be.
func (c *Collection) Factor(sh *Shard) int {
	if len(sh.Pinned) > 0 {
		return len(sh.Pinned)
	}
	return c.Copies(c.keyOf(sh))
}

// Quorum is the W that is declared for a shard.
func (c *Collection) Quorum(*Shard) int { return int(c.Config.WriteConsistencyFactor) }

// WantedQuorum is the W that the shard's primary is to use: the declared one, but two while it is to hand over, if there are
// two. Then another copy holds whatever was acknowledged, and can be promoted without this one's.
func (c *Collection) WantedQuorum(sh *Shard) int {
	w := c.Quorum(sh)
	if sh.Handover && len(sh.Active()) >= 2 {
		w = max(w, 2)
	}
	return w
}

// settle makes a copy take the place of no other.
func (r *Replica) settle() { r.Replaces, r.Reason = 0, "" }

// replaceReplica adds a copy that is to take the place of another.
func (e *edit) replaceReplica(sh *Shard, cmd Replace) (func(*Shard), error) {
	_, old, err := held(sh, cmd.Of)
	if err != nil {
		return nil, err
	}
	replaced := slices.ContainsFunc(sh.Replicas, func(r Replica) bool { return r.Replaces == cmd.Of })
	switch {
	case cmd.Reason == "":
		return nil, invalid("a replica cannot take the place of another for no reason")
	case old.Retiring:
		return nil, refuse("the replica on peer %d is being retired", cmd.Of)
	case replaced || old.Replaces != 0:
		return nil, refuse("the replica on peer %d is on the move already", cmd.Of)
	}
	add, err := e.addReplica(sh, cmd.Peer)
	if err != nil {
		return nil, err
	}
	return func(sh *Shard) {
		add(sh)
		i, _ := sh.find(cmd.Peer)
		sh.Replicas[i].Replaces, sh.Replicas[i].Reason = cmd.Of, cmd.Reason
	}, nil
}

func settle(sh *Shard, id PeerID) (func(*Shard), error) {
	i, r, err := held(sh, id)
	switch {
	case err != nil:
		return nil, err
	case r.Replaces == 0:
		return nil, refuse("the replica on peer %d takes the place of no other", id)
	}
	return func(sh *Shard) { sh.Replicas[i].settle() }, nil
}

func handover(sh *Shard, on bool) (func(*Shard), error) {
	if sh.Handover == on {
		return nil, refuse("shard %d has handover %t already", sh.ID, on)
	}
	return func(sh *Shard) { sh.Handover = on }, nil
}

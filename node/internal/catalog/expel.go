package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// ExpelPeer removes a peer for good: from then on its disk counts as gone, and the reconciler does the rest (its vote, its replicas,
// its place in the metadata). It is refused while the peer holds the last copy of a shard that Lose does not name.
type ExpelPeer struct {
	ID   PeerID `json:"id"`
	At   int64  `json:"at"` // unix milliseconds
	Lose []Loss `json:"lose,omitempty"`
}

// Loss is a shard that may lose what it acknowledged. If a copy that counts is left, Keep leads on with what it has, alone; else the
// shard begins anew, empty, on Peers, of which the first leads it. This is filled in on the Raft leader (PrepareExpel), which leaves
// out the shards that need not lose anything.
type Loss struct {
	Ref     ShardRef `json:"ref"`
	Version uint64   `json:"version,omitempty"` // compare-and-set
	Peers   []PeerID `json:"peers,omitempty"`
	Keep    PeerID   `json:"keep,omitempty"`
}

// Surroundings are what the Raft leader knows beside the metadata.
type Surroundings struct {
	Alive  func(PeerID) bool // answers
	Usable func(PeerID) bool // may be given something new
	Voters []PeerID          // of Raft
}

// PrepareExpel decides, on the Raft leader, whether a peer may be removed now, and fills in where the shards begin anew that are lost
// with it. What it refuses, and why, is for the one who asked.
func PrepareExpel(s *State, cmd ExpelPeer, now Surroundings) (ExpelPeer, error) {
	peer, ok := s.Peers[cmd.ID]
	switch {
	case !ok:
		return cmd, fault.New(fault.NotFound, "Peer %d does not exist", cmd.ID)
	case peer.Removed:
		cmd.Lose = nil
		return cmd, nil // it is on its way
	case !peer.Gone() && s.Members() == 1:
		return cmd, refuse("%s is the only peer: a cluster cannot do without", peer.Name)
	}
	if err := checkMajority(peer, now); err != nil {
		return cmd, err
	}
	asked := cmd.Lose
	cmd.Lose = nil
	placer := NewPlacer(s, func(id PeerID) bool { return id != cmd.ID && now.Usable(id) })
	var last, short, leads []string
	for ref, sh := range s.Shards() {
		name := s.shardName(ref)
		lose := slices.ContainsFunc(asked, func(l Loss) bool { return l.Ref == ref })
		alone, strands := lastCopy(s, sh, cmd.ID, now.Alive), stranded(s, sh, cmd.ID)
		switch {
		case alone && !lose:
			last = append(last, name)
		case strands && !lose:
			short = append(short, name)
		case alone || strands:
			loss, err := loseShard(s, ref, sh, placer, survivor(s, sh, cmd.ID, now.Alive))
			if err != nil {
				return cmd, err
			}
			cmd.Lose = append(cmd.Lose, loss)
		case sh.Primary == cmd.ID && now.Alive(cmd.ID):
			leads = append(leads, name)
		}
	}
	switch {
	case len(last) > 0:
		return cmd, refuse("%s holds the last copy that serves of %s: drain it first (ostraka peer drain), bring other copies back, or say that they may be lost (--lose %s)",
			peer.Name, listed(last), strings.Join(last[:min(len(last), maxListed)], ","))
	case len(short) > 0:
		return cmd, refuse("without the copy on %s too few are left of %s to know that nothing acknowledged is missing: bring other copies back first, or say that it may be lost (--lose %s)",
			peer.Name, listed(short), strings.Join(short[:min(len(short), maxListed)], ","))
	case len(leads) > 0:
		return cmd, refuse("%s is up and leads %s: drain it first (ostraka peer drain), so that nothing that it has acknowledged is lost", peer.Name, listed(leads))
	}
	return cmd, nil
}

// checkMajority makes sure that the metadata can change without a voter.
func checkMajority(peer *Peer, now Surroundings) error {
	if !slices.Contains(now.Voters, peer.ID) {
		return nil
	}
	left, alive := 0, 0
	for _, id := range now.Voters {
		if id == peer.ID {
			continue
		}
		left++
		if now.Alive(id) {
			alive++
		}
	}
	if alive <= left/2 {
		return refuse("without %s only %d of %d peers that vote on the metadata would answer, which is no majority: bring others back first", peer.Name, alive, left)
	}
	return nil
}

// LastCopies names the shards of which a peer holds the last copy that counts, or of which no other such copy answers.
func (s *State) LastCopies(id PeerID, alive func(PeerID) bool) []string {
	var last []string
	for ref, sh := range s.Shards() {
		if lastCopy(s, sh, id, alive) {
			last = append(last, s.shardName(ref))
		}
	}
	return last
}

// lastCopy reports whether a peer holds a copy of a shard that counts, and no other such copy is there.
func lastCopy(s *State, sh *Shard, id PeerID, alive func(PeerID) bool) bool {
	r, held := sh.Replica(id)
	if !held || r.State != Active {
		return false
	}
	return !slices.ContainsFunc(sh.Replicas, func(r Replica) bool {
		return r.Peer != id && r.State == Active && !s.Gone(r.Peer) && alive(r.Peer)
	})
}

// stranded reports whether the copies that count, but for a peer's, are fewer than a promotion must hear (R6), so that the shard could
// never have another primary, nor its primary demote those that are gone (R3).
func stranded(s *State, sh *Shard, id PeerID) bool {
	active := sh.Active()
	if !slices.Contains(active, id) {
		return false
	}
	left := 0
	for _, other := range active {
		if other != id && !s.Gone(other) {
			left++
		}
	}
	return left < max(len(active)-int(sh.WriteQuorum)+1, 1) && sh.WriteQuorum > 1
}

// survivor finds who keeps what there is of a shard: its primary, or another copy that counts; 0 if there is none.
func survivor(s *State, sh *Shard, id PeerID, alive func(PeerID) bool) PeerID {
	var found PeerID
	for _, other := range sh.Active() {
		if other != id && !s.Gone(other) && alive(other) && (found == 0 || other == sh.Primary) {
			found = other
		}
	}
	return found
}

// loseShard prepares what becomes of a shard that may lose something.
func loseShard(s *State, ref ShardRef, sh *Shard, placer *Placer, keep PeerID) (Loss, error) {
	c := s.Collections[ref.Collection]
	if slices.ContainsFunc(c.Moves, func(m *Move) bool { return m.About(ref.Shard) }) {
		return Loss{}, refuse("points move from or to shard %d of `%s`: cancel the change of its number of shards first", ref.Shard, c.Name)
	}
	if keep != 0 {
		return Loss{Ref: ref, Version: sh.Version, Keep: keep}, nil
	}
	placer = placer.among(c.keyOf(sh))
	if len(placer.peers) == 0 {
		return Loss{}, fault.New(fault.Unavailable, "no other peer is there on which shard %d of `%s` could begin anew", ref.Shard, c.Name)
	}
	return Loss{Ref: ref, Version: sh.Version, Peers: placer.shard(max(c.Factor(sh), 1))}, nil
}

const maxListed = 10

// shardName is how people name a shard: COLLECTION/SHARD.
func (s *State) shardName(ref ShardRef) string {
	return fmt.Sprintf("%s/%d", s.Collections[ref.Collection].Name, ref.Shard)
}

func listed(names []string) string {
	if len(names) <= maxListed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
}

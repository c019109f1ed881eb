// Package reconcile owns the controller that makes what is match what is declared: it replaces primaries, makes, moves and
// removes replicas, and forgets peers whose disk is gone.
//
// Plan is pure: from the metadata and what was observed it returns small, idempotent steps, at most one per shard.
// A Runner executes them while its node leads Raft, round after round, so that a step which failed or was lost is
// simply planned again; what a longer change intends stands in the metadata before any effect (Replica.Replaces,
// Shard.Handover, Retiring). Every change of a shard is a compare-and-set on the version that Plan saw; two controllers at
// once, or an old one, can therefore do no harm. Rules R5 and R6 of the replacement of a primary stand in failover.go.
// Foresee runs Plan on a model, to tell what will be done.
//
// The package never moves data and never demotes or activates a replica: the shards' primaries do.
package reconcile

import (
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

const (
	// unsafeGrace is how long the peers that R6 lacks must have been dead before a shard with W = 1 is given a primary
	// without them.
	unsafeGrace = time.Second
	// calmAfter is how long no peer must have come or gone before anything is moved for the sake of balance.
	calmAfter = 10 * time.Second
	// fillPatience is how long a peer may be away while a copy is being made there in the place of another.
	fillPatience = 30 * time.Second
)

// Observations are what the controller knows beside the metadata.
type Observations struct {
	Peers  map[catalog.PeerID]Health // a missing one is dead, just now
	Voters map[catalog.PeerID]string // of Raft; nil: not known
	// Wishes are the terms in which primaries cannot go on to lead (R7, or fenced).
	Wishes map[catalog.ShardRef]uint64
	// Moves are primaries that are to give way to another copy, as draining ones do.
	Moves map[catalog.ShardRef]catalog.PeerID
	// Promised are the highest terms that fences have heard of; a new term must not be lower.
	Promised map[catalog.ShardRef]uint64
	// Bytes is the size of one copy of a shard, as last reported; a missing one is not known.
	Bytes map[catalog.ShardRef]uint64
	// Unlimited lets any number of transfers run at once: to see all there is to do.
	Unlimited bool
}

// Health is how a peer does.
type Health struct {
	Alive    bool
	AliveFor time.Duration // since it was first known, or answered again
	DeadFor  time.Duration // since the detector gave it up
	Draining bool          // it is shutting down and wants to hand over what it leads
	// Of the disk that its replicas are on; 0: not known.
	DiskFree, DiskTotal uint64
	DiskFull            bool // it wants nothing that grows
}

// Of a disk, a tenth, but at most maxReserve, is not for new copies.
const (
	diskReserve = 10
	maxReserve  = 8 << 30
)

// Room tells whether the disk has room for so many bytes more, as far as it is known: some of it stays free for what is written.
func (h Health) Room(bytes uint64) bool {
	return h.DiskTotal == 0 || h.DiskFree >= h.reserve()+bytes
}

// Spare is how much more the disk has room for; 0 if it is not known.
func (h Health) Spare() uint64 { return h.DiskFree - min(h.DiskFree, h.reserve()) }

func (h Health) reserve() uint64 { return min(h.DiskTotal/diskReserve, maxReserve) }

func (o Observations) alive(id catalog.PeerID) bool { return o.Peers[id].Alive }

// leaving tells whether a shard's primary is to be somewhere else than on a peer, whatever is declared.
func (o Observations) leaving(ref catalog.ShardRef, id catalog.PeerID) bool {
	from, moving := o.Moves[ref]
	return o.Peers[id].Draining || moving && from == id
}

// usable tells whether a peer may be given something new.
func (o Observations) usable(id catalog.PeerID) bool {
	h := o.Peers[id]
	return h.Alive && !h.Draining && !h.DiskFull
}

// calm tells whether no peer has come or gone for a while.
func (o Observations) calm(s *catalog.State) bool {
	for id := range s.Peers {
		h := o.Peers[id]
		if !s.Gone(id) && max(h.AliveFor, h.DeadFor) < calmAfter {
			return false
		}
	}
	return true
}

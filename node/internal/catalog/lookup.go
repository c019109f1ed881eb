package catalog

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// Lookup finds a collection by its name or one of its aliases.
func (s *State) Lookup(nameOrAlias string) (*Collection, bool) {
	id, ok := s.Names[nameOrAlias]
	if !ok {
		id, ok = s.Aliases[nameOrAlias]
	}
	if !ok {
		return nil, false
	}
	c, ok := s.Collections[id]
	return c, ok
}

// Shard finds a shard and its collection.
func (s *State) Shard(ref ShardRef) (*Collection, *Shard, bool) {
	c, ok := s.Collections[ref.Collection]
	if !ok {
		return nil, nil, false
	}
	sh, ok := c.Shard(ref.Shard)
	return c, sh, ok
}

// Sorted returns the collections ordered by name.
func (s *State) Sorted() []*Collection {
	list := make([]*Collection, 0, len(s.Collections))
	for _, name := range sortedKeys(s.Names) {
		list = append(list, s.Collections[s.Names[name]])
	}
	return list
}

// SortedPeers returns the peers ordered by name, then id.
func (s *State) SortedPeers() []*Peer {
	return slices.SortedFunc(maps.Values(s.Peers), func(a, b *Peer) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
}

// Shards yields every shard, collections ordered by id and shards by theirs.
func (s *State) Shards() iter.Seq2[ShardRef, *Shard] {
	return func(yield func(ShardRef, *Shard) bool) {
		for _, id := range slices.Sorted(maps.Keys(s.Collections)) {
			for _, sh := range s.Collections[id].Shards {
				if !yield(ShardRef{Collection: id, Shard: sh.ID}, sh) {
					return
				}
			}
		}
	}
}

// AliasesOf returns the aliases of a collection in order.
func (s *State) AliasesOf(id CollectionID) []string {
	var aliases []string
	for _, alias := range sortedKeys(s.Aliases) {
		if s.Aliases[alias] == id {
			aliases = append(aliases, alias)
		}
	}
	return aliases
}

// Members counts the peers that have been neither replaced nor removed.
func (s *State) Members() int {
	n := 0
	for _, p := range s.Peers {
		if !p.Gone() {
			n++
		}
	}
	return n
}

// Gone reports whether a peer's disk is gone for ever: it was replaced or removed, or is not known.
func (s *State) Gone(id PeerID) bool {
	p, ok := s.Peers[id]
	return !ok || p.Gone()
}

// Gone reports whether its disk counts as gone for ever.
func (p *Peer) Gone() bool { return p.Replaced || p.Removed }

// WasExpelled reports whether a peer was removed for good.
func (s *State) WasExpelled(id PeerID) bool {
	if p, ok := s.Peers[id]; ok {
		return p.Removed
	}
	return slices.Contains(s.Expelled, id)
}

// ReplicasOn counts the replicas that the metadata puts on a peer.
func (s *State) ReplicasOn(id PeerID) int {
	n := 0
	for _, c := range s.Collections {
		for _, sh := range c.Shards {
			if _, ok := sh.Replica(id); ok {
				n++
			}
		}
	}
	return n
}

// ShardOf returns the shard that owns a slot, or nil if none does.
func (c *Collection) ShardOf(s slot.Slot) *Shard {
	for _, sh := range c.Shards {
		for _, r := range sh.Slots {
			if r.Contains(s) {
				return sh
			}
		}
	}
	return nil
}

// Replica returns the shard's replica on a peer.
func (sh *Shard) Replica(id PeerID) (Replica, bool) {
	i, ok := sh.find(id)
	if !ok {
		return Replica{}, false
	}
	return sh.Replicas[i], true
}

func (sh *Shard) find(id PeerID) (int, bool) {
	return slices.BinarySearchFunc(sh.Replicas, id, func(r Replica, id PeerID) int { return cmp.Compare(r.Peer, id) })
}

// Active returns the peers whose replicas count, ordered by id.
func (sh *Shard) Active() []PeerID { return sh.In(Active) }

// In returns the peers whose replicas are in a state, ordered by id.
func (sh *Shard) In(state ReplicaState) []PeerID {
	peers := make([]PeerID, 0, len(sh.Replicas))
	for _, r := range sh.Replicas {
		if r.State == state {
			peers = append(peers, r.Peer)
		}
	}
	return peers
}

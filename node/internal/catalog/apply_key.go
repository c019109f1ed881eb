package catalog

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// keyed finds a collection whose shard keys are to change.
func (e *edit) keyed(id CollectionID) (*Collection, error) {
	c, ok := e.next.Collections[id]
	switch {
	case !ok:
		return nil, fault.New(fault.NotFound, "collection %d does not exist", id)
	case !c.Config.Custom():
		return nil, errNotKeyed(c)
	}
	return c, nil
}

func (e *edit) createShardKey(cmd CreateShardKey) error {
	c, err := e.keyed(cmd.Collection)
	if err != nil {
		return err
	}
	if err := cmd.check(); err != nil {
		return err
	}
	at, exists := c.findKey(cmd.Key)
	switch {
	case exists:
		return invalid("Sharding key %s already exists for collection `%s`", cmd.Key, c.Name)
	case cmd.ShardNumber < 1:
		return outside("shards_number", cmd.ShardNumber, 1, MaxShards)
	case len(c.Shards)+int(cmd.ShardNumber) > MaxShards:
		return tooManyShards(c, len(c.Shards)+int(cmd.ShardNumber))
	}
	if err := e.checkKeyPlacement(c, &cmd); err != nil {
		return err
	}
	next := e.collection(c.ID)
	key := cmd.ShardKey
	next.Keys = slices.Insert(slices.Clone(next.Keys), at, &key)
	ranges := slot.Spread(len(cmd.Placement))
	for i, peers := range cmd.Placement {
		slots := ranges[i : i+1]
		if key.Partial {
			slots = nil
		}
		sh := e.newShard(next.nextShard(), slots, peers, next.Config.WriteConsistencyFactor)
		sh.Key = &point.ShardKey{Keyword: key.Key.Keyword, Number: key.Key.Number}
		next.NextShard = sh.ID + 1
		next.Shards = append(next.Shards, sh)
	}
	return nil
}

// checkKeyPlacement refuses with Conflict what was placed on an older state: placed again, it may well succeed.
func (e *edit) checkKeyPlacement(c *Collection, cmd *CreateShardKey) error {
	for _, id := range cmd.Peers {
		if e.next.Gone(id) {
			return invalid("Peer %d does not exist", id)
		}
	}
	if err := c.checkCopies(&cmd.ShardKey); err != nil {
		return err
	}
	if len(cmd.Placement) != int(cmd.ShardNumber) {
		return fault.New(fault.Conflict, "%d shards are placed, shards_number is %d: try again", len(cmd.Placement), cmd.ShardNumber)
	}
	for _, peers := range cmd.Placement {
		for _, id := range peers {
			if !cmd.allows(id) {
				return invalid("shard key %s is placed on peer %d, which is not one of its peers", cmd.Key, id)
			}
		}
	}
	return e.checkPeers(cmd.Placement, c.Copies(&cmd.ShardKey), c.nextShard())
}

// updateShardKey changes what is declared of a key, and nothing of its shards: the reconciler makes, moves and retires copies.
func (e *edit) updateShardKey(cmd UpdateShardKey) error {
	c, err := e.keyed(cmd.Collection)
	if err != nil {
		return err
	}
	at, ok := c.findKey(cmd.Key)
	if !ok {
		return c.errNoKey(cmd.Key)
	}
	now := c.Keys[at]
	key := cmd.of(now)
	if err := key.check(); err != nil {
		return err
	}
	if cmd.Peers != nil {
		for _, id := range key.Peers {
			if e.next.Gone(id) {
				return invalid("Peer %d does not exist", id)
			}
		}
	}
	if err := c.checkCopies(&key); err != nil {
		return err
	}
	more := c.Copies(&key) != c.Copies(now)
	next := e.collection(c.ID)
	next.Keys = slices.Clone(next.Keys)
	next.Keys[at] = &key
	e.unpin(c.ID, func(_ *Collection, sh *Shard) bool { // how many copies there are to be, or that they cannot be there, was said anew
		return *sh.Key == cmd.Key && (more || !key.allowsAll(sh.Pinned))
	})
	return nil
}

func (e *edit) deleteShardKey(cmd DeleteShardKey) error {
	c, err := e.keyed(cmd.Collection)
	if err != nil {
		return err
	}
	at, ok := c.findKey(cmd.Key)
	if !ok {
		return invalid("Sharding key %s does not exist for collection `%s`", cmd.Key, c.Name)
	}
	if o, running := e.resharding(c.ID, &cmd.Key); running {
		e.finish(o.ID, Cancelled, "the shard key was deleted", cmd.At)
	}
	e.endFills(c.ID, cmd.Key, cmd.At)
	next := e.collection(c.ID)
	next.NextShard = next.nextShard()
	next.Moves = slices.DeleteFunc(slices.Clone(next.Moves), func(m *Move) bool { return m.Fill == 0 && c.keyOfMove(m) == cmd.Key })
	next.Keys = slices.Delete(slices.Clone(next.Keys), at, at+1)
	next.Shards = slices.DeleteFunc(next.Shards, func(sh *Shard) bool {
		if *sh.Key != cmd.Key {
			return false
		}
		delete(e.shards, ShardRef{Collection: c.ID, Shard: sh.ID})
		return true
	})
	return nil
}

// rekey lets a peer take the place of another one of its name where shard keys name it; 0 is none.
func (e *edit) rekey(old, by PeerID) {
	for id, c := range e.next.Collections {
		for i, k := range c.Keys {
			if !slices.Contains(k.Peers, old) {
				continue
			}
			next := e.collection(id)
			key := *k
			key.Peers = repinned(k.Peers, old, by)
			next.Keys = slices.Clone(next.Keys)
			next.Keys[i] = &key
		}
	}
}

// needs returns a shard key that may be on no other peer.
func (s *State) needs(id PeerID) (*Collection, *ShardKey) {
	for _, c := range s.Sorted() {
		for _, k := range c.Keys {
			if len(k.Peers) == 1 && k.Peers[0] == id {
				return c, k
			}
		}
	}
	return nil, nil
}

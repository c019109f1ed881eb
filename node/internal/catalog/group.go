package catalog

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Group is shards that own all slots among them: those of one shard key, or all of a collection that has no keys. Slots move within a
// group alone, and what is declared is how many shards each is to have.
type Group struct {
	Key    *ShardKey // nil: the collection has none
	Number uint32    // of shards, declared
	Shards []*Shard  // ordered by id
	Moves  []*Move   // of slots between these shards, ordered by id; not what fills another group, or this one
}

// Groups returns the groups of a collection, in the order of their keys. One that has keys to come has none.
func (c *Collection) Groups() []Group {
	if !c.Config.Custom() {
		return []Group{{Number: c.Config.ShardNumber, Shards: c.Shards, Moves: c.Moves}}
	}
	all := make([]Group, len(c.Keys))
	for i, k := range c.Keys {
		all[i] = Group{Key: k, Number: k.ShardNumber}
	}
	for _, sh := range c.Shards {
		if i, ok := c.findKey(*sh.Key); ok {
			all[i].Shards = append(all[i].Shards, sh)
		}
	}
	for _, m := range c.Moves {
		if i, ok := c.findKey(c.keyOfMove(m)); ok && m.Fill == 0 {
			all[i].Moves = append(all[i].Moves, m)
		}
	}
	return all
}

// Group returns the shards of a key; nil is the key of a collection without keys.
func (c *Collection) Group(key *point.ShardKey) (Group, error) {
	switch {
	case key == nil && !c.Config.Custom():
		return Group{Number: c.Config.ShardNumber, Shards: c.Shards, Moves: c.Moves}, nil
	case key == nil:
		return Group{}, invalid("collection `%s` has shard keys, each with shards of its own: name the shard key", c.Name)
	case !c.Config.Custom():
		return Group{}, errNotKeyed(c)
	}
	k, ok := c.ShardKey(*key)
	if !ok {
		return Group{}, c.errNoKey(*key)
	}
	g := Group{Key: k, Number: k.ShardNumber}
	for _, sh := range c.Shards {
		if *sh.Key == k.Key {
			g.Shards = append(g.Shards, sh)
		}
	}
	for _, m := range c.Moves {
		if m.Fill == 0 && c.keyOfMove(m) == k.Key {
			g.Moves = append(g.Moves, m)
		}
	}
	return g, nil
}

// GroupOf returns the group of a shard, with no shards in it if the shard's key is not declared.
func (c *Collection) GroupOf(sh *Shard) Group {
	g, err := c.Group(sh.Key)
	if err != nil {
		return Group{}
	}
	return g
}

func errNotKeyed(c *Collection) error {
	return invalid("collection `%s` has no shard keys: it was created with Auto sharding method", c.Name)
}

// keyOfMove is the key of a move's shards. One of them is there, else there were nothing to clean up.
func (c *Collection) keyOfMove(m *Move) point.ShardKey {
	for _, id := range []ShardID{m.Source, m.Target} {
		if sh, ok := c.Shard(id); ok && sh.Key != nil {
			return *sh.Key
		}
	}
	return point.ShardKey{}
}

// Excess is how many shards there are beyond what is declared.
func (g Group) Excess() int { return max(len(g.Shards)-int(g.Number), 0) }

// Of names the group behind a number of shards: nothing where there are no keys.
func (g Group) Of() string {
	if g.Key == nil {
		return ""
	}
	return " of shard key " + g.Key.Key.String()
}

// Partial reports whether the group is to be filled from another one.
func (g Group) Partial() bool { return g.Key != nil && g.Key.Partial }

// Owning counts the shards that own slots or, while none of the group does, that will.
func (g Group) Owning() (n int) {
	if g.Partial() {
		return len(g.Shards)
	}
	for _, sh := range g.Shards {
		if len(sh.Slots) > 0 {
			n++
		}
	}
	return n
}

// declare makes another number of shards the declared one of a group.
func (e *edit) declare(id CollectionID, key *point.ShardKey, number uint32) {
	c := e.collection(id)
	if key == nil {
		c.Config.ShardNumber = number
		return
	}
	i, _ := c.findKey(*key)
	k := *c.Keys[i]
	k.ShardNumber = number
	c.Keys = slices.Clone(c.Keys)
	c.Keys[i] = &k
}

// resharding finds the operation that runs for a group.
func (e *edit) resharding(id CollectionID, key *point.ShardKey) (*Operation, bool) {
	return e.next.RunningOperation(func(o *Operation) bool {
		return o.Kind == Resharding && o.Collection == id && o.Reshard.Key.Same(key)
	})
}

// checkMissing checks the placement of the shards that a group lacks to have so many. One that was made on an older state
// may well succeed when it is made again.
func (e *edit) checkMissing(c *Collection, g Group, number uint32, placement [][]PeerID) error {
	missing := g.missing(number)
	if len(placement) != missing {
		return fault.New(fault.Conflict, "%d shards are placed, %d have to be made: try again", len(placement), missing)
	}
	if all := len(c.Shards) + missing; all > MaxShards {
		return tooManyShards(c, all)
	}
	for _, peers := range placement {
		for _, id := range peers {
			if !g.Key.allows(id) {
				return fault.New(fault.Conflict, "a shard%s is placed on peer %d, which is not one of its peers: try again", g.Of(), id)
			}
		}
	}
	return e.checkPeers(placement, c.Copies(g.Key), c.nextShard())
}

func tooManyShards(c *Collection, all int) error {
	return refuse("collection `%s` has %d shards and would have %d, at most %d are allowed", c.Name, len(c.Shards), all, MaxShards)
}

func (g Group) missing(number uint32) int { return max(int(number)-len(g.Shards), 0) }

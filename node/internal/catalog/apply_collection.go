package catalog

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

func (e *edit) createCollection(cmd CreateCollection) (CollectionID, error) {
	if err := CheckName(cmd.Name); err != nil {
		return 0, err
	}
	if _, ok := e.next.Names[cmd.Name]; ok {
		return 0, errCollectionExists(cmd.Name)
	}
	if _, ok := e.next.Aliases[cmd.Name]; ok {
		return 0, invalid("cannot create collection `%s`: an alias has that name", cmd.Name)
	}
	if err := cmd.Config.check(); err != nil {
		return 0, err
	}
	if cmd.Config.reborn() {
		return 0, invalid("collection `%s`: the vectors of a new collection are not incarnations of others", cmd.Name)
	}
	if err := e.checkPlacement(cmd); err != nil {
		return 0, err
	}
	c := &Collection{ID: e.next.NextCollection, Name: cmd.Name, Config: cmd.Config, Epoch: 1}
	e.next.NextCollection++
	var ranges []slot.Range
	if !c.Config.Custom() {
		ranges = slot.Spread(len(cmd.Placement))
	}
	for i, peers := range cmd.Placement {
		c.Shards = append(c.Shards, e.newShard(ShardID(i), ranges[i:i+1], peers, cmd.Config.WriteConsistencyFactor))
	}
	e.own(c)
	e.names()[c.Name] = c.ID
	return c.ID, nil
}

// checkPlacement refuses with Conflict what was placed on an older state: placed again, it may well succeed.
func (e *edit) checkPlacement(cmd CreateCollection) error {
	if cmd.Config.Custom() && len(cmd.Placement) > 0 {
		return invalid("a collection with custom sharding begins without shards, %d are placed", len(cmd.Placement))
	}
	if !cmd.Config.Custom() && len(cmd.Placement) != int(cmd.Config.ShardNumber) {
		return invalid("%d shards are placed, shard_number is %d", len(cmd.Placement), cmd.Config.ShardNumber)
	}
	return e.checkPeers(cmd.Placement, int(cmd.Config.ReplicationFactor), 0)
}

// checkPeers checks where new shards, from an id on, are placed.
func (e *edit) checkPeers(placement [][]PeerID, factor int, first ShardID) error {
	for i, peers := range placement {
		id := first + ShardID(i)
		if len(peers) == 0 || len(peers) > factor {
			return invalid("shard %d is placed on %d peers, 1..%d are allowed", id, len(peers), factor)
		}
		for j, peer := range peers {
			if e.next.Gone(peer) {
				return fault.New(fault.Conflict, "shard %d is placed on peer %d, which is no longer a member: try again", id, peer)
			}
			if slices.Contains(peers[:j], peer) {
				return invalid("shard %d is placed on peer %d twice", id, peer)
			}
		}
	}
	return nil
}

func (e *edit) newShard(id ShardID, slots []slot.Range, peers []PeerID, w uint32) *Shard {
	sh := &Shard{
		ID: id, Slots: slots, Version: 1, Term: 1, Primary: peers[0], WriteQuorum: w,
		Replicas: make([]Replica, len(peers)),
	}
	for i, peer := range peers {
		sh.Replicas[i] = Replica{Peer: peer, Generation: e.generation(), State: Active}
	}
	slices.SortFunc(sh.Replicas, func(a, b Replica) int { return cmp.Compare(a.Peer, b.Peer) })
	return sh
}

func (e *edit) generation() Generation {
	g := e.next.NextGeneration
	e.next.NextGeneration++
	if mutation.On(mutation.ReusedGeneration) {
		g = (g-1)%8 + 1
	}
	return g
}

// updateCollection changes what is declared, and nothing of the shards: the primaries move their write quorums, and
// the reconciler adds and retires replicas.
func (e *edit) updateCollection(cmd UpdateCollection) error {
	id, ok := e.next.Names[cmd.Name]
	if !ok {
		return ErrMissingCollection(cmd.Name)
	}
	if id != cmd.ID {
		return fault.New(fault.Conflict, "Collection `%s` was deleted and created again meanwhile", cmd.Name)
	}
	current := e.next.Collections[id].Config
	if !current.Equal(cmd.Base) {
		return fault.New(fault.Conflict, "Collection `%s` was changed meanwhile: read it again and retry", cmd.Name)
	}
	if err := cmd.Config.check(); err != nil {
		return err
	}
	if err := current.permits(cmd.Config); err != nil {
		return err
	}
	after := Collection{Config: cmd.Config}
	same := current.ReplicationFactor == cmd.Config.ReplicationFactor && current.WriteConsistencyFactor == cmd.Config.WriteConsistencyFactor
	for _, k := range e.next.Collections[id].Keys {
		if same {
			break // peers of the key may have been removed since
		}
		if err := after.checkCopies(k); err != nil {
			return err
		}
	}
	if current.ReplicationFactor != cmd.Config.ReplicationFactor {
		e.unpin(id, follows) // how many copies there are to be was said anew
	}
	e.unpin(id, func(_ *Collection, sh *Shard) bool { return len(sh.Pinned) < int(cmd.Config.WriteConsistencyFactor) }) // no write could succeed
	c := e.collection(id)
	c.Config = c.reborn(cmd.Config)
	return nil
}

// permits refuses what cannot change in place.
func (c Config) permits(next Config) error {
	if c.Sharding != next.Sharding {
		return invalid("the sharding method cannot change after creation")
	}
	if c.ShardNumber != next.ShardNumber {
		return invalid("shard_number cannot change from %d to %d by an update: reshard the collection", c.ShardNumber, next.ShardNumber)
	}
	if c.WAL != next.WAL {
		return invalid("the wal configuration cannot change after creation")
	}
	for _, name := range sortedKeys(next.Vectors) {
		old, ok := c.Vectors[name]
		v := next.Vectors[name]
		switch {
		case !ok:
		case v.Size != old.Size || v.Distance != old.Distance:
			return invalid("vector %q cannot change from %d components, %s to %d, %s: stored points would not fit",
				name, old.Size, old.Distance, v.Size, v.Distance)
		case v.Multi != old.Multi || v.Datatype != old.Datatype:
			return invalid("vector %q cannot change its datatype or become or cease to be a multivector: stored points would not fit", name)
		}
	}
	return nil
}

// reborn returns what a collection declares next with an incarnation for each vector that is added to it: what points hold of one of
// that name which was removed before is not its own.
func (c *Collection) reborn(next Config) Config {
	next.Vectors, next.SparseVectors = maps.Clone(next.Vectors), maps.Clone(next.SparseVectors)
	fresh := func() uint64 {
		c.NextVector++
		return c.NextVector
	}
	for _, name := range sortedKeys(next.Vectors) {
		v := next.Vectors[name]
		if old, ok := c.Config.Vectors[name]; ok {
			v.Incarnation = old.Incarnation
		} else {
			v.Incarnation = fresh()
		}
		next.Vectors[name] = v
	}
	for _, name := range sortedKeys(next.SparseVectors) {
		v := next.SparseVectors[name]
		if old, ok := c.Config.SparseVectors[name]; ok {
			v.Incarnation = old.Incarnation
		} else {
			v.Incarnation = fresh()
		}
		next.SparseVectors[name] = v
	}
	return next
}

func (e *edit) deleteCollection(name string) (CollectionID, error) {
	id, ok := e.next.Names[name]
	if !ok {
		return 0, ErrMissingCollection(name)
	}
	delete(e.names(), name)
	delete(e.all(), id)
	aliases := maps.Clone(e.next.Aliases)
	maps.DeleteFunc(aliases, func(_ string, of CollectionID) bool { return of == id })
	e.setAliases(aliases)
	return id, nil
}

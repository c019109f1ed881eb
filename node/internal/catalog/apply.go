package catalog

import (
	"maps"
	"slices"
)

// Format is the version of State's meaning. 1 is the first.
const Format = 1

// Empty returns the state before the first command.
func Empty() *State {
	return &State{
		Format: Format, Peers: map[PeerID]*Peer{}, Collections: map[CollectionID]*Collection{},
		Names: map[string]CollectionID{}, Aliases: map[string]CollectionID{}, NextCollection: 1, NextGeneration: 1,
	}
}

// Apply returns the state after a command, and what the command did. A refused command leaves the state as it is: the
// same pointer comes back. s itself never changes; what a command does not touch is shared with the old state.
func Apply(s *State, cmd Command) (*State, Result) {
	next, results := ApplyAll(s, []Command{cmd})
	return next, results[0]
}

// ApplyAll applies commands in order, each on what the ones before it left, and copies what they touch once. Commands
// are independent: a refused one does not stop the next.
func ApplyAll(s *State, cmds []Command) (*State, []Result) {
	e := edit{next: *s}
	results := make([]Result, len(cmds))
	for i, cmd := range cmds {
		results[i] = e.apply(cmd)
	}
	if !e.changed {
		return s, results
	}
	return &e.next, results
}

// edit is a state being changed. Maps, collections and shards are copied when they are first written to.
type edit struct {
	next    State
	changed bool

	ownPeers, ownCollections, ownNames bool

	collections map[CollectionID]bool // copied already
	shards      map[ShardRef]bool     // copied already, with their replicas
}

func (e *edit) apply(cmd Command) Result {
	if err := cmd.shape(); err != nil {
		return Result{Err: err}
	}
	var r Result
	switch {
	case cmd.Found != nil:
		r.Err = e.found(*cmd.Found)
	case cmd.RegisterPeer != nil:
		r.Err = e.registerPeer(*cmd.RegisterPeer)
	case cmd.RemovePeer != nil:
		r.Err = e.removePeer(*cmd.RemovePeer)
	case cmd.ExpelPeer != nil:
		r.Err = e.expelPeer(*cmd.ExpelPeer)
	case cmd.CreateCollection != nil:
		r.Collection, r.Err = e.createCollection(*cmd.CreateCollection)
	case cmd.UpdateCollection != nil:
		r.Collection, r.Err = cmd.UpdateCollection.ID, e.updateCollection(*cmd.UpdateCollection)
	case cmd.DeleteCollection != nil:
		r.Collection, r.Err = e.deleteCollection(*cmd.DeleteCollection)
	case cmd.ChangeAliases != nil:
		r.Err = e.changeAliases(cmd.ChangeAliases)
	case cmd.CreateFieldIndex != nil:
		r.Collection, r.Err = cmd.CreateFieldIndex.ID, e.createFieldIndex(*cmd.CreateFieldIndex)
	case cmd.DeleteFieldIndex != nil:
		r.Collection, r.Err = cmd.DeleteFieldIndex.ID, e.deleteFieldIndex(*cmd.DeleteFieldIndex)
	case cmd.ChangeShard != nil:
		r.ShardVersion, r.Err = e.changeShard(*cmd.ChangeShard)
	case cmd.CreateShardKey != nil:
		r.Collection, r.Err = cmd.CreateShardKey.Collection, e.createShardKey(*cmd.CreateShardKey)
	case cmd.UpdateShardKey != nil:
		r.Collection, r.Err = cmd.UpdateShardKey.Collection, e.updateShardKey(*cmd.UpdateShardKey)
	case cmd.DeleteShardKey != nil:
		r.Collection, r.Err = cmd.DeleteShardKey.Collection, e.deleteShardKey(*cmd.DeleteShardKey)
	case cmd.FillShardKey != nil:
		r.Operation, r.Err = e.fillShardKey(*cmd.FillShardKey)
	case cmd.Reshard != nil:
		r.Operation, r.Err = e.reshard(*cmd.Reshard)
	case cmd.ChangeMove != nil:
		r.Move, r.Err = e.changeMove(*cmd.ChangeMove)
	case cmd.DropShard != nil:
		r.Err = e.dropShard(cmd.DropShard.Ref)
	default:
		r.Operation, r.Err = e.applyDeclared(cmd)
	}
	e.changed = e.changed || r.Err == nil
	return r
}

// applyDeclared applies the commands that change how the cluster keeps what is declared.
func (e *edit) applyDeclared(cmd Command) (OperationID, error) {
	switch {
	case cmd.UpdatePeer != nil:
		return e.updatePeer(*cmd.UpdatePeer)
	case cmd.UpdateSettings != nil:
		return 0, e.updateSettings(*cmd.UpdateSettings)
	case cmd.PlaceShard != nil:
		return e.placeShard(*cmd.PlaceShard)
	case cmd.Rebalance != nil:
		return e.rebalance(*cmd.Rebalance)
	case cmd.EndOperation != nil:
		return cmd.EndOperation.ID, e.endOperation(*cmd.EndOperation)
	}
	return cmd.CancelOperation.ID, e.cancelOperation(*cmd.CancelOperation)
}

// shape checks that exactly one field is set.
func (c Command) shape() error {
	set := 0
	for _, is := range []bool{
		c.Found != nil, c.RegisterPeer != nil, c.RemovePeer != nil, c.ExpelPeer != nil, c.CreateCollection != nil,
		c.UpdateCollection != nil, c.DeleteCollection != nil, len(c.ChangeAliases) > 0, c.ChangeShard != nil,
		c.UpdatePeer != nil, c.UpdateSettings != nil, c.PlaceShard != nil, c.Rebalance != nil, c.EndOperation != nil, c.CancelOperation != nil,
		c.CreateFieldIndex != nil, c.DeleteFieldIndex != nil,
		c.CreateShardKey != nil, c.UpdateShardKey != nil, c.DeleteShardKey != nil, c.FillShardKey != nil,
		c.Reshard != nil, c.ChangeMove != nil, c.DropShard != nil,
	} {
		if is {
			set++
		}
	}
	if set != 1 {
		return invalid("a metadata command must make exactly one change, this one makes %d", set)
	}
	return nil
}

// Check tells, without a state, whether a command is well-formed: what EncodeCommands takes. A collection to be created
// need not have its defaults and its placement yet (Prepare).
func (c Command) Check() error {
	if err := c.shape(); err != nil {
		return err
	}
	switch {
	case c.CreateCollection != nil:
		if err := CheckName(c.CreateCollection.Name); err != nil {
			return err
		}
		_, err := c.CreateCollection.Config.Normalized(1)
		return err
	case c.UpdateCollection != nil:
		if err := c.UpdateCollection.Base.check(); err != nil {
			return err
		}
		return c.UpdateCollection.Config.check()
	case c.CreateFieldIndex != nil:
		if _, err := FieldPath(c.CreateFieldIndex.Field); err != nil {
			return err
		}
		return c.CreateFieldIndex.Index.check()
	case c.CreateShardKey != nil:
		return c.CreateShardKey.check()
	case c.UpdateShardKey != nil:
		next := c.UpdateShardKey.of(&ShardKey{Key: c.UpdateShardKey.Key})
		return next.check()
	case c.DeleteShardKey != nil:
		return checkKey(c.DeleteShardKey.Key)
	case c.FillShardKey != nil:
		return c.FillShardKey.check()
	case c.Reshard != nil && c.Reshard.Key != nil:
		return checkKey(*c.Reshard.Key)
	}
	return nil
}

func (e *edit) peers() map[PeerID]*Peer {
	if !e.ownPeers {
		e.ownPeers, e.next.Peers = true, maps.Clone(e.next.Peers)
	}
	return e.next.Peers
}

// peer returns a peer of the next state to write to.
func (e *edit) peer(id PeerID) *Peer {
	p := *e.next.Peers[id]
	e.peers()[id] = &p
	return &p
}

func (e *edit) names() map[string]CollectionID {
	if !e.ownNames {
		e.ownNames, e.next.Names = true, maps.Clone(e.next.Names)
	}
	return e.next.Names
}

func (e *edit) setAliases(aliases map[string]CollectionID) {
	e.next.Aliases = aliases
}

func (e *edit) all() map[CollectionID]*Collection {
	if !e.ownCollections {
		e.ownCollections, e.next.Collections = true, maps.Clone(e.next.Collections)
	}
	return e.next.Collections
}

// collection returns a collection of the next state to write to: its fields and its slice of shards, not the shards.
func (e *edit) collection(id CollectionID) *Collection {
	if e.collections[id] {
		return e.next.Collections[id]
	}
	c := *e.next.Collections[id]
	c.Shards = slices.Clone(c.Shards)
	e.own(&c)
	return &c
}

// own puts a collection that no reader has seen into the next state.
func (e *edit) own(c *Collection) {
	if e.collections == nil {
		e.collections = map[CollectionID]bool{}
	}
	e.collections[c.ID] = true
	e.all()[c.ID] = c
}

// shard returns a shard of the next state to write to, replicas included.
func (e *edit) shard(ref ShardRef) *Shard {
	c := e.collection(ref.Collection)
	i, _ := c.findShard(ref.Shard)
	if e.shards[ref] {
		return c.Shards[i]
	}
	sh := *c.Shards[i]
	sh.Replicas = slices.Clone(sh.Replicas)
	c.Shards[i] = &sh
	if e.shards == nil {
		e.shards = map[ShardRef]bool{}
	}
	e.shards[ref] = true
	return &sh
}

package catalog

import (
	"cmp"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// Check tells whether the state holds together: what every state that Apply made promises to its readers.
func (s *State) Check() error {
	if s.Format != Format || s.Peers == nil || s.Collections == nil || s.Names == nil || s.Aliases == nil {
		return invalid("the state of format %d lacks a part", s.Format)
	}
	for id, p := range s.Peers {
		if p == nil || p.ID != id {
			return invalid("peer %d is filed under another id", id)
		}
	}
	if len(s.Names) != len(s.Collections) {
		return invalid("%d names for %d collections", len(s.Names), len(s.Collections))
	}
	for id, c := range s.Collections {
		if c == nil || c.ID != id || s.Names[c.Name] != id || id >= s.NextCollection {
			return invalid("collection %d is not filed under its id and name", id)
		}
		if err := s.checkShards(c); err != nil {
			return err
		}
		for path, index := range c.PayloadSchema {
			if canonical, err := FieldPath(path); err != nil || canonical != path || index.check() != nil {
				return invalid("collection %q: the index of %.64q is not valid", c.Name, path)
			}
		}
	}
	if !slices.IsSortedFunc(s.Operations, func(a, b *Operation) int { return cmp.Compare(a.ID, b.ID) }) {
		return invalid("the operations are not in order")
	}
	for _, o := range s.Operations {
		if o.ID == 0 || o.ID > s.NextOperation || (o.Kind == Replicate) != (o.Placement != nil) || (o.Kind == Resharding) != (o.Reshard != nil) || (o.Kind == Fill) != (o.Fill != nil) {
			return invalid("operation %d is not valid", o.ID)
		}
	}
	for alias, id := range s.Aliases {
		if _, named := s.Names[alias]; named || s.Collections[id] == nil {
			return invalid("alias %q names no collection, or is one", alias)
		}
	}
	return nil
}

func (s *State) checkShards(c *Collection) error {
	if err := c.checkKeys(); err != nil {
		return err
	}
	owners, want := map[point.ShardKey][]int{}, map[point.ShardKey]int{{}: 1}
	for _, k := range c.Keys {
		owners[k.Key], want[k.Key] = make([]int, slot.Count), 1
		if k.Partial {
			want[k.Key] = 0
		}
	}
	all := make([]int, slot.Count)
	if c.Config.Custom() {
		all = nil
	}
	for i, sh := range c.Shards {
		if sh == nil || i > 0 && c.Shards[i-1].ID >= sh.ID {
			return invalid("collection %q: shard %d is out of place", c.Name, i)
		}
		if err := s.checkReplicas(sh); err != nil {
			return err
		}
		of := all
		if sh.Key != nil {
			of = owners[*sh.Key]
		}
		if of == nil || (sh.Key != nil) != c.Config.Custom() {
			return invalid("collection %q: shard %d has a key that is not declared, or lacks one", c.Name, sh.ID)
		}
		for _, r := range sh.Slots {
			if r.From > r.To || r.To >= slot.Count {
				return invalid("collection %q: shard %d owns the slots %d-%d", c.Name, sh.ID, r.From, r.To)
			}
			for at := r.From; at <= r.To; at++ {
				of[at]++
			}
		}
	}
	owners[point.ShardKey{}] = append(owners[point.ShardKey{}], all...)
	for key, of := range owners {
		if i := slices.IndexFunc(of, func(n int) bool { return n != want[key] }); i >= 0 {
			return invalid("collection %q: slot %d (key %s) has %d owners", c.Name, i, key, of[i])
		}
	}
	return s.checkMoves(c)
}

// checkKeys checks the declarations of shard keys.
func (c *Collection) checkKeys() error {
	if !c.Config.Custom() && len(c.Keys) > 0 {
		return invalid("collection %q: it has %d shard keys and no custom sharding", c.Name, len(c.Keys))
	}
	for i, k := range c.Keys {
		if k == nil || k.check() != nil || k.ShardNumber < 1 || i > 0 && c.Keys[i-1].Key.Compare(k.Key) >= 0 {
			return invalid("collection %q: shard key %d is not valid", c.Name, i)
		}
	}
	return nil
}

func (s *State) checkMoves(c *Collection) error {
	if err := s.checkFills(c); err != nil {
		return err
	}
	about := map[point.ShardKey]slot.Set{}
	running := map[ShardID]bool{}
	for i, m := range c.Moves {
		if m == nil || i > 0 && c.Moves[i-1].ID >= m.ID || m.ID > s.NextMove || m.Version < 1 || m.Source == m.Target {
			return invalid("collection %q: move %d of %d is not valid", c.Name, i, len(c.Moves))
		}
		if m.Fill != 0 {
			continue
		}
		slots, key := slot.SetOf(m.Slots...), c.keyOfMove(m)
		others := about[key]
		if slots.Empty() || slots.Meets(&others) {
			return invalid("collection %q: move %d is about no slots, or about those of another", c.Name, m.ID)
		}
		about[key] = others.Or(slots)
		owner := m.Source
		if m.Phase == Moved {
			owner = m.Target
		}
		sh, ok := c.Shard(owner)
		if m.Running() {
			target, there := c.Shard(m.Target)
			if ok = ok && there && sh.Key.Same(target.Key) && !running[m.Source] && !running[m.Target]; ok {
				running[m.Source], running[m.Target] = true, true
			}
		}
		if owned := (slot.Set{}); ok {
			owned = sh.Owned()
			ok = slots.Within(&owned)
		}
		if !ok && m.Running() {
			return invalid("collection %q: move %d (%s) from shard %d to %d does not fit the shards", c.Name, m.ID, m.Phase, m.Source, m.Target)
		}
	}
	return nil
}

func (s *State) checkReplicas(sh *Shard) error {
	if !slices.IsSortedFunc(sh.Replicas, func(a, b Replica) int { return cmp.Compare(a.Peer, b.Peer) }) {
		return invalid("shard %d: its replicas are not in order", sh.ID)
	}
	for i, r := range sh.Replicas {
		_, known := s.Peers[r.Peer]
		if !known || r.State > Partial || r.Generation >= s.NextGeneration || r.Previous != 0 && (r.Previous >= r.Generation || r.State == Active) || i > 0 && sh.Replicas[i-1].Peer == r.Peer {
			return invalid("shard %d: the replica on peer %d is not valid", sh.ID, r.Peer)
		}
	}
	for _, r := range sh.Replicas {
		if old, ok := sh.Replica(r.Replaces); r.Replaces != 0 && (!ok || r.Replaces == r.Peer || r.Retiring || old.Replaces != 0) {
			return invalid("shard %d: the replica on peer %d cannot take the place of that on peer %d", sh.ID, r.Peer, r.Replaces)
		}
	}
	if !slices.IsSorted(sh.Pinned) {
		return invalid("shard %d: where it is pinned is not in order", sh.ID)
	}
	if primary, ok := sh.Replica(sh.Primary); !ok || primary.State != Active || primary.Retiring {
		return invalid("shard %d: its primary, peer %d, is not an active replica", sh.ID, sh.Primary)
	}
	if sh.WriteQuorum < 1 || sh.Version < 1 || sh.Term < 1 {
		return invalid("shard %d: version, term and write quorum start at 1", sh.ID)
	}
	return nil
}

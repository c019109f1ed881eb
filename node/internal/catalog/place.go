package catalog

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Place chooses peers for the shards of a new collection: at most factor per shard (fewer if there are fewer peers),
// its first primary first. See Placer for the order of preference. It returns nil if no peer is alive.
func Place(s *State, shards, factor int, alive func(PeerID) bool) [][]PeerID {
	p := NewPlacer(s, alive)
	if len(p.peers) == 0 {
		return nil
	}
	placement := make([][]PeerID, shards)
	for i := range placement {
		placement[i] = p.shard(factor)
	}
	return placement
}

// PlaceReplica chooses a peer for one more replica of a shard, or reports that every peer that is alive has one.
func PlaceReplica(s *State, ref ShardRef, alive func(PeerID) bool) (PeerID, bool) {
	c, sh, ok := s.Shard(ref)
	if !ok {
		return 0, false
	}
	return NewPlacer(s, c.keyOf(sh).within(alive)).Replica(sh)
}

// Prepare fills in, on the Raft leader, what a command needs from outside its pure application: the defaults of a
// declared collection, and where its shards go.
func Prepare(s *State, cmd Command, alive func(PeerID) bool) (Command, error) {
	switch {
	case cmd.CreateCollection != nil && cmd.CreateCollection.Placement == nil:
		return prepareCreate(s, cmd, alive)
	case cmd.CreateShardKey != nil && cmd.CreateShardKey.Placement == nil:
		return prepareKey(s, cmd, alive)
	case cmd.Reshard != nil && cmd.Reshard.Placement == nil:
		reshard := *cmd.Reshard
		var err error
		reshard.Placement, err = placeMissing(s, reshard, alive)
		cmd.Reshard = &reshard
		return cmd, err
	case cmd.CancelOperation != nil && cmd.CancelOperation.Placement == nil:
		if o, ok := s.Operation(cmd.CancelOperation.ID); ok && o.Kind == Resharding {
			cancel := *cmd.CancelOperation
			var err error
			cancel.Placement, err = placeMissing(s, Reshard{Collection: o.Collection, Key: o.Reshard.Key, ShardNumber: o.Reshard.From}, alive)
			cmd.CancelOperation = &cancel
			return cmd, err
		}
	}
	return cmd, nil
}

// placeMissing places the shards that a group lacks to have as many as are to be declared; nil if it lacks none.
func placeMissing(s *State, cmd Reshard, alive func(PeerID) bool) ([][]PeerID, error) {
	c, ok := s.Collections[cmd.Collection]
	if !ok || cmd.ShardNumber > MaxShards {
		return nil, nil // Apply tells what is wrong
	}
	g, _ := c.Group(cmd.Key) // none, where Apply refuses the key
	missing := g.missing(cmd.ShardNumber)
	if len(g.Shards) == 0 || missing == 0 {
		return nil, nil
	}
	placement := Place(s, missing, c.Copies(g.Key), g.Key.within(alive))
	if placement == nil {
		return nil, fault.New(fault.Unavailable, "no peer is alive to place more shards%s of collection `%s` on", g.Of(), c.Name)
	}
	return placement, nil
}

func prepareCreate(s *State, cmd Command, alive func(PeerID) bool) (Command, error) {
	create := *cmd.CreateCollection
	if err := CheckName(create.Name); err != nil {
		return cmd, err
	}
	config, err := create.Config.Normalized(s.Members())
	if err != nil {
		return cmd, err
	}
	create.Config = config
	if config.Custom() {
		cmd.CreateCollection = &create
		return cmd, nil
	}
	create.Placement = Place(s, int(config.ShardNumber), int(config.ReplicationFactor), alive)
	if create.Placement == nil {
		return cmd, fault.New(fault.Unavailable, "no peer is alive to place collection `%s` on", create.Name)
	}
	cmd.CreateCollection = &create
	return cmd, nil
}

// prepareKey fills in the number of a shard key's shards, and places them on its peers.
func prepareKey(s *State, cmd Command, alive func(PeerID) bool) (Command, error) {
	create := *cmd.CreateShardKey
	c, ok := s.Collections[create.Collection]
	if valid := create.check() == nil; !ok || !valid {
		return cmd, nil // Apply tells what is wrong
	}
	if create.ShardNumber == 0 {
		create.ShardNumber = c.Config.ShardNumber
	}
	if slices.ContainsFunc(create.Peers, s.Gone) {
		cmd.CreateShardKey = &create
		return cmd, nil // Apply tells which
	}
	create.Placement = Place(s, int(create.ShardNumber), c.Copies(&create.ShardKey), create.within(alive))
	if create.Placement == nil {
		return cmd, fault.New(fault.Unavailable, "no peer is alive to place shard key %s of collection `%s` on", create.Key, c.Name)
	}
	cmd.CreateShardKey = &create
	return cmd, nil
}

// within narrows a choice of peers to those that a key's copies may be on.
func (k *ShardKey) within(alive func(PeerID) bool) func(PeerID) bool {
	return func(id PeerID) bool { return k.allows(id) && alive(id) }
}

// Placer chooses peers for replicas and remembers what it chose, so that many choices stay balanced. Replicas of a
// shard go to different peers always, to different zones while there are any, then to the peer with the fewest
// replicas over all collections, then with the fewest primaries, then to the lowest id: equal states give equal choices. Peers that are replaced,
// draining, in maintenance or not alive get none.
type Placer struct {
	state     *State
	peers     []PeerID // candidates, ordered by id
	replicas  map[PeerID]int
	primaries map[PeerID]int
}

// NewPlacer counts what the peers hold. alive tells which peers may be chosen.
func NewPlacer(s *State, alive func(PeerID) bool) *Placer {
	p := &Placer{state: s, replicas: map[PeerID]int{}, primaries: map[PeerID]int{}}
	for _, id := range slices.Sorted(maps.Keys(s.Peers)) {
		if !s.Gone(id) && s.Peers[id].State == InService && alive(id) {
			p.peers = append(p.peers, id)
		}
	}
	for _, c := range s.Collections {
		for _, sh := range c.Shards {
			p.primaries[sh.Primary]++
			for _, r := range sh.Replicas {
				p.replicas[r.Peer]++
			}
		}
	}
	return p
}

// among returns a Placer that chooses of a shard key's peers alone, and counts together with p.
func (p *Placer) among(k *ShardKey) *Placer {
	part := *p
	part.peers = slices.DeleteFunc(slices.Clone(p.peers), func(id PeerID) bool { return !k.allows(id) })
	return &part
}

// Replica chooses a peer for one more replica of a shard.
func (p *Placer) Replica(sh *Shard) (PeerID, bool) {
	var has []PeerID
	zones := map[string]int{}
	for _, r := range sh.Replicas {
		has = append(has, r.Peer)
		if !r.Retiring && !p.state.Gone(r.Peer) {
			zones[p.zone(r.Peer)]++
		}
	}
	return p.choose(has, zones)
}

// shard chooses the peers of a new shard, the one with the fewest primaries first.
func (p *Placer) shard(factor int) []PeerID {
	var chosen []PeerID
	zones := map[string]int{}
	for len(chosen) < factor {
		id, ok := p.choose(chosen, zones)
		if !ok {
			break
		}
		chosen = append(chosen, id)
		zones[p.zone(id)]++
	}
	primary := slices.MinFunc(chosen, func(a, b PeerID) int {
		return cmp.Or(cmp.Compare(p.primaries[a], p.primaries[b]), cmp.Compare(p.replicas[a], p.replicas[b]), cmp.Compare(a, b))
	})
	p.primaries[primary]++
	i := slices.Index(chosen, primary)
	chosen[0], chosen[i] = chosen[i], chosen[0]
	return chosen
}

// Load returns how many replicas a peer holds, those chosen here included.
func (p *Placer) Load(id PeerID) int { return p.replicas[id] }

func (p *Placer) choose(has []PeerID, zones map[string]int) (PeerID, bool) {
	best, found := PeerID(0), false
	for _, id := range p.peers {
		if slices.Contains(has, id) {
			continue
		}
		if !found || p.better(id, best, zones) {
			best, found = id, true
		}
	}
	if found {
		p.replicas[best]++
	}
	return best, found
}

func (p *Placer) better(a, b PeerID, zones map[string]int) bool {
	return cmp.Or(cmp.Compare(zones[p.zone(a)], zones[p.zone(b)]), cmp.Compare(p.replicas[a], p.replicas[b]),
		cmp.Compare(p.primaries[a], p.primaries[b])) < 0
}

func (p *Placer) zone(id PeerID) string {
	if peer, ok := p.state.Peers[id]; ok {
		return peer.Zone
	}
	return ""
}

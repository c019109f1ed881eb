package reconcile_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// failer is testing.T, or rapid's.
type failer interface{ Fatalf(string, ...any) }

// model is a cluster without anything in it: the metadata, who lives, and where the replicas' logs end.
type model struct {
	t     failer
	state *catalog.State
	obs   reconcile.Observations
	ends  map[catalog.Generation][2]uint64 // term, index; missing = {0, 0}
}

func newModel(t failer) *model {
	return &model{
		t: t, state: catalog.Empty(), ends: map[catalog.Generation][2]uint64{},
		obs: reconcile.Observations{
			Peers: map[catalog.PeerID]reconcile.Health{}, Voters: map[catalog.PeerID]string{},
			Wishes: map[catalog.ShardRef]uint64{}, Promised: map[catalog.ShardRef]uint64{},
		},
	}
}

func (m *model) apply(cmd catalog.Command) {
	next, r := catalog.Apply(m.state, cmd)
	if r.Err != nil {
		m.t.Fatalf("%v", r.Err)
	}
	if err := next.Check(); err != nil {
		m.t.Fatalf("%v", err)
	}
	for ref, sh := range next.Shards() {
		if len(sh.Active()) == 0 {
			m.t.Fatalf("shard %s lost its last active copy", ref)
		}
	}
	m.state = next
}

func (m *model) register(id catalog.PeerID, name, zone string) {
	m.apply(catalog.Command{RegisterPeer: &catalog.Peer{ID: id, Name: name, PeerAddr: "h:1", Zone: zone}})
	m.obs.Peers[id] = reconcile.Health{Alive: true}
	m.obs.Voters[id] = "h:1"
}

func (m *model) create(name string, shards, replicas, w uint32) {
	cmd, err := catalog.Prepare(m.state, catalog.Command{CreateCollection: &catalog.CreateCollection{
		Name: name, Config: catalog.Config{ShardNumber: shards, ReplicationFactor: replicas, WriteConsistencyFactor: w},
	}}, func(id catalog.PeerID) bool { return m.obs.Peers[id].Alive })
	if err != nil {
		m.t.Fatalf("%v", err)
	}
	m.apply(cmd)
}

func (m *model) factor(name string, replicas uint32) {
	c, _ := m.state.Lookup(name)
	next := c.Config
	next.ReplicationFactor = replicas
	next.WriteConsistencyFactor = min(next.WriteConsistencyFactor, replicas)
	m.apply(catalog.Command{UpdateCollection: &catalog.UpdateCollection{Name: name, ID: c.ID, Base: c.Config, Config: next}})
}

func (m *model) change(ref catalog.ShardRef, sh *catalog.Shard, c catalog.ChangeShard) {
	c.Ref, c.Version = ref, sh.Version
	m.apply(catalog.Command{ChangeShard: &c})
}

// alive tells whether a peer answers: one whose disk is gone never does.
func (m *model) alive(id catalog.PeerID) bool { return m.obs.Peers[id].Alive && !m.state.Gone(id) }

// do makes a step's effect and says what came of it.
func (m *model) do(step reconcile.Step) string {
	switch {
	case step.RemoveVoter != 0:
		delete(m.obs.Voters, step.RemoveVoter)
	case step.Change != nil:
		m.apply(*step.Change)
	default:
		return m.failover(*step.Failover)
	}
	return "done"
}

func (m *model) failover(f reconcile.Failover) string {
	_, sh, _ := m.state.Shard(f.Ref)
	var answers []replication.FenceAnswer
	for _, r := range sh.Replicas {
		if r.State == catalog.Active && m.alive(r.Peer) {
			end := m.ends[r.Generation]
			answers = append(answers, replication.FenceAnswer{
				Peer: replication.PeerID(r.Peer), Promised: replication.Term(f.Term),
				LastTerm: replication.Term(end[0]), LastIndex: replication.Index(end[1]),
			})
		}
	}
	promote, ok := reconcile.Decide(m.state, m.obs, f, answers)
	if !ok {
		return "nobody may be promoted"
	}
	m.change(f.Ref, sh, catalog.ChangeShard{Promote: promote})
	delete(m.obs.Wishes, f.Ref)
	text := fmt.Sprintf("promoted peer %d", promote.Candidate)
	if promote.Unsafe {
		text += ", unsafely"
	}
	return text
}

// settle lets every primary that lives do its part once, and reports whether any changed the metadata: it brings
// the logs of the others to its own, demotes replicas whose peer is dead or that retire, and takes back, fills and activates the others.
func (m *model) settle() bool {
	moved := false
	for ref, sh := range m.state.Shards() {
		if !m.alive(sh.Primary) || m.obs.Wishes[ref] >= sh.Term {
			continue
		}
		primary, _ := sh.Replica(sh.Primary)
		for _, r := range sh.Replicas {
			if m.alive(r.Peer) {
				m.ends[r.Generation] = m.ends[primary.Generation]
			}
		}
		for _, r := range sh.Replicas {
			var c catalog.ChangeShard
			switch away := !m.alive(r.Peer) || r.Retiring; {
			case r.Peer == sh.Primary || r.State == catalog.Dead && away || r.State == catalog.Active && !away:
				continue
			case away:
				c.Demote = &r.Peer
			case r.State == catalog.Dead:
				c.Receive = &r.Peer
			default:
				c.Activate = &r.Peer
			}
			m.change(ref, sh, c)
			moved = true
			break // the version is another now
		}
	}
	return moved
}

// rest runs rounds until nothing is left to do.
func (m *model) rest() {
	for range 300 {
		steps := reconcile.Plan(m.state, m.obs)
		for _, step := range steps {
			m.do(step)
		}
		if !m.settle() && len(steps) == 0 {
			return
		}
	}
	m.t.Fatalf("it never comes to rest:\n%s%v", m.state.Describe(), reconcile.Plan(m.state, m.obs))
}

// checkAtRest checks that everything is as declared where the peers allow.
func (m *model) checkAtRest() {
	for ref, sh := range m.state.Shards() {
		if !m.alive(sh.Primary) {
			m.checkStuck(ref, sh)
			continue
		}
		if m.obs.Wishes[ref] >= sh.Term {
			m.checkStuck(ref, sh)
			continue
		}
		want := int(m.state.Collections[ref.Collection].Config.ReplicationFactor)
		active := 0
		for _, r := range sh.Replicas {
			if r.Retiring || m.state.Gone(r.Peer) {
				m.t.Fatalf("%s: the replica on peer %d should be gone: %s", ref, r.Peer, sh)
			}
			if r.State == catalog.Active {
				active++
			}
			if m.alive(r.Peer) != (r.State == catalog.Active) {
				m.t.Fatalf("%s: the replica on peer %d is %s: %s", ref, r.Peer, r.State, sh)
			}
		}
		for id, h := range m.obs.Peers {
			if _, has := sh.Replica(id); len(sh.Replicas) < want && !has && m.alive(id) && !h.Draining {
				m.t.Fatalf("%s: %d of %d replicas, and peer %d could take one", ref, len(sh.Replicas), want, id)
			}
		}
		if len(sh.Replicas) > want && active > want {
			m.t.Fatalf("%s: %d replicas, %d declared: %s", ref, len(sh.Replicas), want, sh)
		}
	}
	for id, p := range m.state.Peers {
		if p.Replaced && m.state.ReplicasOn(id) == 0 {
			m.t.Fatalf("peer %d was replaced and holds nothing, but is still there", id)
		}
	}
}

// checkStuck checks that a shard without a working primary could not have been given one.
func (m *model) checkStuck(ref catalog.ShardRef, sh *catalog.Shard) {
	live := 0
	graced := true
	for _, id := range sh.Active() {
		if m.alive(id) {
			live++
		} else if h := m.obs.Peers[id]; !m.state.Gone(id) && h.DeadFor < time.Second {
			graced = false
		}
	}
	need := max(len(sh.Active())-int(sh.WriteQuorum)+1, 1)
	if live >= need || sh.WriteQuorum == 1 && live > 0 && graced {
		m.t.Fatalf("%s has no primary that leads, although %d active replicas live: %s", ref, live, sh)
	}
}

func sorted(ids map[catalog.PeerID]string) []catalog.PeerID {
	var list []catalog.PeerID
	for id := range ids {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

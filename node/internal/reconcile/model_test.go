package reconcile_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
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
			Wishes: map[catalog.ShardRef]uint64{}, Promised: map[catalog.ShardRef]uint64{}, Bytes: map[catalog.ShardRef]uint64{},
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
	m.obs.Peers[id] = reconcile.Health{Alive: true, AliveFor: time.Hour}
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

// key declares a shard key of the collection with that name, made for it if there is none, or deletes it.
func (m *model) key(name string, key point.ShardKey, number uint32, peers ...catalog.PeerID) {
	if _, ok := m.state.Lookup(name); !ok {
		config, err := catalog.Config{Sharding: catalog.CustomSharding, ReplicationFactor: 2}.Normalized(1)
		if err != nil {
			m.t.Fatalf("%v", err)
		}
		m.apply(catalog.Command{CreateCollection: &catalog.CreateCollection{Name: name, Config: config}})
	}
	id := m.state.Names[name]
	cmd := catalog.Command{DeleteShardKey: &catalog.DeleteShardKey{Collection: id, Key: key}}
	if number > 0 {
		cmd = catalog.Command{CreateShardKey: &catalog.CreateShardKey{Collection: id, ShardKey: catalog.ShardKey{Key: key, ShardNumber: number, Peers: peers}}}
		if len(peers) == 1 {
			cmd.CreateShardKey.ReplicationFactor = 1
		}
	}
	cmd, err := catalog.Prepare(m.state, cmd, func(id catalog.PeerID) bool { return m.obs.Peers[id].Alive })
	if err != nil {
		return // no peer is alive
	}
	if next, r := catalog.Apply(m.state, cmd); r.Err == nil {
		m.state = next
	}
}

// rekey changes what is declared of a shard key; nil stays as it is.
func (m *model) rekey(name string, key point.ShardKey, replicas *uint32, peers *[]catalog.PeerID) bool {
	cmd := catalog.Command{UpdateShardKey: &catalog.UpdateShardKey{
		Collection: m.state.Names[name], Key: key, ReplicationFactor: replicas, Peers: peers,
	}}
	next, r := catalog.Apply(m.state, cmd)
	if r.Err == nil {
		m.state = next
	}
	return r.Err == nil
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
// the logs of the others to its own, demotes replicas whose peer is dead or that retire, takes back, fills and activates the others,
// and moves W to the declared one, up only when so many are active.
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
		if _, now, _ := m.state.Shard(ref); now == sh {
			moved = m.quorum(ref, sh) || moved
		}
	}
	return m.moveSlots() || moved
}

// moveSlots lets the primaries do their part of the moves of slots once.
func (m *model) moveSlots() bool {
	moved := false
	for id, col := range m.state.Collections {
		for _, mv := range col.Moves {
			source, sourceLed := m.side(col, mv.Source)
			target, targetLed := m.side(col, mv.Target)
			c := catalog.ChangeMove{Collection: id, Move: mv.ID, Version: mv.Version}
			switch {
			case mv.Running() && (!sourceLed || !targetLed || m.serving(target) < min(m.serving(source), col.Factor(target))):
				continue
			case mv.Phase == catalog.Copying:
				c.Seal = true
			case mv.Phase == catalog.Sealing:
				c.Flip = &catalog.FlipMove{SourceUnsafe: source.UnsafePromotions, TargetUnsafe: target.UnsafePromotions}
			case sourceLed && !mv.SourceDone:
				c.SourceDone = true
			case targetLed && !mv.TargetDone:
				c.TargetDone = true
			default:
				continue
			}
			if next, r := catalog.Apply(m.state, catalog.Command{ChangeMove: &c}); r.Err == nil {
				m.state, moved = next, true
			}
		}
	}
	return moved
}

func (m *model) side(col *catalog.Collection, id catalog.ShardID) (*catalog.Shard, bool) {
	sh, ok := col.Shard(id)
	return sh, ok && m.led(catalog.ShardRef{Collection: col.ID, Shard: id}, sh)
}

func (m *model) reshard(name string, number uint32, key *point.ShardKey) bool {
	c, ok := m.state.Lookup(name)
	if !ok {
		return false
	}
	cmd, err := catalog.Prepare(m.state, catalog.Command{Reshard: &catalog.Reshard{Collection: c.ID, Key: key, ShardNumber: number}},
		func(id catalog.PeerID) bool { return m.obs.Peers[id].Alive })
	if err != nil {
		return false
	}
	next, r := catalog.Apply(m.state, cmd)
	if r.Err == nil {
		m.state = next
	}
	return r.Err == nil
}

func (m *model) quorum(ref catalog.ShardRef, sh *catalog.Shard) bool {
	w := uint32(m.state.Collections[ref.Collection].WantedQuorum(sh))
	if w == sh.WriteQuorum || w > sh.WriteQuorum && m.serving(sh) < int(w) {
		return false
	}
	m.change(ref, sh, catalog.ChangeShard{SetWriteQuorum: &w})
	return true
}

// serving counts the copies that count, stay and answer.
func (m *model) serving(sh *catalog.Shard) int {
	n := 0
	for _, r := range sh.Replicas {
		if r.State == catalog.Active && !r.Retiring && m.alive(r.Peer) {
			n++
		}
	}
	return n
}

// rest runs rounds until nothing is left to do.
func (m *model) rest() {
	for range 2000 {
		before := m.state
		steps := reconcile.Plan(m.state, m.obs)
		for _, step := range steps {
			m.do(step)
		}
		m.checkKept(before)
		if !m.settle() && len(steps) == 0 {
			return
		}
	}
	m.t.Fatalf("it never comes to rest:\n%s%v", m.state.Describe(), reconcile.Plan(m.state, m.obs))
}

// checkKept checks what no step may do: leave a shard with fewer copies that serve than W and the declared number, where there
// were as many; or lose the last copy that is left.
func (m *model) checkKept(before *catalog.State) {
	for ref, old := range before.Shards() {
		col, sh, ok := m.state.Shard(ref)
		if !ok {
			continue
		}
		for _, r := range sh.Replicas {
			if _, had := old.Replica(r.Peer); !had && !col.Allows(sh, r.Peer) {
				m.t.Fatalf("%s: a copy is made on peer %d, where its key may not be: %s, then %s", ref, r.Peer, old, sh)
			}
		}
		was, is := m.serving(old), m.serving(sh)
		if enough := min(int(old.WriteQuorum), was); is < enough {
			m.t.Fatalf("%s: %d copies served, W is %d, and now %d do: %s, then %s", ref, was, old.WriteQuorum, is, old, sh)
		}
		if want := col.Factor(old); is < min(was, want) && is < was-1 {
			m.t.Fatalf("%s: %d copies served, and now %d: %s, then %s", ref, was, is, old, sh)
		}
		for _, r := range old.Replicas {
			if _, kept := sh.Replica(r.Peer); !kept && was == 0 && !before.Gone(r.Peer) {
				m.t.Fatalf("%s: no copy serves, and the one on peer %d was dropped: %s", ref, r.Peer, old)
			}
		}
	}
}

// led tells whether a shard has a primary that works.
func (m *model) led(ref catalog.ShardRef, sh *catalog.Shard) bool {
	return m.alive(sh.Primary) && m.obs.Wishes[ref] < sh.Term
}

// checkAtRest checks that everything is as declared where the peers allow.
func (m *model) checkAtRest() {
	for ref, sh := range m.state.Shards() {
		if !m.led(ref, sh) {
			m.checkStuck(ref, sh)
			continue
		}
		m.checkShard(ref, sh)
	}
	for id, p := range m.state.Peers {
		if p.Replaced && m.state.ReplicasOn(id) == 0 {
			m.t.Fatalf("peer %d was replaced and holds nothing, but is still there", id)
		}
	}
	if !m.state.Settings.IsPaused() {
		m.checkBalance()
		m.checkSlots()
	}
	for _, o := range m.state.Operations {
		if o.Kind == catalog.Drain && o.State == catalog.Running && m.state.ReplicasOn(o.Peer) == 0 {
			m.t.Fatalf("operation %s runs on", o)
		}
	}
}

// checkSlots checks that the slots lie as declared where primaries lead.
func (m *model) checkSlots() {
	for id, col := range m.state.Collections {
		plan := catalog.PlanMoves(col)
		if len(plan.Drop)+len(plan.Cancel) > 0 {
			m.t.Fatalf("collection %d: shards %d should be gone, moves %v withdrawn", id, plan.Drop, plan.Cancel)
		}
		for _, b := range plan.Begin {
			source, sourceLed := m.side(col, b.Source)
			target, targetLed := m.side(col, b.Target)
			if sourceLed && targetLed && m.serving(target) >= min(m.serving(source), col.Factor(target)) {
				m.t.Fatalf("collection %d: slots of shard %d should go to shard %d\n%s", id, b.Source, b.Target, m.state.Describe())
			}
		}
		m.checkCut(id, col)
	}
}

// checkCut checks that no operation runs on whose slots lie as declared, and that none is about a key that is gone.
func (m *model) checkCut(id catalog.CollectionID, col *catalog.Collection) {
	for _, o := range m.state.Operations {
		if o.Kind != catalog.Resharding || o.Collection != id || o.State != catalog.Running {
			continue
		}
		g, err := col.Group(o.Reshard.Key)
		if plan := g.Plan(); err != nil || plan.Rest() {
			m.t.Fatalf("collection %d: operation %s runs on (%v)", id, o, err)
		}
	}
}

// place tells whether a peer may be given a copy.
func (m *model) place(id catalog.PeerID) bool {
	return m.alive(id) && !m.obs.Peers[id].Draining && m.state.Peers[id].State == catalog.InService
}

func (m *model) checkShard(ref catalog.ShardRef, sh *catalog.Shard) {
	want, stay, spare := m.state.Collections[ref.Collection].Factor(sh), 0, false
	for id := range m.state.Peers {
		_, has := sh.Replica(id)
		spare = spare || !has && m.place(id) && m.state.Collections[ref.Collection].Allows(sh, id)
	}
	for _, r := range sh.Replicas {
		if m.alive(r.Peer) != (r.State == catalog.Active) {
			m.t.Fatalf("%s: the replica on peer %d is %s: %s", ref, r.Peer, r.State, sh)
		}
		if !m.state.Gone(r.Peer) {
			stay++
		}
	}
	if m.state.Settings.IsPaused() {
		return
	}
	if sh.Handover && !m.leaving(ref, sh) && len(sh.Pinned) == 0 {
		m.t.Fatalf("%s is being handed over for no reason: %s", ref, sh)
	}
	for _, r := range sh.Replicas {
		foreign := !m.state.Collections[ref.Collection].Allows(sh, r.Peer)
		peer, h := m.state.Peers[r.Peer], m.obs.Peers[r.Peer]
		after := m.state.Settings.ReplaceAfter()
		away := !h.Alive && after > 0 && h.DeadFor >= after && peer.State != catalog.Maintenance
		switch {
		case r.Retiring, m.state.Gone(r.Peer):
			m.t.Fatalf("%s: the replica on peer %d should be gone: %s", ref, r.Peer, sh)
		case spare && (peer.State == catalog.Draining || away || foreign) && !m.waits(sh, r.Peer) && m.serving(sh) > int(sh.WriteQuorum):
			m.t.Fatalf("%s: the replica on peer %d should be elsewhere: %s", ref, r.Peer, sh)
		case r.Replaces != 0 && r.State == catalog.Active && m.place(r.Peer) && m.serving(sh) > int(sh.WriteQuorum):
			m.t.Fatalf("%s: the replica on peer %d never takes its place: %s", ref, r.Peer, sh)
		}
	}
	if stay < want && spare {
		m.t.Fatalf("%s: %d of %d replicas, and a peer could take one: %s", ref, stay, want, sh)
	}
	waits := slices.ContainsFunc(sh.Replicas, func(r catalog.Replica) bool { return m.waits(sh, r.Peer) })
	if stay > want && m.serving(sh) > max(want, int(sh.WriteQuorum)) && !waits {
		m.t.Fatalf("%s: %d replicas, %d declared: %s", ref, stay, want, sh)
	}
	m.checkLeader(ref, sh)
}

// waits tells whether the copy that takes the place of another is on a peer that has just gone away, or
// that may not lead for a while.
func (m *model) waits(sh *catalog.Shard, of catalog.PeerID) bool {
	return slices.ContainsFunc(sh.Replicas, func(r catalog.Replica) bool {
		fresh := m.obs.Peers[r.Peer].DeadFor < time.Minute+time.Second
		return r.Replaces == of && (m.alive(r.Peer) && !m.place(r.Peer) || !m.alive(r.Peer) && (fresh || r.State == catalog.Active))
	})
}

// leaving tells whether a shard's primary should be elsewhere.
func (m *model) leaving(ref catalog.ShardRef, sh *catalog.Shard) bool {
	peer := m.state.Peers[sh.Primary]
	if !m.state.Collections[ref.Collection].Allows(sh, sh.Primary) {
		return true
	}
	moved, ok := m.obs.Moves[ref]
	open := slices.ContainsFunc(sh.Pinned, func(id catalog.PeerID) bool {
		_, has := sh.Replica(id)
		return !has && m.place(id)
	})
	return peer.State != catalog.InService || m.obs.Peers[sh.Primary].Draining || ok && moved == sh.Primary ||
		open && !slices.Contains(sh.Pinned, sh.Primary)
}

// checkLeader checks that no peer leads that should not, if another could.
func (m *model) checkLeader(ref catalog.ShardRef, sh *catalog.Shard) {
	if !m.leaving(ref, sh) || m.serving(sh) < len(sh.Active()) {
		return
	}
	for _, id := range sh.Active() {
		if id != sh.Primary && m.place(id) && m.state.Collections[ref.Collection].Allows(sh, id) && (len(sh.Pinned) == 0 || slices.Contains(sh.Pinned, id)) {
			m.t.Fatalf("%s should be led by peer %d: %s", ref, id, sh)
		}
	}
}

// checkBalance checks that no single move would make two peers more alike by more than the slack.
func (m *model) checkBalance() {
	replicas, primaries, peers := map[catalog.PeerID]int{}, map[catalog.PeerID]int{}, 0
	for id, h := range m.obs.Peers {
		if m.state.Gone(id) {
			continue
		}
		if max(h.AliveFor, h.DeadFor) < 10*time.Second {
			return
		}
		if m.place(id) {
			peers++
		}
	}
	total, leads := 0, 0
	for _, sh := range m.state.Shards() {
		for _, r := range sh.Replicas {
			if r.Replaces != 0 || r.Retiring {
				return // stuck for want of a primary: where it will be is another count
			}
			replicas[r.Peer]++
			if m.place(r.Peer) {
				total++
			}
		}
		primaries[sh.Primary]++
		if m.place(sh.Primary) {
			leads++
		}
	}
	for ref, sh := range m.state.Shards() {
		col := m.state.Collections[ref.Collection]
		if m.serving(sh) < len(sh.Replicas) || len(sh.Replicas) != col.Factor(sh) || !m.led(ref, sh) || !m.state.Settings.Balances() || len(col.Moves) > 0 {
			continue
		}
		for _, r := range sh.Replicas {
			for id := range m.state.Peers {
				if id == r.Peer || !m.place(id) || !m.place(r.Peer) {
					continue
				}
				_, has := sh.Replica(id)
				if !has && col.Allows(sh, id) && len(sh.Pinned) == 0 && replicas[r.Peer]-replicas[id] >= max(2, total/peers/20) && !m.crowds(sh, r.Peer, id) {
					m.t.Fatalf("%s: peer %d holds %d replicas, peer %d %d: %s\n%s%v", ref, r.Peer, replicas[r.Peer], id, replicas[id], sh, m.state.Describe(), m.obs)
				}
				if has && r.Peer == sh.Primary && primaries[r.Peer]-primaries[id] >= max(2, leads/peers/20) {
					m.t.Fatalf("%s: peer %d leads %d shards, peer %d %d: %s", ref, r.Peer, primaries[r.Peer], id, primaries[id], sh)
				}
			}
		}
	}
}

// crowds tells whether a move would put more copies into a zone than there were in the one it leaves.
func (m *model) crowds(sh *catalog.Shard, from, to catalog.PeerID) bool {
	zones := map[string]int{}
	for _, r := range sh.Replicas {
		zones[m.state.Peers[r.Peer].Zone]++
	}
	before := zones[m.state.Peers[from].Zone]
	zones[m.state.Peers[from].Zone]--
	return zones[m.state.Peers[to].Zone]+1 > before
}

// checkStuck checks that a shard without a working primary could not have been given one.
func (m *model) checkStuck(ref catalog.ShardRef, sh *catalog.Shard) {
	live, gone := 0, false
	graced := true
	for _, id := range sh.Active() {
		gone = gone || m.state.Gone(id)
		if m.alive(id) {
			live++
		} else if h := m.obs.Peers[id]; !m.state.Gone(id) && h.DeadFor < time.Second {
			graced = false
		}
	}
	need := max(len(sh.Active())-int(sh.WriteQuorum)+1, 1)
	weak := sh.WriteQuorum == 1 && (gone || m.state.Collections[ref.Collection].Factor(sh) > 1)
	if live >= need || weak && live > 0 && graced {
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

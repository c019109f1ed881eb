package cluster_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/cluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a cluster that the test moves and a watcher looks at.
type stage struct {
	t  *testing.T
	mu struct {
		sync.Mutex
		state    *catalog.State
		lead     consensus.Leadership
		dead     map[catalog.PeerID]bool
		statuses []replica.Status
		changed  chan struct{} // of anything
	}
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t}
	s.mu.state, s.mu.changed, s.mu.dead = catalog.Empty(), make(chan struct{}), map[catalog.PeerID]bool{}
	s.mu.lead = consensus.Leadership{Leader: 1, Here: true, Term: 1}
	return s
}

func (s *stage) move(f func()) {
	s.mu.Lock()
	f()
	close(s.mu.changed)
	s.mu.changed = make(chan struct{})
	s.mu.Unlock()
	synctest.Wait()
}

func (s *stage) apply(cmds ...catalog.Command) {
	s.t.Helper()
	s.move(func() {
		for _, cmd := range cmds {
			next, r := catalog.Apply(s.mu.state, cmd)
			if r.Err != nil {
				s.t.Errorf("%+v: %v", cmd, r.Err)
			}
			s.mu.state = next
		}
	})
}

func (s *stage) peer(id catalog.PeerID) {
	s.apply(catalog.Command{RegisterPeer: &catalog.Peer{ID: id, Name: fmt.Sprint("node-", id), GRPCAddr: "x:1", PeerAddr: fmt.Sprint("x:", 10+id), HTTPAddr: "x:2"}})
}

// create declares a collection with all its shards on the same peers.
func (s *stage) create(name string, shards, factor, w uint32, peers ...catalog.PeerID) {
	config, err := catalog.Config{Vectors: map[string]catalog.VectorParams{"": {Size: 2, Distance: vec.Dot}}, ShardNumber: shards, ReplicationFactor: factor, WriteConsistencyFactor: w}.Normalized(3)
	if err != nil {
		s.t.Fatal(err)
	}
	placement := make([][]catalog.PeerID, shards)
	for i := range placement {
		placement[i] = peers
	}
	s.apply(catalog.Command{CreateCollection: &catalog.CreateCollection{Name: name, Config: config, Placement: placement}})
}

func (s *stage) change(c catalog.ChangeShard) {
	s.t.Helper()
	c.Ref = catalog.ShardRef{Collection: 1}
	_, sh, _ := s.mu.state.Shard(c.Ref)
	c.Version = sh.Version
	s.apply(catalog.Command{ChangeShard: &c})
}

func (s *stage) Watch() (*catalog.State, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.state, s.mu.changed
}

func (s *stage) WatchLeader() (consensus.Leadership, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.lead, s.mu.changed
}

func (s *stage) Alive(id catalog.PeerID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.mu.dead[id]
}

func (s *stage) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.changed
}

func (s *stage) Status([]catalog.ShardRef) []replica.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.statuses
}

// watch runs f in a bubble with a watcher over three peers and a collection of two shards on all of them. news returns what
// happened since it was last called.
func watch(t *testing.T, f func(s *stage, reg *prometheus.Registry, news func() string)) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		for id := range catalog.PeerID(3) {
			s.peer(id + 1)
		}
		s.create("docs", 2, 3, 2, 1, 2, 3)
		log, reg := event.New(0), prometheus.NewRegistry()
		w, err := cluster.NewWatcher(cluster.WatcherOptions{Self: 1, Metadata: s, Elections: s, Detector: s, Replicas: s, Events: log, Registerer: reg})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		synctest.Wait()
		after := uint64(0)
		f(s, reg, func() string {
			synctest.Wait()
			page := log.Read(after, 1000)
			after = page.After
			var b strings.Builder
			for _, e := range page.Events {
				fmt.Fprintf(&b, "%s %s: %s\n", e.Severity, e.Kind, e.Text)
			}
			return b.String()
		})
	})
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if want = strings.TrimLeft(want, "\n"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTheLifeOfAShardIsTold(t *testing.T) {
	watch(t, func(s *stage, reg *prometheus.Registry, news func() string) {
		expect(t, news(), "") // what was there before is no news
		docs := "docs"
		two, three, four := catalog.PeerID(2), catalog.PeerID(3), catalog.PeerID(4)
		s.change(catalog.ChangeShard{Promote: &catalog.Promote{Term: 2, Candidate: 2}})
		s.change(catalog.ChangeShard{Demote: &three})
		s.change(catalog.ChangeShard{Receive: &three})
		s.change(catalog.ChangeShard{Activate: &three})
		s.change(catalog.ChangeShard{Promote: &catalog.Promote{Term: 3, Candidate: 2}})
		expect(t, news(), `
info promotion: shard 0 of docs: node-2 leads term 2 in place of node-1
warn demotion: shard 0 of docs: the replica on node-3 counts no more
warn under_replicated: shard 0 of docs: fewer than the declared 3 copies work
info transfer: shard 0 of docs: the replica on node-3 is being brought up to date
info activation: shard 0 of docs: the replica on node-3 is complete and counts
info fully_replicated: shard 0 of docs: all 3 declared copies work again
info promotion: shard 0 of docs: node-2 leads term 3
`)
		s.peer(4)
		s.change(catalog.ChangeShard{AddReplica: &four})
		s.change(catalog.ChangeShard{Demote: &three})
		s.change(catalog.ChangeShard{Rebuild: &three})
		s.change(catalog.ChangeShard{DropReplica: &four})
		expect(t, news(), `
info peer_joined: node-4 (x:14) joined the cluster
info replica_added: shard 0 of docs: a replica is being made on node-4
warn demotion: shard 0 of docs: the replica on node-3 counts no more
warn under_replicated: shard 0 of docs: fewer than the declared 3 copies work
info replica_rebuilt: shard 0 of docs: the replica on node-3 begins anew
info replica_dropped: shard 0 of docs: the replica on node-4 was dropped
`)
		s.create("more", 1, 1, 1, two)
		s.apply(catalog.Command{DeleteCollection: &docs})
		s.apply(catalog.Command{RemovePeer: &four})
		expect(t, news(), `
info collection_created: collection more was created: 1 shards, 1 replicas, write consistency 1
info collection_deleted: collection docs was deleted
warn peer_removed: node-4 is no member any more
`)
		metric(t, reg, "ostraka_cluster_promotions_total", `
# HELP ostraka_cluster_promotions_total Primaries of shards that were named, as every node sees it; safe=no may have lost acknowledged writes.
# TYPE ostraka_cluster_promotions_total counter
ostraka_cluster_promotions_total{safe="no"} 0
ostraka_cluster_promotions_total{safe="yes"} 2
`)
		metric(t, reg, "ostraka_cluster_demotions_total", `
# HELP ostraka_cluster_demotions_total Replicas that count no more, as every node sees it.
# TYPE ostraka_cluster_demotions_total counter
ostraka_cluster_demotions_total 2
`)
	})
}

func metric(t *testing.T, reg *prometheus.Registry, name, want string) {
	t.Helper()
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), name); err != nil {
		t.Error(err)
	}
}

func TestDeathsAndElectionsAreTold(t *testing.T) {
	watch(t, func(s *stage, reg *prometheus.Registry, news func() string) {
		s.move(func() { s.mu.dead[3] = true })
		expect(t, news(), `
warn peer_dead: node-3 does not answer
warn under_replicated: all 2 shards of docs: fewer than the declared 3 copies work
`)
		metric(t, reg, "ostraka_cluster_under_replicated_shards", `
# HELP ostraka_cluster_under_replicated_shards Shards with fewer working copies than declared; 0 on nodes that do not lead the metadata.
# TYPE ostraka_cluster_under_replicated_shards gauge
ostraka_cluster_under_replicated_shards 2
`)
		s.move(func() { s.mu.lead = consensus.Leadership{Term: 2} })
		s.move(func() { s.mu.lead = consensus.Leadership{Term: 3} }) // still nobody
		s.move(func() { s.mu.lead = consensus.Leadership{Leader: 2, Term: 4} })
		s.move(func() { delete(s.mu.dead, 3) })
		expect(t, news(), `
warn election: the metadata has no leader (term 2): it cannot change
info election: node-2 leads the metadata in term 4
info peer_alive: node-3 answers again
info fully_replicated: all 2 shards of docs: all 3 declared copies work again
`)
		metric(t, reg, "ostraka_raft_elections_total", `
# HELP ostraka_raft_elections_total Times that the metadata got a leader, as this node saw it.
# TYPE ostraka_raft_elections_total counter
ostraka_raft_elections_total 1
`)
	})
}

func TestALaggingReplicaIsToldOnce(t *testing.T) {
	watch(t, func(s *stage, reg *prometheus.Registry, news func() string) {
		last, lag := uint64(100), uint64(0)
		<-time.After(250 * time.Millisecond) // not to move in the moment in which the watcher looks
		run := func(d time.Duration, grow func()) {
			for range int(d / (500 * time.Millisecond)) {
				s.mu.Lock()
				grow()
				s.mu.statuses = []replica.Status{
					{Ref: catalog.ShardRef{Collection: 1}, Leading: true, LastIndex: last, Lag: lag},
					{Ref: catalog.ShardRef{Collection: 1, Shard: 1}, LastIndex: 5, Lag: 9999}, // not led from here
				}
				s.mu.Unlock()
				<-time.After(500 * time.Millisecond)
			}
		}
		run(time.Minute, func() { last += 50; lag = 20 }) // always something on its way, and it arrives
		expect(t, news(), "")
		run(30*time.Second, func() { last += 50; lag += 50 }) // nothing arrives
		expect(t, news(), "warn replica_lag: shard 0 of docs: a replica is 1020 entries and more than 10s behind\n")
		metric(t, reg, "ostraka_replica_lag_entries", `
# HELP ostraka_replica_lag_entries Entries that the replica furthest behind lacks, of the shards led from here; dead ones apart.
# TYPE ostraka_replica_lag_entries gauge
ostraka_replica_lag_entries 3020
`)
		run(5*time.Second, func() { lag = 0 })
		expect(t, news(), "info replica_lag: shard 0 of docs: no replica is behind any more\n")
		metric(t, reg, "ostraka_replica_lag_seconds", `
# HELP ostraka_replica_lag_seconds How long the replica furthest behind has been behind, of the shards led from here.
# TYPE ostraka_replica_lag_seconds gauge
ostraka_replica_lag_seconds 0
`)
	})
}

func TestWhatANodeCatchesUpWithIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newStage(t), event.New(0)
		var begun atomic.Bool
		w, err := cluster.NewWatcher(cluster.WatcherOptions{Self: 1, Metadata: s, Elections: s, Detector: s, Replicas: s, Events: log, Begun: begun.Load})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for id := range catalog.PeerID(3) {
			s.peer(id + 1)
		}
		s.create("docs", 1, 2, 1, 1, 2)
		begun.Store(true)
		<-time.After(2 * time.Second)
		s.move(func() { s.mu.dead[3] = true })
		if events := log.Read(0, 100).Events; len(events) != 1 || events[0].Kind != event.PeerDead {
			t.Errorf("%+v", events)
		}
	})
}

func TestUnsafePromotionsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.peer(1)
		s.peer(2)
		s.create("docs", 1, 2, 1, 1, 2)
		before := s.mu.state
		s.change(catalog.ChangeShard{Promote: &catalog.Promote{Term: 2, Candidate: 2, Unsafe: true}})
		events := cluster.Changes(before, s.mu.state)
		if len(events) != 1 || events[0].Kind != event.UnsafePromotion || events[0].Severity != event.Error || events[0].Peer != 2 || !events[0].HasShard || events[0].Collection != "docs" {
			t.Errorf("%+v", events)
		}
		if again := cluster.Changes(s.mu.state, s.mu.state); len(again) != 0 {
			t.Errorf("nothing changed, yet %+v", again)
		}
	})
}

// Shard keys may have numbers of copies of their own.
func TestTooFewCopiesAreToldByWhatIsDeclaredOfEachShard(t *testing.T) {
	watch(t, func(s *stage, _ *prometheus.Registry, news func() string) {
		config, err := catalog.Config{Sharding: catalog.CustomSharding, ReplicationFactor: 2, WriteConsistencyFactor: 1}.Normalized(3)
		if err != nil {
			t.Fatal(err)
		}
		s.apply(catalog.Command{CreateCollection: &catalog.CreateCollection{Name: "tenants", Config: config}})
		id, peers := s.mu.state.Names["tenants"], []catalog.PeerID{1, 2, 3}
		for keyword, factor := range map[string]uint32{"eu": 0, "us": 3} {
			k := catalog.ShardKey{Key: point.ShardKey{Keyword: keyword}, ShardNumber: 1, ReplicationFactor: factor}
			s.apply(catalog.Command{CreateShardKey: &catalog.CreateShardKey{Collection: id, ShardKey: k, Placement: [][]catalog.PeerID{peers[:max(2, factor)]}}})
		}
		s.apply(catalog.Command{DeleteCollection: new("docs")})
		news()
		s.move(func() { s.mu.dead[2] = true })
		told := news()
		for _, want := range []string{"of tenants: fewer than the declared 2 copies work\n", "of tenants: fewer than the declared 3 copies work\n"} {
			if strings.Count(told, want) != 1 {
				t.Errorf("%q is not told once in\n%s", want, told)
			}
		}
	})
}

func TestAWatcherNeedsItsParts(t *testing.T) {
	if _, err := cluster.NewWatcher(cluster.WatcherOptions{Self: 1}); err == nil {
		t.Error("it started with nothing to watch")
	}
}

package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// TestClustersBecomeAsDeclared is TestClustersKeepTheirPromises while somebody changes what is declared: peers are drained and
// taken back, factors, numbers of shards, zones and settings change, shard keys are made, placed elsewhere, cut anew, filled from another and deleted, nodes join and are removed for good, copies of peers that are
// away for a moment are made anew. In the end everything is as declared, and nothing that was acknowledged is lost.
func TestClustersBecomeAsDeclared(t *testing.T) {
	sum := &totals{counts: map[string]int{}}
	begun := time.Now()
	count := *seeds
	if testing.Short() {
		count = min(count, shortSeeds)
	}
	t.Run("seed", func(t *testing.T) {
		for i := range count {
			s := *seed + uint64(i)
			t.Run(fmt.Sprint(s), func(t *testing.T) {
				t.Parallel()
				if *begin > 0 && time.Since(begun) > *begin {
					return // the report tells how many schedules there were
				}
				synctest.Test(t, func(t *testing.T) { simulateDeclared(t, s, sum) })
			})
		}
	})
	t.Logf("%d schedules in %s; %s of clusters' lives; requests: %d answered, %d failed; %d points, %d of them promised; as declared after %s on average, %s at most",
		sum.schedules, time.Since(begun).Round(time.Millisecond), sum.virtual.Round(time.Second), sum.answered, sum.failed, sum.points, sum.certain,
		(sum.healing / time.Duration(max(1, sum.schedules))).Round(time.Millisecond), sum.worst.Round(time.Millisecond))
	t.Logf("faults and changes: %v", sum.counts)
}

// simulateDeclared runs one schedule in a bubble of its own.
func simulateDeclared(t *testing.T, seed uint64, sum *totals) {
	random := rand.New(rand.NewPCG(seed, 0x6465636c617265))
	line := newTimeline()
	size := 3 + random.IntN(2)
	joins := random.IntN(2) == 0
	source := func() *rand.Rand { return rand.New(rand.NewPCG(random.Uint64(), 0)) }
	c := newCluster(t, source(), source(), line, size)
	defer func() {
		if t.Failed() {
			line.report(t, "TestClustersBecomeAsDeclared", seed)
		}
	}()
	line.event("seed %d: %d nodes, one more joins: %t", seed, size, joins)
	finished := make(chan struct{})
	go watch(finished, line)
	c.startAll()
	if joins {
		c.add("n" + strconv.Itoa(size+1))
	}
	w := newWorkload(c, source(), clients, append([]*target{
		{name: "solo", factor: 1, quorum: 1}, {name: "weak", factor: 2, quorum: 1},
		{name: "quorum", factor: 3, quorum: 2}, {name: "strong", factor: 2, quorum: 2},
	}, keyedTargets()...))
	for _, g := range w.targets {
		if _, ok := c.eventually(30*time.Second, "collection "+g.name+" is made", func(ctx context.Context) error { return w.create(ctx, g) }); !ok {
			break // what follows says more
		}
	}
	if err := c.machines[len(c.machines)-1].start(); err != nil {
		c.violate("%v", err)
	}
	o := newOperator(w, source())
	n := &nemesis{c: c, random: source()}
	n.kinds = append(slices.DeleteFunc(faults(), func(f fault) bool { return f.name == "cut clients" }), o.changes()...)
	w.start()
	n.run(steps(random))
	_ = pass(context.Background(), n.between(0, 500*time.Millisecond))
	o.wg.Wait()
	gone := o.last(n)
	w.stop()
	w.leave(o, gone)
	line.event("healed")
	took := w.verify()
	line.event("verified")
	w.close()
	o.close()
	c.close()
	close(finished)
	alone(line)
	sum.add(w, n, took, time.Since(line.start))
}

// steps draws how long a schedule is. What goes wrong mostly does so by few changes and faults that meet, each time others; some need many.
func steps(random *rand.Rand) int {
	if random.IntN(3) == 0 {
		return 6 + random.IntN(10)
	}
	return 3 + random.IntN(5)
}

// operator is somebody who changes what is declared, without a plan.
type operator struct {
	w      *workload
	random *rand.Rand
	conns  []*grpc.ClientConn
	wg     sync.WaitGroup
}

func newOperator(w *workload, random *rand.Rand) *operator {
	o := &operator{w: w, random: random}
	for _, m := range w.c.machines {
		o.conns = append(o.conns, w.c.dial("op", m))
	}
	return o
}

func (o *operator) close() {
	for _, cc := range o.conns {
		_ = cc.Close()
	}
}

// changes are what the operator does, as kinds of trouble: he does not wait for what comes of it.
func (o *operator) changes() []fault {
	change := func(name string, weight int, draw func() (string, request)) fault {
		return fault{name, weight, func(*nemesis) (string, func()) {
			what, ask := draw()
			o.wg.Go(func() {
				err := o.ask(requestTimeout, ask)
				o.w.c.timeline.note("op %s %s: %s", name, what, worded(err))
			})
			return what, nil
		}}
	}
	return []fault{
		change("drain", 6, func() (string, request) { return o.state(clusterpb.PeerState_PEER_STATE_DRAINING) }),
		change("undrain", 5, func() (string, request) { return o.state(clusterpb.PeerState_PEER_STATE_ACTIVE) }),
		change("maintenance", 2, func() (string, request) { return o.state(clusterpb.PeerState_PEER_STATE_MAINTENANCE) }),
		change("zone", 2, o.zone),
		change("factor", 8, o.factor),
		change("settings", 6, o.settings),
		change("reshard", 10, o.reshard),
		change("make key", 6, o.makeKey),
		change("delete key", 3, o.deleteKey),
		change("rekey", 6, o.rekey),
		change("fill key", 8, o.fill),
		change("clear fallback", 4, o.clear),
		change("rebalance", 2, func() (string, request) {
			return "all", func(ctx context.Context, cc *grpc.ClientConn) error {
				_, err := clusterpb.NewClusterClient(cc).Rebalance(ctx, &clusterpb.RebalanceRequest{})
				return err
			}
		}),
		change("cancel", 2, func() (string, request) { return "what runs", o.cancel }),
		change("plan", 1, func() (string, request) {
			return "everything", func(ctx context.Context, cc *grpc.ClientConn) error {
				_, err := clusterpb.NewClusterClient(cc).GetPlan(ctx, &clusterpb.GetPlanRequest{})
				return err
			}
		}),
	}
}

// request is one that any node may be asked.
type request func(context.Context, *grpc.ClientConn) error

// ask asks one node after the other until one does it.
func (o *operator) ask(within time.Duration, r request) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	var err error
	for i := range o.conns {
		if err = r(ctx, o.conns[i]); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// peerOf finds the id of a node, which it has had since it first started.
func (o *operator) peerOf(ctx context.Context, cc *grpc.ClientConn, m *machine) (uint64, error) {
	resp, err := clusterpb.NewClusterClient(cc).GetCluster(ctx, &clusterpb.GetClusterRequest{})
	if err != nil {
		return 0, err
	}
	for _, p := range resp.GetPeers() {
		if p.GetName() == m.name && !p.GetReplaced() {
			return p.GetId(), nil
		}
	}
	return 0, fmt.Errorf("%s is no peer yet", m.name)
}

func (o *operator) update(m *machine, change *clusterpb.UpdatePeerRequest) request {
	return func(ctx context.Context, cc *grpc.ClientConn) error {
		id, err := o.peerOf(ctx, cc, m)
		if err != nil {
			return err
		}
		_, err = clusterpb.NewClusterClient(cc).UpdatePeer(ctx, &clusterpb.UpdatePeerRequest{Peer: id, State: change.State, Zone: change.Zone})
		return err
	}
}

func (o *operator) some() *machine { return o.w.c.machines[o.random.IntN(len(o.w.c.machines))] }

func (o *operator) state(state clusterpb.PeerState) (string, request) {
	m := o.some()
	return m.name, o.update(m, &clusterpb.UpdatePeerRequest{State: &state})
}

func (o *operator) zone() (string, request) {
	m, zone := o.some(), []string{"", "x", "y"}[o.random.IntN(3)]
	return m.name + " to " + zone, o.update(m, &clusterpb.UpdatePeerRequest{Zone: &zone})
}

// factor changes how many copies a collection has: never below its quorum, and that of solo never, for one copy must not
// become two that may lose what only one acknowledged.
func (o *operator) factor() (string, request) {
	g := o.w.targets[1+o.random.IntN(len(o.w.targets)-1)]
	factor := max(2, g.quorum) + uint32(o.random.IntN(2))
	return fmt.Sprintf("of %s to %d", g.name, factor), func(ctx context.Context, cc *grpc.ClientConn) error {
		_, err := qdrant.NewCollectionsClient(cc).Update(ctx, &qdrant.UpdateCollection{
			CollectionName: g.name, Params: &qdrant.CollectionParamsDiff{ReplicationFactor: &factor},
		})
		return err
	}
}

// reshard changes into how many shards a collection is cut.
func (o *operator) reshard() (string, request) {
	g, shards := o.w.targets[o.random.IntN(len(o.w.targets))], uint32(1+o.random.IntN(5))
	if !g.usable() {
		return "nothing", nothing
	}
	return fmt.Sprintf("%s into %d", g, shards), reshardInto(g, shards)
}

func reshardInto(g *target, shards uint32) request {
	return func(ctx context.Context, cc *grpc.ClientConn) error {
		_, err := clusterpb.NewClusterClient(cc).Reshard(ctx, &clusterpb.ReshardRequest{Collection: g.name, ShardKey: g.wireKey(), ShardNumber: shards})
		return err
	}
}

func (o *operator) settings() (string, request) {
	after := []uint64{0, 1, 1, 2, 600}[o.random.IntN(5)]
	paused, balance, few := o.random.IntN(6) == 0, o.random.IntN(4) > 0, uint32(1+o.random.IntN(3))
	change := &clusterpb.Settings{ReplicaReplaceAfterSeconds: &after, Paused: &paused, Balance: &balance, TransfersPerPeer: &few}
	return fmt.Sprintf("replace after %d s, paused %t, balance %t, %d transfers", after, paused, balance, few), set(change)
}

func set(change *clusterpb.Settings) request {
	return func(ctx context.Context, cc *grpc.ClientConn) error {
		_, err := clusterpb.NewClusterClient(cc).UpdateSettings(ctx, &clusterpb.UpdateSettingsRequest{Settings: change})
		return err
	}
}

func (o *operator) cancel(ctx context.Context, cc *grpc.ClientConn) error {
	c := clusterpb.NewClusterClient(cc)
	running, err := c.ListOperations(ctx, &clusterpb.ListOperationsRequest{RunningOnly: true})
	if err != nil || len(running.GetOperations()) == 0 {
		return err
	}
	_, err = c.CancelOperation(ctx, &clusterpb.CancelOperationRequest{Id: running.GetOperations()[0].GetId()})
	return err
}

// last settles what is to be in the end: nothing is paused, nobody in maintenance, one peer may be drained, or drained and removed for good. It
// returns that one.
func (o *operator) last(n *nemesis) *machine {
	paused, after, balance := false, uint64(600), true
	final := []request{set(&clusterpb.Settings{Paused: &paused, ReplicaReplaceAfterSeconds: &after, Balance: &balance})}
	drained, removes := o.random.IntN(2*len(o.w.c.machines)), o.random.IntN(2) == 0
	if len(o.w.c.machines) == 3 {
		drained = -1 // where all three have to hold a write, none could
	}
	for i, m := range o.w.c.machines {
		state := clusterpb.PeerState_PEER_STATE_ACTIVE
		if i == drained {
			state = clusterpb.PeerState_PEER_STATE_DRAINING
			o.w.c.timeline.event("%s is to be drained in the end", m.name)
		}
		final = append(final, o.update(m, &clusterpb.UpdatePeerRequest{State: &state}))
	}
	for _, g := range o.w.targets {
		if g.key != nil {
			final = append(final, g.anywhere)
		}
	}
	o.w.c.eventually(wholeWithin, "the last changes are declared", func(context.Context) error {
		var errs []error
		for _, r := range final {
			errs = append(errs, o.ask(requestTimeout, r))
		}
		return errors.Join(errs...)
	})
	if !removes || drained < 0 || drained >= len(o.w.c.machines) {
		return nil
	}
	return o.remove(n, o.w.c.machines[drained])
}

// remove removes a peer that is to be drained, as soon as the cluster lets it go, and takes its node down.
func (o *operator) remove(n *nemesis, m *machine) *machine {
	var id uint64
	_, ok := o.w.c.eventually(wholeWithin, m.name+" is removed", func(context.Context) error {
		err := o.ask(4*requestTimeout, func(ctx context.Context, cc *grpc.ClientConn) (err error) {
			if id == 0 {
				if id, err = o.peerOf(ctx, cc, m); err != nil {
					return err
				}
			}
			_, err = clusterpb.NewClusterClient(cc).RemovePeer(ctx, &clusterpb.RemovePeerRequest{Peer: id})
			return err
		})
		if status.Code(err) == codes.NotFound {
			return nil // an earlier try was heard, and the peer is forgotten already
		}
		return err
	})
	if !ok {
		return nil
	}
	m.removed.Store(true)
	n.counts["remove"]++
	o.w.c.timeline.event("%s is removed for good", m.name)
	o.w.c.crash(false, m)
	return m
}

// leave forgets a machine that is no part of the cluster any more. The clients rest.
func (w *workload) leave(o *operator, gone *machine) {
	i := slices.Index(w.c.machines, gone)
	if i < 0 {
		return
	}
	w.c.machines = slices.Delete(w.c.machines, i, i+1)
	_ = o.conns[i].Close()
	o.conns = slices.Delete(o.conns, i, i+1)
	for _, k := range w.clients {
		_ = k.conns[i].Close()
		k.conns = slices.Delete(k.conns, i, i+1)
	}
}

// add makes a node that is to join the cluster, and does not start it.
func (c *cluster) add(name string) {
	m := newMachine(c, name)
	m.opts = c.machines[0].opts
	m.opts.Name, m.opts.BootstrapExpect, m.opts.Logger = name, 0, c.timeline.logger(name)
	c.machines = append(c.machines, m)
}

// settled returns nil if a shard's copies are where the metadata wants them: as many as declared, or as there are peers for;
// none that goes or comes; none on a drained peer that another could have; led by none of those.
func (c *cluster) settled(s *catalog.State, col *catalog.Collection, sh *catalog.Shard) error {
	want, serving, free := col.Factor(sh), 0, 0
	for id, p := range s.Peers {
		if p.Gone() || p.State != catalog.InService {
			continue
		}
		serving++
		if _, has := sh.Replica(id); !has {
			free++
		}
	}
	if got := len(sh.Active()); got != len(sh.Replicas) || got > want || got < min(want, serving) {
		return fmt.Errorf("%d replicas, %d active, want %d, and %d peers are in service", len(sh.Replicas), got, want, serving)
	}
	for _, r := range sh.Replicas {
		away := s.Peers[r.Peer].State == catalog.Draining
		switch {
		case r.Retiring || r.Replaces != 0:
			return fmt.Errorf("the copy on %s is on the move", s.Peers[r.Peer].Name)
		case away && free > 0:
			return fmt.Errorf("%s is drained, holds a copy, and another could", s.Peers[r.Peer].Name)
		case away && r.Peer == sh.Primary && len(sh.Replicas) > 1:
			return fmt.Errorf("%s is drained, and leads", s.Peers[r.Peer].Name)
		}
	}
	if sh.Handover {
		return errors.New("it is being handed over")
	}
	return nil
}

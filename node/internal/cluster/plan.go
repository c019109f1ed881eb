package cluster

import (
	"context"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

const (
	maxPlannedSteps = 10_000
	plansAtOnce     = 2
	stepSeconds     = 1 // what a copy takes beside its bytes
)

// Planner knows how the peers do: what reconcile.Plan needs beside the metadata.
type Planner interface {
	Health(*catalog.State) map[catalog.PeerID]reconcile.Health
}

// GetPlan tells what the cluster is about to do, or would do after a change, and what stands against it. Nothing is changed.
func (s *Service) GetPlan(ctx context.Context, req *clusterpb.GetPlanRequest) (*clusterpb.GetPlanResponse, error) {
	resp, err := s.plan(ctx, req)
	return resp, statusOf(err)
}

func (s *Service) plan(ctx context.Context, req *clusterpb.GetPlanRequest) (*clusterpb.GetPlanResponse, error) {
	if s.opts.Planner == nil {
		return nil, fault.New(fault.Unsupported, "this node plans nothing")
	}
	select {
	case s.planning <- struct{}{}:
		defer func() { <-s.planning }()
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, ctx.Err(), "this node is planning for others")
	}
	q, err := s.question(ctx, req)
	if err != nil {
		return nil, err
	}
	return q.answer(), nil
}

// question finds what a plan is asked for: the collection must exist, or all that makes one must be given.
func (s *Service) question(ctx context.Context, req *clusterpb.GetPlanRequest) (*question, error) {
	q := &question{collection: req.GetCollection(), peer: req.GetPeer()}
	q.state, _ = s.opts.Metadata.Watch()
	if q.collection != nil {
		state, cols, err := s.find(ctx, []string{q.collection.GetCollection()})
		q.state = state
		switch {
		case err == nil:
			q.col = cols[0]
		case fault.Is(err, fault.NotFound) && q.collection.ShardNumber != nil && q.collection.ReplicationFactor != nil && q.collection.WriteConsistencyFactor != nil:
			q.state, _ = s.opts.Metadata.Watch()
		default:
			return nil, err
		}
	}
	if q.peer != nil {
		if p, ok := q.state.Peers[catalog.PeerID(q.peer.GetPeer())]; !ok || p.Gone() {
			return nil, fault.New(fault.NotFound, "Peer %d does not exist", q.peer.GetPeer())
		}
	}
	var refs []catalog.ShardRef
	for ref := range q.state.Shards() {
		if q.collection == nil || q.col != nil && ref.Collection == q.col.ID {
			refs = append(refs, ref)
		}
	}
	statuses := s.opts.Statuses.Statuses(ctx, refs)
	var all []replica.Status
	for _, of := range statuses {
		for _, st := range of {
			all = append(all, st)
		}
	}
	q.view = s.observe(statuses)
	for id := range s.opts.Raft.Voters() {
		q.voters = append(q.voters, id)
	}
	q.obs = reconcile.Observations{Peers: s.opts.Planner.Health(q.state), Bytes: peer.Sizes(all)}
	return q, nil
}

// question is a plan that is asked for, with everything that it is worked out from.
type question struct {
	state      *catalog.State
	view       Observations
	obs        reconcile.Observations
	collection *clusterpb.CollectionChange // at most one of the two
	col        *catalog.Collection         // that exists
	key        *point.ShardKey             // of col, if the change is of one
	peer       *clusterpb.PeerChange
	voters     []catalog.PeerID // of Raft

	resp *clusterpb.GetPlanResponse
}

func (q *question) answer() *clusterpb.GetPlanResponse {
	q.resp = &clusterpb.GetPlanResponse{Paused: q.state.Settings.IsPaused()}
	before := q.state
	after, ok := q.change()
	if !ok {
		return q.resp // refused: there is nothing to plan
	}
	going := *after
	off := false
	going.Settings.Paused = &off // what will be done once it goes on
	only := catalog.CollectionID(0)
	if q.collection != nil {
		only = q.col.ID
	}
	f := q.about(reconcile.Foresee(&going, q.obs, only))
	for _, step := range f.Steps {
		q.add(planned(f.State, before, step))
	}
	q.resp.Seconds = q.seconds(f)
	q.findings(before, after, f)
	return q.resp
}

func (q *question) add(step *clusterpb.PlannedStep) {
	q.resp.Bytes += step.GetBytes()
	if len(q.resp.Steps) >= maxPlannedSteps {
		q.resp.StepsLeftOut++
		return
	}
	q.resp.Steps = append(q.resp.Steps, step)
}

// planned describes a step. A collection that is gone in one state is named by the other.
func planned(after, before *catalog.State, step reconcile.Foreseen) *clusterpb.PlannedStep {
	w := &clusterpb.PlannedStep{Kind: step.Kind(), FromPeer: uint64(step.From), ToPeer: uint64(step.To), Bytes: step.Bytes, Why: step.Why}
	ref, ok := step.Shard()
	if !ok {
		return w
	}
	shard := uint32(ref.Shard)
	w.ShardId = &shard
	for _, s := range []*catalog.State{after, before} {
		if col, ok := s.Collections[ref.Collection]; ok {
			w.Collection = col.Name
		}
	}
	return w
}

// seconds estimates how long the copies take: what the busiest peer receives or gives, at the rate of the settings, and a moment
// for each copy, as many at once as the settings allow.
func (q *question) seconds(f reconcile.Forecast) uint64 {
	in, out, copies := map[catalog.PeerID]uint64{}, map[catalog.PeerID]uint64{}, map[catalog.PeerID]int{}
	for _, step := range f.Steps {
		ref, ok := step.Shard()
		if !ok || step.To == 0 || step.Failover != nil {
			continue
		}
		in[step.To] += step.Bytes
		copies[step.To]++
		if _, sh, ok := q.state.Shard(ref); ok {
			out[sh.Primary] += step.Bytes
		}
	}
	var worst uint64
	for id, n := range copies {
		worst = max(worst, in[id]/q.state.Settings.BytesPerSecond()+uint64(n*stepSeconds/q.state.Settings.PerPeer())+1)
	}
	for _, bytes := range out {
		worst = max(worst, bytes/q.state.Settings.BytesPerSecond()+1)
	}
	return worst
}

// change returns the state as if the change that is asked about had been made. What the metadata would refuse is a finding.
func (q *question) change() (*catalog.State, bool) {
	switch {
	case q.collection != nil:
		return q.changeCollection()
	case q.peer != nil:
		return q.changePeer()
	}
	return q.state, true
}

func (q *question) apply(s *catalog.State, cmd catalog.Command, field string) (*catalog.State, catalog.Result, bool) {
	cmd, err := catalog.Prepare(s, cmd, func(id catalog.PeerID) bool { return q.obs.Peers[id].Alive && !q.obs.Peers[id].Draining })
	var r catalog.Result
	if err == nil {
		s, r = catalog.Apply(s, cmd)
		err = r.Err
	}
	if err != nil {
		q.refused(field, err)
	}
	return s, r, err == nil
}

// refused tells that the metadata would refuse the change.
func (q *question) refused(field string, err error) (*catalog.State, bool) {
	q.found(clusterpb.PlanFinding_ERROR, "refused", field, "the change would be refused: %v", err)
	return q.state, false
}

func (q *question) changeCollection() (*catalog.State, bool) {
	c := q.collection
	if q.col == nil {
		return q.create()
	}
	next, s := q.col.Config, q.state
	var ok bool
	if c.GetShardKey() != nil {
		return q.changeKey()
	}
	if c.ReplicationFactor != nil {
		next.ReplicationFactor = c.GetReplicationFactor()
	}
	if c.WriteConsistencyFactor != nil {
		next.WriteConsistencyFactor = c.GetWriteConsistencyFactor()
	}
	if next.WriteConsistencyFactor > next.ReplicationFactor {
		q.found(clusterpb.PlanFinding_ERROR, "quorum_unreachable", "write_consistency_factor",
			"a write of %s would need %d of %d copies, and could never succeed: declare write_consistency_factor %d at most",
			q.col.Name, next.WriteConsistencyFactor, next.ReplicationFactor, next.ReplicationFactor)
		return s, false
	}
	if !next.Equal(q.col.Config) {
		update := &catalog.UpdateCollection{Name: q.col.Name, ID: q.col.ID, Base: q.col.Config, Config: next}
		if s, _, ok = q.apply(s, catalog.Command{UpdateCollection: update}, "replication_factor"); !ok {
			return s, false
		}
	}
	if c.ShardNumber != nil && c.GetShardNumber() != next.ShardNumber {
		reshard := &catalog.Reshard{Collection: q.col.ID, ShardNumber: c.GetShardNumber(), At: q.view.Now.UnixMilli()}
		if s, _, ok = q.apply(s, catalog.Command{Reshard: reshard}, "shard_number"); !ok {
			return s, false
		}
	}
	return s, true
}

package cluster

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// Operation describes an operation: what the metadata says of it, and of one that runs how far it has come.
func Operation(state *catalog.State, o *catalog.Operation, obs Observations) *clusterpb.Operation {
	w := &clusterpb.Operation{
		Id: uint64(o.ID), Kind: string(o.Kind), Collection: o.Name, Peer: uint64(o.Peer), State: operationStateToWire(o.State),
		Done: uint64(o.Total), Total: uint64(o.Total), StartedUnixMs: o.Started, EndedUnixMs: o.Ended, Problem: o.Problem,
	}
	if o.Reshard != nil {
		w.FromShardNumber, w.ToShardNumber, w.ShardKey = o.Reshard.From, o.Reshard.To, keyToWire(o.Reshard.Key)
	}
	if o.Fill != nil {
		w.ShardKey, w.FromShardKey = keyToWire(&o.Fill.To), keyToWire(&o.Fill.From)
	}
	if o.State != catalog.Running {
		if o.State != catalog.Done {
			w.Done = 0
		}
		return w
	}
	p := progress{state: state, obs: obs, op: o}
	switch o.Kind {
	case catalog.Drain:
		p.drain(w)
	case catalog.Replicate:
		p.replicate(w)
	case catalog.Rebalance:
		p.rebalance(w)
	case catalog.Resharding:
		p.reshard(w)
	case catalog.Fill:
		p.fill(w)
		return w // a pause does not hold it up
	}
	if state.Settings.IsPaused() {
		w.Problem = "the cluster is paused: nothing moves until `ostraka resume`"
	}
	return w
}

func operationStateToWire(s catalog.OperationState) clusterpb.OperationState {
	switch s {
	case catalog.Running:
		return clusterpb.OperationState_OPERATION_STATE_RUNNING
	case catalog.Done:
		return clusterpb.OperationState_OPERATION_STATE_DONE
	case catalog.Cancelled:
		return clusterpb.OperationState_OPERATION_STATE_CANCELLED
	case catalog.Failed:
		return clusterpb.OperationState_OPERATION_STATE_FAILED
	}
	return clusterpb.OperationState_OPERATION_STATE_UNSPECIFIED
}

// concerned lists the shards whose replicas tell how far an operation has come.
func concerned(state *catalog.State, o *catalog.Operation) []catalog.ShardRef {
	if o.State != catalog.Running {
		return nil
	}
	var refs []catalog.ShardRef
	for ref, sh := range state.Shards() {
		is := false
		for _, r := range sh.Replicas {
			switch o.Kind {
			case catalog.Drain:
				is = is || r.Replaces == o.Peer
			case catalog.Rebalance:
				is = is || r.Reason == catalog.ForBalance && (o.Collection == 0 || o.Collection == ref.Collection)
			case catalog.Replicate:
				is = ref.Collection == o.Collection && ref.Shard == o.Placement.Shard
			case catalog.Resharding, catalog.Fill:
				is = ref.Collection == o.Collection && movesTo(state.Collections[ref.Collection], ref.Shard)
			}
		}
		if is {
			refs = append(refs, ref)
		}
	}
	return refs
}

// progress says how far an operation that runs has come.
type progress struct {
	state *catalog.State
	obs   Observations
	op    *catalog.Operation
}

// copying adds up the copies that are being made.
func (p progress) copying(w *clusterpb.Operation, ref catalog.ShardRef, r catalog.Replica) {
	st, ok := p.obs.status(ref, r)
	if !ok || r.State != catalog.Partial {
		return
	}
	done, total := transferred(st)
	w.BytesDone += done
	w.BytesTotal += total
}

func transferred(st replica.Status) (done, total uint64) {
	if st.Transfer == nil {
		return 0, 0
	}
	return min(st.Transfer.Bytes, st.Transfer.TotalBytes), st.Transfer.TotalBytes
}

func (p progress) drain(w *clusterpb.Operation) {
	left, moving := 0, 0
	for ref, sh := range p.state.Shards() {
		if _, held := sh.Replica(p.op.Peer); !held {
			continue
		}
		left++
		if by, ok := replacing(sh, p.op.Peer); ok {
			moving++
			p.copying(w, ref, by)
		}
	}
	w.Total = max(w.Total, uint64(left))
	w.Done = w.Total - uint64(left)
	w.Phase = fmt.Sprintf("%s left on %s, %d on the way to others", count(left, "replica"), name(p.state, p.op.Peer), moving)
	w.Problem = stuck(p.state, p.op.Peer, p.obs.Alive)
}

// replacing finds the copy that takes the place of the one on a peer.
func replacing(sh *catalog.Shard, id catalog.PeerID) (catalog.Replica, bool) {
	for _, r := range sh.Replicas {
		if r.Replaces == id {
			return r, true
		}
	}
	return catalog.Replica{}, false
}

func (p progress) replicate(w *clusterpb.Operation) {
	at := p.op.Placement
	ref := catalog.ShardRef{Collection: p.op.Collection, Shard: at.Shard}
	_, sh, ok := p.state.Shard(ref)
	if !ok {
		return
	}
	w.Done = 0
	var parts []string
	if at.To != 0 {
		parts = append(parts, fmt.Sprintf("shard %d is being copied to %s", at.Shard, name(p.state, at.To)))
		if r, has := sh.Replica(at.To); has {
			p.copying(w, ref, r)
		} else if !p.obs.Alive(at.To) {
			w.Problem = fmt.Sprintf("%s %s", name(p.state, at.To), p.obs.silence(at.To))
		}
	}
	if at.From != 0 {
		parts = append(parts, fmt.Sprintf("the copy of shard %d on %s goes once the others suffice", at.Shard, name(p.state, at.From)))
	}
	w.Phase = strings.Join(parts, "; ")
}

func (p progress) rebalance(w *clusterpb.Operation) {
	moving := 0
	for ref, sh := range p.state.Shards() {
		if p.op.Collection != 0 && ref.Collection != p.op.Collection {
			continue
		}
		for _, r := range sh.Replicas {
			if r.Reason == catalog.ForBalance {
				moving++
				p.copying(w, ref, r)
			}
		}
	}
	w.Done, w.Total = 0, uint64(moving)
	w.Phase = fmt.Sprintf("%s on the way", count(moving, "replica"))
}

func (p progress) reshard(w *clusterpb.Operation) {
	c, ok := p.state.Collections[p.op.Collection]
	if !ok {
		return
	}
	g, err := c.Group(p.op.Reshard.Key)
	if err != nil {
		return // its end is near
	}
	left := g.Plan()
	w.Total = max(w.Total, uint64(left.Left))
	w.Done = w.Total - uint64(left.Left)
	running := 0
	for _, m := range g.Moves {
		if m.Running() {
			running++
			p.moving(w, c, m)
		}
	}
	w.Phase = fmt.Sprintf("%s of 4096 left, %s under way", count(left.Left, "slot"), count(running, "move"))
	if w.PointsTotal > 0 {
		w.Phase += fmt.Sprintf(": %d of %s", w.PointsDone, count(int(w.PointsTotal), "point"))
	}
	if left.Left == 0 {
		w.Phase = fmt.Sprintf("all slots are where they are to be; %s to clean up", count(left.Over, "thing"))
	}
}

func (p progress) fill(w *clusterpb.Operation) {
	c, ok := p.state.Collections[p.op.Collection]
	if !ok {
		return
	}
	running, sealed := 0, false
	told := map[catalog.ShardID]bool{}
	for _, m := range c.Parts(p.op.ID) {
		if !m.Running() {
			continue
		}
		running++
		sealed = sealed || m.Sealed()
		if !told[m.Target] { // which tells of all that comes to it
			told[m.Target] = true
			p.moving(w, c, m)
		}
	}
	switch {
	case sealed:
		w.Phase = fmt.Sprintf("the last writes are being copied from shard key %s; those that come wait for a moment", p.op.Fill.From)
	case running > 0:
		w.Phase = fmt.Sprintf("points are being copied from shard key %s, %s at once", p.op.Fill.From, count(running, "part"))
		if w.PointsTotal > 0 {
			w.Phase += fmt.Sprintf(": %d of %s looked at", w.PointsDone, count(int(w.PointsTotal), "point"))
		}
	default:
		w.Phase = fmt.Sprintf("shard key %s serves; %s to clean up", p.op.Fill.To, count(len(c.Parts(p.op.ID)), "part"))
	}
	w.Done = w.Total - uint64(running)
}

// moving adds how far a move has come, as the primary of its target tells. Its bytes in all are estimated by its points.
func (p progress) moving(w *clusterpb.Operation, c *catalog.Collection, m *catalog.Move) {
	target, ok := c.Shard(m.Target)
	if !ok {
		return
	}
	ref := catalog.ShardRef{Collection: c.ID, Shard: m.Target}
	primary, _ := target.Replica(target.Primary)
	st, ok := p.obs.status(ref, primary)
	if !ok {
		w.Problem = fmt.Sprintf("%s, which leads shard %d, does not answer", name(p.state, target.Primary), m.Target)
		return
	}
	if st.Moving == nil {
		return
	}
	done, total := min(st.Moving.Points, st.Moving.TotalPoints), st.Moving.TotalPoints
	w.PointsDone, w.PointsTotal = w.PointsDone+done, w.PointsTotal+total
	w.BytesDone += st.Moving.Bytes
	if done > 0 {
		w.BytesTotal += max(st.Moving.Bytes, uint64(float64(st.Moving.Bytes)*float64(total)/float64(done)))
	} else {
		w.BytesTotal += st.Moving.Bytes
	}
	if st.Moving.Problem != "" {
		what := "the move of slots"
		if m.Fill != 0 {
			what = "the copy of points"
		}
		w.Problem = fmt.Sprintf("%s from shard %d to shard %d is tried again: %s", what, m.Source, m.Target, st.Moving.Problem)
	}
}

// movesTo tells whether slots are on their way to a shard.
func movesTo(c *catalog.Collection, id catalog.ShardID) bool {
	return slices.ContainsFunc(c.Moves, func(m *catalog.Move) bool { return m.Running() && m.Target == id })
}

// count says a number of things: "1 replica", "2 replicas".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

package fakecluster

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// operation is something that runs: done tells, under the cluster's lock, how far it is.
type operation struct {
	said *clusterpb.Operation
	done func() (done, total int)
	step func()
}

// beginLocked notes an operation.
func (c *Cluster) beginLocked(o *operation) *clusterpb.Operation {
	c.mu.operations = append(c.mu.operations, o)
	o.said.Id = uint64(len(c.mu.operations))
	return o.tell()
}

// tell is the operation as it is now.
func (o *operation) tell() *clusterpb.Operation {
	done, total := o.done()
	out := &clusterpb.Operation{
		Id: o.said.GetId(), Kind: o.said.GetKind(), Collection: o.said.GetCollection(), Peer: o.said.GetPeer(), State: o.said.GetState(),
		Done: uint64(done), Total: uint64(total), StartedUnixMs: 1000, Problem: o.said.GetProblem(),
		FromShardNumber: o.said.GetFromShardNumber(), ToShardNumber: o.said.GetToShardNumber(),
	}
	if out.GetState() == clusterpb.OperationState_OPERATION_STATE_UNSPECIFIED {
		out.State = clusterpb.OperationState_OPERATION_STATE_RUNNING
		if done >= total {
			out.State = clusterpb.OperationState_OPERATION_STATE_DONE
		}
	}
	return out
}

// EndWhenBegun ends the next operation as soon as it has begun, as somebody else's cancellation does.
func (c *Cluster) EndWhenBegun(state clusterpb.OperationState, problem string) {
	for {
		c.mu.Lock()
		n := len(c.mu.operations)
		if n > 0 {
			o := c.mu.operations[n-1]
			o.said.State, o.said.Problem = state, problem
		}
		c.mu.Unlock()
		if n > 0 {
			return
		}
		runtime.Gosched()
	}
}

// Reshard declares the number of shards; they come and go one by one, as somebody looks.
func (s *clusterService) Reshard(_ context.Context, r *clusterpb.ReshardRequest) (*clusterpb.ReshardResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.mu.collections[r.GetCollection()]
	if !ok {
		return nil, missing(r.GetCollection())
	}
	if r.GetShardKey() != nil {
		return c.reshardKeyLocked(found, r)
	}
	p := found.config.GetParams()
	if p.GetShardNumber() != r.GetShardNumber() {
		c.mu.log = append(c.mu.log, fmt.Sprintf("reshard %s %d->%d", found.name, p.GetShardNumber(), r.GetShardNumber()))
	}
	from := uint32(len(found.shards))
	p.ShardNumber = r.GetShardNumber()
	if from == r.GetShardNumber() {
		return &clusterpb.ReshardResponse{}, nil
	}
	return &clusterpb.ReshardResponse{Operation: c.beginLocked(&operation{
		said: &clusterpb.Operation{Kind: "reshard", Collection: found.name, FromShardNumber: from, ToShardNumber: r.GetShardNumber()},
		done: func() (int, int) {
			left := int(p.GetShardNumber()) - len(found.shards)
			return 10 - max(left, -left), 10
		},
		step: func() { found.step(c.mu.peers) },
	})}, nil
}

// WatchOperation tells every step; while the cluster is frozen there is none.
func (s *clusterService) WatchOperation(r *clusterpb.WatchOperationRequest, stream grpc.ServerStreamingServer[clusterpb.WatchOperationResponse]) error {
	c := s.cluster
	for {
		c.mu.Lock()
		if r.GetId() == 0 || int(r.GetId()) > len(c.mu.operations) {
			c.mu.Unlock()
			return status.Errorf(codes.NotFound, "there is no operation %d", r.GetId())
		}
		o, frozen := c.mu.operations[r.GetId()-1], c.mu.frozen
		said := o.tell()
		if !frozen && said.GetState() == clusterpb.OperationState_OPERATION_STATE_RUNNING {
			o.step()
		}
		c.mu.Unlock()
		if err := stream.Send(&clusterpb.WatchOperationResponse{Operation: said}); err != nil {
			return err
		}
		if said.GetState() != clusterpb.OperationState_OPERATION_STATE_RUNNING {
			return nil
		}
		select {
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// ListOperations lists all, newest first.
func (s *clusterService) ListOperations(_ context.Context, r *clusterpb.ListOperationsRequest) (*clusterpb.ListOperationsResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &clusterpb.ListOperationsResponse{}
	for i := len(c.mu.operations) - 1; i >= 0; i-- {
		said := c.mu.operations[i].tell()
		running := said.GetState() == clusterpb.OperationState_OPERATION_STATE_RUNNING
		if (r.GetCollection() == "" || r.GetCollection() == said.GetCollection()) && (running || !r.GetRunningOnly()) {
			out.Operations = append(out.Operations, said)
		}
	}
	return out, nil
}

// gigabyte is what the plan takes a replica of a shard for.
const gigabyte = 1 << 30

// GetPlan foresees the replicas that are made, a gigabyte each, and objects to more than there are peers.
func (s *clusterService) GetPlan(_ context.Context, r *clusterpb.GetPlanRequest) (*clusterpb.GetPlanResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &clusterpb.GetPlanResponse{Findings: append([]*clusterpb.PlanFinding(nil), c.mu.findings...)}
	ch := r.GetCollection()
	if ch == nil {
		return out, nil
	}
	c.mu.planned = ch
	alive := uint32(0)
	for _, p := range c.mu.peers {
		if p.GetAlive() {
			alive++
		}
	}
	if n := ch.GetReplicationFactor(); n > alive {
		out.Findings = append(out.Findings, &clusterpb.PlanFinding{
			Severity: clusterpb.PlanFinding_ERROR, Code: "replicas_exceed_peers", Field: "replication_factor",
			Text: fmt.Sprintf("%d replicas of each shard cannot be made: %s.", n, wait.Alive(int(alive))),
		})
	}
	found, ok := c.mu.collections[ch.GetCollection()]
	if !ok {
		return out, nil
	}
	for i, s := range found.shards {
		if ch.ShardKey != nil && (s.key == nil || !proto.Equal(s.key.key, ch.ShardKey)) {
			continue
		}
		for n := len(s.replicas); n < int(ch.GetReplicationFactor()); n++ {
			id := uint32(i)
			out.Steps = append(out.Steps, &clusterpb.PlannedStep{Kind: "add_replica", Collection: found.name, ShardId: &id, Bytes: gigabyte})
			out.Bytes += gigabyte
			out.Seconds += 5
		}
	}
	return out, nil
}

// Planned returns the collection that the last plan was asked for, as it was to be.
func (c *Cluster) Planned() *clusterpb.CollectionChange {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.planned
}

// Find lets every plan from now on have these findings.
func (c *Cluster) Find(findings ...*clusterpb.PlanFinding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.findings = findings
}

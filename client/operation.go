package client

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// OperationState is how far an operation is.
type OperationState string

// The states of an operation.
const (
	OperationRunning   OperationState = "running"
	OperationDone      OperationState = "done"
	OperationCancelled OperationState = "cancelled"
	OperationFailed    OperationState = "failed"
)

// Operation is something that takes long: resharding, draining a peer, copying replicas.
type Operation struct {
	ID                    uint64
	Kind                  string // reshard, drain, remove, replicate, rebalance, fill
	Collection            string // "" if it is about none
	ShardKey              *ShardKey
	FromShardKey          *ShardKey // of fill: that is copied from
	Peer                  PeerID    // 0 if it is about none
	State                 OperationState
	Phase                 string // what is being done, for people
	Done, Total           uint64 // slots for reshard, parts for fill, replicas else
	BytesDone, BytesTotal uint64
	PointsDone            uint64 // of reshard and fill: of the moves that are under way
	PointsTotal           uint64
	Started, Ended        time.Time // Ended is zero while it runs
	Problem               string    // why it does not go on, or why it ended otherwise than done
	FromShardNumber       uint32    // of reshard
	ToShardNumber         uint32
}

// Reshard declares into how many shards a collection, or a shard key of it, is cut. The number that is declared already
// joins what runs; another one turns it round. Nil: there is nothing to do.
func (c *Client) Reshard(ctx context.Context, collection string, shards uint32, key *ShardKey) (*Operation, error) {
	op := operation{kind: idempotent, ddl: true, method: clusterService + "Reshard"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.ReshardResponse, error) {
		return e.cluster.Reshard(ctx, &clusterpb.ReshardRequest{Collection: collection, ShardNumber: shards, ShardKey: key.wire()})
	})
	return operationOf(reply.GetOperation()), c.explain(ctx, err)
}

// Rebalance lets replicas that were placed by hand be placed by the cluster again, and evens out what the peers hold: of one
// collection, or of all. Nil: there is nothing to do.
func (c *Client) Rebalance(ctx context.Context, collection string) (*Operation, error) {
	op := operation{kind: idempotent, ddl: true, method: clusterService + "Rebalance"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.RebalanceResponse, error) {
		return e.cluster.Rebalance(ctx, &clusterpb.RebalanceRequest{Collection: collection})
	})
	return operationOf(reply.GetOperation()), c.explain(ctx, err)
}

// Operations returns what runs, and unless runningOnly the last ones that ended, newest first: of one collection, or of all.
func (c *Client) Operations(ctx context.Context, collection string, runningOnly bool) ([]Operation, error) {
	op := operation{kind: read, method: clusterService + "ListOperations"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.ListOperationsResponse, error) {
		return e.cluster.ListOperations(ctx, &clusterpb.ListOperationsRequest{Collection: collection, RunningOnly: runningOnly})
	})
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	var out []Operation
	for _, o := range reply.GetOperations() {
		out = append(out, *operationOf(o))
	}
	return out, nil
}

// WatchOperation calls each at every change of an operation, until it ends, and returns how it ended. It follows the
// operation to another node when one fails. An error of each ends it and is returned.
func (c *Client) WatchOperation(ctx context.Context, id uint64, each func(Operation) error) (Operation, error) {
	op := operation{kind: read, method: clusterService + "WatchOperation"}
	var last Operation
	for {
		begun := false
		err := stream(ctx, c, op, func(ctx context.Context, e *endpoint) (grpc.ServerStreamingClient[clusterpb.WatchOperationResponse], error) {
			return e.cluster.WatchOperation(ctx, &clusterpb.WatchOperationRequest{Id: id})
		}, func(r *clusterpb.WatchOperationResponse) error {
			begun = true
			last = *operationOf(r.GetOperation())
			if each == nil {
				return nil
			}
			return each(last)
		})
		switch {
		case err == nil && last.State != OperationRunning && begun:
			return last, nil
		case err != nil && (!begun || !IsTransient(err) || ctx.Err() != nil):
			return last, c.explain(ctx, err)
		case !pause(ctx, jitter(backoffFirst)): // the node that was asked ended: another one goes on
			return last, contextError(ctx)
		}
	}
}

// CancelOperation ends an operation and takes back what can be taken back.
func (c *Client) CancelOperation(ctx context.Context, id uint64) (Operation, error) {
	op := operation{kind: idempotent, ddl: true, method: clusterService + "CancelOperation"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.CancelOperationResponse, error) {
		return e.cluster.CancelOperation(ctx, &clusterpb.CancelOperationRequest{Id: id})
	})
	if err != nil {
		return Operation{}, c.explain(ctx, err)
	}
	return *operationOf(reply.GetOperation()), nil
}

// operationOf returns nil for none.
func operationOf(o *clusterpb.Operation) *Operation {
	if o == nil {
		return nil
	}
	out := &Operation{
		ID: o.GetId(), Kind: o.GetKind(), Collection: o.GetCollection(), Peer: PeerID(o.GetPeer()), State: operationStateOf(o.GetState()),
		Phase: o.GetPhase(), Done: o.GetDone(), Total: o.GetTotal(), BytesDone: o.GetBytesDone(), BytesTotal: o.GetBytesTotal(),
		PointsDone: o.GetPointsDone(), PointsTotal: o.GetPointsTotal(),
		Problem: o.GetProblem(), FromShardNumber: o.GetFromShardNumber(), ToShardNumber: o.GetToShardNumber(),
	}
	if o.ShardKey != nil {
		key := shardKeyOf(o.ShardKey)
		out.ShardKey = &key
	}
	if o.FromShardKey != nil {
		key := shardKeyOf(o.FromShardKey)
		out.FromShardKey = &key
	}
	if ms := o.GetStartedUnixMs(); ms != 0 {
		out.Started = time.UnixMilli(ms)
	}
	if ms := o.GetEndedUnixMs(); ms != 0 {
		out.Ended = time.UnixMilli(ms)
	}
	return out
}

func operationStateOf(s clusterpb.OperationState) OperationState {
	switch s {
	case clusterpb.OperationState_OPERATION_STATE_DONE:
		return OperationDone
	case clusterpb.OperationState_OPERATION_STATE_CANCELLED:
		return OperationCancelled
	case clusterpb.OperationState_OPERATION_STATE_FAILED:
		return OperationFailed
	default:
		return OperationRunning
	}
}

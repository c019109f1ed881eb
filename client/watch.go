package client

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// ShardVerdict is what came of comparing the replicas of one shard.
type ShardVerdict struct {
	Collection string
	Shard      uint32
	Compared   bool   // else Problem says why not
	Equal      bool   // all active replicas were compared and hold the same
	Index      uint64 // the place of the log at which they were compared
	Replicas   []ReplicaDigest
	Problem    string // "" when they are equal
}

// Differs reports whether a replica was found to be in the minority.
func (v ShardVerdict) Differs() bool {
	for _, r := range v.Replicas {
		if r.Differs {
			return true
		}
	}
	return false
}

// ReplicaDigest is what one replica gave to a comparison.
type ReplicaDigest struct {
	Peer       PeerID
	Generation uint64
	Primary    bool
	Index      uint64
	Digest     uint64
	Points     uint64
	Differs    bool   // it is in the minority: no longer read, and filled anew from the others
	Problem    string // why it gave no digest
}

// VerifyOptions say what is verified.
type VerifyOptions struct {
	Collections    []string // names or aliases; empty: all
	BytesPerSecond uint64   // to read of each replica; 0: as fast as it can
}

// Verify has the node compare the replicas of every shard, and calls each with what came of one as soon as it is known. The
// first call is without a shard and tells how many there are. It ends with the last shard or with an error of each, which
// it returns.
func (c *Client) Verify(ctx context.Context, o VerifyOptions, each func(done, total uint32, verdict *ShardVerdict) error) error {
	op := operation{kind: read, method: clusterService + "Verify"}
	req := &clusterpb.VerifyRequest{Collections: o.Collections, BytesPerSecond: o.BytesPerSecond}
	err := stream(ctx, c, op, func(ctx context.Context, e *endpoint) (grpc.ServerStreamingClient[clusterpb.VerifyResponse], error) {
		return e.cluster.Verify(ctx, req)
	}, func(r *clusterpb.VerifyResponse) error {
		var v *ShardVerdict
		if r.GetShard() != nil {
			v = verdictOf(r.GetShard())
		}
		return each(r.GetDone(), r.GetTotal(), v)
	})
	return c.explain(ctx, err)
}

func verdictOf(s *clusterpb.ShardVerdict) *ShardVerdict {
	v := &ShardVerdict{
		Collection: s.GetCollection(), Shard: s.GetShardId(), Compared: s.GetCompared(), Equal: s.GetEqual(), Index: s.GetIndex(), Problem: s.GetProblem(),
	}
	for _, r := range s.GetReplicas() {
		v.Replicas = append(v.Replicas, ReplicaDigest{
			Peer: PeerID(r.GetPeer()), Generation: r.GetGeneration(), Primary: r.GetPrimary(), Index: r.GetIndex(),
			Digest: r.GetDigest(), Points: r.GetPoints(), Differs: r.GetDiffers(), Problem: r.GetProblem(),
		})
	}
	return v
}

// Event is something that happened to the cluster, as the node that was asked saw it.
type Event struct {
	Cursor     uint64 // to go on from, at the same node
	Time       time.Time
	Kind       string
	Severity   string // info, warn, error
	Collection string // "" if it is about none
	Shard      *uint32
	Peer       PeerID // 0 if it is about none
	Text       string // for people
}

// EventOptions say where to begin and whether to stay.
type EventOptions struct {
	After  uint64 // the cursor of the last event seen; 0: none
	Last   uint32 // without After: begin with so many that the node remembers; 0: all
	Follow bool   // go on with what happens from now
}

// Gap says that events were lost between the last one and the next: the node remembers a bounded number.
type Gap struct {
	Missed uint64 // 0: not known, the node has restarted or is another one
}

// Events calls each with what the node remembers, oldest first, and, to follow, with what happens from now on, until ctx
// ends. Exactly one of the two is given: gap where events were lost. An error of each ends it and is returned.
func (c *Client) Events(ctx context.Context, o EventOptions, each func(event *Event, gap *Gap) error) error {
	op := operation{kind: read, method: clusterService + "WatchEvents"}
	req := &clusterpb.WatchEventsRequest{After: o.After, Last: o.Last, Follow: o.Follow}
	err := stream(ctx, c, op, func(ctx context.Context, e *endpoint) (grpc.ServerStreamingClient[clusterpb.WatchEventsResponse], error) {
		return e.cluster.WatchEvents(ctx, req)
	}, func(r *clusterpb.WatchEventsResponse) error {
		if r.GetEvent() != nil {
			return each(eventOf(r.GetEvent()), nil)
		}
		return each(nil, &Gap{Missed: r.GetGap().GetMissed()})
	})
	return c.explain(ctx, err)
}

func eventOf(e *clusterpb.Event) *Event {
	return &Event{
		Cursor: e.GetCursor(), Time: time.UnixMilli(e.GetUnixMs()), Kind: e.GetKind(), Severity: e.GetSeverity(),
		Collection: e.GetCollection(), Shard: e.ShardId, Peer: PeerID(e.GetPeer()), Text: e.GetText(),
	}
}

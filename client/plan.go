package client

import (
	"context"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// Severity is how much a finding of a plan weighs.
type Severity string

// The severities.
const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error" // the change would be refused, or could never be reached as things stand
)

// Plan is what the cluster is about to do to become as declared, or would do after a change.
type Plan struct {
	Steps    []PlannedStep // in order
	LeftOut  uint32        // how many more steps there are
	Bytes    uint64        // that will move between peers
	Duration time.Duration // estimated; 0: none or not known
	Findings []Finding
	Paused   bool // nothing will be done until the cluster is let go on
}

// PlannedStep is one step of a plan.
type PlannedStep struct {
	Kind       string // add_replica, retire_replica, drop_replica, failover, move_slots, ...
	Collection string
	Shard      *uint32
	From, To   PeerID // 0: none
	Bytes      uint64
	Why        string
}

// Finding is what stands against a change, or deserves attention.
type Finding struct {
	Severity Severity
	Code     string // such as replicas_exceed_peers
	Text     string // for people: what, where, what to do
	Field    string // of the change, such as shard_number; "" if it is about none
}

// CollectionChange is a collection as if it were declared so. Nil: as it is.
type CollectionChange struct {
	Collection             string // exists, or (with all the numbers) is yet to be created
	ShardNumber            *uint32
	ReplicationFactor      *uint32
	WriteConsistencyFactor *uint32
	// ShardKey, if there is one, is what the change is of; one that does not exist is planned as new. Of a collection yet to be created, its first.
	ShardKey       *ShardKey
	CustomSharding bool     // of a collection that is yet to be created: its shards come with shard keys
	Placement      []PeerID // of a shard key: the peers that it may be on; empty, but not nil: all
}

// PeerChange is a peer as if it were in that state, or removed.
type PeerChange struct {
	Peer   PeerID
	State  PeerState
	Remove bool
}

// Plan returns what the cluster is about to do.
func (c *Client) Plan(ctx context.Context) (*Plan, error) {
	return c.plan(ctx, &clusterpb.GetPlanRequest{})
}

// PlanCollection returns what a change of a collection would lead to. Nothing is changed.
func (c *Client) PlanCollection(ctx context.Context, change CollectionChange) (*Plan, error) {
	return c.plan(ctx, &clusterpb.GetPlanRequest{Change: &clusterpb.GetPlanRequest_Collection{Collection: &clusterpb.CollectionChange{
		Collection: change.Collection, ShardNumber: change.ShardNumber, ReplicationFactor: change.ReplicationFactor,
		WriteConsistencyFactor: change.WriteConsistencyFactor, ShardKey: change.ShardKey.wire(), CustomSharding: change.CustomSharding,
		Placement: peerSet(change.Placement),
	}}})
}

// peerSet returns nil for nil, and all for an empty list.
func peerSet(peers []PeerID) *clusterpb.PeerSet {
	if peers == nil {
		return nil
	}
	set := &clusterpb.PeerSet{}
	for _, id := range peers {
		set.Peers = append(set.Peers, uint64(id))
	}
	return set
}

// PlanPeer returns what a change of a peer would lead to. Nothing is changed.
func (c *Client) PlanPeer(ctx context.Context, change PeerChange) (*Plan, error) {
	wire := &clusterpb.PeerChange{Peer: uint64(change.Peer), Remove: change.Remove}
	if !change.Remove {
		state, err := change.State.wire()
		if err != nil {
			return nil, named(err, operation{method: clusterService + "GetPlan"})
		}
		wire.State = state
	}
	return c.plan(ctx, &clusterpb.GetPlanRequest{Change: &clusterpb.GetPlanRequest_Peer{Peer: wire}})
}

func (c *Client) plan(ctx context.Context, request *clusterpb.GetPlanRequest) (*Plan, error) {
	op := operation{kind: read, method: clusterService + "GetPlan"}
	reply, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*clusterpb.GetPlanResponse, error) {
		return e.cluster.GetPlan(ctx, request)
	})
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	out := &Plan{
		LeftOut: reply.GetStepsLeftOut(), Bytes: reply.GetBytes(), Duration: time.Duration(reply.GetSeconds()) * time.Second, Paused: reply.GetPaused(),
	}
	for _, s := range reply.GetSteps() {
		out.Steps = append(out.Steps, PlannedStep{
			Kind: s.GetKind(), Collection: s.GetCollection(), Shard: s.ShardId, From: PeerID(s.GetFromPeer()), To: PeerID(s.GetToPeer()),
			Bytes: s.GetBytes(), Why: s.GetWhy(),
		})
	}
	for _, f := range reply.GetFindings() {
		out.Findings = append(out.Findings, Finding{Severity: severityOf(f.GetSeverity()), Code: f.GetCode(), Text: f.GetText(), Field: f.GetField()})
	}
	return out, nil
}

func severityOf(s clusterpb.PlanFinding_Severity) Severity {
	switch s {
	case clusterpb.PlanFinding_ERROR:
		return SeverityError
	case clusterpb.PlanFinding_WARNING:
		return SeverityWarning
	default:
		return SeverityInfo
	}
}

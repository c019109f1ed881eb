package consensus

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Bootstrap makes a fresh node the only member of a new cluster and returns when it leads. A node that belongs to a
// cluster already stays as it is: it waits for that cluster's leader.
func (n *Node) Bootstrap(ctx context.Context) error {
	alone := raft.Configuration{Servers: []raft.Server{{ID: serverID(n.opts.Self), Address: raft.ServerAddress(n.opts.Address)}}}
	err := n.do(ctx, func() error { return n.raft.BootstrapCluster(alone).Error() })
	if err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		return n.classed(err, "bootstrap the cluster")
	}
	n.stand()
	return n.awaitLeader(ctx)
}

// Voters returns the members that vote, with the addresses Raft has for them.
func (n *Node) Voters() map[catalog.PeerID]string {
	voters := map[catalog.PeerID]string{}
	future := n.raft.GetConfiguration()
	if future.Error() != nil {
		return voters
	}
	for _, s := range future.Configuration().Servers {
		if s.Suffrage == raft.Voter {
			voters[peerID(s.ID)] = string(s.Address)
		}
	}
	return voters
}

// AddVoter makes a peer a member, or changes its address, on the leader.
func (n *Node) AddVoter(ctx context.Context, id catalog.PeerID, addr string) error {
	err := n.do(ctx, func() error {
		return n.raft.AddVoter(serverID(id), raft.ServerAddress(addr), 0, remaining(ctx)).Error()
	})
	return n.classed(err, "add voter "+strconv.FormatUint(uint64(id), 10))
}

// RemoveVoter ends a peer's membership, on the leader. One that is no member is no error.
func (n *Node) RemoveVoter(ctx context.Context, id catalog.PeerID) error {
	err := n.do(ctx, func() error { return n.raft.RemoveServer(serverID(id), 0, remaining(ctx)).Error() })
	return n.classed(err, "remove voter "+strconv.FormatUint(uint64(id), 10))
}

// Handover passes leadership to one of the voters that want accepts, before a shutdown. Changes that are under way are made
// first, and those that come meanwhile wait for the new leader, so that nobody is told of an unknown outcome. It does nothing
// on a node that does not lead, and fails if nobody takes over.
func (n *Node) Handover(ctx context.Context, want func(catalog.PeerID) bool) error {
	if !n.IsLeader() {
		return nil
	}
	reopen, err := n.gate.close(ctx)
	if err != nil {
		return fault.Wrap(fault.ClassOf(err), err, "hand leadership over: changes are under way")
	}
	defer reopen()
	err = fault.New(fault.FailedPrecondition, "nobody else could lead")
	for id, addr := range n.Voters() {
		if id == n.opts.Self || !want(id) {
			continue
		}
		err = n.classed(n.do(ctx, func() error {
			return n.raft.LeadershipTransferToServer(serverID(id), raft.ServerAddress(addr)).Error()
		}), "hand leadership over")
		if err == nil || !n.IsLeader() || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// Barrier returns when this node has applied every change that was committed when it was called.
func (n *Node) Barrier(ctx context.Context) error {
	_, err := n.propose(ctx, nil)
	return err
}

func remaining(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(time.Until(deadline), time.Millisecond)
	}
	return enqueueTimeout
}

// classed gives raft's errors the class that says what a caller may do.
func (n *Node) classed(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrNotVoter):
		return n.notPrimary()
	case errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return fault.Wrap(fault.Unavailable, err, "%s", doing)
	case errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrAbortedByRestore), errors.Is(err, raft.ErrRaftShutdown):
		return unknown(fault.Unavailable, err, doing)
	case errors.Is(err, context.DeadlineExceeded):
		return unknown(fault.Timeout, err, doing)
	case errors.Is(err, context.Canceled):
		return unknown(fault.Canceled, err, doing)
	}
	return fault.Wrap(fault.ClassOf(err), err, "%s", doing)
}

func unknown(class fault.Class, cause error, doing string) error {
	e := fault.New(class, "%s: the outcome is unknown, the change may still be applied", doing)
	e.Cause = cause
	return e.With(fault.HintOutcome, fault.OutcomeUnknown)
}

func (n *Node) notPrimary() error {
	l := n.look()
	e := fault.New(fault.NotPrimary, "this node does not lead the metadata")
	if l.Leader != 0 && !l.Here {
		e = e.With("primary", strconv.FormatUint(uint64(l.Leader), 10)).With("address", l.Address)
	}
	return e.With("term", strconv.FormatUint(l.Term, 10))
}

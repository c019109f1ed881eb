// Package consensus owns the replicated metadata: hashicorp/raft around catalog's pure state machine.
//
// Every change goes through the log of Raft and is applied by catalog.Apply on every node in the same order. A
// change is proposed on any node, forwarded to the leader, and visible in the proposing node's own State when
// Propose returns (read your own changes). Readers take immutable snapshots and wait for newer ones; they never
// block a change. An error says whether the change may still be applied. Points never pass through here, and Apply
// never makes an effect: whoever watches the State does.
//
// Goroutines: those of raft.Raft, one that follows leadership, and one per change or configuration change under way
// here; Close ends them all and waits for them. raft.Raft calls the state machine from one goroutine, the only
// writer of the State.
package consensus

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
)

// Forwarder carries encoded commands (catalog.EncodeCommands) to the leader, whose Node.ApplyHere takes them. An error
// without the hint fault.HintOutcome means that the leader surely did not take them.
type Forwarder interface {
	Propose(ctx context.Context, leaderAddr string, commands []byte) (index uint64, results []catalog.Result, err error)
}

// Options configures a Node. Store, Self, Address and one of Layer and Transport are needed.
type Options struct {
	Store   *kv.Store      // in whose ledger the log and the snapshots stand; one Node at a time
	Self    catalog.PeerID // this node
	Address string         // where its peers reach it
	Layer   raft.StreamLayer
	// Transport replaces the network transport over Layer, for tests in one process.
	Transport raft.Transport
	Logger    hclog.Logger
	Forward   Forwarder // nil: changes are only taken while this node leads
	// Await, if not nil, returns once the peer at an address may answer, or ctx ends. It waits only for peers that are known not to.
	Await func(ctx context.Context, addr string)
	// Prepare fills in, on the leader, what a command needs from outside (catalog.Prepare); nil: nothing.
	Prepare    func(*catalog.State, catalog.Command) (catalog.Command, error)
	Timing     Timing
	Compaction Compaction
}

// Timing is Raft's. Zero fields get the defaults, which suit a local network.
type Timing struct {
	Heartbeat   time.Duration // without a word from the leader a follower stands for election, or a little later; default 1.2 s
	Election    time.Duration // a candidate gives up; default as Heartbeat
	LeaderLease time.Duration // without a quorum a leader steps down, at most Heartbeat; default 1 s
	Commit      time.Duration // an idle leader tells what is committed; default 20 ms
	Propose     time.Duration // bounds a Propose whose context has no deadline; default 10 s
}

// Compaction says when the log is folded into a snapshot. Zero fields get the defaults.
type Compaction struct {
	Threshold uint64        // entries since the last snapshot; default 4096
	Interval  time.Duration // between looks; default 30 s
	Trailing  uint64        // entries kept for followers that lag; default 1024
}

func (o Options) normalized() (Options, error) {
	if o.Store == nil || o.Self == 0 || o.Address == "" || (o.Layer == nil) == (o.Transport == nil) {
		return o, fault.New(fault.Invalid, "consensus: Store, Self, Address and one of Layer and Transport are needed")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Prepare == nil {
		o.Prepare = func(_ *catalog.State, cmd catalog.Command) (catalog.Command, error) { return cmd, nil }
	}
	orDefault(&o.Timing.Heartbeat, 1200*time.Millisecond)
	orDefault(&o.Timing.Election, o.Timing.Heartbeat)
	orDefault(&o.Timing.LeaderLease, min(time.Second, o.Timing.Heartbeat))
	orDefault(&o.Timing.Commit, 20*time.Millisecond)
	orDefault(&o.Timing.Propose, 10*time.Second)
	orDefault(&o.Compaction.Threshold, 4096)
	orDefault(&o.Compaction.Interval, 30*time.Second)
	orDefault(&o.Compaction.Trailing, 1024)
	return o, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// config returns Raft's configuration; raft.NewRaft validates it.
func (o Options) config() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = serverID(o.Self)
	c.HeartbeatTimeout = o.Timing.Heartbeat
	c.ElectionTimeout = o.Timing.Election
	c.LeaderLeaseTimeout = o.Timing.LeaderLease
	c.CommitTimeout = o.Timing.Commit
	c.SnapshotThreshold = o.Compaction.Threshold
	c.SnapshotInterval = o.Compaction.Interval
	c.TrailingLogs = o.Compaction.Trailing
	c.ShutdownOnRemove = false // the owner decides when to stop
	c.NoLegacyTelemetry = true
	c.Logger = o.Logger.Named("raft")
	return c
}

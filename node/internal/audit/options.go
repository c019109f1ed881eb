package audit

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// Local is the replicas on this node.
type Local interface {
	DigestAt(ctx context.Context, ref catalog.ShardRef, gen catalog.Generation, index, pace uint64) (replica.Digest, error)
	Judge(ref catalog.ShardRef, gen catalog.Generation, differs string) error
	// Distrust makes a primary here demote a replica; it has to be repeated until the metadata shows it.
	Distrust(ref catalog.ShardRef, peer catalog.PeerID) error
}

// Remote is the replicas on other nodes.
type Remote interface {
	DigestAt(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, gen catalog.Generation, index, pace uint64) (replica.Digest, error)
	Verdict(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, judgements []replica.Judgement) error
}

// Metadata is the catalog.
type Metadata interface {
	Watch() (*catalog.State, <-chan struct{})
	Propose(ctx context.Context, cmds ...catalog.Command) ([]catalog.Result, error)
	Leader() (catalog.PeerID, string)
}

// Liveness tells which peers answer.
type Liveness interface {
	Alive(catalog.PeerID) bool
}

// Mover is asked on the Raft leader's node to give a shard another primary than from. It does not block.
type Mover interface {
	MovePrimary(ref catalog.ShardRef, from catalog.PeerID)
}

// Options configure an Auditor. Self, Local, Remote, Metadata, Liveness and Mover are needed.
type Options struct {
	Self     catalog.PeerID
	Local    Local
	Remote   Remote
	Metadata Metadata
	Liveness Liveness
	Mover    Mover
	Events   *event.Log // nil: nobody is told
	Logger   hclog.Logger
	// Every is how often each shard is compared in the background, by its primary's node; 0 means never.
	Every time.Duration
	// Pace bounds what the check in the background reads of each replica, in bytes a second; 0 means 8 MiB.
	Pace       uint64
	Registerer prometheus.Registerer // nil: metrics are counted for nobody
}

func (o Options) validated() (Options, error) {
	if o.Self == 0 || o.Local == nil || o.Remote == nil || o.Metadata == nil || o.Liveness == nil || o.Mover == nil {
		return o, fault.New(fault.Internal, "audit options: a required part is missing")
	}
	if o.Every < 0 {
		return o, fault.New(fault.Invalid, "the time between two checks of a shard cannot be negative: %s", o.Every)
	}
	if o.Events == nil {
		o.Events = event.New(1)
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Pace == 0 {
		o.Pace = 8 << 20
	}
	return o, nil
}

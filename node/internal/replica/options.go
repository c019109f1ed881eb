package replica

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// Sender carries replication messages to other peers. Send never blocks; it may drop, and the protocol sends again.
type Sender interface {
	Send(to catalog.PeerID, ref catalog.ShardRef, generation catalog.Generation, m replication.Message)
}

// Metadata is the catalog as this peer sees it.
type Metadata interface {
	// Watch returns the newest state and a channel that is closed at the next change.
	Watch() (*catalog.State, <-chan struct{})
	// Propose makes changes and returns once they are applied here.
	Propose(ctx context.Context, cmds ...catalog.Command) ([]catalog.Result, error)
}

// Liveness tells which peers answer.
type Liveness interface {
	Alive(catalog.PeerID) bool
}

// Promoter asks the Raft leader for a promotion (R7, and after a fence). It never blocks.
type Promoter interface {
	WantPromotion(ref catalog.ShardRef, term uint64)
}

// Options configure a Manager. All interfaces and the store are required.
type Options struct {
	Self     catalog.PeerID
	Store    *kv.Store
	Metadata Metadata
	Sender   Sender
	Liveness Liveness
	Promoter Promoter
	Logger   hclog.Logger
	Metrics  *Metrics
	// Tick is the protocol's unit of time; 0 means 100 ms.
	Tick time.Duration
	// ReadWait bounds how long a read waits for a replica to catch up with its min_index; 0 means 500 ms.
	ReadWait time.Duration
}

func (o Options) validated() (Options, error) {
	if o.Self == 0 || o.Store == nil || o.Metadata == nil || o.Sender == nil || o.Liveness == nil || o.Promoter == nil {
		return o, fault.New(fault.Internal, "replica options: a required part is missing")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Tick <= 0 {
		o.Tick = 100 * time.Millisecond
	}
	if o.ReadWait <= 0 {
		o.ReadWait = 500 * time.Millisecond
	}
	return o, nil
}

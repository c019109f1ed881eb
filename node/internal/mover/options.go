package mover

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// Metadata is the catalog as this node sees it.
type Metadata interface {
	// Watch returns the newest state and a channel that is closed at the next change.
	Watch() (*catalog.State, <-chan struct{})
	// Propose makes changes and returns once they are applied here.
	Propose(ctx context.Context, cmds ...catalog.Command) ([]catalog.Result, error)
}

// Replicas are the replicas on this node.
type Replicas interface {
	Offices
	Logs
	Traffic
}

// Offices tell what is known of the shards that are led here.
type Offices interface {
	Office(ref catalog.ShardRef) (replica.Office, bool)
	Settled(ctx context.Context, ref catalog.ShardRef) error
	RowsIn(ref catalog.ShardRef, slots slot.Set) uint64
	Stray(ref catalog.ShardRef, o replica.Office, limit uint32) move.Op
}

// Logs are the logs of the shards that are led here.
type Logs interface {
	Submit(ref catalog.ShardRef, term uint64, op move.Op) (*replica.Submitted, error)
	SubmitHere(ref catalog.ShardRef, term uint64, op move.Op) (*replica.Submitted, error)
	Control(ctx context.Context, ref catalog.ShardRef, term uint64, op move.Op) (uint64, error)
}

// Traffic is what comes to this node, and what goes from it.
type Traffic interface {
	Feed(ctx context.Context, req replica.FeedRequest, send func(replica.FeedChunk) error) error
	Arrive(ctx context.Context) (leave func(), err error)
	Throttle(ctx context.Context, bytes int) error
}

// Feeds fetches what moves from another peer.
type Feeds interface {
	Feed(ctx context.Context, from catalog.PeerID, req replica.FeedRequest, receive func(replica.FeedChunk) error) error
}

// Options configures a Mover. What stands before Logger is needed.
type Options struct {
	Self     catalog.PeerID
	Metadata Metadata
	Replicas Replicas
	Feeds    Feeds
	Logger   hclog.Logger
	Metrics  *Metrics
	// SealFor bounds the time for which a source takes no writes of the slots: after it the target gives the attempt up, after twice as
	// much the source does. Default 500 ms. Where several attempts were in vain the further ones get more, sixteen times as much at most.
	SealFor time.Duration
	// Small is how many changed points a pass may have for the next one to be the last. Default 500.
	Small int
	// RetryMin and RetryMax bound the pause after a failed step, doubled each time. Defaults 50 ms and 5 s.
	RetryMin, RetryMax time.Duration
	// Sweep is how often a primary looks for what no move accounts for. Default 10 s.
	Sweep time.Duration
}

func (o Options) normalized() (Options, error) {
	if o.Self == 0 || o.Metadata == nil || o.Replicas == nil || o.Feeds == nil {
		return o, fault.New(fault.Invalid, "mover: an option is missing")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	o.SealFor = orDefault(o.SealFor, 500*time.Millisecond)
	o.Small = orDefault(o.Small, 500)
	o.RetryMin = orDefault(o.RetryMin, 50*time.Millisecond)
	o.RetryMax = max(orDefault(o.RetryMax, 5*time.Second), o.RetryMin)
	o.Sweep = orDefault(o.Sweep, 10*time.Second)
	return o, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

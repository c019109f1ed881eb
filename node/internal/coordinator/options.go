package coordinator

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// Local is the data path of the replicas on this node.
type Local interface {
	Write(ctx context.Context, ref catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (index uint64, completed bool, err error)
	Search(ctx context.Context, ref catalog.ShardRef, minIndex uint64, reqs []shard.SearchRequest) ([][]shard.Scored, uint64, error)
	Scroll(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.ScrollRequest) ([]point.Record, uint64, error)
	Get(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.GetRequest) ([]point.Record, uint64, error)
	Count(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.CountRequest) (count, applied uint64, err error)
	Facet(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.FacetRequest) ([]payload.Facet, uint64, error)
}

// Remote is the same of the replicas on another peer. Errors keep their class across the wire; one without the hint
// fault.HintOutcome was surely not acted upon (see sure).
type Remote interface {
	Write(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (index uint64, completed bool, err error)
	Search(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, minIndex uint64, reqs []shard.SearchRequest) ([][]shard.Scored, uint64, error)
	Scroll(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, minIndex uint64, req shard.ScrollRequest) ([]point.Record, uint64, error)
	Get(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, minIndex uint64, req shard.GetRequest) ([]point.Record, uint64, error)
	Count(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, minIndex uint64, req shard.CountRequest) (count, applied uint64, err error)
	Facet(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, minIndex uint64, req shard.FacetRequest) ([]payload.Facet, uint64, error)
}

// LocalStatus tells of the replicas on this node.
type LocalStatus interface {
	Status(refs []catalog.ShardRef) []replica.Status
}

// RemoteStatus tells of the replicas on another peer.
type RemoteStatus interface {
	Status(ctx context.Context, to catalog.PeerID, refs []catalog.ShardRef) ([]replica.Status, error)
}

// Metadata gives the current catalog, and a channel that is closed once there is a newer one.
type Metadata interface {
	Watch() (*catalog.State, <-chan struct{})
}

// Liveness tells which peers answer, and which have said that they are shutting down.
type Liveness interface {
	Alive(catalog.PeerID) bool
	Draining(catalog.PeerID) bool
}

// Disks tells whose disk is full.
type Disks interface {
	// Full returns an error of class fault.Exhausted for each peer whose disk is; nil for none.
	Full() map[catalog.PeerID]error
}

// Options configures a Coordinator. What stands before Logger is needed.
type Options struct {
	Self         catalog.PeerID
	Local        Local
	Remote       Remote
	LocalStatus  LocalStatus
	RemoteStatus RemoteStatus
	Metadata     Metadata
	Liveness     Liveness
	Logger       hclog.Logger
	Disks        Disks // nil: none is ever full
	// LocalProof and RemoteProof are what linearizable reads stand on; without them such reads are Unsupported.
	LocalProof  LocalProof
	RemoteProof RemoteProof
	// Barrier returns once this node shows every metadata change that was committed before the call. Nil: what this node does
	// not know does not exist.
	Barrier func(context.Context) error
	// Timeout bounds a request whose context has no deadline. Default 30 s.
	Timeout time.Duration
	// Parallel bounds the shards that one request works on at once. Default 64.
	Parallel int
	// MaxOpBytes is where the points of a large batch for one shard are cut into several operations. Default 8 MiB.
	MaxOpBytes int
	// RetryMin and RetryMax bound the pause between attempts at a write. Defaults 10 ms and 500 ms.
	RetryMin, RetryMax time.Duration
	// FullPatience bounds how long a write whose shard's queue is full is tried again. Default 1 s.
	FullPatience time.Duration
	// StatusTimeout bounds how long Statuses waits for a peer. Default 1 s.
	StatusTimeout time.Duration
	// ProofTimeout bounds one try to get a primary's proof for a linearizable read. Default 1 s.
	ProofTimeout time.Duration
	// BarrierTimeout bounds how long a miss waits for metadata that are up to date. Default 2 s.
	BarrierTimeout time.Duration
}

func (o Options) normalized() (Options, error) {
	if o.Self == 0 || o.Local == nil || o.Remote == nil || o.LocalStatus == nil || o.RemoteStatus == nil || o.Metadata == nil || o.Liveness == nil {
		return o, fault.New(fault.Invalid, "coordinator: an option is missing")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	o.Timeout = orDefault(o.Timeout, 30*time.Second)
	o.Parallel = orDefault(o.Parallel, 64)
	o.MaxOpBytes = orDefault(o.MaxOpBytes, 8<<20)
	o.RetryMin = orDefault(o.RetryMin, 10*time.Millisecond)
	o.RetryMax = max(orDefault(o.RetryMax, 500*time.Millisecond), o.RetryMin)
	o.FullPatience = orDefault(o.FullPatience, time.Second)
	o.StatusTimeout = orDefault(o.StatusTimeout, time.Second)
	o.ProofTimeout = orDefault(o.ProofTimeout, time.Second)
	o.BarrierTimeout = orDefault(o.BarrierTimeout, 2*time.Second)
	return o, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Coordinator routes requests. All methods are safe for concurrent use.
type Coordinator struct {
	opts    Options
	seen    *session
	turn    *rotation
	pace    *pace
	barrier *barrier     // nil: there is none
	reading atomic.Int64 // reads under way
}

// New returns a Coordinator.
func New(opts Options) (*Coordinator, error) {
	opts, err := opts.normalized()
	if err != nil {
		return nil, err
	}
	c := &Coordinator{opts: opts, seen: newSession(), turn: new(rotation), pace: newPace()}
	if opts.Barrier != nil {
		c.barrier = newBarrier(opts.Barrier)
	}
	return c, nil
}

// bounded is deadline for what waits until all that it started has ended: there is nothing left to cancel then.
func (c *Coordinator) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.opts.Timeout)
}

// deadline gives a request without a deadline the default one.
func (c *Coordinator) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.opts.Timeout)
}

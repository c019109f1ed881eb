package replica

import (
	"context"
	"math"
	"runtime"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
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
	Changed() <-chan struct{} // closed at the next change
}

// Disks tells whose disk is full.
type Disks interface {
	// Full returns an error of class fault.Exhausted for each peer, this one among them, whose disk is; nil for none.
	Full() map[catalog.PeerID]error
}

// Promoter asks the Raft leader for a promotion (R7, and after a fence). It never blocks.
type Promoter interface {
	WantPromotion(ref catalog.ShardRef, term uint64)
}

// Options configure a Manager. All interfaces and the store are required.
type Options struct {
	Self     catalog.PeerID
	Store    *kv.Store
	Indexing *dense.Pool // what shards share to build graphs; nil: each index has its own
	IndexDir string      // where the indexes of shards are kept; "" keeps none
	Metadata Metadata
	Sender   Sender
	Liveness Liveness
	Promoter Promoter
	Disks    Disks // nil: none is ever full
	Logger   hclog.Logger
	Metrics  *Metrics
	// Tick is the protocol's unit of time; 0 means 100 ms.
	Tick time.Duration
	// Snapshots fetches snapshots from other peers; nil: no replica can be filled from one.
	Snapshots Snapshots
	// LogBytes and LogEntries bound a replica's log: 0 means 64 MiB and 100,000. For the sake of another replica that still
	// needs it, it may grow to LogHold times as much: 0 means 4.
	LogBytes, LogEntries, LogHold int
	// Transfers bounds the snapshots on their way to and from this node: the zero value has its defaults.
	Transfers TransferLimits
	// Reads bounds the reads that this node works on at once, ReadsWaiting those that wait for their turn: 0 means 16 for each
	// processor, 64 at least, and 8192.
	Reads, ReadsWaiting int
	// ReadWait bounds how long a read waits for a replica to catch up with its min_index; 0 means 500 ms.
	ReadWait time.Duration

	builds   chan struct{} // one per shard whose payload indexes are being filled
	traffic  *traffic
	restless *restless
}

// buildsAtOnce bounds how many shards fill their payload indexes at the same time.
const buildsAtOnce = 2

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
	if o.Disks == nil {
		o.Disks = roomy{}
	}
	if o.Tick <= 0 {
		o.Tick = 100 * time.Millisecond
	}
	if o.ReadWait <= 0 {
		o.ReadWait = 500 * time.Millisecond
	}
	o.Reads = orDefault(o.Reads, max(64, 16*runtime.GOMAXPROCS(0)))
	o.ReadsWaiting = orDefault(o.ReadsWaiting, 8192)
	o.LogBytes = orDefault(o.LogBytes, 64<<20)
	o.LogEntries = orDefault(o.LogEntries, 100_000)
	o.LogHold = orDefault(o.LogHold, 4)
	o.Transfers = o.Transfers.withDefaults()
	o.builds = make(chan struct{}, buildsAtOnce)
	return o, nil
}

// roomy are disks of which none is ever full.
type roomy struct{}

func (roomy) Full() map[catalog.PeerID]error { return nil }

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

func (o *Options) logBounds() logBounds {
	return logBounds{
		softBytes: o.LogBytes, hardBytes: o.LogBytes * o.LogHold,
		softEntries: o.LogEntries, hardEntries: o.LogEntries * o.LogHold,
	}
}

// TransferLimits bounds what snapshots take of a node.
type TransferLimits struct {
	In, Out        int           // how many at once, each way; 0 means as the catalog's settings say
	BytesPerSecond int           // each way; 0 means as the catalog's settings say
	ChunkBytes     int           // how much is read, sent and stored at once; 0 means 512 KiB
	RetryMin       time.Duration // the pause after a first failed attempt, doubled after each; 0 means 200 ms
	RetryMax       time.Duration // 0 means 10 s
	Stall          time.Duration // an attempt that brings nothing for so long has failed; 0 means 30 s
}

// under returns the limits where what was not given is as the settings say.
func (l TransferLimits) under(s catalog.Settings) TransferLimits {
	l.In, l.Out = orDefault(l.In, s.PerPeer()), orDefault(l.Out, s.PerPeer())
	l.BytesPerSecond = orDefault(l.BytesPerSecond, int(min(s.BytesPerSecond(), math.MaxInt)))
	return l
}

func (l TransferLimits) withDefaults() TransferLimits {
	l.ChunkBytes = orDefault(l.ChunkBytes, 512<<10)
	l.RetryMin, l.RetryMax = orDefault(l.RetryMin, 200*time.Millisecond), orDefault(l.RetryMax, 10*time.Second)
	l.Stall = orDefault(l.Stall, 30*time.Second)
	return l
}

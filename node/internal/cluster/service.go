package cluster

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

// Metadata gives the current catalog.
type Metadata interface {
	Watch() (*catalog.State, <-chan struct{})
}

// Raft tells how consensus stands.
type Raft interface {
	Leader() (catalog.PeerID, string)
	Term() uint64
	AppliedIndex() uint64
	Voters() map[catalog.PeerID]string
}

// Liveness tells which peers answer.
type Liveness interface {
	Alive(catalog.PeerID) bool
	LastSeen(catalog.PeerID) time.Time
}

// Statuses asks replicas what they say of themselves.
type Statuses interface {
	Statuses(ctx context.Context, refs []catalog.ShardRef) coordinator.Statuses
}

// Gauges tell how large things are on a peer, as it last said; 0 is not known.
type Gauges interface {
	Of(catalog.PeerID) peer.Gauge
}

// Options configures a Service. Comparer, Proposer, Planner, Gauges, Events and Closing may be left out, and what needs them is Unsupported then; so
// may CatchUp.
type Options struct {
	Self     catalog.PeerID
	Version  string
	Metadata Metadata
	Raft     Raft
	Liveness Liveness
	Statuses Statuses
	Comparer Comparer
	Proposer Proposer // nil: this node changes nothing
	Planner  Planner  // nil: this node plans nothing
	Gauges   Gauges   // nil: no size is known
	Events   *event.Log
	Closing  <-chan struct{} // ends the streams that follow
	// CatchUp returns once this node shows every metadata change that was committed before the call: before it denies that a
	// collection exists. Nil: what this node does not know does not exist.
	CatchUp func(context.Context) error
}

// events returns the log to write to.
func (o *Options) events() *event.Log {
	if o.Events == nil {
		return event.New(1)
	}
	return o.Events
}

// Service implements ostraka.cluster.v1.Cluster.
type Service struct {
	clusterpb.UnimplementedClusterServer
	opts      Options
	verifying chan struct{} // capacity 1
	planning  chan struct{} // capacity plansAtOnce
}

// New returns a Service.
func New(opts Options) (*Service, error) {
	if opts.Self == 0 || opts.Metadata == nil || opts.Raft == nil || opts.Liveness == nil || opts.Statuses == nil {
		return nil, fault.New(fault.Invalid, "cluster service: an option is missing")
	}
	return &Service{opts: opts, verifying: make(chan struct{}, 1), planning: make(chan struct{}, plansAtOnce)}, nil
}

// Register makes a Service and attaches it to server.
func Register(server grpc.ServiceRegistrar, opts Options) (*Service, error) {
	s, err := New(opts)
	if err != nil {
		return nil, err
	}
	clusterpb.RegisterClusterServer(server, s)
	return s, nil
}

// GetCluster lists the members, their liveness as this node sees it, and who leads.
func (s *Service) GetCluster(context.Context, *clusterpb.GetClusterRequest) (*clusterpb.GetClusterResponse, error) {
	state, _ := s.opts.Metadata.Watch()
	leader, _ := s.opts.Raft.Leader()
	standing := Standing{
		Leader: leader, Term: s.opts.Raft.Term(), Applied: s.opts.Raft.AppliedIndex(), Voters: s.opts.Raft.Voters(),
	}
	return Members(state, s.opts.Self, s.opts.Version, standing, s.observe(nil)), nil
}

// GetPlacement tells where the named collections are (by name or alias), all of them when none is named.
func (s *Service) GetPlacement(ctx context.Context, req *clusterpb.GetPlacementRequest) (*clusterpb.GetPlacementResponse, error) {
	state, cols, err := s.find(ctx, req.GetCollections())
	if err != nil {
		return nil, fault.Status(err).Err()
	}
	var refs []catalog.ShardRef
	for _, col := range cols {
		for _, sh := range col.Shards {
			refs = append(refs, catalog.ShardRef{Collection: col.ID, Shard: sh.ID})
		}
	}
	obs := s.observe(s.opts.Statuses.Statuses(ctx, refs))
	resp := &clusterpb.GetPlacementResponse{}
	for _, col := range cols {
		resp.Collections = append(resp.Collections, Placement(state, col, obs))
	}
	return resp, nil
}

// Warnings gathers what Warnings needs of one collection, for others that show it.
func (s *Service) Warnings(ctx context.Context, col *catalog.Collection) []string {
	state, _ := s.opts.Metadata.Watch()
	refs := make([]catalog.ShardRef, len(col.Shards))
	for i, sh := range col.Shards {
		refs[i] = catalog.ShardRef{Collection: col.ID, Shard: sh.ID}
	}
	return Warnings(state, col, s.observe(s.opts.Statuses.Statuses(ctx, refs)))
}

func (s *Service) observe(statuses coordinator.Statuses) Observations {
	return Observations{
		Now: time.Now(), Alive: s.opts.Liveness.Alive, LastSeen: s.opts.Liveness.LastSeen, Status: statuses.Of, Gauge: s.gauge,
	}
}

func (s *Service) gauge(id catalog.PeerID) peer.Gauge {
	if s.opts.Gauges == nil {
		return peer.Gauge{}
	}
	return s.opts.Gauges.Of(id)
}

// find is choose on the present state, and once more on one that is up to date if something is missing.
func (s *Service) find(ctx context.Context, names []string) (*catalog.State, []*catalog.Collection, error) {
	state, _ := s.opts.Metadata.Watch()
	cols, err := choose(state, names)
	if !fault.Is(err, fault.NotFound) || s.opts.CatchUp == nil {
		return state, cols, err
	}
	if err := s.opts.CatchUp(ctx); err != nil {
		return nil, nil, err
	}
	state, _ = s.opts.Metadata.Watch()
	cols, err = choose(state, names)
	return state, cols, err
}

// choose finds the collections that were asked for, ordered by name, each once.
func choose(state *catalog.State, names []string) ([]*catalog.Collection, error) {
	if len(names) == 0 {
		return state.Sorted(), nil
	}
	wanted := map[catalog.CollectionID]bool{}
	for _, name := range names {
		col, ok := state.Lookup(name)
		if !ok {
			return nil, catalog.ErrMissingCollection(name)
		}
		wanted[col.ID] = true
	}
	return slices.DeleteFunc(state.Sorted(), func(c *catalog.Collection) bool { return !wanted[c.ID] }), nil
}

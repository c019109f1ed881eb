package api

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/strictmode"
)

// Points reads and writes the points of all shards of a collection, given by its name or an alias.
type Points interface {
	Writer
	// Search answers every query, best first, its offset taken off.
	Search(ctx context.Context, collection string, queries []coordinator.Query, o coordinator.ReadOptions) ([][]shard.Scored, error)
	// Get returns the points that exist, in the order of the request.
	Get(ctx context.Context, collection string, r shard.GetRequest, o coordinator.ReadOptions) ([]point.Record, error)
	// Scroll returns points in the order of their ids, and the first id after them if there is one.
	Scroll(ctx context.Context, collection string, r shard.ScrollRequest, o coordinator.ReadOptions) ([]point.Record, *point.ID, error)
	// Count counts the points that match.
	Count(ctx context.Context, collection string, f *filter.Filter, o coordinator.ReadOptions) (uint64, error)
	// Facet counts the values at a path, those of the most points first.
	Facet(ctx context.Context, collection string, req shard.FacetRequest, limit uint64, o coordinator.ReadOptions) ([]payload.Facet, error)
}

// Writer changes the points of a collection.
type Writer interface {
	// Write returns once the operation is acknowledged, or with Wait applied, by as many replicas as declared.
	Write(ctx context.Context, collection string, op point.Op, o coordinator.WriteOptions) (coordinator.WriteResult, error)
	// Forget removes from all points what they hold of a vector that is no longer declared, by its catalog.Config.Inner.
	Forget(ctx context.Context, collection, inner string) error
}

// Metadata reads and changes what the cluster has declared.
type Metadata interface {
	// State returns the state as this node has it.
	State() *catalog.State
	// Propose makes changes and returns once this node shows them. Of one command, the error is the result's.
	Propose(ctx context.Context, commands ...catalog.Command) ([]catalog.Result, error)
}

// Inspector counts what a collection holds, over all peers.
type Inspector interface {
	Info(ctx context.Context, collection string) (coordinator.Info, error)
}

// Options say what the services stand on. Points, Metadata, Inspector and Self are needed.
type Options struct {
	Points    Points
	Metadata  Metadata
	Inspector Inspector
	Self      catalog.PeerID // of this node, as CollectionClusterInfo shows it

	// Version and Commit are this program's own; HealthCheck shows them behind the version of Qdrant's API.
	Version string
	Commit  string

	// LocalPoints counts the points of this node's own replica of a shard. Nil: none are shown.
	LocalPoints func(ref catalog.ShardRef) uint64
	// Warnings tells, for people, what of a collection is not as declared and what its declaration risks. Nil: nothing.
	Warnings func(ctx context.Context, c *catalog.Collection) []string
	// CatchUp returns once this node shows every metadata change that was committed before the call. It comes before any answer
	// that denies that something exists: who is told so may act on it. Nil: what this node does not know does not exist.
	CatchUp func(ctx context.Context) error
	// Ready tells why this node cannot serve now; nil, or a nil error, means that it can.
	Ready func() error
	// Settle waits until the other peers show the metadata that this node shows, so that a client which creates a
	// collection here may use it at another node at once. Its failure is only logged. Nil: nothing is waited for.
	Settle func(ctx context.Context) error

	// Admit puts what limits the work of this node before a service. Nil: nothing does.
	Admit func(*grpc.ServiceDesc) *grpc.ServiceDesc

	Logger hclog.Logger

	MaxLimit uint64        // of one query: limit and offset together; default 100,000
	MaxBatch int           // queries or operations in one request; default 10,000
	Timeout  time.Duration // of reads and writes whose client set none; default 60 s
	// Now is the clock that operations bear; default: time.Now.
	Now func() time.Time
	// Random gives the seeds of samples; default: one that nobody can foresee.
	Random func() uint64
	// MetadataTimeout is that of changes of the metadata; default 10 s.
	MetadataTimeout time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.Points == nil || o.Metadata == nil || o.Inspector == nil || o.Self == 0 {
		return o, fault.New(fault.Internal, "api options: Points, Metadata, Inspector and Self are needed")
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.LocalPoints == nil {
		o.LocalPoints = func(catalog.ShardRef) uint64 { return 0 }
	}
	if o.Warnings == nil {
		o.Warnings = func(context.Context, *catalog.Collection) []string { return nil }
	}
	if o.CatchUp == nil {
		o.CatchUp = func(context.Context) error { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Uint64
	}
	setDefault(&o.MaxLimit, 100_000)
	setDefault(&o.MaxBatch, 10_000)
	setDefault(&o.Timeout, time.Minute)
	setDefault(&o.MetadataTimeout, 10*time.Second)
	return o, nil
}

func setDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// Register adds Qdrant's four services, grpc.health.v1 and reflection (v1 and v1alpha) to s. Reflection shows the
// services that are registered by the time a client asks.
func Register(s *grpc.Server, o Options) error {
	services, err := newServices(o)
	if err != nil {
		return err
	}
	for _, service := range services {
		desc := service.desc
		if o.Admit != nil && desc.ServiceName != grpc_health_v1.Health_ServiceDesc.ServiceName {
			desc = o.Admit(desc)
		}
		s.RegisterService(desc, service.server)
	}
	reflection.Register(s)
	return nil
}

// service is one service and how it is called.
type service struct {
	desc   *grpc.ServiceDesc
	server any
}

func newServices(o Options) ([]service, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &core{Options: o, strict: strictmode.New(strictmode.Options{Measure: measured(o.Inspector), Now: o.Now})}
	g := newGuard(o.Logger,
		qdrant.File_qdrant_proto.Services().Get(0), qdrant.File_collections_service_proto.Services().Get(0),
		qdrant.File_points_service_proto.Services().Get(0), qdrant.File_snapshots_service_proto.Services().Get(0))
	return []service{
		{g.wrap(qdrant.Qdrant_ServiceDesc), &qdrantService{core: c}},
		{g.wrap(qdrant.Collections_ServiceDesc), &collectionsService{core: c}},
		{g.wrap(qdrant.Points_ServiceDesc), &pointsService{core: c}},
		{g.wrap(qdrant.Snapshots_ServiceDesc), &snapshotsService{}},
		{&grpc_health_v1.Health_ServiceDesc, &healthService{ready: o.Ready}},
	}, nil
}

// core is what the services share.
type core struct {
	Options
	strict *strictmode.Keeper
}

// maxTimeout keeps a client's timeout within what a deadline can hold.
const maxTimeout = 24 * time.Hour

// deadline bounds ctx by the timeout of a request in seconds, if it has one, and else by a default.
func deadline(ctx context.Context, seconds *uint64, otherwise time.Duration) (context.Context, context.CancelFunc) {
	timeout := otherwise
	if seconds != nil {
		timeout = time.Duration(min(*seconds, uint64(maxTimeout/time.Second))) * time.Second
	}
	return context.WithTimeout(ctx, timeout)
}

// declared returns what the collection declares, or false if this node does not know it. Whether it exists is for
// the coordinator to say, which may know a newer state.
func (c *core) declared(collection string) (catalog.Config, bool) {
	found, ok := c.Metadata.State().Lookup(collection)
	if !ok {
		return catalog.Config{}, false
	}
	return found.Config, true
}

// find resolves a name or an alias. NotFound is confirmed: this node's metadata were up to date when it said so.
func (c *core) find(ctx context.Context, collection string) (*catalog.State, *catalog.Collection, error) {
	state := c.Metadata.State()
	if found, ok := state.Lookup(collection); ok {
		return state, found, nil
	}
	if err := c.CatchUp(ctx); err != nil {
		return nil, nil, within(err, "collection %.255q is not known here", collection)
	}
	state = c.Metadata.State()
	if found, ok := state.Lookup(collection); ok {
		return state, found, nil
	}
	return nil, nil, catalog.ErrMissingCollection(collection)
}

// since returns the seconds since start, as replies show them.
func since(start time.Time) float64 { return time.Since(start).Seconds() }

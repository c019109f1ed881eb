package peer

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// Data is the data path of the replicas on this node.
type Data interface {
	Write(ctx context.Context, ref catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (index uint64, completed bool, err error)
	Search(ctx context.Context, ref catalog.ShardRef, minIndex uint64, reqs []shard.SearchRequest) ([][]shard.Scored, uint64, error)
	Scroll(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.ScrollRequest) ([]point.Record, uint64, error)
	Get(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.GetRequest) ([]point.Record, uint64, error)
	Count(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.CountRequest) (count, applied uint64, err error)
	Facet(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.FacetRequest) ([]payload.Facet, uint64, error)
}

// Replicas is the protocol's side of the replicas on this node. Step is called with the messages of one peer in
// the order in which it sent them, and does not block for long.
type Replicas interface {
	Step(ref catalog.ShardRef, generation catalog.Generation, m replication.Message)
	Fence(ctx context.Context, ref catalog.ShardRef, generation catalog.Generation, term uint64, yield bool) (replica.FenceAnswer, error)
	Status(refs []catalog.ShardRef) []replica.Status
}

// Proposer makes metadata changes if this node is the Raft leader (else fault.NotPrimary).
type Proposer interface {
	ApplyHere(ctx context.Context, commands []catalog.Command) (index uint64, results []catalog.Result, err error)
}

// Joiner lets a node into the cluster. forwarded tells that another member has sent the request on.
type Joiner interface {
	Join(ctx context.Context, p catalog.Peer, forwarded bool) (JoinAnswer, error)
}

// Copies compares the replicas on this node with others'.
type Copies interface {
	DigestAt(ctx context.Context, ref catalog.ShardRef, gen catalog.Generation, index, pace uint64) (replica.Digest, error)
	// Verdict hears what a comparison of a shard's replicas came to.
	Verdict(ref catalog.ShardRef, judgements []replica.Judgement)
}

// Promotions hears of primaries that may not lead any more. It does not block.
type Promotions interface {
	WantPromotion(from catalog.PeerID, ref catalog.ShardRef, term uint64)
}

// JoinAnswer is what a node learns when it is let in.
type JoinAnswer struct {
	ClusterID string
	Peers     []catalog.Peer // members, the new one among them
}

// ServiceOptions configures a Service. Only Logger, Snapshots, Feeds, Copies, Reads, Expect, Applied, Draining, Gauge and Heard may be left out.
type ServiceOptions struct {
	Self       catalog.Peer
	Membership *Membership
	Data       Data
	Replicas   Replicas
	Proposer   Proposer
	Joiner     Joiner
	Promotions Promotions
	Snapshots  Snapshots                      // nil: none are given
	Feeds      Feeds                          // nil: no slots move from here
	Copies     Copies                         // nil: comparing is Unsupported
	Reads      Confirmer                      // nil: linearizable reads are Unsupported
	Applied    func() uint64                  // applied index of the metadata
	Draining   func() bool                    // this node is shutting down
	Expelled   func(catalog.PeerID) bool      // whether a peer was removed for good
	Heard      func(catalog.PeerID, Standing) // hears what other nodes say of themselves; it does not block
	Gauge      func() Gauge                   // how large things are here; it does not block for long
	Expect     uint32                         // --bootstrap-expect; 0 = not given
	// Admit puts what limits the work of this node before the service. Nil: nothing does.
	Admit  func(*grpc.ServiceDesc) *grpc.ServiceDesc
	Logger hclog.Logger
}

func (o ServiceOptions) normalized() (ServiceOptions, error) {
	if o.Self.ID == 0 || o.Membership == nil || o.Data == nil || o.Replicas == nil || o.Proposer == nil || o.Joiner == nil || o.Promotions == nil {
		return o, fault.New(fault.Invalid, "peer service: Self, Membership, Data, Replicas, Proposer, Joiner and Promotions are needed")
	}
	if o.Applied == nil {
		o.Applied = func() uint64 { return 0 }
	}
	if o.Draining == nil {
		o.Draining = func() bool { return false }
	}
	if o.Expelled == nil {
		o.Expelled = func(catalog.PeerID) bool { return false }
	}
	if o.Heard == nil {
		o.Heard = func(catalog.PeerID, Standing) {}
	}
	if o.Gauge == nil {
		o.Gauge = func() Gauge { return Gauge{} }
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	return o, nil
}

// Service answers other nodes. It starts no goroutine of its own.
type Service struct {
	peerpb.UnimplementedPeerServer
	opts ServiceOptions
}

// NewService returns a service; Register attaches it to a gRPC server made with ServerOptions.
func NewService(opts ServiceOptions) (*Service, error) {
	opts, err := opts.normalized()
	if err != nil {
		return nil, err
	}
	return &Service{opts: opts}, nil
}

// Register attaches the service to server.
func (s *Service) Register(server *grpc.Server) {
	desc := &peerpb.Peer_ServiceDesc
	if s.opts.Admit != nil {
		desc = s.opts.Admit(desc)
	}
	server.RegisterService(desc, s)
}

// Works reports whether a method of this service makes a node work for another one's clients; all others keep the cluster
// together, and wait behind nobody.
func Works(method string) bool {
	switch method {
	case peerpb.Peer_Write_FullMethodName, peerpb.Peer_Search_FullMethodName, peerpb.Peer_Scroll_FullMethodName,
		peerpb.Peer_Get_FullMethodName, peerpb.Peer_Count_FullMethodName:
		return true
	}
	return false
}

// Writes reports whether a method of this service carries data.
func Writes(method string) bool { return method == peerpb.Peer_Write_FullMethodName }

// Hello says who this node is.
func (s *Service) Hello(context.Context, *peerpb.HelloRequest) (*peerpb.HelloResponse, error) {
	return &peerpb.HelloResponse{
		Peer: infoToWire(s.opts.Self), ClusterId: s.opts.Membership.ID(), Expect: s.opts.Expect,
	}, nil
}

// Join passes the request to the Joiner.
func (s *Service) Join(ctx context.Context, w *peerpb.JoinRequest) (*peerpb.JoinResponse, error) {
	info, err := infoFromWire(w.GetPeer())
	if err != nil {
		return nil, err
	}
	if s.opts.Membership.ID() == "" {
		return nil, fault.New(fault.Unavailable, "this node is not a member of a cluster yet")
	}
	answer, err := s.opts.Joiner.Join(ctx, info, w.GetForwarded())
	if err != nil {
		return nil, err
	}
	resp := &peerpb.JoinResponse{ClusterId: answer.ClusterID}
	for _, p := range answer.Peers {
		resp.Peers = append(resp.Peers, infoToWire(p))
	}
	return resp, nil
}

// Ping tells that this node lives.
func (s *Service) Ping(_ context.Context, w *peerpb.PingRequest) (*peerpb.PingResponse, error) {
	if from := catalog.PeerID(w.GetFrom()); s.opts.Expelled(from) {
		return nil, fault.New(fault.FailedPrecondition, "peer %d was removed from the cluster for good", from).With(hintExpelled, "true")
	}
	if w.GetStanding() != peerpb.Standing_STANDING_UNSPECIFIED {
		standing, err := standingFromWire(w.GetStanding())
		if err != nil {
			return nil, err
		}
		s.opts.Heard(catalog.PeerID(w.GetFrom()), standing)
	}
	gauge := s.opts.Gauge()
	return &peerpb.PingResponse{
		Id: uint64(s.opts.Self.ID), AppliedIndex: s.opts.Applied(), Draining: s.opts.Draining(),
		DiskFreeBytes: gauge.DiskFree, DiskTotalBytes: gauge.DiskTotal, DiskEnoughBytes: gauge.DiskEnough, DiskFull: gauge.DiskFull, ReplicaBytes: gauge.ReplicaBytes,
	}, nil
}

// Propose makes metadata changes here, on the leader.
func (s *Service) Propose(ctx context.Context, w *peerpb.ProposeRequest) (*peerpb.ProposeResponse, error) {
	commands, err := catalog.DecodeCommands(w.GetCommands())
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "metadata commands")
	}
	index, results, err := s.opts.Proposer.ApplyHere(ctx, commands)
	if err != nil {
		return nil, err
	}
	return &peerpb.ProposeResponse{Index: index, Results: resultsToWire(results)}, nil
}

// Replicate passes the messages of one peer on, in order, until that peer ends the stream.
func (s *Service) Replicate(stream grpc.ClientStreamingServer[peerpb.ReplicateRequest, peerpb.ReplicateResponse]) error {
	for {
		frame, err := stream.Recv()
		if err != nil {
			return streamEnd(stream, err)
		}
		for _, w := range frame.GetMessages() {
			e, err := envelopeFromWire(w)
			if err != nil {
				return err
			}
			if catalog.PeerID(e.Message.To) != s.opts.Self.ID {
				return fault.New(fault.FailedPrecondition, "message for peer %d reached peer %d", e.Message.To, s.opts.Self.ID)
			}
			s.opts.Replicas.Step(e.Ref, e.Generation, e.Message)
		}
	}
}

// Fence asks the replicas for their promises (R5), side by side: each waits for its own disk.
func (s *Service) Fence(ctx context.Context, w *peerpb.FenceRequest) (*peerpb.FenceResponse, error) {
	fences, err := fencesFromWire(w)
	if err != nil {
		return nil, err
	}
	ctx, cancel := early(ctx, forFences)
	defer cancel()
	return &peerpb.FenceResponse{Answers: answersToWire(FenceAll(ctx, s.opts.Replicas, fences))}, nil
}

// WantPromotion passes wishes on.
func (s *Service) WantPromotion(_ context.Context, w *peerpb.WantPromotionRequest) (*peerpb.WantPromotionResponse, error) {
	for _, want := range w.GetShards() {
		ref, err := refFromWire(want.GetShard())
		if err != nil {
			return nil, err
		}
		s.opts.Promotions.WantPromotion(catalog.PeerID(w.GetFrom()), ref, want.GetTerm())
	}
	return &peerpb.WantPromotionResponse{}, nil
}

// Write appends to the shard's log, on its primary.
func (s *Service) Write(ctx context.Context, w *peerpb.WriteRequest) (*peerpb.WriteResponse, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return nil, err
	}
	ctx, cancel := early(ctx, forAccount)
	defer cancel()
	index, completed, err := s.opts.Data.Write(ctx, ref, w.GetTerm(), w.GetEpoch(), w.GetOp(), w.GetWait())
	if err != nil {
		return nil, err
	}
	return &peerpb.WriteResponse{Index: index, Completed: completed}, nil
}

// early ends ctx before its deadline by what keep makes of the time that is left, so that what there is to tell reaches the caller
// instead of a bare timeout.
func early(ctx context.Context, keep func(left time.Duration) time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline.Add(-keep(time.Until(deadline))))
}

// forAccount is kept for a primary's account of why something is late.
func forAccount(left time.Duration) time.Duration { return min(left/10, 100*time.Millisecond) }

// Search answers from the replica here.
func (s *Service) Search(ctx context.Context, w *peerpb.SearchRequest) (*peerpb.SearchResponse, error) {
	ref, reqs, err := searchFromWire(w)
	if err != nil {
		return nil, err
	}
	results, applied, err := s.opts.Data.Search(ctx, ref, w.GetMinIndex(), reqs)
	if err != nil {
		return nil, err
	}
	return hitsToWire(results, applied), nil
}

// Scroll answers from the replica here.
func (s *Service) Scroll(ctx context.Context, w *peerpb.ScrollRequest) (*peerpb.RecordsResponse, error) {
	ref, req, err := scrollFromWire(w)
	if err != nil {
		return nil, err
	}
	records, applied, err := s.opts.Data.Scroll(ctx, ref, w.GetMinIndex(), req)
	if err != nil {
		return nil, err
	}
	return recordsToWire(records, applied), nil
}

// Get answers from the replica here.
func (s *Service) Get(ctx context.Context, w *peerpb.GetRequest) (*peerpb.RecordsResponse, error) {
	ref, req, err := getFromWire(w)
	if err != nil {
		return nil, err
	}
	records, applied, err := s.opts.Data.Get(ctx, ref, w.GetMinIndex(), req)
	if err != nil {
		return nil, err
	}
	return recordsToWire(records, applied), nil
}

// Count answers from the replica here.
func (s *Service) Count(ctx context.Context, w *peerpb.CountRequest) (*peerpb.CountResponse, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return nil, err
	}
	f, err := filterFromWire(w.GetFilter())
	if err != nil {
		return nil, err
	}
	count, applied, err := s.opts.Data.Count(ctx, ref, w.GetMinIndex(), shard.CountRequest{Look: lookFromWire(w), Filter: f})
	if err != nil {
		return nil, err
	}
	return &peerpb.CountResponse{Count: count, Applied: applied}, nil
}

// Facet answers from the replica here.
func (s *Service) Facet(ctx context.Context, w *peerpb.FacetRequest) (*peerpb.FacetResponse, error) {
	ref, err := refFromWire(w.GetShard())
	if err != nil {
		return nil, err
	}
	f, err := filterFromWire(w.GetFilter())
	if err != nil {
		return nil, err
	}
	facets, applied, err := s.opts.Data.Facet(ctx, ref, w.GetMinIndex(), shard.FacetRequest{Look: lookFromWire(w), Path: w.GetPath(), Filter: f, Exact: w.GetExact(), Sparse: w.Sparse, Indices: w.GetIndices()})
	if err != nil {
		return nil, err
	}
	return facetsToWire(facets, applied), nil
}

// Status tells of the replicas here.
func (s *Service) Status(_ context.Context, w *peerpb.StatusRequest) (*peerpb.StatusResponse, error) {
	var refs []catalog.ShardRef
	for _, r := range w.GetShards() {
		ref, err := refFromWire(r)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	resp := &peerpb.StatusResponse{}
	for _, st := range s.opts.Replicas.Status(refs) {
		resp.Replicas = append(resp.Replicas, statusToWire(st))
	}
	return resp, nil
}

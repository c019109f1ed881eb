package client_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// network is a set of fake nodes that a client reaches by name.
type network struct {
	t  *testing.T
	mu struct {
		sync.Mutex
		nodes map[string]*node
		dials map[string]int
		cut   map[string]string // address -> "refuse" or "swallow"
	}
}

func newNetwork(t *testing.T) *network {
	n := &network{t: t}
	n.mu.nodes = map[string]*node{}
	n.mu.dials = map[string]int{}
	n.mu.cut = map[string]string{}
	return n
}

func (n *network) dial(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	n.mu.dials[address]++
	target, cut := n.mu.nodes[address], n.mu.cut[address]
	n.mu.Unlock()
	if cut == "swallow" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if target == nil || cut == "refuse" {
		return nil, errors.New("connection refused")
	}
	return target.listener.DialContext(ctx)
}

func (n *network) dials(address string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.dials[address]
}

// setCut makes new connections to address fail as how says ("": they succeed again), and ends the old ones.
func (n *network) setCut(address, how string) {
	n.mu.Lock()
	n.mu.cut[address] = how
	target := n.mu.nodes[address]
	n.mu.Unlock()
	if how != "" && target != nil {
		target.server.Stop()
	}
	if how == "" && target != nil {
		target.restart()
	}
}

func (n *network) client(config client.Config, endpoints ...string) *client.Client {
	n.t.Helper()
	config.Endpoints, config.Dialer = endpoints, n.dial
	c, err := client.New(config)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return c
}

// seen is one request that reached a node.
type seen struct {
	method   string
	request  proto.Message
	metadata metadata.MD
}

// node is a scripted server: every request is recorded, then script may answer it with an error.
type node struct {
	address string
	plain   bool // without ostraka.cluster.v1 and grpc.health.v1
	options []grpc.ServerOption

	listener *bufconn.Listener
	server   *grpc.Server
	health   *health.Server

	mu struct {
		sync.Mutex
		seen   []seen
		script func(ctx context.Context, method string, nth int) error
	}
}

type nodeOption func(*node)

func plain(n *node) { n.plain = true }

func (n *network) node(address string, options ...nodeOption) *node {
	out := &node{address: address}
	for _, o := range options {
		o(out)
	}
	out.restart()
	n.mu.Lock()
	n.mu.nodes[address] = out
	n.mu.Unlock()
	n.t.Cleanup(func() { out.server.Stop() })
	return out
}

func (n *node) restart() {
	n.listener = bufconn.Listen(1 << 16)
	n.server = grpc.NewServer(append(n.options, grpc.UnaryInterceptor(n.intercept), grpc.WaitForHandlers(true))...)
	n.register()
	go n.server.Serve(n.listener)
}

func (n *node) register() {
	qdrant.RegisterQdrantServer(n.server, healthServer{})
	qdrant.RegisterCollectionsServer(n.server, collectionsServer{})
	qdrant.RegisterPointsServer(n.server, pointsServer{})
	if n.plain {
		return
	}
	n.health = health.NewServer()
	healthpb.RegisterHealthServer(n.server, n.health)
	clusterpb.RegisterClusterServer(n.server, clusterServer{})
}

func (n *node) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	n.mu.Lock()
	n.mu.seen = append(n.mu.seen, seen{info.FullMethod[1:], req.(proto.Message), md})
	script, nth := n.mu.script, 0
	for _, s := range n.mu.seen {
		if s.method == info.FullMethod[1:] {
			nth++
		}
	}
	n.mu.Unlock()
	if script != nil {
		if err := script(ctx, info.FullMethod[1:], nth); err != nil {
			return nil, err
		}
	}
	return handler(ctx, req)
}

// on makes requests of one method fail as f says; nth counts from 1.
func (n *node) on(method string, f func(ctx context.Context, nth int) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.script = func(ctx context.Context, m string, nth int) error {
		if m != method {
			return nil
		}
		return f(ctx, nth)
	}
}

// requests returns what reached the node for one method, or, with "", for all.
func (n *node) requests(method string) []seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []seen
	for _, s := range n.mu.seen {
		if method == "" || s.method == method {
			out = append(out, s)
		}
	}
	return out
}

func always(err error) func(context.Context, int) error {
	return func(context.Context, int) error { return err }
}

// hang answers nothing until the caller is gone.
func hang(ctx context.Context, _ int) error {
	<-ctx.Done()
	elapse(time.Millisecond) // the caller's own deadline comes first, as with a server that never answers
	return ctx.Err()
}

// faultOf is an error as a node sends it.
func faultOf(class client.Class, hints map[string]string) error {
	st, err := status.New(client.Classes()[class], "as worded by the node").WithDetails(
		&errdetails.ErrorInfo{Domain: "ostraka", Reason: string(class), Metadata: hints})
	if err != nil {
		panic(err)
	}
	return st.Err()
}

type healthServer struct {
	qdrant.UnimplementedQdrantServer
}

func (healthServer) HealthCheck(context.Context, *qdrant.HealthCheckRequest) (*qdrant.HealthCheckReply, error) {
	return &qdrant.HealthCheckReply{Title: "qdrant - vector search engine", Version: "1.17.4"}, nil
}

type collectionsServer struct {
	qdrant.UnimplementedCollectionsServer
}

func (collectionsServer) Create(context.Context, *qdrant.CreateCollection) (*qdrant.CollectionOperationResponse, error) {
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

func (collectionsServer) Update(context.Context, *qdrant.UpdateCollection) (*qdrant.CollectionOperationResponse, error) {
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

func (collectionsServer) Delete(_ context.Context, r *qdrant.DeleteCollection) (*qdrant.CollectionOperationResponse, error) {
	return &qdrant.CollectionOperationResponse{Result: r.GetCollectionName() != "absent"}, nil
}

func (collectionsServer) CollectionExists(_ context.Context, r *qdrant.CollectionExistsRequest) (*qdrant.CollectionExistsResponse, error) {
	return &qdrant.CollectionExistsResponse{Result: &qdrant.CollectionExists{Exists: r.GetCollectionName() != "absent"}}, nil
}

func (collectionsServer) List(context.Context, *qdrant.ListCollectionsRequest) (*qdrant.ListCollectionsResponse, error) {
	return &qdrant.ListCollectionsResponse{Collections: []*qdrant.CollectionDescription{{Name: "b"}, {Name: "a"}}}, nil
}

func (collectionsServer) UpdateAliases(context.Context, *qdrant.ChangeAliases) (*qdrant.CollectionOperationResponse, error) {
	return &qdrant.CollectionOperationResponse{Result: true}, nil
}

func (collectionsServer) ListAliases(context.Context, *qdrant.ListAliasesRequest) (*qdrant.ListAliasesResponse, error) {
	return &qdrant.ListAliasesResponse{Aliases: []*qdrant.AliasDescription{{AliasName: "x", CollectionName: "a"}}}, nil
}

func (collectionsServer) Get(_ context.Context, r *qdrant.GetCollectionInfoRequest) (*qdrant.GetCollectionInfoResponse, error) {
	if r.GetCollectionName() == "absent" {
		return nil, status.Error(codes.NotFound, "Not found: Collection `absent` doesn't exist!")
	}
	return &qdrant.GetCollectionInfoResponse{Result: fullInfo()}, nil
}

type pointsServer struct {
	qdrant.UnimplementedPointsServer
}

func (pointsServer) Upsert(_ context.Context, r *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	return updated(r.GetWait()), nil
}

func (pointsServer) Delete(_ context.Context, r *qdrant.DeletePoints) (*qdrant.PointsOperationResponse, error) {
	return updated(r.GetWait()), nil
}

func (pointsServer) SetPayload(_ context.Context, r *qdrant.SetPayloadPoints) (*qdrant.PointsOperationResponse, error) {
	return updated(r.GetWait()), nil
}

func (pointsServer) CreateFieldIndex(_ context.Context, r *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	return updated(r.GetWait()), nil
}

func (pointsServer) DeleteFieldIndex(_ context.Context, r *qdrant.DeleteFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	return updated(r.GetWait()), nil
}

func (pointsServer) CreateVectorName(_ context.Context, r *qdrant.CreateVectorNameRequest) (*qdrant.PointsOperationResponse, error) {
	return updated(r.GetWait()), nil
}

func (pointsServer) DeleteVectorName(_ context.Context, r *qdrant.DeleteVectorNameRequest) (*qdrant.PointsOperationResponse, error) {
	return updated(r.GetWait()), nil
}

func updated(wait bool) *qdrant.PointsOperationResponse {
	id, result := uint64(7), qdrant.UpdateStatus_Acknowledged
	if wait {
		result = qdrant.UpdateStatus_Completed
	}
	return &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{OperationId: &id, Status: result}}
}

func (pointsServer) Count(context.Context, *qdrant.CountPoints) (*qdrant.CountResponse, error) {
	return &qdrant.CountResponse{Result: &qdrant.CountResult{Count: 42}}, nil
}

func (pointsServer) Query(context.Context, *qdrant.QueryPoints) (*qdrant.QueryResponse, error) {
	return &qdrant.QueryResponse{Result: []*qdrant.ScoredPoint{{
		Id: qdrant.NewIDNum(1), Score: 0.5, Version: 3, Payload: qdrant.NewValueMap(map[string]any{"word": "king"}),
		Vectors: unnamedOutput(1, 2),
	}}}, nil
}

func (pointsServer) Scroll(context.Context, *qdrant.ScrollPoints) (*qdrant.ScrollResponse, error) {
	return &qdrant.ScrollResponse{
		Result:         []*qdrant.RetrievedPoint{{Id: qdrant.NewIDNum(1)}},
		NextPageOffset: qdrant.NewIDUUID("6BA7B810-9DAD-11D1-80B4-00C04FD430C8"),
	}, nil
}

func (pointsServer) Get(_ context.Context, r *qdrant.GetPoints) (*qdrant.GetResponse, error) {
	out := &qdrant.GetResponse{}
	for _, id := range r.GetIds() {
		out.Result = append(out.Result, &qdrant.RetrievedPoint{Id: id, Vectors: &qdrant.VectorsOutput{
			VectorsOptions: &qdrant.VectorsOutput_Vectors{Vectors: &qdrant.NamedVectorsOutput{Vectors: map[string]*qdrant.VectorOutput{
				"image": {Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: []float32{3}}}},
				"old":   {Data: []float32{4}},
			}}},
		}})
	}
	return out, nil
}

func unnamedOutput(values ...float32) *qdrant.VectorsOutput {
	return &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vector{Vector: &qdrant.VectorOutput{
		Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: values}},
	}}}
}

type clusterServer struct {
	clusterpb.UnimplementedClusterServer
}

func (clusterServer) GetCluster(context.Context, *clusterpb.GetClusterRequest) (*clusterpb.GetClusterResponse, error) {
	return &clusterpb.GetClusterResponse{
		ClusterId: "c", AnsweringPeer: 1, Leader: 2, Term: 3, AppliedIndex: 4, Version: "0.1.0",
		Peers: []*clusterpb.Peer{
			{Id: 1, Name: "a", GrpcAddress: "a:1", PeerAddress: "a:2", HttpAddress: "a:3", Zone: "z", Version: "0.1.0", Alive: true, Voter: true, LastSeenUnixMs: 1000, Replicas: 5,
				State: clusterpb.PeerState_PEER_STATE_DRAINING, Labels: map[string]string{"rack": "1"}, Primaries: 2, Bytes: 3, DiskFreeBytes: 4, DiskTotalBytes: 5},
			{Id: 2, Name: "b", Leader: true, Replaced: true},
		},
	}, nil
}

func (clusterServer) GetPlacement(_ context.Context, r *clusterpb.GetPlacementRequest) (*clusterpb.GetPlacementResponse, error) {
	return &clusterpb.GetPlacementResponse{Collections: []*clusterpb.CollectionPlacement{{
		Collection: "docs", ShardNumber: 1, ReplicationFactor: 2, WriteConsistencyFactor: 2, Warnings: []string{"w"},
		TargetShardNumber: 2, Epoch: 3, Bytes: 4, Points: 5, Operations: []uint64{6}, ShardKeys: []*clusterpb.ShardKeyPlacement{{
			Key: wireKeyword("eu"), ShardNumber: 1, TargetShardNumber: 2, ReplicationFactor: 3, Placement: []uint64{4},
		}},
		Shards: []*clusterpb.ShardPlacement{{
			ShardId: 0, DeclaredReplicas: 2, ActiveReplicas: 1, Primary: 1, Term: 9, WriteQuorum: 2, Problem: "one is missing",
			Version: 8, UnsafePromotions: 7, ShardKey: &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Number{Number: 7}}, Slots: 4096, Pinned: true,
			Replicas: []*clusterpb.ReplicaPlacement{
				{Peer: 1, Alive: true, LastIndex: 10, AppliedIndex: 9, Points: 6, Generation: 5, Bytes: 8},
				{Peer: 2, State: clusterpb.ReplicaState_PARTIAL, Transfer: &clusterpb.Transfer{From: 1, Bytes: 2, TotalBytes: 3, Problem: "slow"}}, {Peer: 3, State: clusterpb.ReplicaState_DEAD},
				{Peer: 4, State: 99},
			},
		}},
	}}}, nil
}

func wireKeyword(word string) *clusterpb.ShardKey {
	return &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: word}}
}

// elapse lets virtual time pass inside a synctest bubble.
func elapse(d time.Duration) { <-time.After(d) }

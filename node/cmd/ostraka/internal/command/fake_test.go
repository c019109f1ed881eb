package command_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/cmd/ostraka/internal/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// server is a small cluster of one collection in memory.
type server struct {
	qdrant.UnimplementedQdrantServer
	qdrant.UnimplementedPointsServer
	clusterpb.UnimplementedClusterServer

	listener   *bufconn.Listener
	collection string
	vectors    map[string]int // name -> size
	cluster    *clusterpb.GetClusterResponse
	placement  *clusterpb.GetPlacementResponse
	verdicts   []*clusterpb.VerifyResponse
	events     []*clusterpb.WatchEventsResponse
	plan       *clusterpb.GetPlanResponse
	operations []*clusterpb.Operation
	watched    []*clusterpb.Operation
	settings   *clusterpb.Settings
	onUpsert   func(nth int, points []*qdrant.PointStruct) error

	mu struct {
		sync.Mutex
		points           map[string]*qdrant.PointStruct
		upserts          int // requests
		busy, maxBusy    int
		largest          int
		filters          []*qdrant.Filter
		queries          []*qdrant.QueryPoints
		keys             []string
		verifies         []*clusterpb.VerifyRequest
		refused, unwaits int

		plans     []*clusterpb.GetPlanRequest
		peers     []*clusterpb.UpdatePeerRequest
		cancelled []uint64
		rekeyed   []*clusterpb.UpdateShardKeyRequest
		made      []*qdrant.CreateShardKeyRequest
		deleted   []*qdrant.DeleteShardKeyRequest
		filled    []*qdrant.ReplicatePoints
	}
}

// serverOf starts a server for a collection whose unnamed vector has 2 components.
func serverOf(t *testing.T, collection string, plain ...bool) *server {
	s := &server{collection: collection, vectors: map[string]int{"": 2}, listener: bufconn.Listen(1 << 20)}
	s.mu.points = map[string]*qdrant.PointStruct{}
	g := grpc.NewServer(grpc.MaxRecvMsgSize(64<<20), grpc.WaitForHandlers(true))
	qdrant.RegisterQdrantServer(g, s)
	qdrant.RegisterCollectionsServer(g, collections{s: s})
	qdrant.RegisterPointsServer(g, s)
	if len(plain) == 0 {
		clusterpb.RegisterClusterServer(g, s)
	}
	go g.Serve(s.listener)
	t.Cleanup(g.Stop)
	return s
}

// collections is the part of the server whose methods share names with those for points.
type collections struct {
	qdrant.UnimplementedCollectionsServer
	s *server
}

func (c collections) List(ctx context.Context, _ *qdrant.ListCollectionsRequest) (*qdrant.ListCollectionsResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	c.s.mu.Lock()
	c.s.mu.keys = append(c.s.mu.keys, md.Get("api-key")...)
	c.s.mu.Unlock()
	out := &qdrant.ListCollectionsResponse{}
	if c.s.collection != "" {
		out.Collections = []*qdrant.CollectionDescription{{Name: c.s.collection}}
	}
	return out, nil
}

func (c collections) ListShardKeys(context.Context, *qdrant.ListShardKeysRequest) (*qdrant.ListShardKeysResponse, error) {
	return &qdrant.ListShardKeysResponse{ShardKeys: []*qdrant.ShardKeyDescription{
		{Key: qdrant.NewShardKeyNum(7)}, {Key: qdrant.NewShardKeyKeyword("7")}, {Key: qdrant.NewShardKeyKeyword("eu")},
	}}, nil
}

func (c collections) Get(_ context.Context, r *qdrant.GetCollectionInfoRequest) (*qdrant.GetCollectionInfoResponse, error) {
	if r.GetCollectionName() != c.s.collection {
		return nil, status.Error(codes.NotFound, "Not found: no such collection")
	}
	params := map[string]*qdrant.VectorParams{}
	for name, size := range c.s.vectors {
		params[name] = &qdrant.VectorParams{Size: uint64(size), Distance: qdrant.Distance_Cosine}
	}
	return &qdrant.GetCollectionInfoResponse{Result: &qdrant.CollectionInfo{Config: &qdrant.CollectionConfig{
		Params: &qdrant.CollectionParams{VectorsConfig: qdrant.NewVectorsConfigMap(params)},
	}}}, nil
}

func (s *server) HealthCheck(context.Context, *qdrant.HealthCheckRequest) (*qdrant.HealthCheckReply, error) {
	return &qdrant.HealthCheckReply{Title: "fake", Version: "1.19.0"}, nil
}

func (s *server) GetCluster(context.Context, *clusterpb.GetClusterRequest) (*clusterpb.GetClusterResponse, error) {
	return s.cluster, nil
}

func (s *server) GetPlacement(_ context.Context, r *clusterpb.GetPlacementRequest) (*clusterpb.GetPlacementResponse, error) {
	for _, name := range r.GetCollections() {
		if name != s.collection {
			return nil, status.Errorf(codes.NotFound, "Collection `%s` doesn't exist!", name)
		}
	}
	return s.placement, nil
}

func (s *server) Verify(r *clusterpb.VerifyRequest, stream grpc.ServerStreamingServer[clusterpb.VerifyResponse]) error {
	s.mu.Lock()
	s.mu.verifies = append(s.mu.verifies, r)
	s.mu.Unlock()
	for _, v := range s.verdicts {
		if err := stream.Send(v); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) WatchEvents(r *clusterpb.WatchEventsRequest, stream grpc.ServerStreamingServer[clusterpb.WatchEventsResponse]) error {
	events := s.events
	if n := int(r.GetLast()); n > 0 {
		events = events[len(events)-n:]
	}
	for _, e := range events {
		if err := stream.Send(e); err != nil {
			return err
		}
	}
	if r.GetFollow() {
		<-stream.Context().Done()
	}
	return nil
}

// Upsert refuses a request as a whole when one of its vectors has the wrong size, as a node does.
func (s *server) Upsert(_ context.Context, r *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	s.mu.Lock()
	s.mu.upserts++
	nth := s.mu.upserts
	s.mu.busy++
	s.mu.maxBusy = max(s.mu.maxBusy, s.mu.busy)
	s.mu.largest = max(s.mu.largest, len(r.GetPoints()))
	if !r.GetWait() {
		s.mu.unwaits++
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.mu.busy--
		s.mu.Unlock()
	}()
	if s.onUpsert != nil {
		if err := s.onUpsert(nth, r.GetPoints()); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range r.GetPoints() {
		if got := len(p.GetVectors().GetVector().GetDense().GetData()); got != s.vectors[""] {
			s.mu.refused++
			return nil, status.Errorf(codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: %d, got %d", s.vectors[""], got)
		}
	}
	for _, p := range r.GetPoints() {
		s.mu.points[idText(p.GetId())] = p
	}
	return &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{Status: qdrant.UpdateStatus_Completed}}, nil
}

func idText(id *qdrant.PointId) string {
	if u := id.GetUuid(); u != "" {
		return u
	}
	return fmt.Sprint(id.GetNum())
}

// Scroll answers a filter with the point 7 if it asks for a word that is king.
func (s *server) Scroll(_ context.Context, r *qdrant.ScrollPoints) (*qdrant.ScrollResponse, error) {
	s.mu.Lock()
	s.mu.filters = append(s.mu.filters, r.GetFilter())
	s.mu.Unlock()
	out := &qdrant.ScrollResponse{}
	if strings.Contains(r.GetFilter().String(), `"king"`) {
		out.Result = []*qdrant.RetrievedPoint{{Id: qdrant.NewIDNum(7)}}
	}
	return out, nil
}

func (s *server) Query(_ context.Context, r *qdrant.QueryPoints) (*qdrant.QueryResponse, error) {
	s.mu.Lock()
	s.mu.queries = append(s.mu.queries, r)
	s.mu.Unlock()
	return &qdrant.QueryResponse{Result: []*qdrant.ScoredPoint{
		{Id: qdrant.NewIDNum(1664), Score: 0.76823, Payload: qdrant.NewValueMap(map[string]any{"word": "prince", "rank": 1683})},
		{Id: qdrant.NewIDUUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), Score: -1, Payload: qdrant.NewValueMap(map[string]any{"a<b": "ä\x1b[2J\n"})},
		{Id: qdrant.NewIDNum(3), Score: 12.5},
	}}, nil
}

// session is a person at a shell.
type session struct {
	t           *testing.T
	endpoints   map[string]*server // others refuse connections
	environment map[string]string
	in          string
	width       int
	out, err    bytes.Buffer
}

func shell(t *testing.T, s *server) *session {
	return &session{t: t, endpoints: map[string]*server{"127.0.0.1:6334": s}, environment: map[string]string{}}
}

func (s *session) run(args ...string) int {
	s.t.Helper()
	return s.runContext(s.t.Context(), args...)
}

func (s *session) runContext(ctx context.Context, args ...string) int {
	s.out.Reset()
	return s.runWith(ctx, &s.out, args...)
}

func (s *session) runWith(ctx context.Context, out io.Writer, args ...string) int {
	s.err.Reset()
	return command.Run(ctx, command.World{
		In: strings.NewReader(s.in), Out: out, Err: &s.err, Hostname: "host-1",
		Lookup:  func(name string) (string, bool) { v, ok := s.environment[name]; return v, ok },
		Now:     func() time.Time { return time.UnixMilli(1_700_000_100_000) },
		Width:   func(any) int { return s.width },
		Version: "0.1.0", Commit: "abcdef",
		Dial: func(ctx context.Context, endpoint string) (net.Conn, error) {
			if server := s.endpoints[endpoint]; server != nil {
				return server.listener.DialContext(ctx)
			}
			return nil, errors.New("connection refused")
		},
	}, args)
}

// expect checks the exit code and that standard error holds the texts.
func (s *session) expect(code, want int, texts ...string) {
	s.t.Helper()
	if code != want {
		s.t.Errorf("exit code %d, want %d; stderr: %s", code, want, s.err.String())
	}
	for _, text := range texts {
		if !strings.Contains(s.err.String(), text) {
			s.t.Errorf("stderr %q, want it to say %q", s.err.String(), text)
		}
	}
}

// golden compares standard output with testdata/name.
func (s *session) golden(name string) {
	s.t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, s.out.Bytes(), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if !bytes.Equal(want, s.out.Bytes()) {
		s.t.Errorf("%s:\ngot\n%s\nwant\n%s", name, s.out.Bytes(), want)
	}
}

// ids returns the ids that the server holds, sorted.
func (s *server) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id := range s.mu.points {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// notify closes seen once want was written to it.
type notify struct {
	want string
	seen chan struct{}
	text bytes.Buffer
}

func (n *notify) Write(p []byte) (int, error) {
	before := strings.Contains(n.text.String(), n.want)
	n.text.Write(p)
	if !before && strings.Contains(n.text.String(), n.want) {
		close(n.seen)
	}
	return len(p), nil
}

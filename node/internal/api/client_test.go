package api_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

func insecureOption() grpc.DialOption {
	return grpc.WithTransportCredentials(insecure.NewCredentials())
}

// within bounds a test's calls.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestTheOfficialClientFindsWhatItStored(t *testing.T) {
	ctx := within(t)
	client := official(t, options(newCluster()))
	err := client.CreateCollection(ctx, &qdrant.CreateCollection{
		CollectionName: "words", ShardNumber: new(uint32(3)), ReplicationFactor: new(uint32(2)),
		VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Cosine}),
	})
	if err != nil {
		t.Fatal(err)
	}
	const uuid = "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"
	wrote, err := client.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: "words", Wait: new(true), Points: []*qdrant.PointStruct{
		{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectors(3, 4), Payload: qdrant.NewValueMap(map[string]any{"word": "king", "n": 7})},
		{Id: qdrant.NewIDNum(2), Vectors: qdrant.NewVectors(4, 3), Payload: qdrant.NewValueMap(map[string]any{"word": "queen", "n": 8})},
		{Id: qdrant.NewID(strings.ToUpper(uuid)), Vectors: qdrant.NewVectors(-1, 0)},
	}})
	if err != nil || wrote.GetStatus() != qdrant.UpdateStatus_Completed || wrote.OperationId == nil {
		t.Fatalf("upsert: %v, %v", wrote, err)
	}
	found, err := client.Query(ctx, &qdrant.QueryPoints{
		CollectionName: "words", Query: qdrant.NewQuery(0.6, 0.8), Limit: new(uint64(2)), WithPayload: qdrant.NewWithPayload(true),
		Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewRange("n", &qdrant.Range{Gte: new(float64(7))})}},
	})
	if err != nil || len(found) != 2 {
		t.Fatalf("query: %v, %v", found, err)
	}
	if best := found[0]; best.GetId().GetNum() != 1 || math.Abs(float64(best.GetScore())-1) > 1e-6 || best.GetPayload()["word"].GetStringValue() != "king" {
		t.Errorf("best: %v", best)
	}
	byID, err := client.Query(ctx, &qdrant.QueryPoints{CollectionName: "words", Query: qdrant.NewQueryID(qdrant.NewIDNum(1)), WithVectors: qdrant.NewWithVectors(true)})
	if err != nil || len(byID) != 2 || byID[0].GetId().GetNum() != 2 || len(byID[0].GetPayload()) != 0 {
		t.Errorf("by id, which is left out: %v, %v", byID, err)
	}
	got, err := client.Get(ctx, &qdrant.GetPoints{
		CollectionName: "words", Ids: []*qdrant.PointId{qdrant.NewID(uuid), qdrant.NewIDNum(9), qdrant.NewIDNum(1)}, WithVectors: qdrant.NewWithVectors(true),
	})
	if err != nil || len(got) != 2 || got[0].GetId().GetUuid() != uuid || got[1].GetId().GetNum() != 1 {
		t.Fatalf("get: %v, %v", got, err)
	}
	if v := got[1].GetVectors().GetVector().GetDense().GetData(); len(v) != 2 || v[0] != 0.6 || v[1] != 0.8 {
		t.Errorf("cosine vectors come back normalised, got %v", v)
	}
	page, next, err := client.ScrollAndOffset(ctx, &qdrant.ScrollPoints{CollectionName: "words", Limit: new(uint32(2))})
	if err != nil || len(page) != 2 || next.GetUuid() != uuid || page[0].GetPayload()["n"].GetIntegerValue() != 7 {
		t.Errorf("scroll: %v, %v, %v", page, next, err)
	}
	if _, err := client.Delete(ctx, &qdrant.DeletePoints{CollectionName: "words", Points: qdrant.NewPointsSelector(qdrant.NewIDNum(2))}); err != nil {
		t.Error(err)
	}
	if n, err := client.Count(ctx, &qdrant.CountPoints{CollectionName: "words"}); err != nil || n != 2 {
		t.Errorf("%d points: %v", n, err)
	}
}

func TestTheOfficialClientManagesCollectionsAndAliases(t *testing.T) {
	ctx := within(t)
	client := official(t, options(newCluster()))
	create := &qdrant.CreateCollection{CollectionName: "a", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Dot})}
	if err := client.CreateCollection(ctx, create); err != nil {
		t.Fatal(err)
	}
	if err := client.CreateCollection(ctx, create); status.Code(err) != codes.AlreadyExists || !contains(err.Error(), "Wrong input: Collection `a` already exists!") {
		t.Errorf("a second time: %v", err)
	}
	if err := client.CreateAlias(ctx, "b", "a"); err != nil {
		t.Error(err)
	}
	if err := client.RenameAlias(ctx, "b", "c"); err != nil {
		t.Error(err)
	}
	if aliases, err := client.ListCollectionAliases(ctx, "a"); err != nil || len(aliases) != 1 || aliases[0] != "c" {
		t.Errorf("%v, %v", aliases, err)
	}
	if all, err := client.ListAliases(ctx); err != nil || len(all) != 1 || all[0].GetCollectionName() != "a" {
		t.Errorf("%v, %v", all, err)
	}
	if info, err := client.GetCollectionInfo(ctx, "c"); err != nil || info.GetConfig().GetParams().GetShardNumber() != 2 {
		t.Errorf("by alias, a shard per peer: %v, %v", info, err)
	}
	if exists, err := client.CollectionExists(ctx, "none"); err != nil || exists {
		t.Errorf("%v, %v", exists, err)
	}
	if err := client.DeleteCollection(ctx, "a"); err != nil {
		t.Error(err)
	}
	if err := client.DeleteCollection(ctx, "a"); err == nil || status.Code(err) == codes.NotFound {
		t.Errorf("the client makes an error of its own of result=false, got %v", err)
	}
	if names, err := client.ListCollections(ctx); err != nil || len(names) != 0 {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := client.GetCollectionInfo(ctx, "a"); status.Code(err) != codes.NotFound || !contains(err.Error(), "Not found: Collection `a` doesn't exist!") {
		t.Errorf("gone: %v", err)
	}
}

func TestHealthCheckSatisfiesClientsOfThisGeneration(t *testing.T) {
	client := official(t, options(newCluster()))
	got, err := client.HealthCheck(within(t))
	if err != nil || got.GetTitle() != "qdrant - vector search engine" || !contains(got.GetCommit(), "ostraka 0.1.0 abc") {
		t.Fatalf("%v, %v", got, err)
	}
	for _, version := range []string{"v1.18.0", "v1.19.0", "v1.20.0"} {
		if !qdrant.IsCompatible(version, got.GetVersion()) {
			t.Errorf("a client of %s would warn about %s", version, got.GetVersion())
		}
	}
}

func TestReadinessShowsUnderTheNamesOfServicesAndNotUnderTheEmptyOne(t *testing.T) {
	o := options(newCluster())
	ready := make(chan error, 1)
	o.Ready = func() error { err := <-ready; ready <- err; return err }
	ready <- nil
	health := grpc_health_v1.NewHealthClient(dial(t, o))
	expect := func(service string, want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		got, err := health.Check(within(t), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil || got.GetStatus() != want {
			t.Errorf("%q: %v, %v, want %s", service, got, err, want)
		}
	}
	ctx, cancel := context.WithCancel(within(t))
	watch, err := health.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: "qdrant.Points"})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("watch: %v, %v", first, err)
	}
	expect("", grpc_health_v1.HealthCheckResponse_SERVING)
	expect("qdrant.Points", grpc_health_v1.HealthCheckResponse_SERVING)
	<-ready
	ready <- fault.New(fault.Unavailable, "no leader")
	expect("", grpc_health_v1.HealthCheckResponse_SERVING)
	expect("qdrant.Collections", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	if next, err := watch.Recv(); err != nil || next.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("watch: %v, %v", next, err)
	}
	cancel()
	if _, err := health.Check(within(t), &grpc_health_v1.HealthCheckRequest{Service: "none"}); status.Code(err) != codes.NotFound {
		t.Errorf("an unknown service: %v", err)
	}
}

func TestReflectionNamesTheServices(t *testing.T) {
	stream, err := reflectionv1.NewServerReflectionClient(dial(t, options(newCluster()))).ServerReflectionInfo(within(t))
	if err != nil {
		t.Fatal(err)
	}
	ask := &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}
	if err := stream.Send(ask); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"qdrant.Qdrant", "qdrant.Collections", "qdrant.Points", "qdrant.Snapshots", "grpc.health.v1.Health",
		"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
	} {
		if !contains(got.String(), `"`+name+`"`) {
			t.Errorf("%s is not listed", name)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
}

func TestGzipAndRequestsAboveTheLibrarysLimitAreTaken(t *testing.T) {
	ctx := within(t)
	conn := dial(t, options(newCluster()), grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	points := qdrant.NewPointsClient(conn)
	create := &qdrant.CreateCollection{CollectionName: "a", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 1024, Distance: qdrant.Distance_Dot})}
	if _, err := qdrant.NewCollectionsClient(conn).Create(ctx, create); err != nil {
		t.Fatal(err)
	}
	upsert := &qdrant.UpsertPoints{CollectionName: "a"}
	for i := range 2000 {
		upsert.Points = append(upsert.Points, &qdrant.PointStruct{Id: qdrant.NewIDNum(uint64(i)), Vectors: qdrant.NewVectorsDense(make([]float32, 1024))})
	}
	if _, err := points.Upsert(ctx, upsert); err != nil { // 8 MB
		t.Error(err)
	}
}

func TestRequestsBeyondTheLimitAreRefusedAndTheServerLives(t *testing.T) {
	ctx := within(t)
	conn := dial(t, options(newCluster()))
	upsert := &qdrant.UpsertPoints{CollectionName: "a", Points: []*qdrant.PointStruct{{
		Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsDense(make([]float32, 17<<20)),
	}}}
	if _, err := qdrant.NewPointsClient(conn).Upsert(ctx, upsert); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("68 MB: %v", err)
	}
	if _, err := qdrant.NewCollectionsClient(conn).List(ctx, &qdrant.ListCollectionsRequest{}); err != nil {
		t.Error(err)
	}
}

func TestInterceptorsSeeTheStatusThatTheClientGets(t *testing.T) {
	seen := make(chan codes.Code, 1)
	conn := func() *grpc.ClientConn {
		o := options(newCluster())
		dialer := serve(t, o, func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			resp, err := h(ctx, req)
			seen <- status.Code(err)
			return resp, err
		})
		c, err := grpc.NewClient("passthrough:///node", dialer, insecureOption())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}()
	_, err := qdrant.NewPointsClient(conn).Count(within(t), &qdrant.CountPoints{CollectionName: "none"})
	if got := <-seen; got != codes.NotFound || status.Code(err) != codes.NotFound {
		t.Errorf("interceptor saw %s, client %v", got, err)
	}
	if !fault.Is(fault.FromStatus(err), fault.NotFound) {
		t.Errorf("the class is lost: %v", err)
	}
}

package api_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(c *cluster) api.Options {
	return api.Options{
		Points: c, Metadata: c, Inspector: c, Self: self, Version: "0.1.0", Commit: "abc", Random: func() uint64 { return 7 },
		Now: func() time.Time { return time.UnixMilli(5) },
	}
}

// serve runs the services on an in-memory listener and returns its address for the official client, and a way there.
func serve(t *testing.T, o api.Options, interceptors ...grpc.UnaryServerInterceptor) grpc.DialOption {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	s := grpc.NewServer(api.ServerOptions(interceptors...)...)
	if err := api.Register(s, o); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })
}

// official returns the official Go client, version check and keepalive included.
func official(t *testing.T, o api.Options) *qdrant.Client {
	t.Helper()
	client, err := qdrant.NewClient(&qdrant.Config{
		Host: "passthrough:///node", PoolSize: 1, VersionCheckTimeout: 10 * time.Second,
		GrpcOptions: []grpc.DialOption{serve(t, o)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// dial returns a bare connection.
func dial(t *testing.T, o api.Options, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	opts = append(opts, serve(t, o), grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient("passthrough:///node", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// local is the API without a network.
type local struct {
	t    testing.TB
	call api.Call
	*cluster
}

func newLocal(t testing.TB, change ...func(*api.Options)) *local {
	t.Helper()
	c := newCluster()
	o := options(c)
	for _, f := range change {
		f(&o)
	}
	call, err := api.NewCall(o)
	if err != nil {
		t.Fatal(err)
	}
	return &local{t: t, call: call, cluster: c}
}

func (l *local) try(method string, request proto.Message) (proto.Message, error) {
	l.t.Helper()
	return l.ask(context.Background(), method, request)
}

// ask is try with a context, and so with a request's metadata.
func (l *local) ask(ctx context.Context, method string, request proto.Message) (proto.Message, error) {
	l.t.Helper()
	b, err := proto.Marshal(request)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.call(ctx, method, b)
}

func (l *local) must(method string, request proto.Message) proto.Message {
	l.t.Helper()
	resp, err := l.try(method, request)
	if err != nil {
		l.t.Fatalf("%s: %v", method, err)
	}
	return resp
}

// refused fails unless the request is refused with that code and text.
func (l *local) refused(method string, request proto.Message, code codes.Code, text string) {
	l.t.Helper()
	resp, err := l.try(method, request)
	if err == nil {
		l.t.Errorf("%s(%v) was accepted: %v", method, request, resp)
		return
	}
	if st := status.Convert(err); st.Code() != code || !contains(st.Message(), text) {
		l.t.Errorf("%s(%v): %s %q, want %s with %q", method, request, st.Code(), st.Message(), code, text)
	}
}

func protoTypes(name protoreflect.FullName) (protoreflect.MessageType, error) {
	return protoregistry.GlobalTypes.FindMessageByName(name)
}

func valueOfString(s string) protoreflect.Value { return protoreflect.ValueOfString(s) }

// The cluster's own parts fit without an adapter.
var (
	_ api.Points    = (*coordinator.Coordinator)(nil)
	_ api.Inspector = (*coordinator.Coordinator)(nil)
	_ api.Metadata  = (*consensus.Node)(nil)
)
